/* SPDX-License-Identifier: BSD-2-Clause */
#include "naive_parts.h"

/* ---- what the PE implements ---------------------------------------------------------------- */

unsigned naive_pa_max(const struct naive_cpu *cpu)
{
	static const unsigned size[8] = { 32, 36, 40, 42, 44, 48, 52, 52 };

	return size[field(cpu->mmfr0, 2, 0)];
}

bool naive_have_lpa(const struct naive_cpu *cpu)
{
	return naive_pa_max(cpu) == 52;
}

static bool have_granule(const struct naive_cpu *cpu, int stage, unsigned granule)
{
	uint64_t s1 = field(cpu->mmfr0,
			    granule == 12   ? 31
			    : granule == 16 ? 27
					    : 23,
			    granule == 12   ? 28
			    : granule == 16 ? 24
					    : 20);
	uint64_t s2 = field(cpu->mmfr0,
			    granule == 12   ? 43
			    : granule == 16 ? 39
					    : 35,
			    granule == 12   ? 40
			    : granule == 16 ? 36
					    : 32);
	bool s1_has = granule == 14 ? s1 != 0 : s1 != 15;

	if (stage == 1 || s2 == 0)
		return s1_has;
	return s2 >= 2;
}

/* FEAT_LPA2 for one granule of one stage. */
static bool have_lpa2(const struct naive_cpu *cpu, int stage, unsigned granule)
{
	uint64_t s1 = granule == 12 ? field(cpu->mmfr0, 31, 28) : field(cpu->mmfr0, 23, 20);
	uint64_t s2 = granule == 12 ? field(cpu->mmfr0, 43, 40) : field(cpu->mmfr0, 35, 32);
	bool s1_has = granule == 12 ? s1 == 1 : s1 == 2;

	if (granule == 16)
		return false;
	return stage == 1 || s2 == 0 ? s1_has : s2 == 3;
}

static unsigned hafdbs(const struct naive_cpu *cpu)
{
	return (unsigned)field(cpu->mmfr1, 3, 0);
}

/* ---- the parameters of a stage ------------------------------------------------------------- */

static unsigned pick_granule(const struct naive_cpu *cpu, int stage, unsigned wanted)
{
	if (wanted && have_granule(cpu, stage, wanted))
		return wanted;
	/* Reserved or not implemented: an IMPLEMENTATION DEFINED choice; the smallest there is. */
	return have_granule(cpu, stage, 12) ? 12 : have_granule(cpu, stage, 14) ? 14 : 16;
}

/* AArch64.GetS1TTWParams, for the half of the address space that va lies in. */
struct params naive_s1_params(const struct naive_cpu *cpu, const struct naive_regs *r, bool el20,
			      uint64_t va)
{
	static const unsigned tg0_size[4] = { 12, 16, 14, 0 }, tg1_size[4] = { 0, 14, 12, 16 };
	uint64_t tcr = el20 ? r->tcr_el2 : r->tcr_el1;
	bool upper = bit(va, 55);
	struct params p = { .stage = 1, .el20 = el20 };

	p.txsz = (unsigned)(upper ? field(tcr, 21, 16) : field(tcr, 5, 0));
	p.granule = pick_granule(
		cpu, 1, upper ? tg1_size[field(tcr, 31, 30)] : tg0_size[field(tcr, 15, 14)]);
	p.stride = p.granule - 3;
	p.ps = (unsigned)field(tcr, 34, 32);
	p.ds = have_lpa2(cpu, 1, p.granule) && bit(tcr, 59);
	p.ha = hafdbs(cpu) >= 1 && bit(tcr, 39);
	p.hd = hafdbs(cpu) >= 2 && bit(tcr, 40);
	p.sh = (unsigned)(upper ? field(tcr, 29, 28) : field(tcr, 13, 12));
	p.tbi = bit(tcr, upper ? 38 : 37);
	p.tbid = cpu->pauth && bit(tcr, upper ? 52 : 51);
	p.epd = bit(tcr, upper ? 23 : 7);
	p.e0pd = field(cpu->mmfr2, 63, 60) && bit(tcr, upper ? 56 : 55);
	p.hpd = field(cpu->mmfr1, 15, 12) && bit(tcr, upper ? 42 : 41);
	p.sctlr = el20 ? r->sctlr_el2 : r->sctlr_el1;
	p.wxn = bit(p.sctlr, 19);
	p.epan = field(cpu->mmfr1, 23, 20) >= 3 && bit(p.sctlr, 57);
	p.mair = el20 ? r->mair_el2 : r->mair_el1;
	if (el20)
		p.ttbr = upper ? r->ttbr1_el2 : r->ttbr0_el2;
	else
		p.ttbr = upper ? r->ttbr1_el1 : r->ttbr0_el1;
	return p;
}

/* AArch64.NSS2TTWParams */
struct params naive_s2_params(const struct naive_cpu *cpu, const struct naive_regs *r)
{
	static const unsigned tg0_size[4] = { 12, 16, 14, 0 };
	uint64_t vtcr = r->vtcr_el2;
	struct params p = { .stage = 2 };

	p.txsz = (unsigned)field(vtcr, 5, 0);
	p.granule = pick_granule(cpu, 2, tg0_size[field(vtcr, 15, 14)]);
	p.stride = p.granule - 3;
	p.ps = (unsigned)field(vtcr, 18, 16);
	p.ds = have_lpa2(cpu, 2, p.granule) && bit(vtcr, 32);
	p.sl = (unsigned)field(vtcr, 7, 6);
	if (p.granule == 12 && p.ds && bit(vtcr, 33))
		p.sl |= 4;
	p.ha = hafdbs(cpu) >= 1 && bit(vtcr, 21);
	p.hd = hafdbs(cpu) >= 2 && bit(vtcr, 22);
	p.sh = (unsigned)field(vtcr, 13, 12);
	p.ptw = bit(r->hcr_el2, 2) && !bit(r->hcr_el2, 27);
	p.fwb = field(cpu->mmfr2, 43, 40) && bit(r->hcr_el2, 46);
	p.ttbr = r->vttbr_el2;
	return p;
}

/* AArch64.PhysicalAddressSize */
static unsigned oa_bits(const struct naive_cpu *cpu, const struct params *p)
{
	static const unsigned size[8] = { 32, 36, 40, 42, 44, 48, 52, 56 };
	unsigned limit = naive_pa_max(cpu);

	if ((p->granule != 16 && !have_lpa2(cpu, p->stage, p->granule)) || !naive_have_lpa(cpu))
		limit = limit < 48 ? limit : 48;
	return size[p->ps] < limit ? size[p->ps] : limit;
}

bool naive_oa_out_of_range(const struct naive_cpu *cpu, const struct params *p, uint64_t address)
{
	return address >> oa_bits(cpu, p) != 0;
}

/* AArch64.S1MinTxSZ, S2MinTxSZ, MaxTxSZ. Returns false for a fault, else the size in use. */
bool naive_settle_txsz(const struct naive_cpu *cpu, struct params *p)
{
	bool ttst = field(cpu->mmfr2, 31, 28) != 0;
	unsigned max = !ttst ? 39 : p->granule == 16 ? 47 : 48;
	unsigned min, ips;
	bool must_fault;

	if (p->stage == 1) {
		bool lva = field(cpu->mmfr2, 19, 16) != 0;

		min = (lva && p->granule == 16) || p->ds ? 12 : 16;
		must_fault = lva;
	} else {
		ips = naive_pa_max(cpu);
		if (p->granule != 16 && !p->ds && ips > 48)
			ips = 48;
		min = 64 - ips;
		must_fault = naive_have_lpa(cpu);
	}
	if (p->txsz < min) {
		if (must_fault || !cpu->clamp_txsz)
			return false;
		p->txsz = min;
	} else if (p->txsz > max) {
		if (!cpu->clamp_txsz)
			return false;
		p->txsz = max;
	}
	return true;
}

/* ---- the shape of tables ------------------------------------------------------------------- */

/* Bits of IA below those that index a table at `level`. */
unsigned naive_level_low(const struct params *p, int level)
{
	return p->granule + (unsigned)(3 - level) * p->stride;
}

/* AArch64.S1StartLevel, AArch64.S2StartLevel. The caller has excluded invalid SL. */
int naive_start_level(const struct params *p)
{
	static const int sl_4k[5] = { 2, 1, 0, 3, -1 }, sl_16k[4] = { 3, 2, 1, 0 };

	if (p->stage == 1)
		return 3 - (int)((64 - p->txsz - 1 - p->granule) / p->stride);
	return p->granule == 12 ? sl_4k[p->sl] : sl_16k[p->sl];
}

/* AArch64.S2InvalidSL */
bool naive_sl_invalid(const struct naive_cpu *cpu, const struct params *p)
{
	switch (p->granule) {
	case 12:
		if (p->sl == 3)
			return field(cpu->mmfr2, 31, 28) == 0;
		return p->sl > 4 || (p->sl == 2 && naive_pa_max(cpu) < 44);
	case 14:
		return (p->sl == 3 && !p->ds) || (p->sl == 2 && naive_pa_max(cpu) < 42);
	default:
		return p->sl == 3 || (p->sl == 2 && naive_pa_max(cpu) < 44);
	}
}

/* AArch64.S2InconsistentSL: at least 1 bit, at most one table's index and 4 bits more. */
bool naive_sl_inconsistent(const struct params *p)
{
	unsigned min = naive_level_low(p, naive_start_level(p)) + 1;

	return 64 - p->txsz < min || 64 - p->txsz > min + p->stride - 1 + 4;
}

/* AArch64.S1TTBaseAddress, AArch64.S2TTBaseAddress */
uint64_t naive_table_base(const struct naive_cpu *cpu, const struct params *p)
{
	unsigned size = 64 - p->txsz - naive_level_low(p, naive_start_level(p)) + 3;
	uint64_t base;

	if ((naive_have_lpa(cpu) && p->granule == 16 && p->ps == 6) || p->ds) {
		if (size < 6)
			size = 6;
		base = field(p->ttbr, 5, 2) << 48 | field(p->ttbr, 47, 6) << 6;
	} else {
		base = field(p->ttbr, 47, 1) << 1;
	}
	return base >> size << size;
}

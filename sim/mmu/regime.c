/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/regime.h"

#include <string.h>

#include "arch/attr.h"
#include "arch/geometry.h"
#include "mmu/walk.h"

static bool bit(uint64_t reg, unsigned n)
{
	return (reg >> n & 1) != 0;
}

/* AArch64_PhysicalAddressSize: what PS or IPS, the PE and the granule's descriptors allow. */
static unsigned output_size_bits(const struct arch_cpu *cpu, enum granule granule, unsigned ps)
{
	unsigned cap = cpu->lpa && (granule == GRANULE_64K || cpu->lpa2) ? 52 : 48;
	unsigned size = cpu_pa_size_bits(ps);

	if (cpu->pa_bits < cap)
		cap = cpu->pa_bits;
	return size < cap ? size : cap;
}

/* S1TTBaseAddress, S2TTBaseAddress: aligned to the size of the start table(s). */
static uint64_t table_base(const struct arch_cpu *cpu, const struct regime_stage *s, bool ds,
			   unsigned ps, uint64_t ttbr)
{
	unsigned align_bits = s->ia_bits - level_shift(s->format.granule, s->start_level) + 3;
	uint64_t base = ttbr & low_mask(48) & ~UINT64_C(1);

	if (ds || (s->format.granule == GRANULE_64K && cpu->lpa && ps == 6)) {
		base = (base & ~low_mask(6)) | bits(ttbr, 5, 2) << 48;
		if (align_bits < 6)
			align_bits = 6;
	}
	return base & ~low_mask(align_bits);
}

/*
 * Input address size from TxSZ; false if the set-up faults. Below the minimum a PE with FEAT_LVA
 * (stage 1) or FEAT_LPA (stage 2) always faults (S1TxSZFaults, S2TxSZFaults).
 */
static bool input_size(const struct arch_cpu *cpu, int stage, bool ds, unsigned txsz,
		       struct regime_stage *s)
{
	unsigned max_ia = geometry_max_ia_bits(cpu, stage, s->format.granule, ds);
	unsigned min_ia = geometry_min_ia_bits(cpu, s->format.granule);
	unsigned ia = 64 - txsz;
	bool faults = cpu->txsz_out_of_range == TXSZ_FAULT;

	if (ia > max_ia) {
		if (faults || (stage == 1 ? cpu->lva : cpu->lpa))
			return false;
		ia = max_ia;
	} else if (ia < min_ia) {
		if (faults)
			return false;
		ia = min_ia;
	}
	s->ia_bits = (uint8_t)ia;
	s->ia_mask = low_mask(ia);
	return true;
}

static void set_granule(struct regime_stage *s, const struct arch_cpu *cpu, enum granule granule,
			bool ds)
{
	s->granule_bits = (uint8_t)granule;
	s->stride_bits = (uint8_t)granule_stride(granule);
	s->index_mask = low_mask(s->stride_bits);
	s->format = desc_format_of(granule, ds, cpu->pa_bits);
	s->sh_from_regs = ds;
	s->contiguous_fault = cpu->contiguous_misprogrammed == CONTIGUOUS_FAULT;
	s->nt_fault = cpu->bbm > 0 && cpu->nt_block == NT_FAULT;
}

/* Stage-1 permissions but for PAN (AArch64_S1DirectBasePermissions). */
static uint8_t s1_perms(uint64_t desc, bool wxn)
{
	const bool writable = !(desc & S1_AP_RO);
	uint8_t perms = writable ? PERM_R1 | PERM_W1 : PERM_R1;

	if (desc & S1_AP_EL0)
		perms |= writable ? PERM_R0 | PERM_W0 : PERM_R0;
	/* What EL0 can write, EL1 cannot execute. */
	if (!(desc & S1_PXN) && !(perms & PERM_W0))
		perms |= PERM_X1;
	if (!(desc & S1_UXN))
		perms |= PERM_X0;
	if (wxn && (perms & PERM_W1))
		perms &= (uint8_t)~PERM_X1;
	if (wxn && (perms & PERM_W0))
		perms &= (uint8_t)~PERM_X0;
	return perms;
}

/* Stage-2 permissions (AArch64_S2DirectBasePermissions); execution does not need read. */
static uint8_t s2_perms(uint64_t desc, bool xnx)
{
	static const uint8_t execute[] = { PERM_X1 | PERM_X0, PERM_X0, 0, PERM_X1 };
	const unsigned xn = (unsigned)(desc >> S2_XN_SHIFT & 3);
	uint8_t perms = execute[xnx ? xn : xn & 2];

	if (desc & S2_AP_R)
		perms |= PERM_R1 | PERM_R0;
	if (desc & S2_AP_W)
		perms |= PERM_W1 | PERM_W0;
	return perms;
}

/* A descriptor with the bits that regime_perms_index() makes `index` of. */
static uint64_t perms_desc(unsigned index)
{
	return (uint64_t)(index & 12) << 51 | (uint64_t)(index & 3) << 6;
}

/* The start level is known: base address, and whether it can be reached. */
static void set_base(struct regime_stage *s, const struct arch_cpu *cpu, bool ds, unsigned ps,
		     uint64_t ttbr)
{
	s->oa_bits = (uint8_t)output_size_bits(cpu, s->format.granule, ps);
	s->start_shift = (uint8_t)level_shift(s->format.granule, s->start_level);
	s->oa_excess = ~low_mask(s->oa_bits);
	s->base = table_base(cpu, s, ds, ps, ttbr);
	s->setup_fault = s->base >> s->oa_bits ? FAULT_ADDRESS_SIZE : FAULT_NONE;
}

/* log2 of the granule that TG0 names; 0: reserved. */
static unsigned tg0_bits(unsigned tg0)
{
	static const uint8_t table[] = { GRANULE_4K, GRANULE_64K, GRANULE_16K, 0 };

	return table[tg0];
}

static unsigned tg1_bits(unsigned tg1)
{
	static const uint8_t table[] = { 0, GRANULE_16K, GRANULE_4K, GRANULE_64K };

	return table[tg1];
}

/* One half of stage 1. TCR_EL1 and TCR_EL2 with E2H have the same layout. */
static void decode_s1_half(struct regime *r, const struct arch_cpu *cpu, unsigned half,
			   uint64_t tcr, uint64_t sctlr, uint64_t ttbr)
{
	struct regime_stage *s = &r->s1[half];
	unsigned at = half ? 16 : 0; /* of this half's TxSZ..SHx fields */
	unsigned tg = half ? tg1_bits((unsigned)bits(tcr, 31, 30))
			   : tg0_bits((unsigned)bits(tcr, 15, 14));
	enum granule granule = cpu_granule_or_default(cpu, 1, tg);
	unsigned ps = (unsigned)bits(tcr, 34, 32);
	bool ds = cpu_has_lpa2(cpu, 1, granule) && bit(tcr, 59);

	set_granule(s, cpu, granule, ds);
	s->hw_af = cpu->hw_af && bit(tcr, 39);
	s->hw_dirty = s->hw_af && cpu->hw_dirty && bit(tcr, 40);
	s->big_endian = bit(sctlr, 25);
	s->usual = granule == GRANULE_4K && !ds && !s->big_endian;
	s->sh = (uint8_t)bits(tcr, at + 13, at + 12);
	s->walk_attr = r->s1_dcache ? attr_from_rgn((unsigned)bits(tcr, at + 9, at + 8),
						    (unsigned)bits(tcr, at + 11, at + 10))
				    : ATTR_NORMAL_NC;
	s->walk_cacheable = attr_is_write_back(s->walk_attr);
	s->epd = bit(tcr, at + 7);
	s->cnp = cpu->cnp && bit(ttbr, 0);
	s->e0pd = cpu->e0pd && bit(tcr, 55 + half);
	s->tbi = bit(tcr, 37 + half);
	s->tbid = cpu->pauth && bit(tcr, 51 + half);
	s->hpd = cpu->hpds && bit(tcr, 41 + half);
	for (unsigned i = 0; i < 16; i++)
		s->perms[i] = s1_perms(perms_desc(i), r->wxn);
	s->setup_fault = FAULT_TRANSLATION;
	s->closed = true;
	if (!input_size(cpu, 1, ds, (unsigned)bits(tcr, at + 5, at), s))
		return;
	s->start_level = (int8_t)(3 - (s->ia_bits - 1 - (int)granule) / s->stride_bits);
	set_base(s, cpu, ds, ps, ttbr);
	s->closed = s->setup_fault != FAULT_NONE || s->epd || s->e0pd;
}

static void decode_s2(struct regime *r, const struct arch_cpu *cpu, const struct mmu_regs *regs)
{
	uint64_t vtcr = regs->vtcr_el2, hcr = regs->hcr_el2;
	struct regime_stage *s = &r->s2;
	enum granule granule =
		cpu_granule_or_default(cpu, 2, tg0_bits((unsigned)bits(vtcr, 15, 14)));
	unsigned ps = (unsigned)bits(vtcr, 18, 16);
	bool ds = cpu_has_lpa2(cpu, 2, granule) && bit(vtcr, 32);
	unsigned sl = (unsigned)bits(vtcr, 7, 6);

	if (ds && granule == GRANULE_4K && bit(vtcr, 33))
		sl |= 4;
	set_granule(s, cpu, granule, ds);
	s->hw_af = cpu->hw_af && bit(vtcr, 21);
	s->hw_dirty = s->hw_af && cpu->hw_dirty && bit(vtcr, 22);
	s->big_endian = bit(regs->sctlr_el2, 25);
	s->usual = granule == GRANULE_4K && !ds && !s->big_endian;
	s->sh = (uint8_t)bits(vtcr, 13, 12);
	s->disable_cache = bit(hcr, 32);
	s->disable_fetch_cache = bit(hcr, 33);
	s->walk_attr = s->disable_cache ? ATTR_NORMAL_NC
					: attr_from_rgn((unsigned)bits(vtcr, 9, 8),
							(unsigned)bits(vtcr, 11, 10));
	s->walk_cacheable = attr_is_write_back(s->walk_attr);
	s->cnp = cpu->cnp && bit(regs->vttbr_el2, 0);
	s->xnx = cpu->xnx;
	s->fwb = cpu->fwb && bit(hcr, 46);
	s->protect_walk = bit(hcr, 2) && !bit(hcr, 27);
	for (unsigned i = 0; i < 16; i++)
		s->perms[i] = s2_perms(perms_desc(i), s->xnx);
	for (unsigned i = 0; i < 16; i++)
		for (unsigned use = 0; use < USES; use++)
			s->s2_attr[use][i] =
				regime_s2_used(s, attr_from_s2(i), (enum regime_use)use);
	s->setup_fault = FAULT_TRANSLATION;
	if (!input_size(cpu, 2, ds, (unsigned)bits(vtcr, 5, 0), s))
		return;
	s->start_level = (int8_t)geometry_s2_start_level(granule, sl);
	if (geometry_s2_check(cpu, granule, ds, s->ia_bits, s->start_level) != GEOMETRY_OK)
		return;
	set_base(s, cpu, ds, ps, regs->vttbr_el2);
}

/* What MAIR's attributes are, and what of them SCTLR.C and .I leave (the end of
 * AArch64_S1Translate). */
static void decode_mair(struct regime *r, uint64_t mair)
{
	for (unsigned i = 0; i < 8; i++) {
		const uint8_t attr = attr_from_mair(mair, i);
		const bool device = attr_is_device(attr);

		r->s1_attr[i] = attr;
		r->s1_data_attr[i] = device || r->s1_dcache ? attr : ATTR_NORMAL_NC;
		r->s1_fetch_attr[i] = device || !r->s1_icache ? ATTR_NORMAL_NC : attr;
	}
}

static void decode_common(struct regime *r, const struct arch_cpu *cpu, uint64_t sctlr,
			  const struct mmu_regs *regs)
{
	r->pa_bits = cpu->pa_bits;
	r->s1_dcache = bit(sctlr, 2);
	r->s1_icache = bit(sctlr, 12);
	r->wxn = bit(sctlr, 19);
	r->pan = cpu->pan && regs->pan;
	r->epan = cpu->epan && bit(sctlr, 57);
	r->force_broadcast = bit(regs->hcr_el2, 9);
	r->ttl_hints = cpu->ttl && cpu->ttl_hint == TTL_KEEP_OTHERS;
	r->fetch_device_faults = cpu->fetch_device == FETCH_DEVICE_FAULT;
	r->vmid = (uint16_t)bits(regs->vttbr_el2, 63, 48);
	if (cpu->vmid_bits < 16 || !bit(regs->vtcr_el2, 19))
		r->vmid &= 0xff;
}

static void decode_asid(struct regime *r, const struct arch_cpu *cpu, uint64_t tcr, uint64_t ttbr0,
			uint64_t ttbr1)
{
	r->asid = (uint16_t)bits(bit(tcr, 22) ? ttbr1 : ttbr0, 63, 48);
	if (cpu->asid_bits < 16 || !bit(tcr, 36))
		r->asid &= 0xff;
}

static bool is_plain(const struct regime *r, const struct regime_stage *s1)
{
	const struct regime_stage *s2 = &r->s2;

	if (!r->s1_on || !r->s2_on || s1->closed || s2->setup_fault != FAULT_NONE)
		return false;
	return s1->usual && s2->usual && s2->start_level >= 0 && s2->start_level <= 2 &&
	       !s1->hw_dirty && !s2->hw_dirty;
}

void regime_init(struct regime *regime, const struct arch_cpu *cpu, const struct mmu_regs *regs,
		 enum regime_kind kind)
{
	bool host = kind == REGIME_EL20;
	uint64_t hcr = regs->hcr_el2;
	uint64_t sctlr = host ? regs->sctlr_el2 : regs->sctlr_el1;
	uint64_t tcr = host ? regs->tcr_el2 : regs->tcr_el1;
	uint64_t ttbr0 = host ? regs->ttbr0_el2 : regs->ttbr0_el1;
	uint64_t ttbr1 = host ? regs->ttbr1_el2 : regs->ttbr1_el1;

	memset(regime, 0, sizeof(*regime));
	regime->kind = kind;
	decode_common(regime, cpu, sctlr, regs);
	decode_mair(regime, host ? regs->mair_el2 : regs->mair_el1);
	decode_asid(regime, cpu, tcr, ttbr0, ttbr1);
	decode_s1_half(regime, cpu, 0, tcr, sctlr, ttbr0);
	decode_s1_half(regime, cpu, 1, tcr, sctlr, ttbr1);
	regime->s1_on = bit(sctlr, 0);
	if (host)
		return;
	regime->default_cacheable = bit(hcr, 12);
	/* AArch64_S1Enabled: DC or TGE switch stage 1 of EL1&0 off. */
	regime->s1_on = regime->s1_on && !bit(hcr, 12) && !bit(hcr, 27);
	regime->s2_on = bit(hcr, 0) || bit(hcr, 12);
	decode_s2(regime, cpu, regs);
	regime->plain[0] = is_plain(regime, &regime->s1[0]);
	regime->plain[1] = is_plain(regime, &regime->s1[1]);
}

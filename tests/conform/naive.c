/* SPDX-License-Identifier: BSD-2-Clause */
#include "naive.h"

#include <string.h>

#include "naive_parts.h"

/* Are bits [high:low] all equal to `one`? An empty range is. */
static bool all_equal(uint64_t value, unsigned high, unsigned low, bool one)
{
	for (unsigned n = low; n <= high; n++)
		if (bit(value, n) != one)
			return false;
	return true;
}

enum desc_type { DESC_INVALID, DESC_TABLE, DESC_LEAF };

/* AArch64.DecodeDescriptorType, AArch64.BlockDescSupported */
static enum desc_type desc_type(const struct naive_cpu *cpu, const struct params *p, uint64_t desc,
				int level)
{
	if (!bit(desc, 0))
		return DESC_INVALID;
	if (bit(desc, 1))
		return level == 3 ? DESC_LEAF : DESC_TABLE;
	if (level == 2)
		return DESC_LEAF;
	if (level == 1 && (p->granule == 12 || (p->granule == 14 && p->ds) ||
			   (p->granule == 16 && naive_pa_max(cpu) >= 52)))
		return DESC_LEAF;
	if (level == 0 && p->granule == 12 && p->ds)
		return DESC_LEAF;
	return DESC_INVALID;
}

/* AArch64.LeafBase, AArch64.NextTableBase: the address field, from bit `low` up. */
static uint64_t desc_address(const struct naive_cpu *cpu, const struct params *p, uint64_t desc,
			     unsigned low)
{
	uint64_t address = field(desc, 47, low) << low;

	if (p->granule == 16 && naive_have_lpa(cpu))
		address |= field(desc, 15, 12) << 48;
	else if (p->ds)
		address |= field(desc, 49, 48) << 48 | field(desc, 9, 8) << 50;
	return address;
}

/* AArch64.ContiguousBit and AArch64.ContiguousBitFaults */
static bool contiguous_fault(const struct naive_cpu *cpu, const struct params *p, uint64_t desc,
			     int level)
{
	unsigned span = p->granule == 12 ? 4 : p->granule == 16 ? 5 : level == 3 ? 7 : 5;

	if (!cpu->contiguous_faults || !bit(desc, 52) || level < 1)
		return false;
	if (level == 1 && p->granule != 12)
		return false;
	return naive_level_low(p, level) + span > 64 - p->txsz;
}

/* ---- the walks ----------------------------------------------------------------------------- */

/* Who asks: an access, a stage-1 table walk, or a hardware update of a stage-1 descriptor. */
enum asker { ASK_ACCESS, ASK_WALK, ASK_UPDATE };

struct job {
	const struct naive_cpu *cpu;
	const struct naive_regs *regs;
	const struct naive_memory *mem;
	const struct naive_access *access;
	struct naive_result *out;
};

static bool fail(struct job *j, enum naive_fault fault, int stage, int level, bool s1ptw)
{
	j->out->fault = fault;
	j->out->stage = stage;
	j->out->level = level;
	j->out->s1ptw = s1ptw;
	return false;
}

/* Reads the descriptor at `pa`; false after an External abort. */
static bool fetch(struct job *j, const struct params *p, int level, uint64_t ia, uint64_t pa,
		  uint64_t *desc)
{
	j->out->reads++;
	j->out->reading = (int8_t)p->stage;
	j->out->reading_level = (int8_t)level;
	j->out->reading_shift = (uint8_t)naive_level_low(p, level);
	j->out->reading_ia = ia;
	if (j->mem->aborts(j->mem->ctx, pa))
		return false;
	*desc = j->mem->read(j->mem->ctx, pa);
	return true;
}

static void update(struct job *j, uint64_t pa, uint64_t old, uint64_t updated)
{
	if (updated == old)
		return;
	j->out->update = true;
	j->mem->write(j->mem->ctx, pa, updated);
}

static bool is_fetch(const struct naive_access *a)
{
	return a->kind == NAIVE_FETCH && !a->at;
}

/* AArch64.S2DirectBasePermissions, AArch64.S2CheckPermissions */
static bool s2_permits(const struct job *j, const struct params *p, uint64_t desc, enum asker asker)
{
	bool read = bit(desc, 6), write = bit(desc, 7) || (p->ha && p->hd && bit(desc, 51));
	bool xnx = field(j->cpu->mmfr1, 31, 28) && bit(desc, 53);
	bool device = p->fwb ? !bit(desc, 4) : field(desc, 5, 4) == 0;
	bool el1_runs = bit(desc, 54) == xnx, el0_runs = !bit(desc, 54);

	if (asker != ASK_ACCESS)
		return !(p->ptw && device) && read && (asker == ASK_WALK || write);
	switch (j->access->kind) {
	case NAIVE_FETCH:
		if (device && j->cpu->device_fetch_faults)
			return false;
		return j->access->el == 0 ? el0_runs : el1_runs;
	case NAIVE_LOAD:
		return read;
	default:
		return write;
	}
}

static bool s2_translate(struct job *j, uint64_t ipa, enum asker asker, uint64_t *pa,
			 struct attrs *attrs);

/* A descriptor's address: itself, or through stage 2 for stage-1 tables of the EL1&0 regime. */
static bool locate(struct job *j, const struct params *p, uint64_t address, enum asker asker,
		   uint64_t *pa)
{
	struct attrs walk = { .outer = WB, .inner = WB };

	*pa = address;
	return p->stage == 2 || p->el20 || s2_translate(j, address, asker, pa, &walk);
}

struct leaf {
	uint64_t address, desc; /* of the descriptor: PA, or IPA for stage 1; its contents */
	uint64_t tables;	/* all table descriptors on the way, or-ed */
	uint64_t oa;		/* output address for the input address */
	int level;
};

/* AArch64.S1Walk, AArch64.S2Walk */
static bool walk(struct job *j, const struct params *p, uint64_t ia, bool s1ptw, struct leaf *leaf)
{
	int level = naive_start_level(p);
	uint64_t at = naive_table_base(j->cpu, p) |
		      field(ia, 63 - p->txsz, naive_level_low(p, level)) << 3;
	uint64_t desc, pa;
	unsigned low;

	leaf->tables = 0;
	if (naive_oa_out_of_range(j->cpu, p, at))
		return fail(j, NAIVE_ADDRESS_SIZE, p->stage, 0, s1ptw);
	for (;; level++) {
		low = naive_level_low(p, level);
		if (!locate(j, p, at, ASK_WALK, &pa))
			return false;
		if (!fetch(j, p, level, ia, pa, &desc))
			return fail(j, NAIVE_WALK_ABORT, p->stage, level, s1ptw);
		if (desc_type(j->cpu, p, desc, level) != DESC_TABLE)
			break;
		leaf->tables |= desc;
		at = desc_address(j->cpu, p, desc, p->granule) | field(ia, low - 1, low - p->stride)
									 << 3;
		if (naive_oa_out_of_range(j->cpu, p, at))
			return fail(j, NAIVE_ADDRESS_SIZE, p->stage, level, s1ptw);
	}
	if (desc_type(j->cpu, p, desc, level) == DESC_INVALID ||
	    contiguous_fault(j->cpu, p, desc, level))
		return fail(j, NAIVE_TRANSLATION, p->stage, level, s1ptw);
	leaf->address = at;
	leaf->desc = desc;
	leaf->level = level;
	leaf->oa = desc_address(j->cpu, p, desc, low) | field(ia, low - 1, 0);
	/* walkstate.baseaddress: that of the block, not of the access in it */
	if (naive_oa_out_of_range(j->cpu, p, desc_address(j->cpu, p, desc, low)))
		return fail(j, NAIVE_ADDRESS_SIZE, p->stage, level, s1ptw);
	if (!bit(desc, 10) && !p->ha)
		return fail(j, NAIVE_ACCESS_FLAG, p->stage, level, s1ptw);
	return true;
}

/* The descriptor with access flag, and for a store dirty state, set as hardware does. */
static uint64_t managed(const struct params *p, uint64_t desc, bool dirties)
{
	if (p->ha)
		desc |= UINT64_C(1) << 10;
	if (p->ha && p->hd && bit(desc, 51) && dirties)
		desc = p->stage == 1 ? desc & ~(UINT64_C(1) << 7) : desc | UINT64_C(1) << 7;
	return desc;
}

/* AArch64.S2Translate. *attrs is that of stage 1 on entry, the combination on return. */
static bool s2_translate(struct job *j, uint64_t ipa, enum asker asker, uint64_t *pa,
			 struct attrs *attrs)
{
	struct params p = naive_s2_params(j->cpu, j->regs);
	bool s1ptw = asker != ASK_ACCESS, dirties;
	bool is_store = j->access->kind == NAIVE_STORE && !j->access->at;
	struct leaf leaf;

	*pa = j->out->ipa = ipa;
	if (!bit(j->regs->hcr_el2, 0) && !bit(j->regs->hcr_el2, 12))
		return true;
	if (!naive_settle_txsz(j->cpu, &p) || naive_sl_invalid(j->cpu, &p) ||
	    naive_sl_inconsistent(&p) || ipa >> (64 - p.txsz) != 0)
		return fail(j, NAIVE_TRANSLATION, 2, 0, s1ptw);
	if (!walk(j, &p, ipa, s1ptw, &leaf))
		return false;
	if (!s2_permits(j, &p, leaf.desc, asker))
		return fail(j, NAIVE_PERMISSION, 2, leaf.level, s1ptw);
	dirties = asker == ASK_UPDATE || (asker == ASK_ACCESS && is_store);
	update(j, leaf.address, leaf.desc, managed(&p, leaf.desc, dirties));
	*pa = leaf.oa;
	*attrs = attrs_stage2(j->regs->hcr_el2, &p, leaf.desc, *attrs, is_fetch(j->access));
	if (asker == ASK_ACCESS)
		j->out->s2_bits = (uint8_t)naive_level_low(&p, leaf.level);
	return true;
}

/* AArch64.S1DirectBasePermissions, AArch64.S1ComputePermissions, AArch64.S1CheckPermissions.
 * `tables` holds APTable, UXNTable and PXNTable gathered on the way, at their places. */
static bool s1_permits(const struct job *j, const struct params *p, uint64_t desc, uint64_t tables,
		       bool device)
{
	bool read_only = bit(desc, 7) && !(p->ha && p->hd && bit(desc, 51));
	bool pr = true, pw = !read_only && !bit(tables, 62);
	bool ur = bit(desc, 6) && !bit(tables, 61), uw = ur && pw;
	bool px = !bit(desc, 53) && !bit(tables, 59) && !uw;
	bool ux = !bit(desc, 54) && !bit(tables, 60);
	bool unprivileged = j->access->el == 0;

	if (j->regs->pan && field(j->cpu->mmfr1, 23, 20) && !j->access->at &&
	    j->access->kind != NAIVE_FETCH && (ur || uw || (p->epan && ux)))
		pr = pw = false;
	switch (j->access->kind) {
	case NAIVE_FETCH:
		return (unprivileged ? ux : px) && !(p->wxn && (unprivileged ? uw : pw)) &&
		       !(device && j->cpu->device_fetch_faults);
	case NAIVE_LOAD:
		return unprivileged ? ur : pr;
	default:
		return unprivileged ? uw : pw;
	}
}

/* AArch64.AddrTop: the highest bit of a VA that is not a tag. */
static unsigned addr_top(const struct params *p, const struct naive_access *a)
{
	return p->tbi && !(p->tbid && is_fetch(a)) ? 55 : 63;
}

/* AArch64.BranchAddr: a branch to a tagged address loses the tag, where tags count for fetches. */
static uint64_t branch_address(const struct params *p, const struct naive_access *a)
{
	uint64_t tag = UINT64_C(0xff) << 56;

	if (!is_fetch(a) || addr_top(p, a) == 63)
		return a->va;
	return bit(a->va, 55) ? a->va | tag : a->va & ~tag;
}

/* AArch64.S1DisabledOutput */
static bool s1_off(struct job *j, const struct params *p, uint64_t *oa, struct attrs *attrs)
{
	uint64_t va = j->access->va;

	if (!all_equal(va, addr_top(p, j->access), naive_pa_max(j->cpu), false))
		return fail(j, NAIVE_ADDRESS_SIZE, 1, 0, false);
	if (!p->el20 && bit(j->regs->hcr_el2, 12))
		*attrs = attrs_of_mair(0xff, 0);
	else if (is_fetch(j->access))
		*attrs = attrs_of_mair(bit(p->sctlr, 12) ? 0xaa : 0x44, 2);
	else
		*attrs = attrs_of_mair(0, 2);
	*oa = field(va, 55, 0);
	j->out->global = true;
	return true;
}

/* AArch64.S1Translate */
static bool s1_translate(struct job *j, const struct params *initial, uint64_t *oa,
			 struct attrs *attrs)
{
	const struct naive_access *a = j->access;
	struct params p = *initial;
	struct leaf leaf;
	uint64_t updated, pa;
	unsigned mair_low;

	if (!bit(p.sctlr, 0) ||
	    (!p.el20 && (bit(j->regs->hcr_el2, 12) || bit(j->regs->hcr_el2, 27))))
		return s1_off(j, &p, oa, attrs);
	if (!naive_settle_txsz(j->cpu, &p) ||
	    !all_equal(a->va, addr_top(&p, a), 64 - p.txsz, bit(a->va, 55)) ||
	    (a->el == 0 && p.e0pd) || p.epd)
		return fail(j, NAIVE_TRANSLATION, 1, 0, false);
	if (!walk(j, &p, a->va, false, &leaf))
		return false;
	mair_low = (unsigned)field(leaf.desc, 4, 2) * 8;
	*attrs = attrs_of_mair((unsigned)field(p.mair, mair_low + 7, mair_low),
			       p.ds ? p.sh : (unsigned)field(leaf.desc, 9, 8));
	if (!s1_permits(j, &p, leaf.desc, p.hpd ? 0 : leaf.tables, attrs->device))
		return fail(j, NAIVE_PERMISSION, 1, leaf.level, false);
	updated = managed(&p, leaf.desc, a->kind == NAIVE_STORE && !a->at);
	if (updated != leaf.desc) {
		if (!locate(j, &p, leaf.address, ASK_UPDATE, &pa))
			return false;
		update(j, pa, leaf.desc, updated);
	}
	if (is_fetch(a) ? attrs->device || !bit(p.sctlr, 12) : !attrs->device && !bit(p.sctlr, 2))
		*attrs = attrs_of_mair(0x44, attrs->sh);
	*oa = leaf.oa;
	j->out->s1_bits = (uint8_t)naive_level_low(&p, leaf.level);
	j->out->global = !bit(leaf.desc, 11);
	return true;
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* AArch64.FullTranslate */
void naive_translate(const struct naive_cpu *cpu, const struct naive_regs *regs,
		     const struct naive_memory *memory, const struct naive_access *access,
		     struct naive_result *result)
{
	bool e2h = bit(regs->hcr_el2, 34), tge = bit(regs->hcr_el2, 27);
	bool el20 = e2h && (access->el == 2 || (access->el == 0 && tge));
	struct params s1 = naive_s1_params(cpu, regs, el20, access->va);
	struct job j = { cpu, regs, memory, access, result };
	struct attrs attrs = { 0 };
	uint64_t ipa;

	memset(result, 0, sizeof(*result));
	result->far = branch_address(&s1, access);
	if (!s1_translate(&j, &s1, &ipa, &attrs))
		return;
	result->ipa = result->pa = ipa;
	if (!el20 && !access->stage1_only &&
	    !s2_translate(&j, ipa, ASK_ACCESS, &result->pa, &attrs))
		return;
	result->attr = attrs_byte(&attrs);
	result->sh = attrs_sh(&attrs);
}

unsigned naive_fsc(enum naive_fault fault, int level)
{
	unsigned low = (unsigned)level & 3;

	switch (fault) {
	case NAIVE_ADDRESS_SIZE:
		return level < 0 ? 0x29 : low;
	case NAIVE_TRANSLATION:
		return level < 0 ? 0x2b : 4 | low;
	case NAIVE_ACCESS_FLAG:
		return 8 | low;
	case NAIVE_PERMISSION:
		return 0xc | low;
	case NAIVE_WALK_ABORT:
		return level < 0 ? 0x13 : 0x14 | low;
	default:
		return 0;
	}
}

uint64_t naive_par(const struct naive_result *r)
{
	if (r->fault == NAIVE_OK)
		return (uint64_t)r->attr << 56 | field(r->pa, 51, 12) << 12 | (uint64_t)r->sh << 7;
	return 1 | (uint64_t)naive_fsc(r->fault, r->level) << 1 | (uint64_t)r->s1ptw << 8 |
	       (uint64_t)(r->stage == 2) << 9;
}

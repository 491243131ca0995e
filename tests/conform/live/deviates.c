/* SPDX-License-Identifier: BSD-2-Clause */
/* Deviations of QEMU 10.0; 7.2 has all of them but the first two. */
#include "deviates.h"

#define DESC_SIDE_64K  (UINT64_C(15) << 12) /* OA[51:48] of the 64K granule */
#define DESC_SIDE_DS   (UINT64_C(3) << 8)   /* OA[51:50] with DS = 1 */
#define DESC_HIERARCHY (UINT64_C(15) << 59) /* APTable, XNTable, PXNTable */

/* HCR_EL2.PTW: QEMU leaves the level at 0. */
bool deviates_ptw_level(const struct live_case *c, const struct live_query *q)
{
	return q->walk.fault.s1ptw && q->walk.fault.type == FAULT_PERMISSION &&
	       c->regime.s2.protect_walk && deviates_by_level(q, 0);
}

/* Does an address size fault of ours come from the side field only, and PS leave that out? */
bool deviates_side_field(const struct live_case *c, const struct live_query *q)
{
	const struct walk_read *last = deviates_last_read(q);
	const struct regime_stage *st;
	uint64_t side;

	if (q->walk.fault.type != FAULT_ADDRESS_SIZE || !last)
		return false;
	st = deviates_stage(c, q, last->stage);
	side = st->granule_bits == GRANULE_64K ? DESC_SIDE_64K
	       : st->sh_from_regs	       ? DESC_SIDE_DS
					       : 0;
	return st->oa_bits <= 48 && (last->desc & side) &&
	       !(desc_address(&st->format, last->desc & ~side) >> st->oa_bits);
}

/* TTBR or VTTBR of a stage. */
static uint64_t base_register(const struct live_case *c, const struct live_query *q, int stage)
{
	if (stage == 2)
		return c->regs.vttbr_el2;
	return q->va >> 55 & 1 ? c->regs.ttbr1_el1 : c->regs.ttbr0_el1;
}

/* Bits [5:2] of the base register are address bits [51:48] or nothing, never [5:2]. */
static bool base_field_of(const struct live_case *c, const struct live_query *q, int stage)
{
	const struct regime_stage *st = deviates_stage(c, q, stage);
	uint64_t field = base_register(c, q, stage) >> 2 & 15;
	unsigned align_bits;

	if (!field || !st->sh_from_regs || st->setup_fault == FAULT_TRANSLATION)
		return false;
	align_bits = st->ia_bits - level_shift(st->format.granule, st->start_level) + 3U;
	return st->oa_bits <= 48 || align_bits < 6;
}

/* PS or IPS = 0b111 with the 64K granule: bits [5:2] of the base register are taken for [51:48]. */
static bool reserved_ps_of(const struct live_case *c, const struct live_query *q, int stage)
{
	const struct regime_stage *st = deviates_stage(c, q, stage);
	uint64_t ps = stage == 2 ? c->regs.vtcr_el2 >> 16 & 7 : c->regs.tcr_el1 >> 32 & 7;

	return ps == 7 && c->cpu.pa_bits == 52 && st->granule_bits == GRANULE_64K &&
	       (base_register(c, q, stage) >> 2 & 15);
}

bool deviates_reserved_ps(const struct live_case *c, const struct live_query *q)
{
	return (c->regime.s1_on && reserved_ps_of(c, q, 1)) ||
	       (c->regime.s2_on && reserved_ps_of(c, q, 2));
}

bool deviates_base_field(const struct live_case *c, const struct live_query *q)
{
	return (c->regime.s1_on && base_field_of(c, q, 1)) ||
	       (c->regime.s2_on && base_field_of(c, q, 2));
}

/* Attributes of both stages: only ATTR and SH differ, one stage Device and the other Non-cacheable.
 */
bool deviates_device_with_nc(const struct live_case *c, const struct live_query *q)
{
	uint64_t differ = q->ours.value ^ q->theirs.value;

	if (q->ours.outcome != WIRE_AT_DONE || q->theirs.outcome != WIRE_AT_DONE ||
	    (q->ours.value & 1) || (q->theirs.value & 1) || !c->regime.s2_on || c->regime.s2.fwb)
		return false;
	return (differ & UINT64_C(0x00fffffffffff000)) == 0 &&
	       attr_is_device((uint8_t)(q->ours.value >> 56));
}

/* A leaf that a store would have set dirty: writable by DBM only. */
static bool dirtiable(const struct live_case *c, const struct live_query *q)
{
	for (unsigned i = 0; i < q->reads_count; i++) {
		const struct walk_read *read = &q->reads[i];
		const struct regime_stage *st = deviates_stage(c, q, read->stage);
		bool clean = read->stage == 1 ? read->desc >> 7 & 1 : !(read->desc >> 7 & 1);

		if (st->hw_dirty && clean && (read->desc & DESC_DBM) &&
		    desc_kind(&st->format, read->desc, read->level) == DESC_KIND_LEAF)
			return true;
	}
	return false;
}

bool deviates_at_dirties(const struct live_case *c, const struct live_query *q)
{
	static const unsigned writes =
		1U << WIRE_S12E1W | 1U << WIRE_S12E0W | 1U << WIRE_S1E1W | 1U << WIRE_S1E0W;

	return (writes >> q->op & 1) && dirtiable(c, q) &&
	       (q->theirs.changes_count > 0 || deviates_report(&q->theirs).s1ptw);
}

/*
 * A block larger than the output size: QEMU holds the descriptor's whole address field against it,
 * with the bits below the block and without those of the input address.
 */
bool deviates_block_address(const struct live_case *c, const struct live_query *q)
{
	struct deviates_report theirs = deviates_report(&q->theirs);

	for (unsigned i = 0; i < q->reads_count; i++) {
		const struct walk_read *read = &q->reads[i];
		const struct regime_stage *st = deviates_stage(c, q, read->stage);
		bool field_fits = !(desc_address(&st->format, read->desc) >> st->oa_bits);

		if (desc_kind(&st->format, read->desc, read->level) != DESC_KIND_LEAF ||
		    level_shift(st->format.granule, read->level) <= st->oa_bits)
			continue;
		if (field_fits ? q->walk.fault.type == FAULT_ADDRESS_SIZE
			       : theirs.fault && theirs.fsc <= 3)
			return true;
	}
	return false;
}

/* The value of a word before any query. */
static uint64_t initial_word(const struct live_case *c, uint64_t pa)
{
	for (unsigned i = 0; i < c->words_count; i++)
		if (c->words[i].pa == pa)
			return c->words[i].value;
	return 0;
}

static bool among(const struct live_change *change, const struct live_result *r)
{
	for (unsigned i = 0; i < r->changes_count; i++)
		if (r->changes[i].pa == change->pa && r->changes[i].value == change->value)
			return true;
	return false;
}

/* Is this word a descriptor that our walk read, changed in its access flag only? */
static bool only_af(const struct live_case *c, const struct live_query *q,
		    const struct live_change *change)
{
	if ((change->value ^ initial_word(c, change->pa)) != DESC_AF)
		return false;
	for (unsigned i = 0; i < q->reads_count; i++)
		if (q->reads[i].pa.v == change->pa)
			return deviates_stage(c, q, q->reads[i].stage)->hw_af;
	return false;
}

/* The same permission fault, and more access flags than ours. */
bool deviates_af_with_fault(const struct live_case *c, const struct live_query *q)
{
	struct live_result ours = q->ours;
	struct live_query as_ours = *q;
	unsigned more = 0;

	if (q->walk.fault.type != FAULT_PERMISSION)
		return false;
	for (unsigned i = 0; i < q->theirs.changes_count; i++) {
		if (among(&q->theirs.changes[i], &ours))
			continue;
		if (!only_af(c, q, &q->theirs.changes[i]))
			return false;
		more++;
	}
	if (more == 0 || q->theirs.changes_count != ours.changes_count + more)
		return false;
	as_ours.theirs.changes_count = ours.changes_count;
	for (unsigned i = 0; i < ours.changes_count; i++)
		as_ours.theirs.changes[i] = ours.changes[i];
	return live_same(q, &ours, &as_ours.theirs) ||
	       (c->machine->version < 1000 ? deviates_s1ptw_level(c, &as_ours)
					   : deviates_ptw_level(c, &as_ours));
}

/* Only nibbles of ATTR differ that are Write-Through Transient here and Non-transient there. */
bool deviates_transient_lost(const struct live_case *c, const struct live_query *q)
{
	uint64_t differ = q->ours.value ^ q->theirs.value;
	struct live_result expected = q->ours;

	if (q->ours.outcome != WIRE_AT_DONE || (q->ours.value & 1) || !c->regime.s2_on ||
	    c->regime.s2.fwb)
		return false;
	for (unsigned low = 56; low <= 60; low += 4) {
		uint64_t nibble = q->ours.value >> low & 15;

		if ((differ >> low & 15) == 8 && nibble > 0 && nibble < 4)
			expected.value |= UINT64_C(8) << low;
	}
	return live_same(q, &expected, &q->theirs);
}

/* SH = 0b01 of the leaf (with DS = 1 of TCR_EL1) is handed on. */
bool deviates_reserved_sh(const struct live_case *c, const struct live_query *q)
{
	const struct walk_read *last = deviates_last_read(q);
	struct live_result expected = q->ours;
	const struct regime_stage *st;

	if (q->ours.outcome != WIRE_AT_DONE || (q->ours.value & 1) || !last || last->stage != 1)
		return false;
	st = deviates_stage(c, q, 1);
	if ((st->sh_from_regs ? st->sh : last->desc >> 8 & 3) != 1)
		return false;
	expected.value = (q->ours.value & ~UINT64_C(0x180)) | 0x80;
	return live_same(q, &expected, &q->theirs);
}

/* Half of the address space: TCR_EL1 bits of TTBR0 and TTBR1 are neighbours. */
static bool tcr_bit(const struct live_case *c, const struct live_query *q, unsigned bit)
{
	return c->regs.tcr_el1 >> (bit + (unsigned)(q->va >> 55 & 1)) & 1;
}

/* A fetch from a tagged address, which QEMU takes for one beyond the input range. */
bool deviates_tbid_without_feature(const struct live_case *c, const struct live_query *q)
{
	const struct live_result *r = &q->theirs;

	return live_op_is_fetch(q->op) && !c->cpu.pauth && tcr_bit(c, q, 37) && tcr_bit(c, q, 51) &&
	       regime_untag(&c->regime, va_of(q->va), ACCESS_FETCH) != q->va &&
	       r->outcome == WIRE_EL1_FAULT && r->far == q->va &&
	       r->fsc == (c->regime.s1_on ? 0x04 : 0x00);
}

bool deviates_hpd_without_feature(const struct live_case *c, const struct live_query *q)
{
	if (c->cpu.hpds || !c->regime.s1_on || !tcr_bit(c, q, 41))
		return false;
	for (unsigned i = 0; i < q->reads_count; i++)
		if (q->reads[i].stage == 1 && (q->reads[i].desc & DESC_HIERARCHY))
			return true;
	return false;
}

/* The stage-1 leaf of a fetch: writable for hardware's dirty state, and therefore not executable.
 */
bool deviates_fetch_from_clean(const struct live_case *c, const struct live_query *q)
{
	const struct fault *fault = &q->walk.fault;
	const struct walk_read *last = deviates_last_read(q);

	if (!live_op_is_fetch(q->op) || fault->type != FAULT_PERMISSION || fault->stage != 1)
		return false;
	return last->stage == 1 && deviates_stage(c, q, 1)->hw_dirty && (last->desc & DESC_DBM) &&
	       (last->desc >> 7 & 1);
}

/* With FWB only ATTR and SH of a success differ, stage 2 Device and stage 1 a stronger Device. */
bool deviates_fwb_device(const struct live_case *c, const struct live_query *q)
{
	uint64_t differ = q->ours.value ^ q->theirs.value;

	if (q->ours.outcome != WIRE_AT_DONE || q->theirs.outcome != WIRE_AT_DONE ||
	    (q->ours.value & 1) || (q->theirs.value & 1) || !c->regime.s2_on || !c->regime.s2.fwb)
		return false;
	return (differ & UINT64_C(0x00fffffffffff180)) == 0 &&
	       attr_is_device((uint8_t)(q->ours.value >> 56)) &&
	       attr_is_device((uint8_t)(q->theirs.value >> 56)) &&
	       q->ours.value >> 56 < q->theirs.value >> 56;
}

/* Stage 1 off: only SH of a success differs, and a data access comes with Outer Shareable. */
bool deviates_flat_sh(const struct live_case *c, const struct live_query *q)
{
	struct live_result expected = q->ours;

	if (q->ours.outcome != WIRE_AT_DONE || (q->ours.value & 1) || c->regime.s1_on ||
	    c->regime.default_cacheable || !c->regime.s2_on || (q->ours.value >> 7 & 3) != 2)
		return false;
	expected.value = (q->ours.value & ~UINT64_C(0x180)) | (q->theirs.value & UINT64_C(0x180));
	return live_same(q, &expected, &q->theirs);
}

/* A T0SZ that PAMax rules out: a fault here, obeyed there. */
bool deviates_size_against_pamax(const struct live_case *c, const struct live_query *q)
{
	unsigned t0sz = (unsigned)(c->regs.vtcr_el2 & 0x3f);

	return c->regime.s2_on && 64 - t0sz > c->cpu.pa_bits && q->walk.fault.stage == 2 &&
	       q->walk.fault.type == FAULT_TRANSLATION && q->walk.fault.level == 0;
}

/* Does QEMU go on where our walk ends, or take another way? */
static bool strays(const struct live_case *c, const struct live_query *q)
{
	const struct fault *fault = &q->walk.fault;
	bool s1_permission = fault->type == FAULT_PERMISSION && fault->stage == 1;

	return deviates_side_field(c, q) || deviates_block_address(c, q) ||
	       deviates_base_field(c, q) || deviates_reserved_ps(c, q) ||
	       deviates_size_against_pamax(c, q) ||
	       (s1_permission && deviates_hpd_without_feature(c, q));
}

/* Also where another deviation may lead QEMU to such a fault. */
bool deviates_at_permission(const struct live_case *c, const struct live_query *q)
{
	const struct fault *fault = &q->walk.fault;

	if (q->op > WIRE_S12E0W || !c->regime.s2_on)
		return false;
	return (fault->type == FAULT_PERMISSION && fault->stage == 2 && !fault->s1ptw) ||
	       strays(c, q);
}

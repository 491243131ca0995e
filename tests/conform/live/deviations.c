/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where QEMU is known to deviate from the architecture. Each predicate looks at the case, at our
 * answer with its walk, and at theirs, and is as narrow as what QEMU does allows. Rules are named
 * by the functions of Arm's pseudocode.
 */
#include "arch/attr.h"
#include "live.h"

#define DESC_SIDE_64K  (UINT64_C(15) << 12) /* OA[51:48] of the 64K granule */
#define DESC_SIDE_DS   (UINT64_C(3) << 8)   /* OA[51:50] with DS = 1 */
#define DESC_HIERARCHY (UINT64_C(15) << 59) /* APTable, XNTable, PXNTable */

/* ---- what an answer says, in whatever register --------------------------------------------- */

struct report {
	bool fault, stage2, s1ptw;
	uint8_t fsc;
};

static struct report report_of(const struct live_result *r)
{
	struct report p = { 0 };

	switch (r->outcome) {
	case WIRE_AT_DONE:
		p.fault = r->value & 1;
		p.fsc = p.fault ? r->value >> 1 & 0x3f : 0;
		p.s1ptw = p.fault && (r->value >> 8 & 1);
		p.stage2 = p.fault && (r->value >> 9 & 1);
		break;
	case WIRE_DONE:
		break;
	case WIRE_AT_ABORT:
	case WIRE_EL1_FAULT:
	case WIRE_EL2_FAULT:
		p.fault = true;
		p.fsc = r->fsc;
		p.s1ptw = r->s1ptw;
		p.stage2 = r->outcome == WIRE_EL2_FAULT;
		break;
	}
	return p;
}

static const struct regime_stage *stage_of(const struct live_case *c, const struct live_query *q,
					   int stage)
{
	return stage == 2 ? &c->regime.s2 : &c->regime.s1[q->va >> 55 & 1];
}

/* The last descriptor that our walk read; NULL if none. */
static const struct walk_read *last_read(const struct live_query *q)
{
	return q->reads_count ? &q->reads[q->reads_count - 1] : NULL;
}

/* Level of the stage-1 descriptor that was being located when stage 2 faulted. */
static int s1_level(const struct live_case *c, const struct live_query *q)
{
	const struct walk_read *last = last_read(q);

	if (!last)
		return stage_of(c, q, 1)->start_level;
	return last->stage == 2 ? last->for_level : last->level + 1;
}

/* Is `read` a block descriptor at a level where this granule has none? */
static bool illegal_block(const struct live_case *c, const struct live_query *q,
			  const struct walk_read *read)
{
	return (read->desc & 3) == 1 && read->level < 3 &&
	       desc_kind(&stage_of(c, q, read->stage)->format, read->desc, read->level) ==
		       DESC_KIND_INVALID;
}

/* ---- QEMU 7.2 ------------------------------------------------------------------------------ */

/* get_phys_addr_lpae() overwrites the level of the stage-2 fault by its own, that of stage 1. */
static bool s1ptw_level(const struct live_case *c, const struct live_query *q)
{
	struct fault fault = q->walk.fault;
	struct live_result expected = q->ours;

	if (!fault.s1ptw)
		return false;
	fault.level = (int8_t)s1_level(c, q);
	if (q->ours.outcome == WIRE_AT_DONE)
		expected.value = fault_par(&fault);
	else
		expected.fsc = (uint8_t)fault_fsc(&fault);
	return live_same(q, &expected, &q->theirs);
}

static bool block_level(const struct live_case *c, const struct live_query *q)
{
	const struct walk_read *last = last_read(q);

	return q->walk.fault.type == FAULT_TRANSLATION && last && illegal_block(c, q, last) &&
	       q->walk.fault.level == last->level;
}

/* Did QEMU refuse the set-up of stage 2? By 7.2's level for faults on a stage-1 walk. */
static bool refuses_stage2(const struct live_case *c, const struct live_query *q)
{
	struct report theirs = report_of(&q->theirs);
	struct fault fault = { .type = FAULT_TRANSLATION, .stage = 2 };

	if (c->regime.s1_on)
		fault.level = stage_of(c, q, 1)->start_level;
	return c->regime.s2_on && theirs.fault && theirs.stage2 &&
	       theirs.s1ptw == c->regime.s1_on && theirs.fsc == fault_fsc(&fault);
}

static bool start_level(const struct live_case *c, const struct live_query *q)
{
	const struct regime_stage *s2 = &c->regime.s2;

	if (!refuses_stage2(c, q) || s2->setup_fault == FAULT_TRANSLATION)
		return false;
	return (s2->granule_bits == GRANULE_16K && s2->start_level == 0) ||
	       (s2->granule_bits == GRANULE_4K && s2->start_level == -1 && s2->ia_bits < 52);
}

static bool size_against_ps(const struct live_case *c, const struct live_query *q)
{
	const struct regime_stage *s2 = &c->regime.s2;
	unsigned out = s2->oa_bits;

	if (!refuses_stage2(c, q) || s2->setup_fault == FAULT_TRANSLATION)
		return false;
	if (s2->ia_bits > out)
		return true;
	switch (s2->granule_bits) {
	case GRANULE_4K:
		return s2->start_level == 0 && out <= 42;
	case GRANULE_16K:
		return s2->start_level == 1 && out <= 40;
	default:
		return s2->start_level == 1 && out <= 42;
	}
}

/* A single stage: the SH field is handed on even where Device or Non-cacheable forces it. */
static bool sh_not_forced(const struct live_case *c, const struct live_query *q)
{
	uint64_t ours = q->ours.value, theirs = q->theirs.value;
	uint8_t attr = (uint8_t)(ours >> 56);
	struct live_result expected = q->ours;

	(void)c;
	if (q->ours.outcome != WIRE_AT_DONE || (ours & 1) || (theirs & 1))
		return false;
	if (!attr_is_device(attr) && attr != ATTR_NORMAL_NC)
		return false;
	expected.value = (ours & ~UINT64_C(0x180)) | (theirs & UINT64_C(0x180));
	return live_same(q, &expected, &q->theirs);
}

/*
 * At level -1 an access flag or permission fault has no encoding in QEMU, which then asserts. It
 * comes from a block in such a table, or from stage 2 (where other deviations of QEMU may lead to
 * it) while such a descriptor is located.
 */
static bool level_m1(const struct live_case *c, const struct live_query *q)
{
	const struct fault *fault = &q->walk.fault;
	bool located = fault->s1ptw && s1_level(c, q) == -1;

	if (located && fault->type != FAULT_TRANSLATION && fault->type != FAULT_EXTERNAL_WALK)
		return true;
	for (unsigned i = 0; i < q->reads_count; i++) {
		const struct walk_read *read = &q->reads[i];

		if ((read->level == -1 || (located && read->stage == 2)) &&
		    illegal_block(c, q, read))
			return true;
	}
	return false;
}

/* ---- all versions -------------------------------------------------------------------------- */

/* Does an address size fault of ours come from the side field only, and PS leave that out? */
static bool side_field(const struct live_case *c, const struct live_query *q)
{
	const struct walk_read *last = last_read(q);
	const struct regime_stage *st;
	uint64_t side;

	if (q->walk.fault.type != FAULT_ADDRESS_SIZE || !last)
		return false;
	st = stage_of(c, q, last->stage);
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
	const struct regime_stage *st = stage_of(c, q, stage);
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
	const struct regime_stage *st = stage_of(c, q, stage);
	uint64_t ps = stage == 2 ? c->regs.vtcr_el2 >> 16 & 7 : c->regs.tcr_el1 >> 32 & 7;

	return ps == 7 && c->cpu.pa_bits == 52 && st->granule_bits == GRANULE_64K &&
	       (base_register(c, q, stage) >> 2 & 15);
}

static bool reserved_ps(const struct live_case *c, const struct live_query *q)
{
	return (c->regime.s1_on && reserved_ps_of(c, q, 1)) ||
	       (c->regime.s2_on && reserved_ps_of(c, q, 2));
}

static bool base_field(const struct live_case *c, const struct live_query *q)
{
	return (c->regime.s1_on && base_field_of(c, q, 1)) ||
	       (c->regime.s2_on && base_field_of(c, q, 2));
}

/* Attributes of both stages: only ATTR and SH differ, one stage Device and the other Non-cacheable.
 */
static bool device_with_nc(const struct live_case *c, const struct live_query *q)
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
		const struct regime_stage *st = stage_of(c, q, read->stage);
		bool clean = read->stage == 1 ? read->desc >> 7 & 1 : !(read->desc >> 7 & 1);

		if (st->hw_dirty && clean && (read->desc & DESC_DBM) &&
		    desc_kind(&st->format, read->desc, read->level) == DESC_KIND_LEAF)
			return true;
	}
	return false;
}

static bool at_dirties(const struct live_case *c, const struct live_query *q)
{
	static const unsigned writes =
		1U << WIRE_S12E1W | 1U << WIRE_S12E0W | 1U << WIRE_S1E1W | 1U << WIRE_S1E0W;

	return (writes >> q->op & 1) && dirtiable(c, q) &&
	       (q->theirs.changes_count > 0 || report_of(&q->theirs).s1ptw);
}

/*
 * A block larger than the output size: QEMU holds the descriptor's whole address field against it,
 * with the bits below the block and without those of the input address.
 */
static bool block_address(const struct live_case *c, const struct live_query *q)
{
	struct report theirs = report_of(&q->theirs);

	for (unsigned i = 0; i < q->reads_count; i++) {
		const struct walk_read *read = &q->reads[i];
		const struct regime_stage *st = stage_of(c, q, read->stage);
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
			return stage_of(c, q, q->reads[i].stage)->hw_af;
	return false;
}

/* The same permission fault, and more access flags than ours. */
static bool af_with_fault(const struct live_case *c, const struct live_query *q)
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
	       (c->machine->version < 800 && s1ptw_level(c, &as_ours));
}

/* Only nibbles of ATTR differ that are Write-Through Transient here and Non-transient there. */
static bool transient_lost(const struct live_case *c, const struct live_query *q)
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
static bool reserved_sh(const struct live_case *c, const struct live_query *q)
{
	const struct walk_read *last = last_read(q);
	struct live_result expected = q->ours;
	const struct regime_stage *st;

	if (q->ours.outcome != WIRE_AT_DONE || (q->ours.value & 1) || !last || last->stage != 1)
		return false;
	st = stage_of(c, q, 1);
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
static bool tbid_without_feature(const struct live_case *c, const struct live_query *q)
{
	const struct live_result *r = &q->theirs;

	return live_op_is_fetch(q->op) && !c->cpu.pauth && tcr_bit(c, q, 37) && tcr_bit(c, q, 51) &&
	       regime_untag(&c->regime, va_of(q->va), ACCESS_FETCH) != q->va &&
	       r->outcome == WIRE_EL1_FAULT && r->far == q->va &&
	       r->fsc == (c->regime.s1_on ? 0x04 : 0x00);
}

static bool hpd_without_feature(const struct live_case *c, const struct live_query *q)
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
static bool fetch_from_clean(const struct live_case *c, const struct live_query *q)
{
	const struct fault *fault = &q->walk.fault;
	const struct walk_read *last = last_read(q);

	if (!live_op_is_fetch(q->op) || fault->type != FAULT_PERMISSION || fault->stage != 1)
		return false;
	return last->stage == 1 && stage_of(c, q, 1)->hw_dirty && (last->desc & DESC_DBM) &&
	       (last->desc >> 7 & 1);
}

/* With FWB only ATTR and SH of a success differ, stage 2 Device and stage 1 a stronger Device. */
static bool fwb_device(const struct live_case *c, const struct live_query *q)
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
static bool flat_sh(const struct live_case *c, const struct live_query *q)
{
	struct live_result expected = q->ours;

	if (q->ours.outcome != WIRE_AT_DONE || (q->ours.value & 1) || c->regime.s1_on ||
	    c->regime.default_cacheable || !c->regime.s2_on || (q->ours.value >> 7 & 3) != 2)
		return false;
	expected.value = (q->ours.value & ~UINT64_C(0x180)) | (q->theirs.value & UINT64_C(0x180));
	return live_same(q, &expected, &q->theirs);
}

const struct live_deviation live_deviations[] = {
	{ .name = "a fault at level -1 kills QEMU",
	  .rule = "EncodeLDFSC: blocks at level -1 are invalid; S1PTW faults have stage 2's level",
	  .emulator = "accepts the block, or takes stage 1's level -1, and asserts on the code",
	  .fixed = 800,
	  .skip = true,
	  .applies = level_m1 },
	{ .name = "block accepted at an illegal level",
	  .rule = "AArch64.BlockDescSupported: such a descriptor is invalid, Translation fault",
	  .emulator = "takes any block above level 3 for a leaf",
	  .fixed = 800,
	  .applies = block_level },
	{ .name = "start level refused: 16K level 0, 4K level -1 with IPA 49..51",
	  .rule = "AArch64.S2InvalidSL, AArch64.S2InconsistentSL: both legal with DS = 1",
	  .emulator = "level-0 Translation fault",
	  .fixed = 800,
	  .applies = start_level },
	{ .name = "T0SZ and SL0 held against VTCR_EL2.PS",
	  .rule = "AArch64.S2MinTxSZ, AArch64.S2InvalidSL: PAMax counts, PS does not",
	  .emulator = "level-0 Translation fault",
	  .fixed = 800,
	  .applies = size_against_ps },
	{ .name = "level of a stage-2 fault on a stage-1 walk",
	  .rule = "AArch64.S2Translate: fault.level is that of the stage-2 walk",
	  .emulator = "reports the level of the stage-1 walk",
	  .fixed = 800,
	  .applies = s1ptw_level },
	{ .name = "shareability of Device and Non-cacheable memory",
	  .rule = "EffectiveShareability: Outer Shareable in PAR_EL1",
	  .emulator = "hands on SH of the descriptor or of TCR_ELx",
	  .fixed = 1000,
	  .applies = sh_not_forced },
	{ .name = "address bits [51:48] of a descriptor ignored",
	  .rule = "AArch64.OAOutOfRange looks at the whole address: Address size fault",
	  .emulator = "leaves the side field out when the output size is 48 bits or less",
	  .applies = side_field },
	{ .name = "block larger than the output size",
	  .rule = "AArch64.OAOutOfRange looks at StageOA, the whole output address",
	  .emulator = "looks at the descriptor's address field, bits below the block included",
	  .applies = block_address },
	{ .name = "bits [5:2] of the base register",
	  .rule = "AArch64.S1TTBaseAddress, AArch64.S2TTBaseAddress: DS = 1 makes them [51:48]",
	  .emulator = "leaves them at [5:2] when the output size is 48 bits or less",
	  .applies = base_field },
	{ .name = "reserved output size",
	  .rule = "AArch64.S1TTBaseAddress, AArch64.S2TTBaseAddress: only PS = 0b110 has [51:48] "
		  "there",
	  .emulator = "treats PS = 0b111 as 0b110",
	  .applies = reserved_ps },
	{ .name = "Device combined with Non-cacheable",
	  .rule = "S2CombineS1MemAttrs: Device",
	  .emulator = "Normal Non-cacheable",
	  .applies = device_with_nc },
	{ .name = "Device of both stages with FWB",
	  .rule = "AArch64.S2ApplyFWBMemAttrs: S2CombineS1Device, the stronger type",
	  .emulator = "takes the type of stage 2",
	  .applies = fwb_device },
	{ .name = "shareability with stage 1 off",
	  .rule = "AArch64.S1DisabledOutput: Outer Shareable, before stage 2 is combined",
	  .emulator = "starts from Non-shareable for data",
	  .applies = flat_sh },
	{ .name = "Write-Back Transient made Write-Through",
	  .rule = "S2CombineS1AttrHints: hints and transience are those of stage 1",
	  .emulator = "keeps the hints and drops the transience",
	  .applies = transient_lost },
	{ .name = "reserved shareability",
	  .rule = "DecodeShareability: SH = 0b01 is reserved; here Non-shareable",
	  .emulator = "hands 0b01 on to PAR_EL1",
	  .applies = reserved_sh },
	{ .name = "access flag set along with a Permission fault",
	  .rule = "AArch64.SettingAccessFlagPermitted: CONSTRAINED UNPREDICTABLE; here not",
	  .emulator = "sets it where HCR_EL2.PTW or a missing write permission then fault",
	  .applies = af_with_fault },
	{ .name = "TCR_EL1.TBIDn obeyed",
	  .rule = "AArch64.S1TTWParamsEL10: only with FEAT_PAuth",
	  .emulator = "keeps the tag of a fetch on any PE, and faults",
	  .applies = tbid_without_feature },
	{ .name = "TCR_EL1.HPDn obeyed",
	  .rule = "AArch64.S1TTWParamsEL10: only with FEAT_HPDS",
	  .emulator = "ignores APTable, XNTable and PXNTable on any PE",
	  .applies = hpd_without_feature },
	{ .name = "fetch from a page that DBM makes writable",
	  .rule = "AArch64.S1ApplyOutputPerms: AP[2] counts as 0, for WXN and for EL1 too",
	  .emulator = "looks at AP[2] as it is",
	  .applies = fetch_from_clean },
	{ .name = "dirty state set by an AT instruction",
	  .rule = "AArch64.SetDirtyState: not for AccessType_AT",
	  .emulator = "sets it as for a store, with the stage-2 faults of that",
	  .applies = at_dirties },
};
const unsigned live_deviations_count = sizeof(live_deviations) / sizeof(live_deviations[0]);

/* SPDX-License-Identifier: BSD-2-Clause */
/* Deviations of QEMU 7.2 that 10.0 does not have, and what all predicates share. */
#include "deviates.h"

struct deviates_report deviates_report(const struct live_result *r)
{
	struct deviates_report p = { 0 };

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

const struct regime_stage *deviates_stage(const struct live_case *c, const struct live_query *q,
					  int stage)
{
	return stage == 2 ? &c->regime.s2 : &c->regime.s1[q->va >> 55 & 1];
}

/* The last descriptor that our walk read; NULL if none. */
const struct walk_read *deviates_last_read(const struct live_query *q)
{
	return q->reads_count ? &q->reads[q->reads_count - 1] : NULL;
}

/* Level of the stage-1 descriptor that was being located when stage 2 faulted. */
int deviates_s1_level(const struct live_case *c, const struct live_query *q)
{
	const struct walk_read *last = deviates_last_read(q);

	if (!last)
		return deviates_stage(c, q, 1)->start_level;
	return last->stage == 2 ? last->for_level : last->level + 1;
}

/* Is `read` a block descriptor at a level where this granule has none? */
bool deviates_illegal_block(const struct live_case *c, const struct live_query *q,
			    const struct walk_read *read)
{
	return (read->desc & 3) == 1 && read->level < 3 &&
	       desc_kind(&deviates_stage(c, q, read->stage)->format, read->desc, read->level) ==
		       DESC_KIND_INVALID;
}

bool deviates_by_level(const struct live_query *q, int level)
{
	struct fault fault = q->walk.fault;
	struct live_result expected = q->ours;

	fault.level = (int8_t)level;
	if (q->ours.outcome == WIRE_AT_DONE)
		expected.value = fault_par(&fault);
	else
		expected.fsc = (uint8_t)fault_fsc(&fault);
	return live_same(q, &expected, &q->theirs);
}

/* QEMU overwrites the level of the stage-2 fault by that of the walk that it is part of. */
bool deviates_s1ptw_level(const struct live_case *c, const struct live_query *q)
{
	return q->walk.fault.s1ptw && deviates_by_level(q, deviates_s1_level(c, q));
}

bool deviates_block_level(const struct live_case *c, const struct live_query *q)
{
	const struct walk_read *last = deviates_last_read(q);

	return q->walk.fault.type == FAULT_TRANSLATION && last &&
	       deviates_illegal_block(c, q, last) && q->walk.fault.level == last->level;
}

/* Did QEMU refuse the set-up of stage 2? By 7.2's level for faults on a stage-1 walk. */
static bool refuses_stage2(const struct live_case *c, const struct live_query *q)
{
	struct deviates_report theirs = deviates_report(&q->theirs);
	struct fault fault = { .type = FAULT_TRANSLATION, .stage = 2 };

	if (c->regime.s1_on)
		fault.level = deviates_stage(c, q, 1)->start_level;
	return c->regime.s2_on && theirs.fault && theirs.stage2 &&
	       theirs.s1ptw == c->regime.s1_on && theirs.fsc == fault_fsc(&fault);
}

bool deviates_start_level(const struct live_case *c, const struct live_query *q)
{
	const struct regime_stage *s2 = &c->regime.s2;

	if (!refuses_stage2(c, q) || s2->setup_fault == FAULT_TRANSLATION)
		return false;
	return (s2->granule_bits == GRANULE_16K && s2->start_level == 0) ||
	       (s2->granule_bits == GRANULE_4K && s2->start_level == -1 && s2->ia_bits < 52);
}

bool deviates_size_against_ps(const struct live_case *c, const struct live_query *q)
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
bool deviates_sh_not_forced(const struct live_case *c, const struct live_query *q)
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
bool deviates_level_m1(const struct live_case *c, const struct live_query *q)
{
	const struct fault *fault = &q->walk.fault;
	bool located = fault->s1ptw && deviates_s1_level(c, q) == -1;

	if (located && fault->type != FAULT_TRANSLATION && fault->type != FAULT_EXTERNAL_WALK)
		return true;
	for (unsigned i = 0; i < q->reads_count; i++) {
		const struct walk_read *read = &q->reads[i];

		if ((read->level == -1 || (located && read->stage == 2)) &&
		    deviates_illegal_block(c, q, read))
			return true;
	}
	return false;
}

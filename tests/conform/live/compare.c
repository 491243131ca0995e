/* SPDX-License-Identifier: BSD-2-Clause */
/* Equal as the architecture has it, and the search for a known deviation where not. */
#include "live.h"

/* PAR_EL1: of a success bits 9 to 11 are UNKNOWN or RES in a Non-secure regime; of a fault 10, 11.
 */
static uint64_t par_mask(uint64_t par)
{
	return par & 1 ? ~UINT64_C(0xc00) : ~UINT64_C(0xe00);
}

static bool same_changes(const struct live_result *a, const struct live_result *b)
{
	if (a->changes_count != b->changes_count)
		return false;
	for (unsigned i = 0; i < a->changes_count; i++)
		if (a->changes[i].pa != b->changes[i].pa ||
		    a->changes[i].value != b->changes[i].value)
			return false;
	return true;
}

bool live_same(const struct live_query *q, const struct live_result *ours,
	       const struct live_result *theirs)
{
	if (ours->outcome != theirs->outcome || !same_changes(ours, theirs))
		return false;
	if (ours->outcome == WIRE_AT_DONE)
		return ((ours->value ^ theirs->value) & par_mask(ours->value)) == 0;
	if (ours->ec != theirs->ec || ours->fsc != theirs->fsc || ours->s1ptw != theirs->s1ptw ||
	    ours->wnr != theirs->wnr || ours->far != theirs->far || ours->value != theirs->value)
		return false;
	return ours->outcome != WIRE_EL2_FAULT || !q->hpfar_known || ours->hpfar == theirs->hpfar;
}

static bool concerns(const struct live_deviation *d, const struct live_case *c)
{
	unsigned version = c->machine->version;

	return version >= d->first && (d->fixed == 0 || version < d->fixed);
}

bool live_must_skip(const struct live_case *c, const struct live_query *q, unsigned *deviation)
{
	for (unsigned i = 0; i < live_deviations_count; i++) {
		const struct live_deviation *d = &live_deviations[i];

		if (!d->skip || !concerns(d, c) || !d->applies(c, q))
			continue;
		*deviation = i;
		return true;
	}
	return false;
}

enum live_verdict live_compare(const struct live_case *c, const struct live_query *q,
			       unsigned *deviation)
{
	if (live_same(q, &q->ours, &q->theirs))
		return LIVE_SAME;
	for (unsigned i = 0; i < live_deviations_count; i++) {
		const struct live_deviation *d = &live_deviations[i];

		if (d->skip || !concerns(d, c) || !d->applies(c, q))
			continue;
		*deviation = i;
		return LIVE_EXCUSED;
	}
	return LIVE_DIFFERENT;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In which order the points of a sweep are run, and by which worker: those that share much
 * (sweep/share.h) one after the other and by the same one, as far as that leaves nobody idle.
 */
#ifndef TWOSTAGE_SWEEP_SCHEDULE_H
#define TWOSTAGE_SWEEP_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "sweep/plan.h"
#include "sweep/share.h"

struct schedule_place {
	size_t point;	 /* index in the plan */
	uint64_t before; /* cost of all places in front of it, in records that share nothing */
	uint64_t alone;	 /* its own cost if it shares nothing */
	uint8_t shared;	 /* enum share_depth: with the place before */
	uint8_t wanted;	 /* schedule_wanted() */
	bool walking;	 /* most misses of its trace walk */
};

/* Places begin to end - 1 are one worker's. */
struct schedule_lane {
	size_t begin, end;
	size_t last;	/* place taken last, whose recordings the worker has; SCHEDULE_NONE */
	uint64_t doing; /* what that one costs */
	unsigned like;	/* schedule_like() */
};

struct schedule {
	size_t n;
	struct schedule_place *places; /* n + 1: the last is an end without point */
	struct schedule_lane *lanes;
	unsigned n_lanes;
};

#define SCHEDULE_NONE SIZE_MAX

/* Points `first` to end - 1 of an expanded plan with open traces. STATUS_INTERNAL: no memory. */
enum exit_status schedule_init(struct schedule *schedule, const struct plan *plan, size_t first,
			       size_t end, unsigned n_workers, struct diag *diag);
void schedule_fini(struct schedule *schedule);

/*
 * The next place of a worker, or SCHEDULE_NONE: what is left is done sooner without it. It stays
 * the next one until schedule_take().
 */
size_t schedule_next(struct schedule *schedule, unsigned worker);
void schedule_take(struct schedule *schedule, unsigned worker);

/*
 * Of which worker it should become a copy before it begins what it took, for the recordings which
 * that one has or is about to make; of itself: of none. To be asked for the point that it really
 * begins: it is said once.
 */
unsigned schedule_like(struct schedule *schedule, unsigned worker);

/* At which depths places behind it share with the place, so that what to record is known: 1 << enum
 * share_depth of each. */
unsigned schedule_wanted(const struct schedule *schedule, size_t place);

#endif

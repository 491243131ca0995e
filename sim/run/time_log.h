/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walks of one replay by what their time depends on: how many reads each found in which cache,
 * and how often walk caches helped. Walks that are alike in this are counted, not listed, since few
 * kinds make up all of them. So a point that differs in nothing but cycles has its times at once.
 */
#ifndef TWOSTAGE_RUN_TIME_LOG_H
#define TWOSTAGE_RUN_TIME_LOG_H

#include "mmu/hierarchy.h"
#include "run/budget.h"

struct time_kind {
	uint64_t key; /* what the walks have in common; 0: free */
	uint64_t walks;
};

struct time_log {
	struct time_kind *kind;	     /* owned; a hash table, never more than half full */
	size_t kinds, room;	     /* room: a power of two */
	uint64_t final[FOUND_COUNT]; /* stage-2 reads for the final IPA, by place */
	bool overflow;		     /* the recording was given up */
};

void time_log_fini(struct time_log *log);
size_t time_log_bytes(const struct time_log *log);

/* As struct mmu_tap's walked(); `reads` may be NULL if `found` is. */
void time_log_put(struct time_log *log, struct budget *budget, const struct walk_log *reads,
		  const struct latency_result *found, const struct walk_account *account,
		  enum account_leaf s1, enum account_leaf s2);

/*
 * Time of all walks and reads, with percentiles, in place of that which *stats has, if they take
 * the cycles of `shape`. False, with nothing done: out of memory, or its latencies depend on more.
 */
bool time_log_count(const struct time_log *log, const struct mmu_shape *shape, struct stats *stats);

#endif

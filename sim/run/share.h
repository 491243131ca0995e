/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points of a sweep share what they have in common. The first point of a trace records what gets
 * through its L1 TLBs; a later one with the same L1 TLBs replays only that, as long as each miss
 * fills the same entry and each TLBI comes at the same place: then its L1 TLBs would have done the
 * same, and its result is that of a run alone. Where they differ it is run alone. No parameter is
 * known here by name but those of the L1 TLBs: what was decided is compared.
 */
#ifndef TWOSTAGE_RUN_SHARE_H
#define TWOSTAGE_RUN_SHARE_H

#include "run/point.h"

struct share;

/* Keeps recordings of at most `most_bytes` in all. NULL: out of memory. */
struct share *share_create(size_t most_bytes);
void share_free(struct share *share); /* may be NULL */

/* As point_run_intervals(), with an equal result; `trace` must stay open as long as the share. */
enum exit_status share_run(struct share *share, const struct config *config,
			   const struct trace_reader *trace, struct stats *stats,
			   struct interval_table *intervals, struct diag *diag);

struct share_counts {
	uint64_t alone;	   /* points run from their trace, recorded or not */
	uint64_t followed; /* points run from a recording */
	uint64_t diverged; /* recordings given up on the way */
};

struct share_counts share_counts(const struct share *share);

#endif

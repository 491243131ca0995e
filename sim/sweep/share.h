/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points of a sweep share what they have in common on one trace. params.def says what each
 * parameter decides at most; beyond that, what was decided is compared on the way, and where ways
 * part the point is run alone. So each result is that of a run alone.
 */
#ifndef TWOSTAGE_SWEEP_SHARE_H
#define TWOSTAGE_SWEEP_SHARE_H

#include "run/point.h"

/* What two points can share, each with all above it. The last two need no recording of the others.
 */
enum share_depth {
	SHARE_NOTHING,
	/* What gets through the L1 TLBs (miss_stream.h): a point replays only that, with tables,
	 * guest and host of its own, as long as each miss fills the same entry after the same
	 * TLBIs. */
	SHARE_STREAM,
	/* Tables, guest and host (map_log.h): what these did is done again, as long as the same
	 * faults ask for it. */
	SHARE_MAP,
	/* Descriptor reads (read_log.h): all that is left is where each is found, and time. */
	SHARE_WALKS,
	/* Where it is found (time_log.h): all that is left is time. */
	SHARE_PLACES,
	SHARE_DEPTHS
};

/* Each depth, as bits. */
#define SHARE_ALL ((1u << SHARE_DEPTHS) - 1)

/* How much two points of one trace may share. */
enum share_depth share_depth(const struct config *a, const struct config *b);

/* Two points may share so much if their keys of this depth are equal. Valid in this process only.
 */
void share_keys(const struct config *config, uint32_t trace, uint64_t keys[SHARE_DEPTHS]);

struct share;

/* What a point finds at most of those that it has no use for, as 1 in so many of all bytes. */
enum { SHARE_KEPT_DIVISOR = 4 };

/* Keeps recordings of at most `most_bytes` in all. NULL: out of memory. */
struct share *share_create(size_t most_bytes);
void share_free(struct share *share); /* may be NULL */

/* What the last point recorded, kept or not. */
size_t share_recorded_bytes(const struct share *share);

/*
 * As point_run_intervals(), with an equal result; `trace` must stay open as long as the share. What
 * is not there yet is recorded for points to come: `wanted` has a bit 1 << depth for each depth at
 * which one of them shares.
 */
enum exit_status share_run(struct share *share, const struct config *config,
			   const struct trace_reader *trace, unsigned wanted, struct stats *stats,
			   struct interval_table *intervals, struct diag *diag);

struct share_counts {
	uint64_t points[SHARE_DEPTHS]; /* by what they shared */
	uint64_t diverged;	       /* recordings given up on the way */
};

struct share_counts share_counts(const struct share *share);

#endif

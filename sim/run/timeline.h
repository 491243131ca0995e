/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A replay along its instructions: a warm-up that is left out of the statistics, and intervals for
 * each of which the main counts are kept.
 *
 * A record counts as a whole where it begins: with all its accesses, and with the misses and walks
 * that these cause at once. So with page runs up to a run of each stream and vCPU is counted before
 * a boundary that it goes beyond; a raw trace is exact (docs/model.md, M36).
 */
#ifndef TWOSTAGE_RUN_TIMELINE_H
#define TWOSTAGE_RUN_TIMELINE_H

#include "run/host_session.h"
#include "run/machine.h"
#include "trace/trace.h"

enum { INTERVAL_COUNTS = 13, INTERVALS_MAX = 65536 };

/* Which statistics an interval has, in order; the first is STAT_instructions. */
extern const enum stat_id interval_counts[INTERVAL_COUNTS];

struct interval {
	uint64_t v[INTERVAL_COUNTS]; /* by interval_counts; their sum is the point's statistic */
};

struct interval_table {
	uint64_t n;
	struct interval *row; /* owned */
};

void interval_table_free(struct interval_table *table);

/*
 * Intervals that a point of this configuration and trace has: full ones of interval.instructions
 * each, and what remains; or its samples (run/sample.h). 0: none are asked for, or they are
 * refused.
 */
uint64_t interval_table_rows(const struct config *config, const struct trace_info *info);

struct timeline {
	struct machine *machine;
	struct host_session *session;
	struct interval_table *table;
	uint64_t all, warmup, period; /* instructions; period 0: no intervals */
	uint64_t due;		      /* instructions at the next boundary; UINT64_MAX: none */
	uint64_t instructions;	      /* up to and with the first access of the record before */
	struct trace_totals begun;    /* of the records so far */
	/* The record after which an event or the end comes: its instructions are also those behind
	 * its first access, and it is taken to begin with the first of them. Set for each segment.
	 */
	uint32_t trailing;
	bool last_block;
	bool warm;	    /* the warm-up is over */
	uint64_t interval;  /* the current one */
	struct interval at; /* counts at its start */
	struct stats base;  /* at the end of the warm-up */
};

/*
 * `machine` and `session` are the caller's and must outlive the timeline; so must `table`, which is
 * given its rows here (interval_table_free()). STATUS_BAD_INPUT: the trace counts no instructions,
 * or no more than the warm-up, or there would be more than INTERVALS_MAX intervals.
 */
enum exit_status timeline_init(struct timeline *timeline, struct machine *machine,
			       struct host_session *session, const struct trace_info *info,
			       struct interval_table *table, struct diag *diag);

/* Does the configuration ask for a timeline at all? */
bool timeline_wanted(const struct config *config);

/* Before the records of a block in front of event `e`, or behind all its events (n_events). */
void timeline_segment(struct timeline *timeline, const struct trace_block *block, uint32_t e);

/*
 * The first record from `first` on that begins behind the next boundary, `end` if none does. Those
 * before it count as begun. The block has COLUMN_COUNTS and COLUMN_INSTRUCTIONS.
 */
uint32_t timeline_next(struct timeline *timeline, const struct trace_block *block, uint32_t first,
		       uint32_t end);

/* The replay has come to the next boundary. */
void timeline_mark(struct timeline *timeline);

/*
 * After the last record: the statistics of all but the warm-up, and the last interval.
 * STATUS_BAD_INPUT: so little is left that runs of the warm-up hide what hit and what missed.
 */
enum exit_status timeline_finish(struct timeline *timeline, const struct trace_totals *totals,
				 struct stats *stats, struct diag *diag);

/* The counts that follow from those of accesses, which the trace holds, and from misses in *stats.
 */
void timeline_count_totals(const struct mmu_shape *shape, const struct trace_totals *totals,
			   struct stats *stats);

/* All statistics of a machine that has replayed `totals` since it was made, phases apart. */
void timeline_count(struct machine *machine, const struct trace_totals *totals,
		    struct stats *stats);

#endif

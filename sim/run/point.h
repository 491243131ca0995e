/* SPDX-License-Identifier: BSD-2-Clause */
/* One point: a configuration and a trace, run to the end, give a table of statistics. */
#ifndef TWOSTAGE_RUN_POINT_H
#define TWOSTAGE_RUN_POINT_H

#include "base/diag.h"
#include "config/config.h"
#include "mmu/account.h"
#include "mmu/stats.h"
#include "run/recorder.h"
#include "run/timeline.h"
#include "trace/feed.h"
#include "trace/trace.h"

/* Raised whenever a change makes any statistic of any point differ: part of each point's key. */
#define ENGINE_VERSION "4"

/*
 * Can this configuration exist at all (legal geometry on this core, page sizes that the granules
 * have, cache shapes)? STATUS_BAD_INPUT with the reason in diag if not.
 */
enum exit_status point_check(const struct config *config, struct diag *diag);

/* With timing.backend systemc, since SystemC elaborates once in a process. */
bool point_has_process(const struct config *config);

/* It shares nothing with other points: it has a process, or not all of the trace counts alike. */
bool point_is_alone(const struct config *config);

struct point_progress {
	/* Called between blocks with accesses done of all; non-zero return interrupts the run. */
	int (*step)(void *ctx, uint64_t done_accesses, uint64_t all_accesses);
	void *ctx;
	/* Filled with the latencies of the walks that count; NULL: not wanted. Not of a point that
	 * has a process. */
	struct walk_latencies *latencies;
};

/*
 * A point that has a process runs in a child; `progress` is called there.
 *
 * `progress` may be NULL. STATUS_INTERRUPTED when a step asked for it. STATUS_BAD_INPUT with
 * diag->impossible: the trace is sound but does not fit the configuration (guest memory too small,
 * page runs for a policy that cannot replay them).
 */
enum exit_status point_run(const struct config *config, const struct trace_reader *trace,
			   const struct point_progress *progress, struct stats *stats,
			   struct diag *diag);

/* The same with the point's intervals, which the caller frees; *intervals is empty on failure. */
enum exit_status point_run_intervals(const struct config *config, const struct trace_reader *trace,
				     const struct point_progress *progress, struct stats *stats,
				     struct interval_table *intervals, struct diag *diag);

/* Can point_run_feed() run it? What has to know the whole trace before cannot: samples, intervals,
 * a point that has a process. */
bool point_takes_feed(const struct config *config);

/*
 * As point_run(), of a trace that is read on the way. The feed is read from its start to its end,
 * twice if later parts of it have more vCPUs, VMs or kinds of information than the first block.
 */
enum exit_status point_run_feed(const struct config *config, struct trace_feed *feed,
				const struct point_progress *progress, struct stats *stats,
				struct diag *diag);

/*
 * The same, with all that other points may be replayed from written down, which overflows where
 * that does not decide the rest. For share.c, as what follows.
 */
enum exit_status point_run_recorded(const struct config *config, const struct trace_reader *trace,
				    struct stats *stats, struct interval_table *intervals,
				    struct recorder *record, struct diag *diag);

/*
 * Run a point from recordings of other ones of the same trace and the same L1 TLBs. False: their
 * ways part somewhere, or this point cannot run; *stats and what is recorded are void then.
 * run_relookups is void in any case.
 */
bool point_follow(const struct config *config, const struct trace_reader *trace,
		  const struct miss_stream *stream, struct recorder *record, struct stats *stats);

/* With the same mapping, too: `record` has no map, and its tally is that of the mapping. */
bool point_follow_map(const struct config *config, const struct trace_reader *trace,
		      const struct miss_stream *stream, const struct map_log *map,
		      struct recorder *record, struct stats *stats);

/*
 * Of a point that makes the same walks: *stats are those of the one recorded, with run_relookups,
 * `work` is what guest and host did, `record` has nothing but times. False: out of memory, *stats
 * is void.
 */
bool point_follow_walks(const struct config *config, const struct trace_reader *trace,
			const struct read_log *walks, const struct os_work *work,
			struct recorder *record, struct stats *stats);

/* If they find their descriptors in the same places, too. */
bool point_follow_times(const struct config *config, const struct trace_reader *trace,
			const struct time_log *times, const struct os_work *work,
			struct stats *stats);

#endif

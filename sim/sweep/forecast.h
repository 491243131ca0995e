/* SPDX-License-Identifier: BSD-2-Clause */
/* What a sweep has still to do, and what that will cost: a guess made before anything is run. */
#ifndef TWOSTAGE_SWEEP_FORECAST_H
#define TWOSTAGE_SWEEP_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "results/db.h"
#include "sweep/plan.h"
#include "sweep/share.h"

/* Of a point besides its simulated tables: tests/cli/memory.sh measures it. */
#define FORECAST_POINT_BYTES (UINT64_C(64) << 20)

enum forecast_state { FORECAST_TO_RUN, FORECAST_DONE, FORECAST_IMPOSSIBLE };

/* Points to run that share their trace and their L1 TLBs, at least; or one that shares nothing. */
struct forecast_group {
	uint32_t trace;
	size_t example; /* one of its points */
	size_t n_points;
	size_t n_shared[SHARE_DEPTHS]; /* points by what they share with the one before */
};

struct forecast {
	unsigned char *states; /* of each point: enum forecast_state */
	struct forecast_group *groups;
	size_t n_groups;
	size_t n_done, n_impossible, n_to_run;
	uint64_t accesses;	 /* that the points to run have together */
	uint64_t micros;	 /* expected processor time of these, by all workers */
	uint64_t longest_micros; /* expected of one of them */
	uint64_t wall_micros;	 /* expected from begin to end, with a processor for each worker */
	/*
	 * Where these come from: what the database says of points with the same trace and model, or
	 * with the same trace (n_measured); a probe of a group of the trace (n_probed;
	 * forecast_probe.h); or a guess from the trace's blocks (forecast_pages.h). What a point
	 * shares costs as in the probe, or as sweep/schedule.h has it.
	 */
	size_t n_measured, n_probed;
	size_t n_probes; /* groups that were probed */
	uint64_t probe_records, probe_micros;
	uint64_t table_bytes;	 /* expected simulated tables of the point that has most */
	unsigned n_workers;	 /* never more than points to run */
	uint64_t share_bytes;	 /* recordings that a worker keeps at most; 0: nothing is shared */
	uint64_t worker_bytes;	 /* FORECAST_POINT_BYTES, share_bytes and table_bytes */
	uint64_t expected_bytes; /* of a worker, by the probes: rather this than worker_bytes */
};

/*
 * `plan` is expanded; `db` is its database, NULL if there is none. Nothing is written. Up to four
 * groups of each trace are probed, as long as all probes together take no more than
 * `most_probe_micros` of processor time. forecast_free() it, whatever is returned.
 */
enum exit_status forecast_make(struct forecast *forecast, const struct plan *plan, struct db *db,
			       unsigned n_workers, uint64_t most_probe_micros, struct diag *diag);
void forecast_free(struct forecast *forecast);

#endif

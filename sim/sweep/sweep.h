/* SPDX-License-Identifier: BSD-2-Clause */
/* Running a plan into a result database. */
#ifndef TWOSTAGE_SWEEP_SWEEP_H
#define TWOSTAGE_SWEEP_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "results/db.h"
#include "sweep/plan.h"

/* Recordings that a worker keeps (sweep/share.h). */
#define SWEEP_SHARE_BYTES (UINT64_C(128) << 20)

#define SWEEP_NONE SIZE_MAX

struct sweep_summary {
	size_t n_points, n_skipped, n_ok, n_impossible, n_failed;
	enum exit_status first_failure; /* of a point; STATUS_OK: none failed */
};

struct sweep_options {
	unsigned n_workers;
	size_t first, end; /* the points of the plan to run */
	struct db *base;   /* its points count as there already; may be NULL */
	/*
	 * Which point is to be dealt with next, in place of `first` to `end` - 1 one after the
	 * other (then the caller names the sweep, too): an index of the plan, or SWEEP_NONE until
	 * another point is settled. The sweep ends when there is none and all are settled. May be
	 * NULL.
	 */
	size_t (*pick)(void *ctx);
	/* Point `index` is in the database, or has failed. May be NULL. */
	enum exit_status (*settled)(void *ctx, size_t index, struct diag *diag);
	/* Called often, with how many points are dealt with; non-zero return interrupts. */
	int (*step)(void *ctx, const struct sweep_summary *summary);
	/* A point failed; the sweep goes on without it. */
	void (*failed)(void *ctx, const struct plan_point *point, const struct diag *why);
	void *ctx;
};

/*
 * Run those points of an expanded plan that the database lacks. Each result is committed when it
 * comes, so that nothing finished is lost however the program ends. The database's contents do not
 * depend on the number of workers. STATUS_INTERRUPTED when a step asked for it; points that failed
 * are only counted.
 */
enum exit_status sweep_run(struct plan *plan, struct db *db, const struct sweep_options *options,
			   struct sweep_summary *summary, struct diag *diag);

/*
 * Write down in `db` that points `first` to `end` - 1 of the plan are those of its sweep, in place
 * of what was said before; sweep_run() does it, too.
 */
enum exit_status sweep_name(const struct plan *plan, size_t first, size_t end, struct db *db,
			    struct diag *diag);

#endif

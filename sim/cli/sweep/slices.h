/* SPDX-License-Identifier: BSD-2-Clause */
/* Sweeps in slices: `twostage sweep --slice, --merge, --status, --slurm`. */
#ifndef TWOSTAGE_CLI_SWEEP_SLICES_H
#define TWOSTAGE_CLI_SWEEP_SLICES_H

#include <stdbool.h>

#include "base/diag.h"
#include "cli/sweep/args.h"
#include "sweep/plan.h"
#include "sweep/slice.h"
#include "sweep/sweep.h"

/* Where the results of SWEEP_ALL or SWEEP_SLICE go. */
struct sweep_place {
	struct db *db;
	struct db *base;      /* of a slice: the database that shards are merged into, or NULL */
	struct slices slices; /* of a slice */
	unsigned slice;
};

/* Nothing is open after a failure. */
enum exit_status sweep_place_open(struct sweep_place *place, const struct sweep_args *arguments,
				  const struct plan *plan, const char *database, struct diag *diag);
/* Of a slice, only its points; the plan is brought into the order of slices. */
enum exit_status sweep_place_narrow(struct sweep_place *place, struct plan *plan,
				    struct sweep_options *options, struct diag *diag);
/* As db_close(). */
enum exit_status sweep_place_close(struct sweep_place *place, struct diag *diag);

/* Merge the shards into the database. *n_missing: points that nobody has run yet. */
enum exit_status sweep_merge(const struct plan *plan, const char *database, size_t *n_missing,
			     struct diag *diag);

/* The slices as the folder says; STATUS_NO_INPUT if it is not there. slices_free() them. */
enum exit_status sweep_find_slices(struct slices *slices, const struct plan *plan,
				   const char *database, struct diag *diag);

/* sweep_status.c: print how far the slices are, or the database if there are none. Status: 0 all
 * points are there, STATUS_INTERRUPTED not yet. */
int sweep_status(const struct sweep_args *arguments, const struct plan *plan, const char *database);

enum sweep_slurm_end {
	SWEEP_SLURM_COMPLETE,	/* all points are in the shards */
	SWEEP_SLURM_DETACHED,	/* submitted; interrupted, or not to be waited for */
	SWEEP_SLURM_INCOMPLETE, /* slices failed again and again; their reasons are printed */
	SWEEP_SLURM_FAILED,	/* diag says why */
};

/* The last line that the tasks of slice `index`, counted from 0, wrote, and where; false: none. */
bool slice_last_line(const struct slices *slices, unsigned index, char *path, size_t path_bytes,
		     char *text, size_t text_bytes);

/* sweep_slurm.c: submit, watch, submit again. */
enum sweep_slurm_end sweep_slurm_run(const struct sweep_args *arguments, const struct plan *plan,
				     const char *database, struct diag *diag);

#endif

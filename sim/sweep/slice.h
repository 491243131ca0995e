/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slices of a plan, for schedulers: each is run by a task of its own into a database of its own, a
 * shard, and the shards are merged (docs/scaling.md). All of a sweep lies in one folder beside its
 * database, DATABASE.slices: the shards, the tasks' output, and `plan`, which says what was cut.
 */
#ifndef TWOSTAGE_SWEEP_SLICE_H
#define TWOSTAGE_SWEEP_SLICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "results/db.h"
#include "sweep/plan.h"

enum { SLICES_MAX = 100 * 1000 };

struct slices {
	const struct plan *plan;
	unsigned n;
	size_t *order;	  /* points of the plan, those that share most one after the other */
	size_t *first;	  /* n + 1 places: slice i has the points order[first[i]] and so on, up to
			     first[i + 1] - 1 */
	uint64_t *micros; /* of each of order[], as guessed for the cut */
	char *folder;
};

/*
 * Cut an expanded plan with open traces into `n` slices of about equal cost, in the order in which
 * one worker would run it (sweep/schedule.h), so that what shares a replay is in one slice where
 * that leaves no other slice with much more to do. It depends on the plan, the traces and `n`
 * alone. Slices at the end are empty if fewer are as good. slices_free() it, whatever is returned.
 */
enum exit_status slices_cut(struct slices *slices, const struct plan *plan, unsigned n,
			    const char *database, struct diag *diag);
void slices_free(struct slices *slices);

/* Bring the plan's points into the order of its slices, for sweep_run(); order[i] is i then. */
enum exit_status slices_arrange(struct slices *slices, struct plan *plan, struct diag *diag);

/*
 * How many slices the folder of `database` was cut into; 0: nothing was cut yet. STATUS_BAD_INPUT
 * with the difference if that was another plan (spec, traces) or another engine. Which points are
 * in which slice is not looked at: slices_check() does that.
 */
enum exit_status slices_find(const struct plan *plan, const char *database, unsigned *n,
			     struct diag *diag);

/* Were the points cut in the same way there? Another build may cut otherwise. */
enum exit_status slices_check(const struct slices *slices, struct diag *diag);

/* Make the folder and its file `plan`; if there is one, it must say the same, as slices_find() and
 * slices_check(). */
enum exit_status slices_claim(const struct slices *slices, struct diag *diag);

/* Path of the shard of slice `index`, counted from 0; to be freed. NULL: out of memory. */
char *slices_shard(const struct slices *slices, unsigned index);

/* Were all its points run by this engine? STATUS_BAD_INPUT if not. */
enum exit_status slices_check_engine(struct db *shard, struct diag *diag);

struct slice_progress {
	size_t n_points;
	size_t n_done; /* in its shard, or in the database */
	/* Guesses for the points of the shard and for those still to be run, and what the former
	 * took. */
	uint64_t guessed_micros, left_micros, micros;
};

/* How far slice `index` is. `base` may be NULL; a shard that is not there has no points. */
enum exit_status slices_look(const struct slices *slices, unsigned index, struct db *base,
			     struct slice_progress *progress, struct diag *diag);

/*
 * Copy all shards into `db` and name the sweep there. *n_new: points copied; *n_missing: points of
 * the plan that no shard had.
 */
enum exit_status slices_merge(const struct slices *slices, struct db *db, uint64_t *n_new,
			      size_t *n_missing, struct diag *diag);

#endif

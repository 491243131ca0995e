/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slices of a plan, for schedulers: each is run by a task of its own into a database of its own, a
 * shard, and the shards are merged (docs/scaling.md). All of a sweep lies in one folder beside its
 * database, DATABASE.slices: the shards, the tasks' output, and `plan`, which says what was cut.
 */
#ifndef TWOSTAGE_RUN_SLICE_H
#define TWOSTAGE_RUN_SLICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "run/db.h"
#include "run/plan.h"

enum { SLICES_MAX = 100 * 1000 };

struct slices {
	const struct plan *plan;
	unsigned n;
	size_t *first; /* n + 1 places: slice i has the points first[i] to first[i + 1] - 1 */
	char *folder;
};

/* Records of traces that all possible points together replay. */
uint64_t slices_cost(const struct plan *plan);

/*
 * Cut an expanded plan into `n` slices of about equal cost. It depends on the plan and `n` alone. A
 * cut between two traces is preferred to one nearby, because a slice opens its traces once. Some
 * slices are empty if there are more than points. slices_free() it, whatever is returned.
 */
enum exit_status slices_cut(struct slices *slices, const struct plan *plan, unsigned n,
			    const char *database, struct diag *diag);
void slices_free(struct slices *slices);

/*
 * How many slices the folder of `database` was cut into; 0: nothing was cut yet. STATUS_BAD_INPUT
 * with the difference if that was another plan (spec, traces) or another engine.
 */
enum exit_status slices_find(const struct plan *plan, const char *database, unsigned *n,
			     struct diag *diag);

/* Make the folder and its file `plan`; if there is one, it must say the same, as slices_find(). */
enum exit_status slices_claim(const struct slices *slices, struct diag *diag);

/* Path of the shard of slice `index`, counted from 0; to be freed. NULL: out of memory. */
char *slices_shard(const struct slices *slices, unsigned index);

/* Were all its points run by this engine? STATUS_BAD_INPUT if not. */
enum exit_status slices_check_engine(struct db *shard, struct diag *diag);

/*
 * How many points of slice `index` are in its shard or in `base`, which may be NULL. A shard that
 * is not there has none.
 */
enum exit_status slices_done(const struct slices *slices, unsigned index, struct db *base,
			     size_t *n_done, struct diag *diag);

/*
 * Copy all shards into `db` and name the sweep there. *n_new: points copied; *n_missing: points of
 * the plan that no shard had.
 */
enum exit_status slices_merge(const struct slices *slices, struct db *db, uint64_t *n_new,
			      size_t *n_missing, struct diag *diag);

#endif

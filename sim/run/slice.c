/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/slice.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/point.h"
#include "run/slice_plan.h"
#include "run/sweep.h"

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* In records; what a point costs besides is no more than one. */
static uint64_t point_cost(const struct plan *plan, const struct plan_point *point)
{
	struct config config;

	plan_config(plan, point, &config);
	if (point_check(&config, NULL) != STATUS_OK)
		return 1;
	return 1 + trace_info(plan->traces[point->trace].reader)->totals.records;
}

uint64_t slices_cost(const struct plan *plan)
{
	uint64_t cost = 0;

	for (size_t i = 0; i < plan->n_points; i++)
		cost += point_cost(plan, &plan->points[i]);
	return cost;
}

/*
 * The cut nearest to `target`, at point `i` where `before` is the cost of all in front of it; one
 * between two traces if it is less than a quarter of a slice away.
 */
struct cut {
	size_t at, at_trace;
	uint64_t distance, distance_trace;
};

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void consider(struct cut *cut, const struct plan *plan, size_t i, uint64_t before,
		     uint64_t target)
{
	uint64_t distance = apart(before, target);
	bool between =
		i == 0 || i == plan->n_points || plan->points[i].trace != plan->points[i - 1].trace;

	if (distance < cut->distance) {
		cut->distance = distance;
		cut->at = i;
	}
	if (between && distance < cut->distance_trace) {
		cut->distance_trace = distance;
		cut->at_trace = i;
	}
}

/* first[] from the cost in front of each point; the places of the cuts only go up. */
static void place_cuts(struct slices *slices, const uint64_t *before)
{
	const struct plan *plan = slices->plan;
	const uint64_t total = before[plan->n_points];
	size_t begin = 0;

	for (unsigned k = 1; k < slices->n; k++) {
		uint64_t width = total / slices->n;
		uint64_t target = width * k + total % slices->n * k / slices->n;
		struct cut cut = { begin, begin, UINT64_MAX, UINT64_MAX };

		for (size_t i = begin; i <= plan->n_points; i++) {
			consider(&cut, plan, i, before[i], target);
			if (before[i] > target + width)
				break;
		}
		slices->first[k] = cut.distance_trace < width / 4 ? cut.at_trace : cut.at;
		begin = slices->first[k];
	}
	slices->first[slices->n] = plan->n_points;
}

enum exit_status slices_cut(struct slices *slices, const struct plan *plan, unsigned n,
			    const char *database, struct diag *diag)
{
	uint64_t *before = calloc(plan->n_points + 1, sizeof(*before));

	*slices = (struct slices){ .plan = plan, .n = n };
	slices->first = calloc((size_t)n + 1, sizeof(*slices->first));
	slices->folder = slice_plan_folder(database);
	if (!before || !slices->first || !slices->folder) {
		free(before);
		return no_memory(diag);
	}
	for (size_t i = 0; i < plan->n_points; i++)
		before[i + 1] = before[i] + point_cost(plan, &plan->points[i]);
	place_cuts(slices, before);
	free(before);
	return STATUS_OK;
}

void slices_free(struct slices *slices)
{
	free(slices->first);
	free(slices->folder);
	*slices = (struct slices){ 0 };
}

char *slices_shard(const struct slices *slices, unsigned index)
{
	char *path;

	if (asprintf(&path, "%s/slice-%u.db", slices->folder, index + 1) < 0)
		return NULL;
	return path;
}

enum exit_status slices_check_engine(struct db *shard, struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = db_prepare(
		shard, "SELECT engine FROM point WHERE engine <> ?1 LIMIT 1", &query, diag);
	int step;

	if (status != STATUS_OK)
		return status;
	sqlite3_bind_text(query, 1, ENGINE_VERSION, -1, SQLITE_STATIC);
	step = sqlite3_step(query);
	if (step == SQLITE_ROW)
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "%s: a shard of engine %.32s, and this program is engine %s; "
				  "remove it to run its slice again",
				  db_path(shard), (const char *)sqlite3_column_text(query, 0),
				  ENGINE_VERSION);
	else if (step != SQLITE_DONE)
		status = db_failure(shard, diag);
	sqlite3_finalize(query);
	return status;
}

/* *shard is NULL if it is not there. */
static enum exit_status open_shard(const struct slices *slices, unsigned index, struct db **shard,
				   struct diag *diag)
{
	char *path = slices_shard(slices, index);
	enum exit_status status;

	*shard = NULL;
	if (!path)
		return no_memory(diag);
	status = db_open_existing(path, shard, diag);
	free(path);
	if (status == STATUS_OK && *shard)
		status = slices_check_engine(*shard, diag);
	if (status == STATUS_OK)
		return STATUS_OK;
	db_close(*shard, NULL);
	*shard = NULL;
	return status;
}

enum exit_status slices_done(const struct slices *slices, unsigned index, struct db *base,
			     size_t *n_done, struct diag *diag)
{
	struct db *shard;
	enum exit_status status = open_shard(slices, index, &shard, diag);

	*n_done = 0;
	for (size_t i = slices->first[index];
	     status == STATUS_OK && (shard || base) && i < slices->first[index + 1]; i++) {
		const char *key = slices->plan->points[i].key;
		int found = 0;

		if (shard)
			status = db_has(shard, key, &found, diag);
		if (status == STATUS_OK && !found && base)
			status = db_has(base, key, &found, diag);
		*n_done += (size_t)found;
	}
	db_close(shard, NULL);
	return status;
}

static enum exit_status merge_shard(const struct slices *slices, unsigned index, struct db *db,
				    uint64_t *n_new, struct diag *diag)
{
	struct db *shard;
	enum exit_status status = open_shard(slices, index, &shard, diag);
	uint64_t n = 0;

	if (status == STATUS_OK && shard)
		status = db_merge(db, db_path(shard), &n, diag);
	db_close(shard, NULL);
	*n_new += n;
	return status;
}

enum exit_status slices_merge(const struct slices *slices, struct db *db, uint64_t *n_new,
			      size_t *n_missing, struct diag *diag)
{
	const struct plan *plan = slices->plan;
	enum exit_status status = STATUS_OK;

	*n_new = 0;
	*n_missing = 0;
	for (unsigned i = 0; status == STATUS_OK && i < slices->n; i++)
		status = merge_shard(slices, i, db, n_new, diag);
	if (status == STATUS_OK)
		status = sweep_name(plan, 0, plan->n_points, db, diag);
	for (size_t i = 0; status == STATUS_OK && i < plan->n_points; i++) {
		int found;

		status = db_has(db, plan->points[i].key, &found, diag);
		*n_missing += status == STATUS_OK && !found;
	}
	return status;
}

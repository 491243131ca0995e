/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/slice.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/point.h"
#include "sweep/forecast_pages.h"
#include "sweep/schedule.h"
#include "sweep/slice_cut.h"
#include "sweep/slice_plan.h"
#include "sweep/sweep.h"

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* The cost of each place, of those that can be: the others are done at once, in any slice. */
static void set_costs(const struct plan *plan, const struct schedule *schedule,
		      const struct forecast_pages *pages, struct slice_cost *costs)
{
	enum share_depth shared = SHARE_DEPTHS - 1;

	for (size_t i = 0; i < schedule->n; i++) {
		const struct schedule_place *place = &schedule->places[i];
		const struct plan_point *point = &plan->points[place->point];
		const double ratio =
			(double)(place[1].before - place->before) / (double)place->alone;
		const uint64_t alone = pages[point->trace].guess_micros;
		struct config config;

		plan_config(plan, point, &config);
		/* With the last possible one before it, it shares what all between them do. */
		if (place->shared < shared)
			shared = place->shared;
		costs[i] = (struct slice_cost){ 1, 1, i ? 1 + shared : 0 };
		if (i && plan->points[schedule->places[i - 1].point].trace != point->trace)
			costs[i].bond = 0;
		if (point_check(&config, NULL) != STATUS_OK)
			continue;
		costs[i].alone = 1 + alone;
		costs[i].shared = shared == SHARE_NOTHING || point_is_alone(&config)
					  ? costs[i].alone
					  : 1 + (uint64_t)((double)alone * ratio);
		shared = SHARE_DEPTHS - 1;
	}
}

/* Of the traces that points are of. */
static enum exit_status look_at_traces(const struct plan *plan, struct forecast_pages *pages,
				       struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < plan->n_traces; i++)
		status = forecast_pages(plan->traces[i].reader, &pages[i], diag);
	return status;
}

/* Each slice begins with a point that is alone. */
static void set_micros(struct slices *slices, const struct slice_cost *costs)
{
	for (size_t i = 0; i < slices->plan->n_points; i++)
		slices->micros[i] = costs[i].shared;
	for (unsigned k = 0; k < slices->n; k++)
		if (slices->first[k] < slices->first[k + 1])
			slices->micros[slices->first[k]] = costs[slices->first[k]].alone;
}

static enum exit_status cut(struct slices *slices, struct schedule *schedule, struct diag *diag)
{
	const struct plan *plan = slices->plan;
	struct slice_cost *costs = calloc(plan->n_points + 1, sizeof(*costs));
	struct forecast_pages *pages = calloc(plan->n_traces + 1, sizeof(*pages));
	enum exit_status status = STATUS_OK;

	if (!costs || !pages)
		status = no_memory(diag);
	if (status == STATUS_OK)
		status = look_at_traces(plan, pages, diag);
	if (status == STATUS_OK)
		status = schedule_init(schedule, plan, 0, plan->n_points, 1, diag);
	if (status == STATUS_OK) {
		set_costs(plan, schedule, pages, costs);
		slice_cut(costs, plan->n_points, slices->n, slices->first);
		for (size_t i = 0; i < plan->n_points; i++)
			slices->order[i] = schedule->places[i].point;
		set_micros(slices, costs);
	}
	free(costs);
	free(pages);
	return status;
}

enum exit_status slices_cut(struct slices *slices, const struct plan *plan, unsigned n,
			    const char *database, struct diag *diag)
{
	struct schedule schedule = { 0 };
	enum exit_status status;

	*slices = (struct slices){ .plan = plan, .n = n };
	slices->first = calloc((size_t)n + 1, sizeof(*slices->first));
	slices->order = calloc(plan->n_points + 1, sizeof(*slices->order));
	slices->micros = calloc(plan->n_points + 1, sizeof(*slices->micros));
	slices->folder = slice_plan_folder(database);
	if (!slices->order || !slices->first || !slices->micros || !slices->folder)
		return no_memory(diag);
	status = cut(slices, &schedule, diag);
	schedule_fini(&schedule);
	return status;
}

enum exit_status slices_arrange(struct slices *slices, struct plan *plan, struct diag *diag)
{
	struct plan_point *points = calloc(plan->n_points + 1, sizeof(*points));

	if (!points)
		return no_memory(diag);
	for (size_t i = 0; i < plan->n_points; i++) {
		points[i] = plan->points[slices->order[i]];
		slices->order[i] = i;
	}
	free(plan->points);
	plan->points = points;
	return STATUS_OK;
}

void slices_free(struct slices *slices)
{
	free(slices->order);
	free(slices->first);
	free(slices->micros);
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

/* What all points of a shard took. */
static enum exit_status add_effort(struct db *shard, struct slice_progress *progress,
				   struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status =
		db_prepare(shard, "SELECT total(wall_micros) FROM effort", &query, diag);

	if (status != STATUS_OK)
		return status;
	if (sqlite3_step(query) == SQLITE_ROW)
		progress->micros = (uint64_t)sqlite3_column_double(query, 0);
	else
		status = db_failure(shard, diag);
	sqlite3_finalize(query);
	return status;
}

static enum exit_status look_at_point(const struct slices *slices, size_t i, struct db *shard,
				      struct db *base, struct slice_progress *progress,
				      struct diag *diag)
{
	const char *key = slices->plan->points[slices->order[i]].key;
	enum exit_status status = STATUS_OK;
	int in_shard = 0, in_base = 0;

	if (shard)
		status = db_has(shard, key, &in_shard, diag);
	if (status == STATUS_OK && !in_shard && base)
		status = db_has(base, key, &in_base, diag);
	progress->n_done += in_shard || in_base;
	if (in_shard)
		progress->guessed_micros += slices->micros[i];
	else if (!in_base)
		progress->left_micros += slices->micros[i];
	return status;
}

enum exit_status slices_look(const struct slices *slices, unsigned index, struct db *base,
			     struct slice_progress *progress, struct diag *diag)
{
	const size_t first = slices->first[index], end = slices->first[index + 1];
	struct db *shard;
	enum exit_status status = open_shard(slices, index, &shard, diag);

	*progress = (struct slice_progress){ .n_points = end - first };
	for (size_t i = first; status == STATUS_OK && i < end; i++)
		status = look_at_point(slices, i, shard, base, progress, diag);
	if (status == STATUS_OK && shard)
		status = add_effort(shard, progress, diag);
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
		status = db_merge(db, db_path(shard), DB_MERGE_POINTS, &n, diag);
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

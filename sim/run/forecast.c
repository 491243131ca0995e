/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/forecast.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "run/point.h"
#include "run/schedule.h"
#include "run/sweep.h"

/* What the database has of points of one trace. */
struct known {
	bool asked;
	uint64_t n_points; /* 0: nothing */
	uint64_t mean_micros, table_bytes;
};

struct work {
	struct forecast *forecast;
	const struct plan *plan;
	struct db *db;
	struct known *known;	   /* [trace * (n_models + 1) + model]; behind the models: of any */
	uint64_t *trace_bytes;	   /* tables by forecast_tables(); 0: not looked at yet */
	struct plan_point *points; /* to run: n_sharing that may share, then those that do not */
	size_t *indices;	   /* of these in the plan */
	size_t n_sharing;
	struct diag *diag;
};

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* ---- states ---------------------------------------------------------------------- */

static enum exit_status find_states(struct work *work)
{
	struct forecast *forecast = work->forecast;
	const struct plan *plan = work->plan;
	enum exit_status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < plan->n_points; i++) {
		const struct plan_point *point = &plan->points[i];
		struct config config;
		int found = 0;

		if (work->db)
			status = db_has(work->db, point->key, &found, work->diag);
		plan_config(plan, point, &config);
		if (found) {
			forecast->states[i] = FORECAST_DONE;
			forecast->n_done++;
		} else if (point_check(&config, NULL) != STATUS_OK) {
			forecast->states[i] = FORECAST_IMPOSSIBLE;
			forecast->n_impossible++;
		} else {
			forecast->n_to_run++;
			forecast->accesses += plan->traces[point->trace].name.accesses;
		}
	}
	return status;
}

/* With a process or a timeline of its own; what else keeps points from sharing shows on the way. */
static bool is_alone(const struct plan *plan, const struct plan_point *point)
{
	struct config config;

	plan_config(plan, point, &config);
	return point_has_process(&config) || timeline_wanted(&config);
}

/* The points to run; those that are `alone`, or those that are not. */
static size_t list_points(struct work *work, size_t n, bool alone)
{
	const struct plan *plan = work->plan;

	for (size_t i = 0; i < plan->n_points; i++) {
		if (work->forecast->states[i] != FORECAST_TO_RUN ||
		    is_alone(plan, &plan->points[i]) != alone)
			continue;
		work->points[n] = plan->points[i];
		work->indices[n++] = i;
	}
	return n;
}

/* Those of one trace together. */
static int by_example(const void *a, const void *b)
{
	const struct forecast_group *x = a, *y = b;

	if (x->trace != y->trace)
		return x->trace < y->trace ? -1 : 1;
	return (x->example > y->example) - (x->example < y->example);
}

static void add_group(struct forecast *forecast, uint32_t trace, size_t example)
{
	forecast->groups[forecast->n_groups++] =
		(struct forecast_group){ .trace = trace, .example = example };
}

/* ---- time and memory ------------------------------------------------------------------------ */

/* `model` NULL: of any. */
static enum exit_status ask(struct db *db, uint64_t trace_digest, const char *model,
			    struct known *known, struct diag *diag)
{
	static const char question[] =
		"SELECT count(*), avg(\"wall_micros\"), max("
		"\"table_pages_s1\" * CASE \"stage1.granule\" WHEN '64K' THEN 65536 "
		"WHEN '16K' THEN 16384 ELSE 4096 END + "
		"\"table_pages_s2\" * CASE \"stage2.granule\" WHEN '64K' THEN 65536 "
		"WHEN '16K' THEN 16384 ELSE 4096 END) "
		"FROM point JOIN effort USING (\"key\") WHERE \"status\" = 'ok' AND "
		"\"trace_digest\" = ?1 AND (?2 IS NULL OR \"model\" = ?2)";
	enum exit_status status;
	sqlite3_stmt *query;
	char digest[17];

	*known = (struct known){ .asked = true };
	status = db_prepare(db, question, &query, diag);
	if (status != STATUS_OK)
		return status;
	snprintf(digest, sizeof(digest), "%016" PRIx64, trace_digest);
	sqlite3_bind_text(query, 1, digest, -1, SQLITE_STATIC);
	if (model)
		sqlite3_bind_text(query, 2, model, -1, SQLITE_STATIC);
	if (sqlite3_step(query) == SQLITE_ROW) {
		known->n_points = (uint64_t)sqlite3_column_int64(query, 0);
		known->mean_micros = (uint64_t)sqlite3_column_double(query, 1);
		known->table_bytes = (uint64_t)sqlite3_column_int64(query, 2);
	} else {
		status = db_failure(db, diag);
	}
	sqlite3_finalize(query);
	return status;
}

/* Of the point's trace and model; if there is nothing, of its trace. */
static enum exit_status look_up(struct work *work, const struct plan_point *point,
				const struct known **known)
{
	const struct plan *plan = work->plan;
	struct known *of_trace = &work->known[(size_t)point->trace * (plan->n_models + 1)];
	struct known *of_model = &of_trace[1 + point->model];
	const uint64_t digest = plan->traces[point->trace].name.digest;
	enum exit_status status = STATUS_OK;

	*known = of_model;
	if (!work->db)
		return STATUS_OK;
	if (!of_model->asked)
		status = ask(work->db, digest, plan->models[point->model]->name, of_model,
			     work->diag);
	if (status != STATUS_OK || of_model->n_points)
		return status;
	if (!of_trace->asked)
		status = ask(work->db, digest, NULL, of_trace, work->diag);
	*known = of_trace;
	return status;
}

/* `micros` is what the rates say. */
static enum exit_status add_cost(struct work *work, const struct plan_point *point, uint64_t micros)
{
	struct forecast *forecast = work->forecast;
	uint64_t *trace_bytes = &work->trace_bytes[point->trace];
	const struct known *known;
	enum exit_status status = look_up(work, point, &known);
	uint64_t bytes;

	if (status == STATUS_OK && !known->n_points && !*trace_bytes)
		status = forecast_tables(work->plan->traces[point->trace].reader, trace_bytes,
					 work->diag);
	if (status != STATUS_OK)
		return status;
	if (known->n_points)
		micros = known->mean_micros;
	bytes = known->n_points ? known->table_bytes : *trace_bytes;
	forecast->n_measured += known->n_points != 0;
	forecast->micros += micros;
	if (micros > forecast->longest_micros)
		forecast->longest_micros = micros;
	if (bytes > forecast->table_bytes)
		forecast->table_bytes = bytes;
	return STATUS_OK;
}

/* A point that shares so much with the one before, which is of the last group. */
static enum exit_status add_point(struct work *work, size_t i, enum share_depth shared,
				  uint64_t n_records)
{
	struct forecast *forecast = work->forecast;
	const struct plan_point *point = &work->points[i];
	struct forecast_group *group;

	if (shared == SHARE_NOTHING)
		add_group(forecast, point->trace, work->indices[i]);
	group = &forecast->groups[forecast->n_groups - 1];
	group->n_points++;
	group->n_shared[shared]++;
	return add_cost(work, point, n_records / (FORECAST_RECORDS_PER_SECOND / 1000000));
}

/* In the order in which one worker would run them. */
static enum exit_status add_sharing(struct work *work)
{
	struct plan part = *work->plan;
	struct schedule schedule;
	enum exit_status status;

	part.points = work->points;
	part.n_points = work->n_sharing;
	status = schedule_init(&schedule, &part, 0, part.n_points, 1, work->diag);
	for (size_t i = 0; status == STATUS_OK && i < schedule.n; i++) {
		const struct schedule_place *place = &schedule.places[i];

		status = add_point(work, place->point, place->shared,
				   place[1].before - place->before);
	}
	schedule_fini(&schedule);
	return status;
}

static enum exit_status add_points(struct work *work, unsigned n_workers)
{
	struct forecast *forecast = work->forecast;
	enum exit_status status = STATUS_OK;

	work->n_sharing = list_points(work, 0, false);
	list_points(work, work->n_sharing, true);
	status = add_sharing(work);
	for (size_t i = work->n_sharing; status == STATUS_OK && i < forecast->n_to_run; i++) {
		const struct plan_trace *trace = &work->plan->traces[work->points[i].trace];

		status = add_point(work, i, SHARE_NOTHING,
				   trace_info(trace->reader)->totals.records);
	}
	qsort(forecast->groups, forecast->n_groups, sizeof(*forecast->groups), by_example);
	forecast->n_workers =
		forecast->n_to_run < n_workers ? (unsigned)forecast->n_to_run : n_workers;
	forecast->worker_bytes = FORECAST_POINT_BYTES + SWEEP_SHARE_BYTES + forecast->table_bytes;
	return status;
}

enum exit_status forecast_make(struct forecast *forecast, const struct plan *plan, struct db *db,
			       unsigned n_workers, struct diag *diag)
{
	struct work work = { .forecast = forecast, .plan = plan, .db = db, .diag = diag };
	enum exit_status status = STATUS_OK;

	*forecast = (struct forecast){ 0 };
	forecast->states = calloc(plan->n_points + 1, 1);
	forecast->groups = calloc(plan->n_points + 1, sizeof(*forecast->groups));
	work.points = calloc(plan->n_points + 1, sizeof(*work.points));
	work.indices = calloc(plan->n_points + 1, sizeof(*work.indices));
	work.trace_bytes = calloc(plan->n_traces + 1, sizeof(*work.trace_bytes));
	work.known = calloc(plan->n_traces * (plan->n_models + 1) + 1, sizeof(*work.known));
	if (!forecast->states || !forecast->groups || !work.points || !work.indices ||
	    !work.trace_bytes || !work.known)
		status = no_memory(diag);
	if (status == STATUS_OK)
		status = find_states(&work);
	if (status == STATUS_OK)
		status = add_points(&work, n_workers);
	free(work.points);
	free(work.indices);
	free(work.trace_bytes);
	free(work.known);
	return status;
}

void forecast_free(struct forecast *forecast)
{
	free(forecast->states);
	free(forecast->groups);
	*forecast = (struct forecast){ 0 };
}

uint64_t forecast_wall_micros(const struct forecast *forecast)
{
	const uint64_t shared =
		forecast->n_workers ? forecast->micros / forecast->n_workers : forecast->micros;

	return shared > forecast->longest_micros ? shared : forecast->longest_micros;
}

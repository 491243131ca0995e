/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/forecast.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "run/point.h"
#include "run/sweep.h"

/* What the database has of points of one trace. */
struct known {
	bool asked;
	uint64_t n_points; /* 0: nothing */
	uint64_t mean_micros, table_bytes;
};

/* A point to run. */
struct member {
	size_t point;
	uint32_t trace;
	bool alone;
	uint64_t l1; /* digest of its L1 TLBs */
};

struct work {
	struct forecast *forecast;
	const struct plan *plan;
	struct db *db;
	struct known *known;   /* [trace * (n_models + 1) + model]; behind the models: of any */
	uint64_t *trace_bytes; /* tables by forecast_tables(); 0: not looked at yet */
	struct member *members;
	struct diag *diag;
};

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* ---- states and groups ---------------------------------------------------------------------- */

/* Fields are compared as they are: names point into tables of which there is one. */
static uint64_t l1_digest(const struct config *config)
{
	uint64_t fields[PARAM_COUNT];
	size_t n = 0;

	for (size_t i = 0; i < PARAM_COUNT; i++) {
		if (strncmp(params[i].key, "tlb.l1", 6) != 0 && strcmp(params[i].key, "seed") != 0)
			continue;
		memcpy(&fields[n++], (const char *)config + params[i].offset, sizeof(*fields));
	}
	return XXH3_64bits(fields, n * sizeof(*fields));
}

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
			work->members[forecast->n_to_run++] = (struct member){
				.point = i,
				.trace = point->trace,
				.alone = point_is_alone(&config),
				.l1 = l1_digest(&config),
			};
			forecast->accesses += plan->traces[point->trace].name.accesses;
		}
	}
	return status;
}

static int share(const struct member *a, const struct member *b)
{
	return a->trace == b->trace && a->alone == b->alone && (a->alone || a->l1 == b->l1);
}

/* Those of one group together, in the order of the plan. */
static int by_group(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->trace != y->trace)
		return x->trace < y->trace ? -1 : 1;
	if (x->alone != y->alone)
		return x->alone ? 1 : -1;
	if (!x->alone && x->l1 != y->l1)
		return x->l1 < y->l1 ? -1 : 1;
	return (x->point > y->point) - (x->point < y->point);
}

/* In the order of the plan, those of one trace together. */
static int by_example(const void *a, const void *b)
{
	const struct forecast_group *x = a, *y = b;

	if (x->trace != y->trace)
		return x->trace < y->trace ? -1 : 1;
	return (x->example > y->example) - (x->example < y->example);
}

static enum exit_status find_groups(struct work *work)
{
	struct forecast *forecast = work->forecast;

	forecast->groups = calloc(forecast->n_to_run + 1, sizeof(*forecast->groups));
	if (!forecast->groups)
		return no_memory(work->diag);
	qsort(work->members, forecast->n_to_run, sizeof(*work->members), by_group);
	for (size_t i = 0; i < forecast->n_to_run; i++) {
		const struct member *member = &work->members[i];

		if (i == 0 || !share(member, &work->members[i - 1]))
			forecast->groups[forecast->n_groups++] =
				(struct forecast_group){ .trace = member->trace,
							 .example = member->point,
							 .alone = member->alone };
		forecast->groups[forecast->n_groups - 1].n_points++;
	}
	qsort(forecast->groups, forecast->n_groups, sizeof(*forecast->groups), by_example);
	return STATUS_OK;
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

/* By the rates; `leads`: it is the one of its group that records. */
static uint64_t guess_micros(const struct trace_info *info, bool leads)
{
	const uint64_t records =
		leads ? info->totals.records : info->totals.records / FORECAST_FOLLOWER_DIVISOR;

	return records / (FORECAST_RECORDS_PER_SECOND / 1000000);
}

static enum exit_status add_cost(struct work *work, const struct member *member, bool leads)
{
	struct forecast *forecast = work->forecast;
	const struct trace_reader *trace = work->plan->traces[member->trace].reader;
	uint64_t *trace_bytes = &work->trace_bytes[member->trace];
	const struct known *known;
	enum exit_status status = look_up(work, &work->plan->points[member->point], &known);
	uint64_t micros, bytes;

	if (status == STATUS_OK && !known->n_points && !*trace_bytes)
		status = forecast_tables(trace, trace_bytes, work->diag);
	if (status != STATUS_OK)
		return status;
	micros = known->n_points ? known->mean_micros : guess_micros(trace_info(trace), leads);
	bytes = known->n_points ? known->table_bytes : *trace_bytes;
	forecast->n_measured += known->n_points != 0;
	forecast->micros += micros;
	if (micros > forecast->longest_micros)
		forecast->longest_micros = micros;
	if (bytes > forecast->table_bytes)
		forecast->table_bytes = bytes;
	return STATUS_OK;
}

static enum exit_status find_costs(struct work *work, unsigned n_workers)
{
	struct forecast *forecast = work->forecast;
	enum exit_status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < forecast->n_to_run; i++) {
		const struct member *member = &work->members[i];
		const bool leads = i == 0 || member->alone || !share(member, member - 1);

		status = add_cost(work, member, leads);
	}
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
	work.members = calloc(plan->n_points + 1, sizeof(*work.members));
	work.trace_bytes = calloc(plan->n_traces + 1, sizeof(*work.trace_bytes));
	work.known = calloc(plan->n_traces * (plan->n_models + 1) + 1, sizeof(*work.known));
	if (!forecast->states || !work.members || !work.trace_bytes || !work.known)
		status = no_memory(diag);
	if (status == STATUS_OK)
		status = find_states(&work);
	if (status == STATUS_OK)
		status = find_groups(&work);
	if (status == STATUS_OK)
		status = find_costs(&work, n_workers);
	free(work.members);
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

/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/forecast_known.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

struct forecast_known {
	const struct plan *plan;
	struct db *db;
	struct forecast_times times[]; /* [trace * (n_models + 1)]: of any model; then of each */
};

struct forecast_known *forecast_known_create(const struct plan *plan, struct db *db)
{
	const size_t n = plan->n_traces * (plan->n_models + 1);
	struct forecast_known *known = calloc(1, sizeof(*known) + n * sizeof(known->times[0]));

	if (known) {
		known->plan = plan;
		known->db = db;
	}
	return known;
}

/* `model` NULL: of any. */
static enum exit_status ask(struct db *db, uint64_t trace_digest, const char *model,
			    struct forecast_times *known, struct diag *diag)
{
	static const char question[] =
		"SELECT count(*), max(\"wall_micros\"), max("
		"\"table_pages_s1\" * CASE \"stage1.granule\" WHEN '64K' THEN 65536 "
		"WHEN '16K' THEN 16384 ELSE 4096 END + "
		"\"table_pages_s2\" * CASE \"stage2.granule\" WHEN '64K' THEN 65536 "
		"WHEN '16K' THEN 16384 ELSE 4096 END) "
		"FROM point JOIN effort USING (\"key\") WHERE \"status\" = 'ok' AND "
		"\"trace_digest\" = ?1 AND (?2 IS NULL OR \"model\" = ?2)";
	enum exit_status status;
	sqlite3_stmt *query;
	char digest[17];

	*known = (struct forecast_times){ .asked = true };
	status = db_prepare(db, question, &query, diag);
	if (status != STATUS_OK)
		return status;
	snprintf(digest, sizeof(digest), "%016" PRIx64, trace_digest);
	sqlite3_bind_text(query, 1, digest, -1, SQLITE_STATIC);
	if (model)
		sqlite3_bind_text(query, 2, model, -1, SQLITE_STATIC);
	if (sqlite3_step(query) == SQLITE_ROW) {
		known->n_points = (uint64_t)sqlite3_column_int64(query, 0);
		known->most_micros = (uint64_t)sqlite3_column_int64(query, 1);
		known->table_bytes = (uint64_t)sqlite3_column_int64(query, 2);
	} else {
		status = db_failure(db, diag);
	}
	sqlite3_finalize(query);
	return status;
}

enum exit_status forecast_known(struct forecast_known *known, const struct plan_point *point,
				const struct forecast_times **times, struct diag *diag)
{
	const struct plan *plan = known->plan;
	struct forecast_times *of_trace =
		&known->times[(size_t)point->trace * (plan->n_models + 1)];
	struct forecast_times *of_model = &of_trace[1 + point->model];
	const uint64_t digest = plan->traces[point->trace].name.digest;
	enum exit_status status = STATUS_OK;

	*times = of_model;
	if (!known->db)
		return STATUS_OK;
	if (!of_model->asked)
		status = ask(known->db, digest, plan->models[point->model]->name, of_model, diag);
	if (status != STATUS_OK || of_model->n_points)
		return status;
	if (!of_trace->asked)
		status = ask(known->db, digest, NULL, of_trace, diag);
	*times = of_trace;
	return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Table `estimates` of the result database: what the samples of a point tell of its whole trace. */
#include <stdlib.h>
#include <string.h>

#include "results/db_private.h"
#include "run/sample.h"
#include "run/sample_estimate.h"

void db_estimates_schema(FILE *out)
{
	fputs("\n-- Statistics of the whole trace, estimated from samples (sample.period), with\n"
	      "-- their 95 % confidence intervals; NULL where the samples are too few for one.\n"
	      "CREATE TABLE estimates (\n"
	      "\t\"key\" TEXT NOT NULL,\n"
	      "\t\"statistic\" TEXT NOT NULL,\n"
	      "\t\"total\" INTEGER NOT NULL,\n"
	      "\t\"low\" INTEGER,\n"
	      "\t\"high\" INTEGER,\n"
	      "\tPRIMARY KEY (\"key\", \"statistic\")\n"
	      ") STRICT, WITHOUT ROWID;\n",
	      out);
}

enum exit_status db_estimates_prepare(struct db *db, struct diag *diag)
{
	return db_prepare(
		db, "INSERT INTO estimates VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
		&db->put_estimate, diag);
}

static void bind_limit(sqlite3_stmt *put, int index, bool known, uint64_t limit)
{
	if (known)
		sqlite3_bind_int64(put, index, (sqlite3_int64)limit);
	else
		sqlite3_bind_null(put, index);
}

enum exit_status db_estimates_put(struct db *db, const struct db_point *point, struct diag *diag)
{
	sqlite3_stmt *put = db->put_estimate;
	enum exit_status status = STATUS_OK;

	if (!sample_wanted(&point->config))
		return STATUS_OK;
	for (unsigned k = 0; k < INTERVAL_COUNTS && point->n_intervals && status == STATUS_OK;
	     k++) {
		const struct sample_estimate estimate = sample_estimate(
			point->interval, point->n_intervals, k, point->trace.accesses);

		if (!sample_is_estimated(k))
			continue;
		sqlite3_bind_text(put, 1, point->key, -1, SQLITE_STATIC);
		sqlite3_bind_text(put, 2, stat_rows[interval_counts[k]].name, -1, SQLITE_STATIC);
		sqlite3_bind_int64(put, 3, (sqlite3_int64)estimate.total);
		bind_limit(put, 4, estimate.known, estimate.low);
		bind_limit(put, 5, estimate.known, estimate.high);
		status = db_step_once(db, put, diag);
	}
	return status;
}

enum exit_status db_estimates_scan(struct db *db,
				   enum exit_status (*visit)(void *ctx,
							     const struct db_estimate *estimate,
							     struct diag *diag),
				   void *ctx, struct diag *diag)
{
	enum exit_status status;
	sqlite3_stmt *query;
	int step = SQLITE_DONE;

	status = db_prepare(db,
			    "SELECT \"key\", \"model\", \"trace\", \"statistic\", e.\"total\", "
			    "e.\"low\", e.\"high\", \"trace_accesses\" FROM point "
			    "JOIN estimates AS e USING (\"key\") ORDER BY \"model\", \"trace\", "
			    "\"trace_digest\", \"key\", \"statistic\"",
			    &query, diag);
	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW) {
		const struct db_estimate estimate = {
			.key = (const char *)sqlite3_column_text(query, 0),
			.model = (const char *)sqlite3_column_text(query, 1),
			.trace = (const char *)sqlite3_column_text(query, 2),
			.statistic = (const char *)sqlite3_column_text(query, 3),
			.value = { .total = (uint64_t)sqlite3_column_int64(query, 4),
				   .low = (uint64_t)sqlite3_column_int64(query, 5),
				   .high = (uint64_t)sqlite3_column_int64(query, 6),
				   .known = sqlite3_column_type(query, 5) != SQLITE_NULL },
			.trace_accesses = (uint64_t)sqlite3_column_int64(query, 7),
		};

		status = visit(ctx, &estimate, diag);
	}
	return db_finish(db, query, step, status, diag);
}

/* The samples of one point, owned. */
struct samples {
	struct interval *row;
	uint64_t n;
};

static enum exit_status load_samples(struct db *db, const char *key, struct samples *samples,
				     struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status =
		db_prepare(db, "SELECT * FROM intervals WHERE \"key\" = ?1 ORDER BY \"interval\"",
			   &query, diag);
	int step = SQLITE_DONE;

	*samples = (struct samples){ .row = calloc(INTERVALS_MAX, sizeof(*samples->row)) };
	if (!samples->row)
		status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	if (status == STATUS_OK)
		sqlite3_bind_text(query, 1, key, -1, SQLITE_STATIC);
	while (status == STATUS_OK && samples->n < INTERVALS_MAX &&
	       (step = sqlite3_step(query)) == SQLITE_ROW) {
		for (unsigned k = 0; k < INTERVAL_COUNTS; k++)
			samples->row[samples->n].v[k] =
				(uint64_t)sqlite3_column_int64(query, (int)k + 2);
		samples->n++;
	}
	return db_finish(db, query, step, status, diag);
}

struct check {
	struct db *db;
	char key[DB_KEY_TEXT]; /* of the point whose samples are loaded */
	struct samples samples;
};

static enum exit_status check_estimate(void *ctx, const struct db_estimate *estimate,
				       struct diag *diag)
{
	struct check *check = ctx;
	const struct sample_estimate *value = &estimate->value;
	struct sample_estimate again;
	unsigned k = 0;

	if (strcmp(check->key, estimate->key) != 0) {
		enum exit_status status;

		free(check->samples.row);
		snprintf(check->key, sizeof(check->key), "%s", estimate->key);
		status = load_samples(check->db, check->key, &check->samples, diag);
		if (status != STATUS_OK)
			return status;
	}
	while (k < INTERVAL_COUNTS &&
	       strcmp(stat_rows[interval_counts[k]].name, estimate->statistic) != 0)
		k++;
	if (k < INTERVAL_COUNTS) {
		again = sample_estimate(check->samples.row, check->samples.n, k,
					estimate->trace_accesses);
		if (again.total == value->total && again.known == value->known &&
		    (!again.known || (again.low == value->low && again.high == value->high)))
			return STATUS_OK;
	}
	return diag_set(diag, STATUS_BAD_INPUT, "%s: %s is not what the samples tell of point %s",
			check->db->path, estimate->statistic, estimate->key);
}

enum exit_status db_estimates_check(struct db *db, struct diag *diag)
{
	struct check check = { .db = db };
	const enum exit_status status = db_estimates_scan(db, check_estimate, &check, diag);

	free(check.samples.row);
	return status;
}

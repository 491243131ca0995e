/* SPDX-License-Identifier: BSD-2-Clause */
/* Table `intervals` of the result database: the counts of a point's intervals, a row each. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/params.h"
#include "results/db_private.h"

static const char *name_of(unsigned count)
{
	return stat_rows[interval_counts[count]].name;
}

void db_intervals_schema(FILE *out)
{
	fputs("\n-- The main counts of each interval (interval.instructions) or sample "
	      "(sample.period) of a point.\n"
	      "CREATE TABLE intervals (\n"
	      "\t\"key\" TEXT NOT NULL,\n"
	      "\t\"interval\" INTEGER NOT NULL,\n",
	      out);
	for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
		fprintf(out, "\t\"%s\" INTEGER NOT NULL,\n", name_of(i));
	fputs("\tPRIMARY KEY (\"key\", \"interval\")\n"
	      ") STRICT, WITHOUT ROWID;\n",
	      out);
}

enum exit_status db_intervals_prepare(struct db *db, struct diag *diag)
{
	struct db_text text;

	db_text_open(&text);
	if (text.stream) {
		fputs("INSERT INTO intervals VALUES (?, ?", text.stream);
		for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
			fputs(", ?", text.stream);
		fputs(") ON CONFLICT DO NOTHING", text.stream);
	}
	return db_text_prepare(db, &text, &db->put_interval, diag);
}

enum exit_status db_intervals_put(struct db *db, const struct db_point *point, struct diag *diag)
{
	sqlite3_stmt *put = db->put_interval;
	enum exit_status status = STATUS_OK;

	for (uint64_t i = 0; i < point->n_intervals && status == STATUS_OK; i++) {
		sqlite3_bind_text(put, 1, point->key, -1, SQLITE_STATIC);
		sqlite3_bind_int64(put, 2, (sqlite3_int64)i);
		for (unsigned k = 0; k < INTERVAL_COUNTS; k++)
			sqlite3_bind_int64(put, (int)k + 3, (sqlite3_int64)point->interval[i].v[k]);
		status = db_step_once(db, put, diag);
	}
	return status;
}

/* Run a query whose first row, if there is one, is a fault: "PATH: TEXT of point KEY". */
static enum exit_status refuse_row(struct db *db, struct db_text *text, const char *fault,
				   struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = db_text_prepare(db, text, &query, diag);
	int step;

	if (status != STATUS_OK)
		return status;
	step = sqlite3_step(query);
	if (step == SQLITE_ROW)
		status = diag_set(diag, STATUS_BAD_INPUT, "%s: %s of point %s", db->path, fault,
				  (const char *)sqlite3_column_text(query, 0));
	return db_finish(db, query, step, status, diag);
}

static void or_counts_differ(FILE *out, const char *left, const char *right)
{
	for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
		fprintf(out, " OR %s.\"%s\" <> %s.\"%s\"", left, name_of(i), right, name_of(i));
}

static const char has_intervals[] =
	"\"status\" = 'ok' AND (\"interval.instructions\" > 0 OR \"sample.period\" > 0)";

enum exit_status db_intervals_check(struct db *db, struct diag *diag)
{
	struct db_text text;

	db_text_open(&text);
	if (text.stream) {
		/* Rows from 0 on without gaps, as many as there should be; and none without a
		 * point.
		 */
		fputs("SELECT p.\"key\" FROM point AS p LEFT JOIN "
		      "(SELECT \"key\", count(*) AS n, max(\"interval\") AS last",
		      text.stream);
		for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
			fprintf(text.stream, ", sum(\"%s\") AS \"%s\"", name_of(i), name_of(i));
		fprintf(text.stream,
			" FROM intervals GROUP BY 1) AS i USING (\"key\") WHERE %s "
			"AND (i.\"key\" IS NULL OR last <> n - 1 OR "
			"(\"interval.instructions\" > 0 AND "
			"n <> (p.\"instructions\" - 1) / \"interval.instructions\" + 1)",
			has_intervals);
		or_counts_differ(text.stream, "p", "i");
		fprintf(text.stream,
			") UNION ALL SELECT \"key\" FROM intervals WHERE \"key\" NOT IN "
			"(SELECT \"key\" FROM point WHERE %s) ORDER BY 1 LIMIT 1",
			has_intervals);
	}
	return refuse_row(db, &text, "intervals do not add up to the statistics", diag);
}

enum exit_status db_intervals_refuse_conflicts(struct db *db, const char *path, struct diag *diag)
{
	char *fault = NULL;
	struct db_text text;
	enum exit_status status;

	if (asprintf(&fault, "%s has different intervals", path) < 0)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	db_text_open(&text);
	if (text.stream) {
		fputs("SELECT a.\"key\" FROM main.intervals AS a JOIN other.intervals AS b "
		      "USING (\"key\", \"interval\") WHERE false",
		      text.stream);
		or_counts_differ(text.stream, "a", "b");
		fputs(" ORDER BY 1 LIMIT 1", text.stream);
	}
	status = refuse_row(db, &text, fault, diag);
	free(fault);
	return status;
}

enum exit_status db_intervals_scan(struct db *db,
				   enum exit_status (*visit)(void *ctx,
							     const struct db_interval *interval,
							     struct diag *diag),
				   void *ctx, struct diag *diag)
{
	enum exit_status status;
	sqlite3_stmt *query;
	struct db_text text;
	int step = SQLITE_DONE;

	db_text_open(&text);
	if (text.stream) {
		fputs("SELECT \"key\", \"model\", \"trace\", \"interval\"", text.stream);
		for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
			fprintf(text.stream, ", intervals.\"%s\"", name_of(i));
		fputs(" FROM point JOIN intervals USING (\"key\") "
		      "ORDER BY \"model\", \"trace\", \"trace_digest\", \"key\", \"interval\"",
		      text.stream);
	}
	status = db_text_prepare(db, &text, &query, diag);
	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW) {
		struct db_interval interval = {
			.key = (const char *)sqlite3_column_text(query, 0),
			.model = (const char *)sqlite3_column_text(query, 1),
			.trace = (const char *)sqlite3_column_text(query, 2),
			.index = (uint64_t)sqlite3_column_int64(query, 3),
		};

		for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
			interval.counts.v[i] = (uint64_t)sqlite3_column_int64(query, (int)i + 4);
		status = visit(ctx, &interval, diag);
	}
	return db_finish(db, query, step, status, diag);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema of the result database, made from the tables of parameters and statistics. */
#include <stdlib.h>
#include <string.h>

#include "config/params.h"
#include "results/db_private.h"

static const char *const identity_columns[DB_COLUMN_PARAMS] = {
	"key", "model", "trace", "trace_digest", "trace_accesses", "engine", "status", "reason",
};

const char *db_column_name(size_t index)
{
	if (index < DB_COLUMN_PARAMS)
		return identity_columns[index];
	index -= DB_COLUMN_PARAMS;
	if (index < PARAM_COUNT)
		return params[index].key;
	index -= PARAM_COUNT;
	return index < STAT_COUNT ? stat_rows[index].name : NULL;
}

char *db_schema(void)
{
	char *text = NULL;
	size_t n_bytes = 0;
	FILE *out = open_memstream(&text, &n_bytes);

	if (!out)
		return NULL;
	fprintf(out,
		"PRAGMA application_id = %d;\n"
		"PRAGMA user_version = %d;\n\n"
		"-- One row a point. The key is XXH3-128 over parameters, trace digest and "
		"engine.\n"
		"CREATE TABLE point (\n"
		"\t\"key\" TEXT NOT NULL PRIMARY KEY,\n"
		"\t\"model\" TEXT NOT NULL,\n"
		"\t\"trace\" TEXT NOT NULL,\n"
		"\t\"trace_digest\" TEXT NOT NULL,\n"
		"\t\"trace_accesses\" INTEGER NOT NULL,\n"
		"\t\"engine\" TEXT NOT NULL,\n"
		"\t\"status\" TEXT NOT NULL CHECK (\"status\" IN ('ok', 'impossible')),\n"
		"\t\"reason\" TEXT,\n"
		"\t-- parameters\n",
		DB_APPLICATION_ID, DB_SCHEMA_VERSION);
	for (size_t i = 0; i < PARAM_COUNT; i++)
		fprintf(out, "\t\"%s\" %s NOT NULL,\n", params[i].key,
			params_is_number(&params[i]) ? "INTEGER" : "TEXT");
	fputs("\t-- statistics; NULL where the status is 'impossible'\n", out);
	for (size_t i = 0; i < STAT_COUNT; i++)
		fprintf(out, "\t\"%s\" INTEGER,\n", stat_rows[i].name);
	fputs("\tCHECK ((\"status\" = 'ok') = (\"reason\" IS NULL)),\n"
	      "\tCHECK ((\"status\" = 'ok') = (\"accesses\" IS NOT NULL))\n"
	      ") STRICT;\n\n"
	      "-- What a point cost on the machine that ran it: no part of its result.\n"
	      "CREATE TABLE effort (\n"
	      "\t\"key\" TEXT NOT NULL PRIMARY KEY,\n"
	      "\t\"wall_micros\" INTEGER NOT NULL\n"
	      ") STRICT, WITHOUT ROWID;\n",
	      out);
	db_intervals_schema(out);
	db_estimates_schema(out);
	db_digest_schema(out);
	db_sweeps_schema(out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static enum exit_status read_pragma(struct db *db, const char *statement, long long *value,
				    struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = db_prepare(db, statement, &query, diag);

	if (status != STATUS_OK)
		return status;
	if (sqlite3_step(query) == SQLITE_ROW)
		*value = sqlite3_column_int64(query, 0);
	else
		status = db_failure(db, diag);
	sqlite3_finalize(query);
	return status;
}

/* Same columns, same order? */
static enum exit_status validate_columns(struct db *db, struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = db_prepare(
		db, "SELECT name FROM pragma_table_info('point') ORDER BY cid", &query, diag);
	size_t i = 0;
	int step;

	if (status != STATUS_OK)
		return status;
	while ((step = sqlite3_step(query)) == SQLITE_ROW) {
		const char *found = (const char *)sqlite3_column_text(query, 0);
		const char *expected = db_column_name(i++);

		if (!found || !expected || strcmp(found, expected) != 0) {
			status = diag_set(diag, STATUS_BAD_INPUT,
					  "%s: written by another version of twostage: column %zu "
					  "is '%.64s', expected '%s'; use another file",
					  db->path, i, found ? found : "",
					  expected ? expected : "none");
			break;
		}
	}
	if (status == STATUS_OK && step != SQLITE_DONE)
		status = db_failure(db, diag);
	if (status == STATUS_OK && db_column_name(i))
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "%s: written by another version of twostage: no column '%s'; use "
				  "another file",
				  db->path, db_column_name(i));
	sqlite3_finalize(query);
	return status;
}

static enum exit_status validate_tables(struct db *db, struct diag *diag)
{
	/* The last two came with version 3. */
	static const char *const queries[] = {
		"SELECT sweep.name, sweep.point, sweep.key FROM sweep",
		"SELECT effort.key, effort.wall_micros FROM effort",
		"SELECT intervals.key, intervals.interval FROM intervals",
		("SELECT estimates.key, estimates.statistic, estimates.total, estimates.low, "
		 "estimates.high FROM estimates"),
		"SELECT digest.key, digest.results, digest.effort FROM digest",
		("SELECT sweep_part.name, sweep_part.first, sweep_part.points, "
		 "sweep_part.plan_points, sweep_part.plan_digest, sweep_part.digest "
		 "FROM sweep_part"),
	};
	const size_t n =
		sizeof(queries) / sizeof(queries[0]) - (db->version < DB_SCHEMA_VERSION ? 2 : 0);
	enum exit_status status = STATUS_OK;

	for (size_t i = 0; i < n && status == STATUS_OK; i++) {
		sqlite3_stmt *query;

		status = db_prepare(db, queries[i], &query, NULL);
		sqlite3_finalize(query);
	}
	if (status == STATUS_OK)
		return STATUS_OK;
	if (sqlite3_errcode(db->sql) != SQLITE_ERROR)
		return db_failure(db, diag);
	return diag_set(diag, STATUS_BAD_INPUT,
			"%s: written by another version of twostage: %s; use another file",
			db->path, sqlite3_errmsg(db->sql));
}

static bool has_digests(struct db *db)
{
	sqlite3_stmt *query;
	const enum exit_status status = db_prepare(db, "SELECT 1 FROM digest", &query, NULL);

	sqlite3_finalize(query);
	return status == STATUS_OK;
}

enum exit_status db_validate(struct db *db, struct diag *diag)
{
	long long id = 0, version = 0;
	enum exit_status status = read_pragma(db, "PRAGMA application_id", &id, diag);

	if (status == STATUS_OK)
		status = read_pragma(db, "PRAGMA user_version", &version, diag);
	if (status != STATUS_OK)
		return status;
	if (id != DB_APPLICATION_ID)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: an SQLite database, but not one of twostage's results",
				db->path);
	if (version < DB_SCHEMA_OLDEST || version > DB_SCHEMA_VERSION)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: schema version %lld is %s than this program's %d", db->path,
				version, version > DB_SCHEMA_VERSION ? "newer" : "older",
				DB_SCHEMA_VERSION);
	if (version < DB_SCHEMA_VERSION && db->access != DB_READ)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: schema version %lld is only read: `twostage db merge NEW %s` "
				"copies it into a database of version %d",
				db->path, version, db->path, DB_SCHEMA_VERSION);
	db->version = (int)version;
	if (version < DB_SCHEMA_VERSION && has_digests(db))
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: schema version %lld, but with tables of version %d", db->path,
				version, DB_SCHEMA_VERSION);
	status = validate_columns(db, diag);
	return status ? status : validate_tables(db, diag);
}

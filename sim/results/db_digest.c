/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Table `digest` of the result database. A digest goes over all rows of a point as SQLite gives
 * them back, so that it can be computed again from a file that was copied or merged; what a point
 * cost has one of its own, since two machines agree on the results alone.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "results/db_private.h"

struct digests {
	sqlite3_int64 results, effort;
};

void db_digest_schema(FILE *out)
{
	fputs("\n-- XXH3-64 over all rows of a point in `point`, `intervals` and `estimates`, and "
	      "over\n"
	      "-- its row in `effort`.\n"
	      "CREATE TABLE digest (\n"
	      "\t\"key\" TEXT NOT NULL PRIMARY KEY,\n"
	      "\t\"results\" INTEGER NOT NULL,\n"
	      "\t\"effort\" INTEGER NOT NULL\n"
	      ") STRICT, WITHOUT ROWID;\n",
	      out);
}

static enum exit_status prepare_rows(struct db *db, struct diag *diag)
{
	/* The last is no result. */
	static const char *const queries[DB_DIGEST_TABLES] = {
		"SELECT * FROM main.point WHERE \"key\" = ?1",
		"SELECT * FROM main.intervals WHERE \"key\" = ?1 ORDER BY \"interval\"",
		"SELECT * FROM main.estimates WHERE \"key\" = ?1 ORDER BY \"statistic\"",
		"SELECT * FROM main.effort WHERE \"key\" = ?1",
	};
	enum exit_status status = STATUS_OK;

	for (unsigned i = 0; i < DB_DIGEST_TABLES && status == STATUS_OK; i++)
		if (!db->rows_of[i])
			status = db_prepare(db, queries[i], &db->rows_of[i], diag);
	return status;
}

enum exit_status db_digest_prepare(struct db *db, struct diag *diag)
{
	const enum exit_status status = prepare_rows(db, diag);

	return status ? status
		      : db_prepare(db,
				   "INSERT INTO main.digest VALUES (?1, ?2, ?3) "
				   "ON CONFLICT DO NOTHING",
				   &db->put_digest, diag);
}

void db_digest_finalize(struct db *db)
{
	sqlite3_finalize(db->put_digest);
	for (unsigned i = 0; i < DB_DIGEST_TABLES; i++)
		sqlite3_finalize(db->rows_of[i]);
}

/* One value: its type, and the number or the text with its length. */
static void add_value(XXH3_state_t *state, sqlite3_stmt *row, int column)
{
	const int type = sqlite3_column_type(row, column);
	unsigned char head[9] = { (unsigned char)type };
	const char *text = NULL;
	uint64_t number = 0;

	if (type == SQLITE_INTEGER) {
		number = (uint64_t)sqlite3_column_int64(row, column);
	} else if (type != SQLITE_NULL) {
		text = (const char *)sqlite3_column_text(row, column);
		number = text ? (uint64_t)sqlite3_column_bytes(row, column) : 0;
	}
	number = htole64(number);
	memcpy(head + 1, &number, sizeof(number));
	XXH3_64bits_update(state, head, sizeof(head));
	if (text)
		XXH3_64bits_update(state, text, (size_t)le64toh(number));
}

/* All rows that a statement of rows_of[] gives. */
static enum exit_status add_rows(struct db *db, XXH3_state_t *state, sqlite3_stmt *rows,
				 const char *key, struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	int step;

	sqlite3_bind_text(rows, 1, key, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(rows)) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(rows); i++)
			add_value(state, rows, i);
	if (step != SQLITE_DONE)
		status = db_failure(db, diag);
	sqlite3_reset(rows);
	return status;
}

static enum exit_status compute(struct db *db, const char *key, struct digests *digests,
				struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	XXH3_state_t state;

	XXH3_INITSTATE(&state);
	XXH3_64bits_reset(&state);
	for (unsigned i = 0; i < DB_DIGEST_RESULTS && status == STATUS_OK; i++)
		status = add_rows(db, &state, db->rows_of[i], key, diag);
	digests->results = (sqlite3_int64)XXH3_64bits_digest(&state);
	XXH3_64bits_reset(&state);
	if (status == STATUS_OK)
		status = add_rows(db, &state, db->rows_of[DB_DIGEST_RESULTS], key, diag);
	digests->effort = (sqlite3_int64)XXH3_64bits_digest(&state);
	return status;
}

enum exit_status db_digest_put(struct db *db, const char *key, struct diag *diag)
{
	struct digests digests;
	const enum exit_status status = compute(db, key, &digests, diag);

	if (status != STATUS_OK)
		return status;
	sqlite3_bind_text(db->put_digest, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(db->put_digest, 2, digests.results);
	sqlite3_bind_int64(db->put_digest, 3, digests.effort);
	return db_step_once(db, db->put_digest, diag);
}

enum exit_status db_digest_fill(struct db *db, struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = db_prepare(db,
					     "SELECT \"key\" FROM main.point WHERE \"key\" NOT IN "
					     "(SELECT \"key\" FROM main.digest) ORDER BY 1",
					     &query, diag);
	int step = SQLITE_DONE;

	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW)
		status = db_digest_put(db, (const char *)sqlite3_column_text(query, 0), diag);
	return db_finish(db, query, step, status, diag);
}

/* A row of a table whose point has no digest, or of no point at all. */
static enum exit_status refuse_strays(struct db *db, struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status =
		db_prepare(db,
			   "SELECT \"key\", \"table\" FROM (SELECT \"key\", 'point' AS \"table\" "
			   "FROM point UNION ALL SELECT \"key\", 'intervals' FROM intervals "
			   "UNION ALL SELECT \"key\", 'estimates' FROM estimates UNION ALL "
			   "SELECT \"key\", 'effort' FROM effort) WHERE \"key\" NOT IN "
			   "(SELECT \"key\" FROM digest) ORDER BY 1, 2 LIMIT 1",
			   &query, diag);
	int step;

	if (status != STATUS_OK)
		return status;
	step = sqlite3_step(query);
	if (step == SQLITE_ROW)
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "%s: point %s: a row in table %s, but no digest", db->path,
				  (const char *)sqlite3_column_text(query, 0),
				  (const char *)sqlite3_column_text(query, 1));
	return db_finish(db, query, step, status, diag);
}

static enum exit_status check_row(struct db *db, sqlite3_stmt *row, struct diag *diag)
{
	const char *key = (const char *)sqlite3_column_text(row, 0);
	struct digests digests;
	const enum exit_status status = compute(db, key, &digests, diag);

	if (status != STATUS_OK)
		return status;
	if (digests.results != sqlite3_column_int64(row, 1))
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: point %s: its rows are not those that were stored", db->path,
				key);
	if (digests.effort != sqlite3_column_int64(row, 2))
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: point %s: its row in table effort is not what was stored",
				db->path, key);
	return STATUS_OK;
}

enum exit_status db_digest_check(struct db *db, struct diag *diag)
{
	sqlite3_stmt *query = NULL;
	enum exit_status status = prepare_rows(db, diag);
	int step = SQLITE_DONE;

	if (status == STATUS_OK)
		status = db_prepare(db, "SELECT * FROM digest ORDER BY \"key\"", &query, diag);
	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW)
		status = check_row(db, query, diag);
	status = db_finish(db, query, step, status, diag);
	return status ? status : refuse_strays(db, diag);
}

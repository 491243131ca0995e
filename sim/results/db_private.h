/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the result database share. */
#ifndef TWOSTAGE_RESULTS_DB_PRIVATE_H
#define TWOSTAGE_RESULTS_DB_PRIVATE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "results/db.h"

/* Tables that have rows of points: the results, and what they cost. */
enum { DB_DIGEST_RESULTS = 3, DB_DIGEST_TABLES };

struct db {
	sqlite3 *sql;
	char *path;
	enum db_access access;
	int version;	  /* of the schema */
	bool wal;	  /* to be put back at the end */
	struct stat file; /* when it was opened to be written */
	sqlite3_stmt *has, *put_point, *put_effort, *put_interval, *put_estimate, *put_digest;
	sqlite3_stmt *rows_of[DB_DIGEST_TABLES]; /* those of one point in each table */
};

/* Columns of `point` in front of the parameters. */
enum db_column {
	DB_COLUMN_KEY,
	DB_COLUMN_MODEL,
	DB_COLUMN_TRACE,
	DB_COLUMN_TRACE_DIGEST,
	DB_COLUMN_TRACE_ACCESSES,
	DB_COLUMN_ENGINE,
	DB_COLUMN_STATUS,
	DB_COLUMN_REASON,
	DB_COLUMN_PARAMS, /* the first of them */
};

/* The path as SQLite takes it for a file, never for a URI or a database in memory; to be freed.
 * NULL: out of memory. */
char *db_file_name(const char *path);

/* Run a prepared statement without results, which can then be bound and run again. */
enum exit_status db_step_once(struct db *db, sqlite3_stmt *statement, struct diag *diag);

/* Finalize a query that was last stepped to `step`: what that, after `status`, comes to. */
enum exit_status db_finish(struct db *db, sqlite3_stmt *query, int step, enum exit_status status,
			   struct diag *diag);

/* Run SQL without results. */
enum exit_status db_execute(struct db *db, const char *statement, struct diag *diag);

/* Prepare what was written to a memory stream, and close and free it. */
struct db_text {
	char *text;
	size_t n_bytes;
	FILE *stream; /* NULL: out of memory */
};
void db_text_open(struct db_text *text);
enum exit_status db_text_prepare(struct db *db, struct db_text *text, sqlite3_stmt **prepared,
				 struct diag *diag);

/* The file is one of ours with the schema and the columns of this program. */
enum exit_status db_validate(struct db *db, struct diag *diag);

/* The key of a point that engine version `engine` gave. */
struct params_text;
void db_key_of(struct params_text *text, const struct config *config, uint64_t trace_digest,
	       const char *engine, char key[DB_KEY_TEXT]);

/* db_intervals.c: the table's SQL, its insert statement, a point's rows (within a transaction). */
void db_intervals_schema(FILE *out);
enum exit_status db_intervals_prepare(struct db *db, struct diag *diag);
enum exit_status db_intervals_put(struct db *db, const struct db_point *point, struct diag *diag);

/* Each point has the intervals that it asks for, and they add up to its statistics. */
enum exit_status db_intervals_check(struct db *db, struct diag *diag);

/* db_estimates.c: likewise for estimates from samples. */
void db_estimates_schema(FILE *out);
enum exit_status db_estimates_prepare(struct db *db, struct diag *diag);
enum exit_status db_estimates_put(struct db *db, const struct db_point *point, struct diag *diag);

/* Each estimate is what the samples say. */
enum exit_status db_estimates_check(struct db *db, struct diag *diag);

/* Do `main` and the attached `other` differ in an interval that both have? */
enum exit_status db_intervals_refuse_conflicts(struct db *db, const char *path, struct diag *diag);

/* db_digest.c: a digest over the rows of each point. */
void db_digest_schema(FILE *out);
enum exit_status db_digest_prepare(struct db *db, struct diag *diag);
void db_digest_finalize(struct db *db);

/* After all rows of the point were written (within a transaction). */
enum exit_status db_digest_put(struct db *db, const char *key, struct diag *diag);

/* The same for all points that have no digest yet. */
enum exit_status db_digest_fill(struct db *db, struct diag *diag);

/* Each point has the rows that it was stored with, and no row is without a point. */
enum exit_status db_digest_check(struct db *db, struct diag *diag);

/* db_sweeps.c: which points are those of a sweep. */
void db_sweeps_schema(FILE *out);
enum exit_status db_sweeps_check(struct db *db, struct diag *diag);

/* Copy the sweeps of the attached `other`, the file at `path` (within a transaction). */
enum exit_status db_sweeps_merge(struct db *db, const char *path, int other_version,
				 struct diag *diag);

#endif

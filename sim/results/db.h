/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The result database: one SQLite file, one row of table `point` for each point (docs/results.md).
 *
 * Columns of `point`: key, model, trace, trace_digest, trace_accesses, engine, status, reason; then
 * one column a parameter, named by its dotted key, and one a statistic, by its name. Parameters
 * that are plain numbers (params_is_number) are INTEGER, others TEXT in canonical form; statistics
 * are INTEGER and NULL where status is 'impossible'. Table `intervals` has the main counts of each
 * interval of a point that asks for intervals, or of each of its samples; table `estimates` what
 * samples tell of the whole trace. Table `sweep` names the points of the last sweep of each name in
 * order, table `sweep_part` says of which plan they are; table `effort` keeps how long a point
 * took, which is no part of its result; table `digest` proves the rows of each point.
 */
#ifndef TWOSTAGE_RESULTS_DB_H
#define TWOSTAGE_RESULTS_DB_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"
#include "mmu/stats.h"
#include "run/sample_estimate.h"
#include "run/timeline.h"

enum {
	DB_APPLICATION_ID = 0x32737467, /* PRAGMA application_id: "2stg" */
	DB_SCHEMA_VERSION = 3,		/* PRAGMA user_version */
	DB_SCHEMA_OLDEST = 2,		/* can be read: no digests, no parts of sweeps */
	DB_KEY_TEXT = 33,		/* 32 hexadecimal digits and a NUL */
};

struct db;
struct sqlite3;
struct sqlite3_stmt;

enum db_access { DB_READ, DB_WRITE, DB_WRITE_SHARED };

/*
 * Open a database. DB_WRITE creates it if it is not there and takes the program's settings (WAL,
 * synchronous=FULL, a busy timeout); DB_WRITE_SHARED is the same with the rollback journal, for
 * folders that several machines see: WAL needs memory that all its users share. DB_READ refuses a
 * file that is not there, or has no tables yet, with STATUS_NO_INPUT. A file that is no database of
 * ours, or of another schema or parameter table, is STATUS_BAD_INPUT; schemas from DB_SCHEMA_OLDEST
 * on can be read. NULL on failure. A process that forks must not use it in the child.
 */
struct db *db_open(const char *path, enum db_access access, struct diag *diag);

/*
 * Open a database to read it; *db is NULL if it is not there, or if who began it was stopped before
 * it had tables.
 */
enum exit_status db_open_existing(const char *path, struct db **db, struct diag *diag);

/* Close; STATUS_IO if what was written could not be made safe. `db` may be NULL. */
enum exit_status db_close(struct db *db, struct diag *diag);

const char *db_path(const struct db *db);

/* Version of its schema. */
int db_version(const struct db *db);

/* The SQL that makes an empty database; to be freed. NULL: out of memory. */
char *db_schema(void);

/* Name of column `index` of `point`; NULL behind the last. */
const char *db_column_name(size_t index);

/* The connection, for queries of the caller's own; it stays the database's. */
struct sqlite3 *db_connection(struct db *db);

/* Prepare one statement; sqlite3_finalize() it. */
enum exit_status db_prepare(struct db *db, const char *statement, struct sqlite3_stmt **prepared,
			    struct diag *diag);

/* Report the latest failure of the connection: "PATH: what SQLite says", with its status. */
enum exit_status db_failure(struct db *db, struct diag *diag);

/* What names a trace in results. */
struct db_trace {
	const char *name;  /* file name without folder */
	uint64_t digest;   /* trace_info.content_digest */
	uint64_t accesses; /* fetches + loads + stores of the whole trace */
};

enum db_status { DB_POINT_OK, DB_POINT_IMPOSSIBLE };

struct db_point {
	char key[DB_KEY_TEXT];
	const char *model; /* name of the model: a label, no part of the key */
	struct db_trace trace;
	const char *engine; /* when read: the ENGINE_VERSION that gave it; db_put() ignores it */
	struct config config;
	enum db_status status;
	const char *reason;   /* DB_POINT_IMPOSSIBLE: why this core cannot have it; else NULL */
	struct stats stats;   /* DB_POINT_OK */
	uint64_t n_intervals; /* for db_put(); 0 from db_scan() */
	const struct interval *interval;
	uint64_t wall_micros; /* time it took; kept apart from the results */
};

/*
 * The key of a point: XXH3-128 over "key=value" of all parameters sorted by key, the trace's
 * content digest and ENGINE_VERSION. `text` serves many points, one after the other
 * (params_text_create()).
 */
struct params_text;
void db_key(struct params_text *text, const struct config *config, uint64_t trace_digest,
	    char key[DB_KEY_TEXT]);

/* Is the point there already? */
enum exit_status db_has(struct db *db, const char key[DB_KEY_TEXT], int *found, struct diag *diag);

/*
 * A transaction around several db_put(); db_end() commits if `status` is STATUS_OK, else takes all
 * back, and returns `status` or its own failure.
 */
enum exit_status db_begin(struct db *db, struct diag *diag);
enum exit_status db_end(struct db *db, enum exit_status status, struct diag *diag);

/*
 * Store one point, and commit unless within db_begin() and db_end(). A point that is there already
 * is left as it is.
 */
enum exit_status db_put(struct db *db, const struct db_point *point, struct diag *diag);

/* A sweep, or the slice of it that a shard has. */
struct db_sweep {
	const char *name;
	const char (*keys)[DB_KEY_TEXT]; /* of all points of its plan, in its order */
	size_t n_points;
	size_t first, end; /* points `first` to `end` - 1 are those of this database */
};

/* Say which points are those of a sweep, in place of what was said before, in one transaction. */
enum exit_status db_put_sweep(struct db *db, const struct db_sweep *sweep, struct diag *diag);

/*
 * Visit all points in an order that depends on their contents alone: by model, trace, parameters.
 * Text in *point holds during the visit. A non-zero return of `visit` ends the scan and is
 * returned.
 */
enum exit_status db_scan(struct db *db,
			 enum exit_status (*visit)(void *ctx, const struct db_point *point,
						   struct diag *diag),
			 void *ctx, struct diag *diag);

/* Visit the point of this key, as db_scan() does; nothing if it is not there. */
enum exit_status db_get(struct db *db, const char key[DB_KEY_TEXT],
			enum exit_status (*visit)(void *ctx, const struct db_point *point,
						  struct diag *diag),
			void *ctx, struct diag *diag);

struct db_interval {
	const char *key, *model, *trace; /* of its point */
	uint64_t index;
	struct interval counts;
};

/* Visit all intervals in an order that depends on contents alone; else as db_scan(). */
enum exit_status db_intervals_scan(struct db *db,
				   enum exit_status (*visit)(void *ctx,
							     const struct db_interval *interval,
							     struct diag *diag),
				   void *ctx, struct diag *diag);

struct db_estimate {
	const char *key, *model, *trace; /* of its point */
	uint64_t trace_accesses;
	const char *statistic;
	struct sample_estimate value;
};

/* Visit all estimates from samples in an order that depends on contents alone; else as db_scan().
 */
enum exit_status db_estimates_scan(struct db *db,
				   enum exit_status (*visit)(void *ctx,
							     const struct db_estimate *estimate,
							     struct diag *diag),
				   void *ctx, struct diag *diag);

/*
 * Prove the database sound: SQLite's integrity check, the key of each row computed again, the
 * identities between counters, the sums of intervals, the estimates, and the digests of points and
 * sweeps (which version 2 does not have). STATUS_BAD_INPUT with the first fault.
 * *n_points: rows looked at.
 */
enum exit_status db_check(struct db *db, uint64_t *n_points, struct diag *diag);

enum db_merge_what {
	DB_MERGE_ALL,
	DB_MERGE_POINTS, /* not which sweep asked for them */
};

/*
 * Copy all points of the database at `path` that `db` lacks, in one transaction. Two different
 * results of one key, and sweeps of one name with different points, are STATUS_BAD_INPUT and change
 * nothing; parts of one sweep are put together. *n_new: points copied; none from a database that
 * has no tables yet, since who began it was stopped.
 */
enum exit_status db_merge(struct db *db, const char *path, enum db_merge_what what, uint64_t *n_new,
			  struct diag *diag);

/* Do the counters of one point contradict each other? STATUS_BAD_INPUT names the identity. */
enum exit_status db_check_stats(const struct stats *stats, struct diag *diag);

#endif

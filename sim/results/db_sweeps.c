/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables `sweep` and `sweep_part` of the result database: which points are those of a sweep. Of a
 * whole sweep there is one part; a shard has its slice of the plan, and a database into which
 * shards were merged has a part of each. The plan's digest does not depend on the order of its
 * points, since shards have them in the order of their slices.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "results/db_private.h"

void db_sweeps_schema(FILE *out)
{
	fputs("\n-- The points of the last sweep of each name, in the order of its plan.\n"
	      "CREATE TABLE sweep (\n"
	      "\t\"name\" TEXT NOT NULL,\n"
	      "\t\"point\" INTEGER NOT NULL,\n"
	      "\t\"key\" TEXT NOT NULL,\n"
	      "\tPRIMARY KEY (\"name\", \"point\")\n"
	      ") STRICT, WITHOUT ROWID;\n\n"
	      "-- Of which plan they are: rows `first` to `first` + `points` - 1 of `sweep`, with "
	      "a\n"
	      "-- digest over them and this row. A database that has all has one part, unless it "
	      "was\n"
	      "-- merged from slices.\n"
	      "CREATE TABLE sweep_part (\n"
	      "\t\"name\" TEXT NOT NULL,\n"
	      "\t\"first\" INTEGER NOT NULL,\n"
	      "\t\"points\" INTEGER NOT NULL,\n"
	      "\t\"plan_points\" INTEGER NOT NULL,\n"
	      "\t\"plan_digest\" INTEGER NOT NULL,\n"
	      "\t\"digest\" INTEGER NOT NULL,\n"
	      "\tPRIMARY KEY (\"name\", \"first\", \"points\")\n"
	      ") STRICT, WITHOUT ROWID;\n",
	      out);
}

struct part {
	const char *name;
	sqlite3_int64 first, points, plan_points, plan_digest;
};

static const char *text_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? text : "";
}

/* Of one of the plan's points; the plan's digest is their sum. */
static uint64_t key_digest(const char *key)
{
	return XXH3_64bits(key, strlen(key));
}

/* Prepare with the name of a sweep as first parameter, which must outlive the statement. */
static enum exit_status prepare_named(struct db *db, const char *statement, const char *name,
				      sqlite3_stmt **query, struct diag *diag)
{
	const enum exit_status status = db_prepare(db, statement, query, diag);

	if (status == STATUS_OK)
		sqlite3_bind_text(*query, 1, name, -1, SQLITE_STATIC);
	return status;
}

static enum exit_status execute_named(struct db *db, const char *statement, const char *name,
				      struct diag *diag)
{
	sqlite3_stmt *query;
	const enum exit_status status = prepare_named(db, statement, name, &query, diag);

	return status ? status : db_finish(db, query, sqlite3_step(query), status, diag);
}

/* The digest of a part as its rows are, and how many there are. */
static enum exit_status part_digest(struct db *db, const struct part *part, sqlite3_int64 *digest,
				    sqlite3_int64 *n_rows, struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status =
		prepare_named(db,
			      "SELECT \"point\", \"key\" FROM main.sweep WHERE \"name\" = ?1 AND "
			      "\"point\" >= ?2 AND \"point\" < ?2 + ?3 ORDER BY \"point\"",
			      part->name, &query, diag);
	char line[256];
	XXH3_state_t state;
	int step = SQLITE_DONE, n;

	*n_rows = 0;
	if (status != STATUS_OK)
		return status;
	XXH3_INITSTATE(&state);
	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, part->name, strlen(part->name) + 1);
	n = snprintf(line, sizeof(line), "%lld %lld %lld %lld\n", part->first, part->points,
		     part->plan_points, part->plan_digest);
	XXH3_64bits_update(&state, line, (size_t)n);
	sqlite3_bind_int64(query, 2, part->first);
	sqlite3_bind_int64(query, 3, part->points);
	while ((step = sqlite3_step(query)) == SQLITE_ROW) {
		n = snprintf(line, sizeof(line), "%lld %.200s\n", sqlite3_column_int64(query, 0),
			     text_of(query, 1));
		XXH3_64bits_update(&state, line, (size_t)n);
		++*n_rows;
	}
	*digest = (sqlite3_int64)XXH3_64bits_digest(&state);
	return db_finish(db, query, step, status, diag);
}

/* After its rows were written. */
static enum exit_status put_part(struct db *db, const struct part *part, struct diag *diag)
{
	sqlite3_int64 digest, n_rows;
	sqlite3_stmt *insert = NULL;
	enum exit_status status = part_digest(db, part, &digest, &n_rows, diag);

	if (status == STATUS_OK)
		status = prepare_named(db,
				       "INSERT INTO main.sweep_part VALUES (?1, ?2, ?3, ?4, ?5, "
				       "?6)",
				       part->name, &insert, diag);
	if (status != STATUS_OK)
		return status;
	sqlite3_bind_int64(insert, 2, part->first);
	sqlite3_bind_int64(insert, 3, part->points);
	sqlite3_bind_int64(insert, 4, part->plan_points);
	sqlite3_bind_int64(insert, 5, part->plan_digest);
	sqlite3_bind_int64(insert, 6, digest);
	return db_finish(db, insert, sqlite3_step(insert), status, diag);
}

static enum exit_status forget(struct db *db, const char *name, struct diag *diag)
{
	const enum exit_status status =
		execute_named(db, "DELETE FROM main.sweep WHERE \"name\" = ?1", name, diag);

	return status ? status
		      : execute_named(db, "DELETE FROM main.sweep_part WHERE \"name\" = ?1", name,
				      diag);
}

static enum exit_status put_rows(struct db *db, const struct db_sweep *sweep, struct diag *diag)
{
	struct part part = { .name = sweep->name,
			     .first = (sqlite3_int64)sweep->first,
			     .points = (sqlite3_int64)(sweep->end - sweep->first),
			     .plan_points = (sqlite3_int64)sweep->n_points };
	sqlite3_stmt *insert = NULL;
	uint64_t plan_digest = 0;
	enum exit_status status = forget(db, sweep->name, diag);

	if (status == STATUS_OK)
		status = prepare_named(db, "INSERT INTO main.sweep VALUES (?1, ?2, ?3)",
				       sweep->name, &insert, diag);
	for (size_t i = sweep->first; i < sweep->end && status == STATUS_OK; i++) {
		sqlite3_bind_int64(insert, 2, (sqlite3_int64)i);
		sqlite3_bind_text(insert, 3, sweep->keys[i], -1, SQLITE_STATIC);
		status = db_step_once(db, insert, diag);
	}
	sqlite3_finalize(insert);
	for (size_t i = 0; i < sweep->n_points; i++)
		plan_digest += key_digest(sweep->keys[i]);
	part.plan_digest = (sqlite3_int64)plan_digest;
	return status ? status : put_part(db, &part, diag);
}

enum exit_status db_put_sweep(struct db *db, const struct db_sweep *sweep, struct diag *diag)
{
	enum exit_status status = db_begin(db, diag);

	return status ? status : db_end(db, put_rows(db, sweep, diag), diag);
}

/* ---- check ---------------------------------------------------------------------------------- */

static enum exit_status check_part(struct db *db, sqlite3_stmt *row, struct diag *diag)
{
	const struct part part = { text_of(row, 0), sqlite3_column_int64(row, 1),
				   sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3),
				   sqlite3_column_int64(row, 4) };
	sqlite3_int64 digest, n_rows;
	enum exit_status status = part_digest(db, &part, &digest, &n_rows, diag);

	if (status == STATUS_OK &&
	    (n_rows != part.points || digest != sqlite3_column_int64(row, 5)))
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "%s: sweep '%.64s': its rows are not those that were stored",
				  db->path, part.name);
	return status;
}

enum exit_status db_sweeps_check(struct db *db, struct diag *diag)
{
	static const char astray[] =
		"SELECT \"name\" FROM sweep AS s WHERE NOT EXISTS (SELECT 1 FROM sweep_part AS p "
		"WHERE p.\"name\" = s.\"name\" AND s.\"point\" >= p.\"first\" AND "
		"s.\"point\" < p.\"first\" + p.\"points\") UNION ALL "
		"SELECT \"name\" FROM sweep_part GROUP BY 1 HAVING "
		"min(\"plan_points\") <> max(\"plan_points\") OR "
		"min(\"plan_digest\") <> max(\"plan_digest\") ORDER BY 1 LIMIT 1";
	sqlite3_stmt *query;
	enum exit_status status = db_prepare(db, "SELECT * FROM sweep_part", &query, diag);
	int step = SQLITE_DONE;

	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW)
		status = check_part(db, query, diag);
	status = db_finish(db, query, step, status, diag);
	if (status == STATUS_OK)
		status = db_prepare(db, astray, &query, diag);
	if (status != STATUS_OK)
		return status;
	step = sqlite3_step(query);
	if (step == SQLITE_ROW)
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "%s: sweep '%.64s': its parts are not those that were stored",
				  db->path, text_of(query, 0));
	return db_finish(db, query, step, status, diag);
}

/* ---- merge ---------------------------------------------------------------------------------- */

/* What a database knows of a sweep. */
struct extent {
	sqlite3_int64 rows; /* 0: it does not know it */
	sqlite3_int64 plan_points, plan_digest;
};

static bool is_complete(const struct extent *extent)
{
	return extent->rows == extent->plan_points;
}

/* Rows as they are; without parts (version 2) they are taken for a whole plan. */
static enum exit_status look(struct db *db, const char *rows, const char *parts, const char *name,
			     struct extent *extent, struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = prepare_named(db, rows, name, &query, diag);
	int step = SQLITE_DONE;
	uint64_t digest = 0;

	*extent = (struct extent){ 0 };
	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW) {
		digest += key_digest(text_of(query, 0));
		extent->rows++;
	}
	extent->plan_points = extent->rows;
	extent->plan_digest = (sqlite3_int64)digest;
	status = db_finish(db, query, step, status, diag);
	if (status != STATUS_OK || !parts)
		return status;
	status = prepare_named(db, parts, name, &query, diag);
	if (status != STATUS_OK)
		return status;
	step = sqlite3_step(query);
	if (step == SQLITE_ROW) {
		extent->plan_points = sqlite3_column_int64(query, 0);
		extent->plan_digest = sqlite3_column_int64(query, 1);
	}
	return db_finish(db, query, step, status, diag);
}

static enum exit_status copy_whole(struct db *db, const char *name, const struct extent *plan,
				   struct diag *diag)
{
	const struct part part = { name, 0, plan->rows, plan->plan_points, plan->plan_digest };
	const enum exit_status status = execute_named(
		db,
		"INSERT INTO main.sweep SELECT \"name\", row_number() OVER (ORDER BY \"point\") - "
		"1, \"key\" FROM other.sweep WHERE \"name\" = ?1",
		name, diag);

	return status ? status : put_part(db, &part, diag);
}

static enum exit_status copy_parts(struct db *db, const char *name, struct diag *diag)
{
	const enum exit_status status =
		execute_named(db,
			      "INSERT INTO main.sweep SELECT * FROM other.sweep "
			      "WHERE \"name\" = ?1 ON CONFLICT DO NOTHING",
			      name, diag);

	return status ? status
		      : execute_named(db,
				      "INSERT INTO main.sweep_part SELECT * FROM other.sweep_part "
				      "WHERE \"name\" = ?1 ON CONFLICT DO NOTHING",
				      name, diag);
}

/* Do two incomplete ones have another order? */
static enum exit_status refuse_order(struct db *db, const char *path, const char *name,
				     struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status =
		prepare_named(db,
			      "SELECT a.\"point\" FROM main.sweep AS a JOIN other.sweep AS b "
			      "USING (\"name\", \"point\") WHERE \"name\" = ?1 AND "
			      "a.\"key\" <> b.\"key\" ORDER BY 1 LIMIT 1",
			      name, &query, diag);
	int step;

	if (status != STATUS_OK)
		return status;
	step = sqlite3_step(query);
	if (step == SQLITE_ROW)
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "%s and %s have parts of sweep '%.64s' that were cut otherwise; "
				  "--points leaves sweeps out",
				  db->path, path, name);
	return db_finish(db, query, step, status, diag);
}

static enum exit_status merge_one(struct db *db, const char *path, int other_version,
				  const char *name, struct diag *diag)
{
	static const char *const parts[] = {
		"SELECT \"plan_points\", \"plan_digest\" FROM main.sweep_part WHERE \"name\" = ?1",
		"SELECT \"plan_points\", \"plan_digest\" FROM other.sweep_part WHERE \"name\" = ?1",
	};
	const bool old = other_version < DB_SCHEMA_VERSION;
	struct extent mine, its;
	enum exit_status status = look(db, "SELECT \"key\" FROM main.sweep WHERE \"name\" = ?1",
				       parts[0], name, &mine, diag);

	if (status == STATUS_OK)
		status = look(db, "SELECT \"key\" FROM other.sweep WHERE \"name\" = ?1",
			      old ? NULL : parts[1], name, &its, diag);
	if (status != STATUS_OK)
		return status;
	if (mine.rows &&
	    (mine.plan_points != its.plan_points || mine.plan_digest != its.plan_digest))
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s and %s have different sweeps '%.64s', of %lld and %lld points; "
				"--points leaves sweeps out",
				db->path, path, name, mine.plan_points, its.plan_points);
	if (mine.rows && is_complete(&mine))
		return STATUS_OK;
	/* Of no points there may be an empty slice. */
	status = mine.rows && !is_complete(&its) ? refuse_order(db, path, name, diag)
						 : forget(db, name, diag);
	if (status != STATUS_OK)
		return status;
	return old ? copy_whole(db, name, &its, diag) : copy_parts(db, name, diag);
}

enum exit_status db_sweeps_merge(struct db *db, const char *path, int other_version,
				 struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = db_prepare(
		db, "SELECT DISTINCT \"name\" FROM other.sweep ORDER BY 1", &query, diag);
	int step = SQLITE_DONE;

	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW)
		status = merge_one(db, path, other_version, text_of(query, 0), diag);
	return db_finish(db, query, step, status, diag);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Copying one result database into another. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results/db.h"
#include "results/db_private.h"

/* Report the first key that has different results in `main` and `other`. */
static enum exit_status refuse_conflicts(struct db *db, const char *path, struct diag *diag)
{
	enum exit_status status;
	sqlite3_stmt *query;
	struct db_text text;
	int step;

	db_text_open(&text);
	if (text.stream) {
		fputs("SELECT a.\"key\" FROM main.point AS a JOIN other.point AS b USING (\"key\") "
		      "WHERE a.\"status\" IS NOT b.\"status\" OR a.\"reason\" IS NOT b.\"reason\"",
		      text.stream);
		for (size_t i = 0; i < STAT_COUNT; i++)
			fprintf(text.stream, " OR a.\"%s\" IS NOT b.\"%s\"", stat_rows[i].name,
				stat_rows[i].name);
		fputs(" ORDER BY 1 LIMIT 1", text.stream);
	}
	status = db_text_prepare(db, &text, &query, diag);
	if (status != STATUS_OK)
		return status;
	step = sqlite3_step(query);
	if (step == SQLITE_ROW)
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "%s and %s have different results of point %s", db->path, path,
				  (const char *)sqlite3_column_text(query, 0));
	return db_finish(db, query, step, status, diag);
}

static enum exit_status copy_rows(struct db *db, int other_version, uint64_t *n_new,
				  struct diag *diag)
{
	enum exit_status status =
		db_execute(db,
			   "INSERT INTO main.point SELECT * FROM other.point WHERE true "
			   "ORDER BY rowid ON CONFLICT DO NOTHING",
			   diag);

	if (status != STATUS_OK)
		return status;
	*n_new = (uint64_t)sqlite3_changes64(db->sql);
	status = db_execute(db,
			    "INSERT INTO main.intervals SELECT * FROM other.intervals WHERE true "
			    "ON CONFLICT DO NOTHING;"
			    "INSERT INTO main.estimates SELECT * FROM other.estimates WHERE true "
			    "ON CONFLICT DO NOTHING;"
			    "INSERT INTO main.effort SELECT * FROM other.effort WHERE true "
			    "ON CONFLICT DO NOTHING",
			    diag);
	if (status != STATUS_OK)
		return status;
	return other_version < DB_SCHEMA_VERSION
		       ? db_digest_fill(db, diag)
		       : db_execute(db,
				    "INSERT INTO main.digest SELECT * FROM other.digest WHERE true "
				    "ON CONFLICT DO NOTHING",
				    diag);
}

static enum exit_status attach(struct db *db, const char *path, struct diag *diag)
{
	char *name = db_file_name(path);
	sqlite3_stmt *statement = NULL;
	enum exit_status status;

	if (!name)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	status = db_prepare(db, "ATTACH ?1 AS other", &statement, diag);
	if (status == STATUS_OK) {
		sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
		if (sqlite3_step(statement) != SQLITE_DONE)
			status = db_failure(db, diag);
	}
	sqlite3_finalize(statement);
	free(name);
	return status;
}

static bool same_file(const char *a, const char *b)
{
	struct stat one, other;

	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

enum exit_status db_merge(struct db *db, const char *path, enum db_merge_what what, uint64_t *n_new,
			  struct diag *diag)
{
	struct db *other;
	int other_version;
	enum exit_status status;

	*n_new = 0;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return diag_set(diag, STATUS_NO_INPUT, "%s: no such file", path);
	if (same_file(db->path, path))
		return diag_set(diag, STATUS_USAGE, "%s: cannot be merged into itself", path);
	status = db_open_existing(path, &other, diag);
	if (status != STATUS_OK || !other)
		return status;
	other_version = other->version;
	db_close(other, NULL);
	status = attach(db, path, diag);
	if (status != STATUS_OK)
		return status;
	status = db_begin(db, diag);
	if (status == STATUS_OK) {
		status = refuse_conflicts(db, path, diag);
		if (status == STATUS_OK)
			status = db_intervals_refuse_conflicts(db, path, diag);
		if (status == STATUS_OK)
			status = copy_rows(db, other_version, n_new, diag);
		if (status == STATUS_OK && what == DB_MERGE_ALL)
			status = db_sweeps_merge(db, path, other_version, diag);
		status = db_end(db, status, diag);
	}
	sqlite3_exec(db->sql, "DETACH other", NULL, NULL, NULL);
	return status;
}

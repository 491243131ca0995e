/* SPDX-License-Identifier: BSD-2-Clause */
#include "results/db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "config/params.h"
#include "results/db_private.h"
#include "run/point.h"

/* Longer than any commit of another sweep takes, shorter than a user waits in silence. */
enum { BUSY_TIMEOUT_MS = 30000 };

enum exit_status db_failure(struct db *db, struct diag *diag)
{
	enum exit_status status;

	switch (sqlite3_errcode(db->sql)) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		status = STATUS_BAD_INPUT;
		break;
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		status = STATUS_IO;
		break;
	default:
		status = STATUS_INTERNAL;
		break;
	}
	if (sqlite3_errcode(db->sql) == SQLITE_IOERR && sqlite3_system_errno(db->sql))
		return diag_set(diag, status, "%s: %s: %s", db->path, sqlite3_errmsg(db->sql),
				strerror(sqlite3_system_errno(db->sql)));
	return diag_set(diag, status, "%s: %s", db->path, sqlite3_errmsg(db->sql));
}

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

enum exit_status db_execute(struct db *db, const char *statement, struct diag *diag)
{
	if (sqlite3_exec(db->sql, statement, NULL, NULL, NULL) == SQLITE_OK)
		return STATUS_OK;
	return db_failure(db, diag);
}

enum exit_status db_prepare(struct db *db, const char *statement, sqlite3_stmt **prepared,
			    struct diag *diag)
{
	*prepared = NULL;
	if (sqlite3_prepare_v2(db->sql, statement, -1, prepared, NULL) == SQLITE_OK)
		return STATUS_OK;
	return db_failure(db, diag);
}

void db_text_open(struct db_text *text)
{
	*text = (struct db_text){ 0 };
	text->stream = open_memstream(&text->text, &text->n_bytes);
}

enum exit_status db_text_prepare(struct db *db, struct db_text *text, sqlite3_stmt **prepared,
				 struct diag *diag)
{
	enum exit_status status;

	*prepared = NULL;
	if (!text->stream || fclose(text->stream) != 0) {
		free(text->text);
		return no_memory(diag);
	}
	status = db_prepare(db, text->text, prepared, diag);
	free(text->text);
	return status;
}

/* Without its name a file takes what is written with it into nothing. */
static enum exit_status check_name(const struct db *db, struct diag *diag)
{
	struct stat now;

	if (stat(db->path, &now) == 0 && now.st_dev == db->file.st_dev &&
	    now.st_ino == db->file.st_ino)
		return STATUS_OK;
	return diag_set(diag, STATUS_IO,
			"%s: was removed, renamed or replaced while it was written to", db->path);
}

enum exit_status db_begin(struct db *db, struct diag *diag)
{
	enum exit_status status = db->file.st_ino ? check_name(db, diag) : STATUS_OK;

	return status ? status : db_execute(db, "BEGIN IMMEDIATE", diag);
}

enum exit_status db_end(struct db *db, enum exit_status status, struct diag *diag)
{
	if (status == STATUS_OK)
		status = db_execute(db, "COMMIT", diag);
	if (status != STATUS_OK)
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

static enum exit_status count_tables(struct db *db, long long *n, struct diag *diag)
{
	sqlite3_stmt *query = NULL;
	enum exit_status status =
		db_prepare(db, "SELECT count(*) FROM sqlite_schema", &query, diag);

	*n = 0;
	if (status == STATUS_OK && sqlite3_step(query) != SQLITE_ROW)
		status = db_failure(db, diag);
	if (status == STATUS_OK)
		*n = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return status;
}

static enum exit_status create_if_empty(struct db *db, struct diag *diag)
{
	long long n;
	enum exit_status status = count_tables(db, &n, diag);
	char *schema;

	if (status != STATUS_OK || n > 0)
		return status;
	schema = db_schema();
	status = schema ? db_execute(db, schema, diag) : no_memory(diag);
	free(schema);
	return status;
}

/* A writer that was killed before it had made the tables leaves a file without any. */
static enum exit_status refuse_empty(struct db *db, struct diag *diag)
{
	long long n;
	enum exit_status status = count_tables(db, &n, diag);

	if (status == STATUS_OK && n == 0)
		status = diag_set(diag, STATUS_NO_INPUT,
				  "%s: is empty: what made it was stopped before its first point",
				  db->path);
	return status;
}

/* Make the tables if the file has none. Two programs may do this at once. */
static enum exit_status create_tables(struct db *db, struct diag *diag)
{
	enum exit_status status = db_begin(db, diag);

	return status ? status : db_end(db, create_if_empty(db, diag), diag);
}

static enum exit_status prepare_writes(struct db *db, struct diag *diag)
{
	enum exit_status status;
	struct db_text text;

	status = db_prepare(db, "INSERT INTO effort VALUES (?1, ?2) ON CONFLICT DO NOTHING",
			    &db->put_effort, diag);
	if (status != STATUS_OK)
		return status;
	db_text_open(&text);
	if (text.stream) {
		fputs("INSERT INTO point VALUES (?", text.stream);
		for (size_t i = 1; db_column_name(i); i++)
			fputs(", ?", text.stream);
		fputs(") ON CONFLICT(\"key\") DO NOTHING", text.stream);
	}
	status = db_text_prepare(db, &text, &db->put_point, diag);
	if (status == STATUS_OK)
		status = db_intervals_prepare(db, diag);
	if (status == STATUS_OK)
		status = db_estimates_prepare(db, diag);
	return status ? status : db_digest_prepare(db, diag);
}

char *db_file_name(const char *path)
{
	char *name;

	return asprintf(&name, "%s%s", *path == '/' ? "" : "./", path) < 0 ? NULL : name;
}

/* SQLite does not say why: ask again. */
static enum exit_status report_unopened(struct db *db, struct diag *diag)
{
	const int flags = O_CLOEXEC | (db->access == DB_READ ? O_RDONLY : O_RDWR | O_CREAT);
	const int fd = open(db->path, flags, 0666);

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || sqlite3_errcode(db->sql) != SQLITE_CANTOPEN)
		return db_failure(db, diag);
	return diag_set(diag, STATUS_IO, "%s: %s: %s", db->path, sqlite3_errmsg(db->sql),
			strerror(errno));
}

/* What SQLite cannot open, or would wait for. */
static enum exit_status refuse_file(const struct db *db, struct diag *diag)
{
	struct stat file;

	if (stat(db->path, &file) != 0) {
		if (errno != ENOENT)
			return diag_set(diag, STATUS_IO, "%s: %s", db->path, strerror(errno));
		return db->access == DB_READ
			       ? diag_set(diag, STATUS_NO_INPUT, "%s: no such file", db->path)
			       : STATUS_OK;
	}
	if (S_ISREG(file.st_mode))
		return STATUS_OK;
	return diag_set(diag, STATUS_IO, "%s: %s", db->path,
			S_ISDIR(file.st_mode) ? strerror(EISDIR) : "not a regular file");
}

static enum exit_status open_connection(struct db *db, struct diag *diag)
{
	/*
	 * A reader may have to roll back what a killed writer left; it changes nothing else. There
	 * are no threads, so that locking a mutex for each of a point's hundreds of columns is
	 * idle.
	 */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		    (db->access == DB_READ ? 0 : SQLITE_OPEN_CREATE);
	char *name = db_file_name(db->path);
	enum exit_status status;
	int opened;

	if (!name)
		return no_memory(diag);
	status = refuse_file(db, diag);
	if (status != STATUS_OK) {
		free(name);
		return status;
	}
	opened = sqlite3_open_v2(name, &db->sql, flags, NULL);
	free(name);
	if (opened != SQLITE_OK)
		return db->sql ? report_unopened(db, diag) : no_memory(diag);
	sqlite3_busy_timeout(db->sql, BUSY_TIMEOUT_MS);
	status = db->access == DB_READ ? refuse_empty(db, diag) : create_tables(db, diag);
	if (status == STATUS_OK)
		status = db_validate(db, diag);
	if (status != STATUS_OK)
		return status;
	if (db->access == DB_READ)
		return db_execute(db, "PRAGMA query_only = ON", diag);
	if (db->access == DB_WRITE) {
		/* Where WAL cannot be had the rollback journal stays. */
		sqlite3_exec(db->sql, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
		db->wal = true;
	}
	status = db_execute(db, "PRAGMA synchronous = FULL", diag);
	if (status == STATUS_OK && stat(db->path, &db->file) != 0)
		status = diag_set(diag, STATUS_IO, "%s: %s", db->path, strerror(errno));
	return status ? status : prepare_writes(db, diag);
}

struct db *db_open(const char *path, enum db_access access, struct diag *diag)
{
	struct db *db;

	if (*path == '\0') {
		diag_set(diag, STATUS_USAGE, "the name of a database is empty");
		return NULL;
	}
	db = calloc(1, sizeof(*db));
	if (!db || !(db->path = strdup(path))) {
		free(db);
		no_memory(diag);
		return NULL;
	}
	db->access = access;
	if (open_connection(db, diag) == STATUS_OK &&
	    db_prepare(db, "SELECT 1 FROM point WHERE \"key\" = ?1", &db->has, diag) == STATUS_OK)
		return db;
	db_close(db, NULL);
	return NULL;
}

enum exit_status db_open_existing(const char *path, struct db **db, struct diag *diag)
{
	struct diag why = DIAG_INIT;

	*db = db_open(path, DB_READ, &why);
	if (*db || why.status == STATUS_NO_INPUT)
		return STATUS_OK;
	return diag_set(diag, why.status, "%s", why.text);
}

enum exit_status db_close(struct db *db, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	if (!db)
		return STATUS_OK;
	sqlite3_finalize(db->has);
	sqlite3_finalize(db->put_point);
	sqlite3_finalize(db->put_effort);
	sqlite3_finalize(db->put_interval);
	sqlite3_finalize(db->put_estimate);
	db_digest_finalize(db);
	if (db->wal) {
		/* Leaves one file that can be copied, and read in a folder without write access;
		 * not possible, and not needed, while somebody else has it open. */
		sqlite3_busy_timeout(db->sql, 0);
		sqlite3_exec(db->sql, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	}
	if (sqlite3_close(db->sql) != SQLITE_OK)
		status = diag_set(diag, STATUS_IO, "%s: cannot be closed", db->path);
	free(db->path);
	free(db);
	return status;
}

const char *db_path(const struct db *db)
{
	return db->path;
}

int db_version(const struct db *db)
{
	return db->version;
}

struct sqlite3 *db_connection(struct db *db)
{
	return db->sql;
}

void db_key_of(struct params_text *text, const struct config *config, uint64_t trace_digest,
	       const char *engine, char key[DB_KEY_TEXT])
{
	XXH3_state_t state;
	XXH128_hash_t hash;
	char rest[128];
	size_t n_bytes;
	const char *canonical = params_text_of(text, config, &n_bytes);
	int n_rest = snprintf(rest, sizeof(rest), "trace=%016" PRIx64 "\nengine=%.64s\n",
			      trace_digest, engine);

	XXH3_INITSTATE(&state);
	XXH3_128bits_reset(&state);
	XXH3_128bits_update(&state, canonical, n_bytes);
	XXH3_128bits_update(&state, rest, (size_t)n_rest);
	hash = XXH3_128bits_digest(&state);
	snprintf(key, DB_KEY_TEXT, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
}

void db_key(struct params_text *text, const struct config *config, uint64_t trace_digest,
	    char key[DB_KEY_TEXT])
{
	db_key_of(text, config, trace_digest, ENGINE_VERSION, key);
}

enum exit_status db_has(struct db *db, const char key[DB_KEY_TEXT], int *found, struct diag *diag)
{
	int step;

	sqlite3_bind_text(db->has, 1, key, -1, SQLITE_STATIC);
	step = sqlite3_step(db->has);
	*found = step == SQLITE_ROW;
	if (step != SQLITE_ROW && step != SQLITE_DONE) {
		enum exit_status status = db_failure(db, diag);

		sqlite3_reset(db->has);
		return status;
	}
	sqlite3_reset(db->has);
	return STATUS_OK;
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	if (text)
		sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(statement, index);
}

/* Parameter indices of the statement are those of the columns plus one. */
static void bind_point(sqlite3_stmt *statement, const struct db_point *point)
{
	int index = DB_COLUMN_PARAMS + 1;
	char text[PARAM_TEXT_MAX];

	snprintf(text, sizeof(text), "%016" PRIx64, point->trace.digest);
	bind_text(statement, DB_COLUMN_KEY + 1, point->key);
	bind_text(statement, DB_COLUMN_MODEL + 1, point->model);
	bind_text(statement, DB_COLUMN_TRACE + 1, point->trace.name);
	bind_text(statement, DB_COLUMN_TRACE_DIGEST + 1, text);
	sqlite3_bind_int64(statement, DB_COLUMN_TRACE_ACCESSES + 1,
			   (sqlite3_int64)point->trace.accesses);
	bind_text(statement, DB_COLUMN_ENGINE + 1, ENGINE_VERSION);
	bind_text(statement, DB_COLUMN_STATUS + 1,
		  point->status == DB_POINT_OK ? "ok" : "impossible");
	bind_text(statement, DB_COLUMN_REASON + 1,
		  point->status == DB_POINT_OK ? NULL : point->reason);
	for (size_t i = 0; i < PARAM_COUNT; i++, index++) {
		if (params_is_number(&params[i])) {
			sqlite3_bind_int64(
				statement, index,
				(sqlite3_int64)params_number(&point->config, &params[i]));
			continue;
		}
		params_format(&point->config, &params[i], text);
		bind_text(statement, index, text);
	}
	for (size_t i = 0; i < STAT_COUNT; i++, index++) {
		if (point->status == DB_POINT_OK)
			sqlite3_bind_int64(statement, index, (sqlite3_int64)point->stats.v[i]);
		else
			sqlite3_bind_null(statement, index);
	}
}

enum exit_status db_step_once(struct db *db, sqlite3_stmt *statement, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	if (sqlite3_step(statement) != SQLITE_DONE)
		status = db_failure(db, diag);
	sqlite3_reset(statement);
	return status;
}

enum exit_status db_finish(struct db *db, sqlite3_stmt *query, int step, enum exit_status status,
			   struct diag *diag)
{
	if (status == STATUS_OK && step != SQLITE_DONE && step != SQLITE_ROW)
		status = db_failure(db, diag);
	sqlite3_finalize(query);
	return status;
}

static enum exit_status put_rows(struct db *db, const struct db_point *point, struct diag *diag)
{
	enum exit_status status;

	bind_point(db->put_point, point);
	status = db_step_once(db, db->put_point, diag);
	if (status != STATUS_OK || sqlite3_changes(db->sql) == 0)
		return status;
	status = db_intervals_put(db, point, diag);
	if (status == STATUS_OK)
		status = db_estimates_put(db, point, diag);
	if (status != STATUS_OK)
		return status;
	bind_text(db->put_effort, 1, point->key);
	sqlite3_bind_int64(db->put_effort, 2, (sqlite3_int64)point->wall_micros);
	status = db_step_once(db, db->put_effort, diag);
	return status ? status : db_digest_put(db, point->key, diag);
}

enum exit_status db_put(struct db *db, const struct db_point *point, struct diag *diag)
{
	enum exit_status status;

	for (size_t i = 0; i < STAT_COUNT; i++) {
		if (point->stats.v[i] > INT64_MAX)
			return diag_set(diag, STATUS_INTERNAL, "%s exceeds 63 bits",
					stat_rows[i].name);
	}
	if (!sqlite3_get_autocommit(db->sql))
		return put_rows(db, point, diag);
	status = db_begin(db, diag);
	return status ? status : db_end(db, put_rows(db, point, diag), diag);
}

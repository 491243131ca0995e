/* SPDX-License-Identifier: BSD-2-Clause */
/* Points of the result database as the figures see them. */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/report.h"
#include "config/params.h"
#include "results/db.h"
#include "run/point.h"

static enum exit_status out_of_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

static enum exit_status load_columns(struct points *points, sqlite3_stmt *stmt, struct diag *diag)
{
	int n = sqlite3_column_count(stmt);

	points->column = calloc((size_t)n, sizeof(*points->column));
	if (!points->column)
		return out_of_memory(diag);
	points->n_columns = (size_t)n;
	for (int i = 0; i < n; i++) {
		points->column[i] = strdup(sqlite3_column_name(stmt, i));
		if (!points->column[i])
			return out_of_memory(diag);
	}
	return STATUS_OK;
}

static enum exit_status load_row(struct points *points, sqlite3_stmt *stmt, struct diag *diag)
{
	size_t n = points->n_columns;
	char **cell = realloc(points->cell, (points->n_rows + 1) * n * sizeof(*cell));

	if (!cell)
		return out_of_memory(diag);
	points->cell = cell;
	cell += points->n_rows++ * n;
	memset(cell, 0, n * sizeof(*cell));
	for (size_t i = 0; i < n; i++) {
		const unsigned char *text = sqlite3_column_text(stmt, (int)i);

		if (!text)
			continue;
		cell[i] = strdup((const char *)text);
		if (!cell[i])
			return out_of_memory(diag);
	}
	return STATUS_OK;
}

/*
 * The query of this engine's points, in an order that depends on their contents alone. Points that
 * no sweep names any more (its spec or a trace has changed since) stay out; a database without
 * sweeps, such as a merged one, counts as a whole.
 */
static char *points_sql(void)
{
	char *sql = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&sql, &size);

	if (!out)
		return NULL;
	fputs("SELECT * FROM point WHERE engine = '" ENGINE_VERSION
	      "' AND (key IN (SELECT key FROM "
	      "sweep) OR NOT EXISTS (SELECT 1 FROM sweep)) ORDER BY model, trace",
	      out);
	for (size_t i = 0; i < PARAM_COUNT; i++)
		fprintf(out, ", \"%s\"", params[i].key);
	if (fclose(out) != 0) {
		free(sql);
		return NULL;
	}
	return sql;
}

static enum exit_status load(struct points *points, struct db *db, struct diag *diag)
{
	char *sql = points_sql();
	sqlite3_stmt *stmt = NULL;
	enum exit_status status;
	int step;

	if (!sql)
		return out_of_memory(diag);
	step = sqlite3_prepare_v2(db_connection(db), sql, -1, &stmt, NULL);
	free(sql);
	if (step != SQLITE_OK)
		return diag_set(diag, STATUS_BAD_INPUT, "%s: %s", db_path(db),
				sqlite3_errmsg(db_connection(db)));
	status = load_columns(points, stmt, diag);
	while (status == STATUS_OK && (step = sqlite3_step(stmt)) != SQLITE_DONE) {
		if (step == SQLITE_ROW)
			status = load_row(points, stmt, diag);
		else
			status = diag_set(diag, STATUS_IO, "%s: %s", db_path(db),
					  sqlite3_errmsg(db_connection(db)));
	}
	sqlite3_finalize(stmt);
	return status;
}

enum exit_status points_load(struct points *points, const char *path, struct diag *diag)
{
	struct db *db = db_open(path, DB_READ, diag);
	enum exit_status status;

	memset(points, 0, sizeof(*points));
	if (!db)
		return diag->status;
	status = load(points, db, diag);
	if (status == STATUS_OK)
		status = db_intervals_scan(db, points_add_interval, points, diag);
	if (db_close(db, diag) != STATUS_OK && status == STATUS_OK)
		status = diag->status;
	if (status == STATUS_OK && points->n_rows == 0)
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "%s: no points of engine " ENGINE_VERSION
				  "; fill it with `twostage sweep` first",
				  path);
	return status;
}

bool point_ok(const struct points *points, size_t row)
{
	return strcmp(point_text(points, row, "status"), "ok") == 0;
}

const char *point_reason(const struct points *points, size_t row)
{
	return point_text(points, row, "reason");
}

void points_free(struct points *points)
{
	for (size_t i = 0; i < points->n_rows * points->n_columns; i++)
		free(points->cell[i]);
	for (size_t i = 0; i < points->n_columns; i++)
		free(points->column[i]);
	free(points->cell);
	free(points->column);
	free(points->interval);
	memset(points, 0, sizeof(*points));
}

const char *point_text(const struct points *points, size_t row, const char *column)
{
	for (size_t i = 0; i < points->n_columns; i++) {
		if (strcmp(points->column[i], column) == 0) {
			const char *text = points->cell[row * points->n_columns + i];

			return text ? text : "";
		}
	}
	return "";
}

bool point_number(const struct points *points, size_t row, const char *column, double *value)
{
	const char *text = point_text(points, row, column);
	char *end;

	if (!*text)
		return false;
	*value = strtod(text, &end);
	return *end == '\0' && isfinite(*value);
}

bool point_ratio(const struct points *points, size_t row, const char *column, const char *other,
		 double scale, double *value)
{
	double above, below;

	if (!point_number(points, row, column, &above) ||
	    !point_number(points, row, other, &below) || below <= 0)
		return false;
	*value = above * scale / below;
	return true;
}

const char *point_trace(const struct points *points, size_t row, char *buffer, size_t size)
{
	const char *name = point_text(points, row, "trace");
	const char *slash = strrchr(name, '/');
	char *dot;

	snprintf(buffer, size, "%s", slash ? slash + 1 : name);
	dot = strchr(buffer, '.');
	if (dot && dot != buffer)
		*dot = '\0';
	for (char *c = buffer; *c; c++) {
		if (*c == ' ' || *c == '"' || *c == ',' || *c == '\'')
			*c = '_';
	}
	return buffer;
}

/* 0 written as a number or by its name. */
static bool is_none(const char *text)
{
	return strcmp(text, "0") == 0 || strcmp(text, "none") == 0;
}

bool point_uncached(const struct points *points, size_t row)
{
	return is_none(point_text(points, row, "walk_cache.s1.entries")) &&
	       is_none(point_text(points, row, "walk_cache.s2.entries"));
}

/* "4K" or "4096" -> 12; 0: neither. */
static unsigned size_bits(const char *text)
{
	char *end;
	unsigned long long bytes;
	const char *suffix = "KMGT";
	const char *found;
	unsigned bits = 0;

	errno = 0;
	bytes = strtoull(text, &end, 10);
	if (errno || end == text || bytes == 0 || (bytes & (bytes - 1)))
		return 0;
	while (bytes >>= 1)
		bits++;
	if (!*end)
		return bits;
	found = strchr(suffix, *end);
	return found && !end[1] ? bits + 10 * (unsigned)(found - suffix + 1) : 0;
}

unsigned point_granule_bits(const struct points *points, size_t row, const char *key)
{
	return size_bits(point_text(points, row, key));
}

unsigned point_page_bits(const struct points *points, size_t row, const char *key)
{
	const char *text = point_text(points, row, key);
	bool guest = strncmp(key, "guest.", 6) == 0;
	unsigned granule =
		point_granule_bits(points, row, guest ? "stage1.granule" : "stage2.granule");

	if (!granule)
		return 0;
	if (strcmp(text, "base") == 0)
		return granule;
	if (strcmp(text, "pmd") == 0)
		return 2 * granule - 3;
	if (strcmp(text, "pud") == 0)
		return 3 * granule - 6;
	return size_bits(text);
}

unsigned point_leaf_bits(const struct points *points, size_t row)
{
	static const struct {
		const char *column;
		unsigned bits;
	} leaf[] = {
		{ "s2_mapped_4k", 12 },	  { "s2_mapped_16k", 14 }, { "s2_mapped_64k", 16 },
		{ "s2_mapped_2m", 21 },	  { "s2_mapped_32m", 25 }, { "s2_mapped_512m", 29 },
		{ "s2_mapped_1g", 30 },	  { "s2_mapped_16g", 34 }, { "s2_mapped_64g", 36 },
		{ "s2_mapped_512g", 39 }, { "s2_mapped_4t", 42 },
	};
	double most = 0, count;
	unsigned bits = 0;

	for (size_t i = 0; i < sizeof(leaf) / sizeof(leaf[0]); i++) {
		if (!point_number(points, row, leaf[i].column, &count))
			continue;
		count = ldexp(count, (int)leaf[i].bits);
		if (count > most) {
			most = count;
			bits = leaf[i].bits;
		}
	}
	return bits;
}

const char *size_name(unsigned bits, char buffer[16])
{
	if (bits >= 50 || bits < 10)
		snprintf(buffer, 16, "2^%u", bits);
	else
		snprintf(buffer, 16, "%u%c", 1u << (bits % 10), "BKMGT"[bits / 10]);
	return buffer;
}

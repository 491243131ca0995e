/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * db_check() notices each number and each word that is changed, each row that goes and each that
 * comes, in each table that the file has: in one row of each column (in all, and each made empty,
 * in `make check-long`).
 * The tables and columns are those that SQLite names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "db_rig.h"
#include "run/sample.h"

enum { INTERVALS = 3, SAMPLES = 12, POINTS = 5 };

static void put_intervals(struct db *db, char key[DB_KEY_TEXT])
{
	struct db_point point = db_rig_point(3);
	struct interval interval[INTERVALS] = { { { 10, 8 } }, { { 10, 1 } }, { { 5, 1 } } };

	point.config.interval.instructions = 10;
	db_rig_set_key(&point);
	point.stats.v[STAT_instructions] = 25;
	point.interval = interval;
	point.n_intervals = INTERVALS;
	db_rig_put(db, &point);
	memcpy(key, point.key, DB_KEY_TEXT);
}

/* Estimates with intervals (of misses) and without. */
static void put_samples(struct db *db, char key[DB_KEY_TEXT])
{
	struct db_point point = db_rig_point(4);
	struct interval sample[SAMPLES] = { 0 };

	point.config.sample.period = 100;
	point.config.sample.length = 10;
	point.trace.accesses = 1200;
	db_rig_set_key(&point);
	memset(&point.stats, 0, sizeof(point.stats));
	for (uint64_t i = 0; i < SAMPLES; i++) {
		const struct {
			enum stat_id stat;
			uint64_t value;
		} counts[] = {
			{ STAT_accesses, 10 },
			{ STAT_l1d_tlb_misses, 3 + i % 3 },
		};

		for (size_t k = 0; k < 2; k++) {
			sample[i].v[sample_count_of(counts[k].stat)] = counts[k].value;
			point.stats.v[counts[k].stat] += counts[k].value;
		}
	}
	point.stats.v[STAT_loads] = point.stats.v[STAT_accesses];
	point.stats.v[STAT_l1d_tlb_hits] =
		point.stats.v[STAT_accesses] - point.stats.v[STAT_l1d_tlb_misses];
	point.stats.v[STAT_l2_tlb_hits] = point.stats.v[STAT_l1d_tlb_misses];
	point.interval = sample;
	point.n_intervals = SAMPLES;
	db_rig_put(db, &point);
	memcpy(key, point.key, DB_KEY_TEXT);
}

/* Points of each kind; a sweep of them, and another in two parts, as from shards. */
static void make_database(void)
{
	struct db_point plain = db_rig_point(1), impossible = db_rig_point(2);
	char keys[POINTS][DB_KEY_TEXT];
	struct db_sweep sweep = { "whole", (const char(*)[DB_KEY_TEXT])keys, POINTS, 0, POINTS };
	struct db *db = db_rig_open(db_rig_path, DB_WRITE);
	struct diag diag = DIAG_INIT;
	uint64_t n;

	impossible.status = DB_POINT_IMPOSSIBLE;
	impossible.reason = "no such core";
	db_rig_put(db, &plain);
	db_rig_put(db, &impossible);
	memcpy(keys[0], plain.key, DB_KEY_TEXT);
	memcpy(keys[1], impossible.key, DB_KEY_TEXT);
	put_intervals(db, keys[2]);
	put_samples(db, keys[3]);
	snprintf(keys[4], DB_KEY_TEXT, "%032x", 5); /* not run yet */
	assert_int_equal(db_put_sweep(db, &sweep, &diag), STATUS_OK);
	sweep.name = "parts";
	sweep.end = 2;
	assert_int_equal(db_put_sweep(db, &sweep, &diag), STATUS_OK);
	db_close(db, NULL);
	db = db_rig_open(db_rig_other, DB_WRITE);
	sweep.first = 2;
	sweep.end = POINTS;
	assert_int_equal(db_put_sweep(db, &sweep, &diag), STATUS_OK);
	db_close(db, NULL);
	db = db_rig_open(db_rig_path, DB_WRITE);
	assert_int_equal(db_merge(db, db_rig_other, DB_MERGE_ALL, &n, &diag), STATUS_OK);
	db_close(db, NULL);
}

/* Text of column 0 of the rows of a query; rows[n] is NULL. */
struct rows {
	char *text[512];
	size_t n;
};

static struct rows ask(struct db *db, const char *query)
{
	struct rows rows = { 0 };
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(db_connection(db), query, -1, &statement, NULL),
			 SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		assert_true(rows.n < sizeof(rows.text) / sizeof(rows.text[0]));
		rows.text[rows.n++] = strdup((const char *)sqlite3_column_text(statement, 0));
	}
	sqlite3_finalize(statement);
	return rows;
}

static void forget(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->text[i]);
}

static size_t n_damages;

/* db_check() fails after `statement`, which is taken back. false: SQLite itself refuses it. */
static bool find_damage(struct db *db, const char *statement)
{
	sqlite3 *sql = db_connection(db);
	struct diag diag = DIAG_INIT;
	bool done;
	uint64_t n;

	assert_int_equal(sqlite3_exec(sql, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	done = sqlite3_exec(sql, statement, NULL, NULL, NULL) == SQLITE_OK;
	if (done && sqlite3_changes(sql) != 1)
		fail_msg("%s: changes %d rows", statement, sqlite3_changes(sql));
	if (done && db_check(db, &n, &diag) != STATUS_BAD_INPUT)
		fail_msg("%s: not noticed", statement);
	assert_int_equal(sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	n_damages += done;
	return done;
}

/* "UPDATE or DELETE ... WHERE the row with these keys" */
static bool damage_row(struct db *db, const char *what, const char *row)
{
	char statement[1024];

	snprintf(statement, sizeof(statement), "%s WHERE %s", what, row);
	return find_damage(db, statement);
}

static void damage_cell(struct db *db, const char *table, const char *column, const char *row,
			bool all)
{
	static const char *const values[] = {
		"CASE typeof(\"%1$s\") WHEN 'integer' THEN \"%1$s\" + 1 WHEN 'text' THEN "
		"\"%1$s\" || '1' ELSE 1 END",
		"\"%1$s\" + 1000003",
	};
	char what[512], value[256];
	sqlite3_stmt *query;
	int n;

	/* One more may be the key of the next row. */
	for (size_t i = 0; i < 2; i++) {
		snprintf(value, sizeof(value), values[i], column);
		snprintf(what, sizeof(what), "UPDATE \"%s\" SET \"%s\" = %s", table, column, value);
		if (damage_row(db, what, row))
			break;
		assert_int_equal(i, 0);
	}
	if (!all)
		return;
	snprintf(what, sizeof(what), "SELECT 1 FROM \"%s\" WHERE %s AND \"%s\" IS NULL", table, row,
		 column);
	assert_int_equal(sqlite3_prepare_v2(db_connection(db), what, -1, &query, NULL), SQLITE_OK);
	n = sqlite3_step(query);
	sqlite3_finalize(query);
	snprintf(what, sizeof(what), "UPDATE \"%s\" SET \"%s\" = NULL", table, column);
	if (n != SQLITE_ROW)
		damage_row(db, what, row);
}

static void damage_table(struct db *db, const char *table, bool all)
{
	char query[1024];
	struct rows columns, keys, rows;

	snprintf(query, sizeof(query), "SELECT name FROM pragma_table_info('%s')", table);
	columns = ask(db, query);
	/* An expression that names each row by its primary key. */
	snprintf(query, sizeof(query),
		 "SELECT group_concat('''\"' || name || '\" = '' || quote(\"' || name || '\")', "
		 "' || '' AND '' || ') FROM pragma_table_info('%s') WHERE pk > 0",
		 table);
	keys = ask(db, query);
	snprintf(query, sizeof(query), "SELECT %s FROM \"%s\"", keys.text[0], table);
	rows = ask(db, query);
	assert_true(rows.n >= 2);
	for (size_t i = 0; i < columns.n; i++)
		for (size_t k = 0; k < rows.n; k++)
			if (all || columns.n < 16 || k == i % rows.n)
				damage_cell(db, table, columns.text[i], rows.text[k], all);
	for (size_t k = 0; k < rows.n; k++) {
		snprintf(query, sizeof(query), "DELETE FROM \"%s\"", table);
		assert_true(damage_row(db, query, rows.text[k]));
	}
	/* A row more: of another key, or of another sweep. */
	snprintf(query, sizeof(query),
		 "CREATE TEMP TABLE more AS SELECT * FROM \"%s\" LIMIT 1;"
		 "UPDATE more SET \"%s\" = \"%s\" || '1';"
		 "INSERT INTO \"%s\" SELECT * FROM more",
		 table, columns.text[0], columns.text[0], table);
	assert_true(find_damage(db, query));
	forget(&columns);
	forget(&keys);
	forget(&rows);
}

static void every_cell_and_row(void **state)
{
	const char *lengthy = getenv("TWOSTAGE_LONG");
	struct diag diag = DIAG_INIT;
	struct rows tables;
	struct db *db;
	uint64_t n = 0;

	(void)state;
	make_database();
	db = db_rig_open(db_rig_path, DB_WRITE);
	if (db_check(db, &n, &diag) != STATUS_OK)
		fail_msg("%s", diag.text);
	assert_int_equal(n, POINTS - 1);
	/* Also what SQLite would not let in; nothing of it is to stay. */
	sqlite3_exec(db_connection(db),
		     "PRAGMA ignore_check_constraints = ON; PRAGMA journal_mode = MEMORY", NULL,
		     NULL, NULL);
	tables = ask(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1");
	assert_int_equal(tables.n, 7);
	for (size_t i = 0; i < tables.n; i++)
		damage_table(db, tables.text[i], lengthy && *lengthy);
	assert_true(n_damages > 600);
	forget(&tables);
	db_close(db, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_cell_and_row, db_rig_set_up,
						db_rig_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

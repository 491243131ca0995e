/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "db_rig.h"
#include "config/params.h"

struct seen {
	size_t n;
	uint64_t seeds[8];
	enum db_status last_status;
	char reason[64];
};

static enum exit_status note_point(void *ctx, const struct db_point *point, struct diag *diag)
{
	struct seen *seen = ctx;

	(void)diag;
	seen->seeds[seen->n++] = point->config.seed;
	seen->last_status = point->status;
	snprintf(seen->reason, sizeof(seen->reason), "%s", point->reason ? point->reason : "");
	assert_int_equal(point->trace.digest, UINT64_C(0xfedcba9876543210));
	assert_string_equal(point->trace.name, "t.s2t");
	return STATUS_OK;
}

static void keys(void **state)
{
	struct db_point a = db_rig_point(1), b = db_rig_point(2), moved = a;

	(void)state;
	assert_int_equal(strlen(a.key), DB_KEY_TEXT - 1);
	assert_string_not_equal(a.key, b.key);
	moved.trace.digest++;
	db_rig_set_key(&moved);
	assert_string_not_equal(a.key, moved.key);
	moved.trace.digest--;
	db_rig_set_key(&moved);
	assert_string_equal(a.key, moved.key);
}

static void round_trip(void **state)
{
	struct db_point point = db_rig_point(2), first = db_rig_point(1);
	struct diag diag = DIAG_INIT;
	struct seen seen = { 0 };
	struct db *db = db_rig_open(db_rig_path, DB_WRITE);
	uint64_t n_points;
	int found = 1;

	(void)state;
	assert_int_equal(db_has(db, point.key, &found, &diag), STATUS_OK);
	assert_int_equal(found, 0);
	db_rig_put(db, &point);
	db_rig_put(db, &point);
	first.status = DB_POINT_IMPOSSIBLE;
	first.reason = "such a core, it's \"odd\"";
	db_rig_put(db, &first);
	assert_int_equal(db_has(db, point.key, &found, &diag), STATUS_OK);
	assert_int_equal(found, 1);
	assert_int_equal(db_close(db, &diag), STATUS_OK);
	db = db_rig_open(db_rig_path, DB_READ);
	assert_int_equal(db_scan(db, note_point, &seen, &diag), STATUS_OK);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.seeds[0], 1);
	assert_int_equal(seen.seeds[1], 2);
	assert_int_equal(db_check(db, &n_points, &diag), STATUS_OK);
	assert_int_equal(n_points, 2);
	db_close(db, NULL);
}

static void sweeps_are_replaced(void **state)
{
	const char keys_of[2][DB_KEY_TEXT] = { "a", "b" };
	struct db_sweep sweep = { .name = "s", .keys = keys_of };
	struct db *db = db_rig_open(db_rig_path, DB_WRITE);
	sqlite3_stmt *query;

	(void)state;
	sweep.end = sweep.n_points = 2;
	assert_int_equal(db_put_sweep(db, &sweep, NULL), STATUS_OK);
	sweep.end = sweep.n_points = 1;
	sweep.keys++;
	assert_int_equal(db_put_sweep(db, &sweep, NULL), STATUS_OK);
	assert_int_equal(db_prepare(db, "SELECT count(*), max(key) FROM sweep", &query, NULL),
			 STATUS_OK);
	assert_int_equal(sqlite3_step(query), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(query, 0), 1);
	assert_string_equal((const char *)sqlite3_column_text(query, 1), "b");
	sqlite3_finalize(query);
	db_close(db, NULL);
}

/* The check finds what `statement` breaks. */
static void find_damage(const char *statement, const char *words)
{
	struct db_point point = db_rig_point(1);
	struct diag diag = DIAG_INIT;
	struct db *db;
	uint64_t n;

	unlink(db_rig_path);
	db = db_rig_open(db_rig_path, DB_WRITE);
	db_rig_put(db, &point);
	db_close(db, NULL);
	db_rig_execute(db_rig_path, statement);
	db = db_rig_open(db_rig_path, DB_READ);
	assert_int_equal(db_check(db, &n, &diag), STATUS_BAD_INPUT);
	if (!strstr(diag.text, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, words);
	db_close(db, NULL);
}

static void damage_is_found(void **state)
{
	(void)state;
	find_damage("UPDATE point SET seed = 9", "the key does not fit");
	find_damage("UPDATE point SET trace_digest = '0'", "the key does not fit");
	find_damage("UPDATE point SET engine = 'x'", "the key does not fit");
	find_damage("UPDATE point SET loads = 4", "accesses = fetches + loads + stores does not");
	find_damage("UPDATE point SET \"stage1.granule\" = '5K'", "4K, 16K or 64K");
}

/* Opening fails with `status` and `words`. */
static void refuse_open(const char *file, enum db_access access, enum exit_status status,
			const char *words)
{
	struct diag diag = DIAG_INIT;

	assert_null(db_open(file, access, &diag));
	assert_int_equal(diag.status, status);
	if (!strstr(diag.text, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, words);
}

static void strange_files(void **state)
{
	FILE *text;

	(void)state;
	refuse_open(db_rig_path, DB_READ, STATUS_NO_INPUT, "no such file");
	db_rig_execute(db_rig_path, "CREATE TABLE x (a)");
	refuse_open(db_rig_path, DB_READ, STATUS_BAD_INPUT, "not one of twostage's");
	refuse_open(db_rig_path, DB_WRITE, STATUS_BAD_INPUT, "not one of twostage's");
	unlink(db_rig_path);
	db_close(db_rig_open(db_rig_path, DB_WRITE), NULL);
	db_rig_execute(db_rig_path, "PRAGMA user_version = 99");
	refuse_open(db_rig_path, DB_WRITE, STATUS_BAD_INPUT, "schema version 99 is newer");
	db_rig_execute(db_rig_path, "PRAGMA user_version = 0");
	refuse_open(db_rig_path, DB_READ, STATUS_BAD_INPUT, "schema version 0 is older");
	db_rig_execute(db_rig_path,
		       "PRAGMA user_version = 3; ALTER TABLE point ADD COLUMN more INTEGER");
	refuse_open(db_rig_path, DB_READ, STATUS_BAD_INPUT, "another version of twostage");
	text = fopen(db_rig_path, "w");
	fputs("This is no database. It is longer than a header of one, though: 100 bytes, and a "
	      "few words more than that.",
	      text);
	fclose(text);
	refuse_open(db_rig_path, DB_READ, STATUS_BAD_INPUT, "not a database");
	unlink(db_rig_path);
	refuse_open("/nonexistent/x.db", DB_WRITE, STATUS_IO, "unable to open");
}

static void merging(void **state)
{
	struct db_point one = db_rig_point(1), two = db_rig_point(2);
	struct diag diag = DIAG_INIT;
	struct db *db = db_rig_open(db_rig_other, DB_WRITE);
	uint64_t n = 99;

	(void)state;
	db_rig_put(db, &one);
	db_rig_put(db, &two);
	db_close(db, NULL);
	db = db_rig_open(db_rig_path, DB_WRITE);
	db_rig_put(db, &one);
	assert_int_equal(db_merge(db, db_rig_other, DB_MERGE_ALL, &n, &diag), STATUS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(db_merge(db, db_rig_other, DB_MERGE_ALL, &n, &diag), STATUS_OK);
	assert_int_equal(n, 0);
	db_rig_execute(db_rig_other, "UPDATE point SET walks = 1 WHERE seed = 2;"
				     "DELETE FROM point WHERE seed = 1");
	assert_int_equal(db_merge(db, db_rig_other, DB_MERGE_ALL, &n, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "different results"));
	assert_non_null(strstr(diag.text, two.key));
	db_close(db, NULL);
}

/* ---- intervals ------------------------------------------------------------------------------ */

enum { INTERVALS = 3 };

/* A point of 25 instructions in intervals of 10. */
static struct db_point make_intervals(struct interval interval[INTERVALS])
{
	struct db_point point = db_rig_point(7);

	point.config.interval.instructions = 10;
	db_rig_set_key(&point);
	point.stats.v[STAT_instructions] = 25;
	memset(interval, 0, INTERVALS * sizeof(*interval));
	for (unsigned i = 0; i < INTERVALS; i++) {
		interval[i].v[0] = i < 2 ? 10 : 5;
		interval[i].v[1] = i == 0 ? 8 : 1; /* accesses */
	}
	point.interval = interval;
	point.n_intervals = INTERVALS;
	return point;
}

static enum exit_status note_interval(void *ctx, const struct db_interval *interval,
				      struct diag *diag)
{
	const struct interval *expected = ctx;

	(void)diag;
	assert_memory_equal(&interval->counts, &expected[interval->index], sizeof(*expected));
	assert_string_equal(interval->trace, "t.s2t");
	return STATUS_OK;
}

static void intervals(void **state)
{
	static const char *const damage[] = {
		"UPDATE intervals SET walks = 1 WHERE interval = 2",
		"DELETE FROM intervals WHERE interval = 2",
		"DELETE FROM intervals",
		"DELETE FROM point",
		"UPDATE intervals SET interval = 9 WHERE interval = 2",
	};
	struct interval interval[INTERVALS];
	struct db_point point = make_intervals(interval), plain = db_rig_point(1);
	struct diag diag = DIAG_INIT;
	struct db *db;
	uint64_t n;

	(void)state;
	db = db_rig_open(db_rig_other, DB_WRITE);
	db_rig_put(db, &point);
	db_rig_put(db, &point);
	db_rig_put(db, &plain);
	assert_int_equal(db_intervals_scan(db, note_interval, interval, &diag), STATUS_OK);
	db_close(db, NULL);
	db = db_rig_open(db_rig_path, DB_WRITE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(db_merge(db, db_rig_other, DB_MERGE_ALL, &n, &diag), STATUS_OK);
		assert_int_equal(n, i ? 0 : 2);
		assert_int_equal(db_intervals_scan(db, note_interval, interval, &diag), STATUS_OK);
		assert_int_equal(db_check(db, &n, &diag), STATUS_OK);
	}
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		db_rig_execute(db_rig_other, damage[i]);
		if (i == 0) {
			assert_int_equal(db_merge(db, db_rig_other, DB_MERGE_ALL, &n, &diag),
					 STATUS_BAD_INPUT);
			assert_non_null(strstr(diag.text, "different intervals of point"));
		}
		diag = (struct diag)DIAG_INIT;
		db_close(db, NULL);
		db = db_rig_open(db_rig_other, DB_WRITE);
		assert_int_equal(db_check(db, &n, &diag), STATUS_BAD_INPUT);
		assert_non_null(strstr(diag.text, "intervals do not add up"));
		db_close(db, NULL);
		unlink(db_rig_other);
		db = db_rig_open(db_rig_other, DB_WRITE);
		db_rig_put(db, &point);
		db_close(db, NULL);
		db = db_rig_open(db_rig_path, DB_WRITE);
	}
	db_close(db, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test_setup_teardown(round_trip, db_rig_set_up, db_rig_tear_down),
		cmocka_unit_test_setup_teardown(sweeps_are_replaced, db_rig_set_up,
						db_rig_tear_down),
		cmocka_unit_test_setup_teardown(damage_is_found, db_rig_set_up, db_rig_tear_down),
		cmocka_unit_test_setup_teardown(strange_files, db_rig_set_up, db_rig_tear_down),
		cmocka_unit_test_setup_teardown(merging, db_rig_set_up, db_rig_tear_down),
		cmocka_unit_test_setup_teardown(intervals, db_rig_set_up, db_rig_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

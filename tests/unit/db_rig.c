/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "db_rig.h"
#include "config/params.h"

char db_rig_path[64], db_rig_other[64];

int db_rig_set_up(void **state)
{
	(void)state;
	snprintf(db_rig_path, sizeof(db_rig_path), P_tmpdir "/test_db.%d.a", (int)getpid());
	snprintf(db_rig_other, sizeof(db_rig_other), P_tmpdir "/test_db.%d.b", (int)getpid());
	unlink(db_rig_path);
	unlink(db_rig_other);
	return 0;
}

int db_rig_tear_down(void **state)
{
	(void)state;
	unlink(db_rig_path);
	unlink(db_rig_other);
	return 0;
}

struct db *db_rig_open(const char *file, enum db_access access)
{
	struct diag diag = DIAG_INIT;
	struct db *db = db_open(file, access, &diag);

	if (!db)
		fail_msg("%s", diag.text);
	return db;
}

void db_rig_set_key(struct db_point *point)
{
	struct params_text *text = params_text_create();

	assert_non_null(text);
	db_key(text, &point->config, point->trace.digest, point->key);
	params_text_free(text);
}

struct db_point db_rig_point(uint64_t seed)
{
	struct db_point point = { .model = "m",
				  .trace = { "t.s2t", UINT64_C(0xfedcba9876543210), 10 } };
	struct diag diag = DIAG_INIT;

	assert_int_equal(params_defaults(&point.config, &diag), STATUS_OK);
	point.config.seed = seed;
	point.stats.v[STAT_accesses] = 10;
	point.stats.v[STAT_fetches] = 7;
	point.stats.v[STAT_l1i_tlb_hits] = 7;
	point.stats.v[STAT_loads] = 3;
	point.stats.v[STAT_l1d_tlb_hits] = 3;
	point.wall_micros = 5;
	db_rig_set_key(&point);
	return point;
}

void db_rig_put(struct db *db, const struct db_point *point)
{
	struct diag diag = DIAG_INIT;

	if (db_put(db, point, &diag) != STATUS_OK)
		fail_msg("%s", diag.text);
}

void db_rig_execute(const char *file, const char *statement)
{
	sqlite3 *sql;

	assert_int_equal(sqlite3_open(file, &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, statement, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sql);
}

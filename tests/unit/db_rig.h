/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the result database share: two files, and sound points. */
#ifndef TWOSTAGE_TESTS_DB_RIG_H
#define TWOSTAGE_TESTS_DB_RIG_H

#include <stdint.h>

#include "results/db.h"

extern char db_rig_path[64], db_rig_other[64]; /* not there at the begin of a test */

int db_rig_set_up(void **state);
int db_rig_tear_down(void **state);

struct db *db_rig_open(const char *file, enum db_access access);

/* A sound point that differs by `seed`. */
struct db_point db_rig_point(uint64_t seed);

/* After its configuration or trace was changed. */
void db_rig_set_key(struct db_point *point);

void db_rig_put(struct db *db, const struct db_point *point);

/* SQL, past the program. */
void db_rig_execute(const char *file, const char *statement);

#endif

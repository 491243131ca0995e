/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points read from a result database, or from what `twostage run --json` printed: all of them, or
 * those that a selector names.
 */
#ifndef TWOSTAGE_RESULTS_RESULT_SET_H
#define TWOSTAGE_RESULTS_RESULT_SET_H

#include <stddef.h>
#include <stdint.h>

#include "config/params.h"
#include "mmu/stats.h"
#include "results/db.h"

struct result_point {
	char key[DB_KEY_TEXT]; /* from a database; else empty */
	const char *model, *trace, *engine;
	uint64_t digest, accesses; /* of the trace */
	enum db_status status;
	struct stats stats;
	const char *text[PARAM_COUNT]; /* canonical */
	char *storage;		       /* of all texts */
};

struct result_set {
	char *path; /* without the selector */
	struct result_point *point;
	size_t n, room;
};

/*
 * `name`: PATH or PATH:SELECTOR. A selector is the beginning of a point's key (4 digits or more),
 * or terms NAME=VALUE with commas between, where NAME is a parameter, `model` or `trace`. A file
 * whose path has the colon in it wins. STATUS_BAD_INPUT also if no point is left. On failure
 * *set is empty; else result_set_free() it.
 */
enum exit_status result_set_load(struct result_set *set, const char *name, struct diag *diag);
void result_set_free(struct result_set *set);

/* Add a point with these parameters; its strings are copied. */
enum exit_status result_set_add(struct result_set *set, const struct db_point *point,
				struct diag *diag);

/* result_json.c: add the points of a file of JSON objects, one a line. */
enum exit_status result_set_read_json(struct result_set *set, struct diag *diag);

#endif

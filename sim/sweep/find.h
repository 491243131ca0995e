/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Thresholds by bisection: along one axis of a sweep, for each combination of all other settings,
 * two neighbouring values where a condition changes. Both ends are looked at first; a condition
 * that changes more than once gives one of its changes.
 */
#ifndef TWOSTAGE_SWEEP_FIND_H
#define TWOSTAGE_SWEEP_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "results/db.h"
#include "sweep/plan.h"

enum find_state {
	FIND_OPEN,	 /* not all is known that is needed */
	FIND_EDGE,	 /* low and high are neighbours, and it holds at one of them */
	FIND_ALWAYS,	 /* it holds at both ends; nothing between them was looked at */
	FIND_NEVER,	 /* it fails at both ends, likewise */
	FIND_FAILED,	 /* a point that was needed has failed */
	FIND_IMPOSSIBLE, /* no value of the axis gives a point that can be */
};

/* What is known of one point. */
struct find_probe {
	bool known, holds;
	bool has_value; /* false: impossible, or divided by 0; then it does not hold */
	double value;	/* of the expression to the left of the comparison */
};

/* One combination: its points that can be, in the order of the axis. */
struct find_search {
	size_t example; /* a point of the plan */
	size_t first;	/* of find->candidates */
	size_t n;
	size_t low, high; /* candidates at, or around, the change; counted from first */
	struct find_probe at_low, at_high;
	enum find_state state;
};

struct find;

/*
 * `axis`: "PARAM", an axis of the spec, its values in their order; or "PARAM=LO..HI[:STEP]", whole
 * numbers or bytes, or ":xFACTOR", where the spec has no such axis. `condition`: two expressions
 * (stat_expr.h) with <, <=, > or >= between them. The axis becomes the last of each grid of `plan`,
 * which is loaded, not expanded, and must outlive the result. NULL on failure.
 */
struct find *find_create(struct plan *plan, const char *axis, const char *condition,
			 struct diag *diag);
void find_free(struct find *find); /* may be NULL */

/* After plan_expand(): the searches. Points that cannot be are left out of them. */
enum exit_status find_begin(struct find *find, struct diag *diag);

/* Does the condition depend on statistics? Else find_begin() has found all. */
bool find_needs_run(const struct find *find);

/* Next point to run, or SWEEP_NONE: for sweep_options.pick. */
size_t find_pick(struct find *find);

/* Point `index` was run, as `db` has it; not there: it has failed. */
enum exit_status find_settle(struct find *find, size_t index, struct db *db, struct diag *diag);

const struct param *find_param(const struct find *find);
const struct find_search *find_searches(const struct find *find, size_t *n);
/* Point of the plan of a search's candidate. */
size_t find_point(const struct find *find, const struct find_search *search, size_t candidate);
/* Points of the plan that are no candidates. */
size_t find_impossible(const struct find *find);

/* find_axis.c: makes `axis` the last of each grid; *param: what it varies. */
enum exit_status find_axis(struct plan *plan, const char *axis, const struct param **param,
			   struct diag *diag);

#endif

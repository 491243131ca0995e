/* SPDX-License-Identifier: BSD-2-Clause */
/* How points of a sweep stand in a table of its `print:`, and what the database has for them. */
#ifndef TWOSTAGE_CLI_SWEEP_LAYOUT_H
#define TWOSTAGE_CLI_SWEEP_LAYOUT_H

#include <stdbool.h>

#include "sweep/plan_tables.h"

enum { NO_POINT = -1 };

/*
 * The lines of a table in one direction, each a tuple of texts. Values of a key keep the order in
 * which the plan first has them; the first key varies slowest.
 */
struct axis {
	const struct plan_key *keys;
	size_t n_keys, n;
	char **texts; /* n * n_keys */
};

/* Which point each cell shows. */
struct layout {
	const struct plan *plan;
	const struct plan_table *table;
	struct axis rows, columns;
	long *points; /* row by row: index into plan->points, or NO_POINT */
};

/*
 * STATUS_BAD_INPUT for a table whose rows and columns do not tell its points apart, or that has
 * none. layout_free() it in any case.
 */
enum exit_status layout_make(struct layout *layout, const struct plan *plan,
			     const struct plan_table *table, struct diag *diag);
void layout_free(struct layout *layout);

/* What the database has for one point of the plan. */
struct result {
	bool found;
	char *reason; /* NULL: it was run */
	struct stats stats;
};

struct results {
	const struct plan *plan;
	size_t *by_key;	   /* points of the plan, sorted by key */
	struct result *of; /* by point of the plan */
};

/* results_free() it in any case. */
enum exit_status results_load(struct results *results, const struct plan *plan,
			      const char *database, struct diag *diag);
void results_free(struct results *results);

#endif

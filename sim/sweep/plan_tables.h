/* SPDX-License-Identifier: BSD-2-Clause */
/* `print:` of a sweep spec: the tables that the sweep ends with (docs/config.md). */
#ifndef TWOSTAGE_SWEEP_PLAN_TABLES_H
#define TWOSTAGE_SWEEP_PLAN_TABLES_H

#include <stdbool.h>

#include "results/stat_expr.h"
#include "sweep/plan.h"

enum { PLAN_KEYS_MAX = 6, PLAN_VALUES_MAX = 16 };

/* What tells points apart: a parameter, the model or the trace. */
struct plan_key {
	enum { PLAN_KEY_PARAM, PLAN_KEY_MODEL, PLAN_KEY_TRACE } kind;
	const struct param *param; /* PLAN_KEY_PARAM */
	const char *name;	   /* as written */
};

/* Only points whose `key` reads as one of the texts. */
struct plan_filter {
	struct plan_key key;
	char **texts; /* canonical */
	size_t n_texts;
};

struct plan_value {
	const char *name;
	struct stat_expr *expr;
	unsigned digits; /* behind the decimal point */
};

struct plan_table {
	const char *title;
	struct plan_key rows[PLAN_KEYS_MAX], columns[PLAN_KEYS_MAX];
	struct plan_filter filters[PLAN_KEYS_MAX];
	struct plan_value values[PLAN_VALUES_MAX];
	size_t n_rows, n_columns, n_filters, n_values; /* n_columns may be 0 */
	const struct yaml_node *node;		       /* of the spec, for messages */
};

/* Read them into plan->tables; the models of the plan are loaded. */
enum exit_status plan_read_tables(struct plan *plan, struct diag *diag);
void plan_free_tables(struct plan *plan);

/* How a point reads under a key. The text of a trace is its file name without suffix. */
void plan_key_text(const struct plan *plan, const struct plan_point *point,
		   const struct plan_key *key, char text[PARAM_TEXT_MAX]);

/* Does the table show the point? */
bool plan_table_takes(const struct plan *plan, const struct plan_table *table,
		      const struct plan_point *point);

#endif

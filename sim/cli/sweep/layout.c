/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep/layout.h"

#include <stdlib.h>
#include <string.h>

#include "results/db.h"

enum { AXIS_MAX = 10 * 1000 };

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* ---- layout --------------------------------------------------------------------------------- */

static void axis_free(struct axis *axis)
{
	for (size_t i = 0; i < axis->n * axis->n_keys; i++)
		free(axis->texts[i]);
	free(axis->texts);
}

void layout_free(struct layout *layout)
{
	axis_free(&layout->rows);
	axis_free(&layout->columns);
	free(layout->points);
}

/* Append a line with copies of `texts`. */
static enum exit_status axis_add(struct axis *axis, char (*texts)[PARAM_TEXT_MAX],
				 struct diag *diag)
{
	char **grown;

	if (axis->n == AXIS_MAX)
		return diag_set(diag, STATUS_BAD_INPUT, "print: a table of more than %d lines",
				AXIS_MAX);
	grown = reallocarray(axis->texts, (axis->n + 1) * axis->n_keys + 1, sizeof(*grown));
	if (!grown)
		return no_memory(diag);
	axis->texts = grown;
	grown += axis->n++ * axis->n_keys;
	memset(grown, 0, axis->n_keys * sizeof(*grown));
	for (size_t i = 0; i < axis->n_keys; i++) {
		grown[i] = strdup(texts[i]);
		if (!grown[i])
			return no_memory(diag);
	}
	return STATUS_OK;
}

/* The line on which a point stands, made at its first use. */
static enum exit_status axis_place(struct axis *axis, const struct plan *plan,
				   const struct plan_point *point, size_t *line, struct diag *diag)
{
	char texts[PLAN_KEYS_MAX][PARAM_TEXT_MAX];

	for (size_t i = 0; i < axis->n_keys; i++)
		plan_key_text(plan, point, &axis->keys[i], texts[i]);
	/* Neighbours of the plan mostly share a line: look from the end. */
	for (*line = axis->n; (*line)-- > 0;) {
		size_t i = 0;

		while (i < axis->n_keys &&
		       strcmp(axis->texts[*line * axis->n_keys + i], texts[i]) == 0)
			i++;
		if (i == axis->n_keys)
			return STATUS_OK;
	}
	*line = axis->n;
	return axis_add(axis, texts, diag);
}

/* A line while it is sorted. */
struct line {
	size_t ranks[PLAN_KEYS_MAX]; /* for each key, the first line with the same text */
	char **texts;
};

static int compare_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	for (size_t i = 0; i < PLAN_KEYS_MAX; i++)
		if (x->ranks[i] != y->ranks[i])
			return x->ranks[i] < y->ranks[i] ? -1 : 1;
	return 0;
}

static size_t rank_of(const struct axis *axis, size_t line, size_t key)
{
	size_t first = 0;

	while (strcmp(axis->texts[first * axis->n_keys + key],
		      axis->texts[line * axis->n_keys + key]) != 0)
		first++;
	return first;
}

static enum exit_status axis_sort(struct axis *axis, struct diag *diag)
{
	struct line *lines = calloc(axis->n + 1, sizeof(*lines));
	char **sorted = calloc(axis->n * axis->n_keys + 1, sizeof(*sorted));

	if (!lines || !sorted) {
		free(lines);
		free(sorted);
		return no_memory(diag);
	}
	for (size_t i = 0; i < axis->n; i++) {
		lines[i].texts = &axis->texts[i * axis->n_keys];
		for (size_t k = 0; k < axis->n_keys; k++)
			lines[i].ranks[k] = rank_of(axis, i, k);
	}
	qsort(lines, axis->n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < axis->n; i++)
		for (size_t k = 0; k < axis->n_keys; k++)
			sorted[i * axis->n_keys + k] = lines[i].texts[k];
	free(lines);
	free(axis->texts);
	axis->texts = sorted;
	return STATUS_OK;
}

/* Two points in one cell: say which, for the spec has to name what tells them apart. */
static enum exit_status ambiguous(const struct layout *layout, size_t a, size_t b,
				  struct diag *diag)
{
	const struct plan *plan = layout->plan;
	char one[300], other[300];

	plan_describe(plan, &plan->points[a], one, sizeof(one));
	plan_describe(plan, &plan->points[b], other, sizeof(other));
	return yaml_tree_error(plan->spec, layout->table->node, diag,
			       "'%.80s': one cell for both (%s) and (%s); name what tells them "
			       "apart in rows, columns or where",
			       layout->table->title, one, other);
}

/* First pass: the lines. */
static enum exit_status layout_lines(struct layout *layout, struct diag *diag)
{
	const struct plan *plan = layout->plan;
	enum exit_status status = STATUS_OK;
	size_t line;

	for (size_t i = 0; status == STATUS_OK && i < plan->n_points; i++) {
		if (!plan_table_takes(plan, layout->table, &plan->points[i]))
			continue;
		status = axis_place(&layout->rows, plan, &plan->points[i], &line, diag);
		if (status == STATUS_OK)
			status = axis_place(&layout->columns, plan, &plan->points[i], &line, diag);
	}
	if (status == STATUS_OK && layout->rows.n == 0)
		status =
			yaml_tree_error(plan->spec, layout->table->node, diag,
					"'%.80s' has no point of this sweep", layout->table->title);
	return status;
}

/* Second pass: the points. */
static enum exit_status layout_points(struct layout *layout, struct diag *diag)
{
	const struct plan *plan = layout->plan;
	enum exit_status status = STATUS_OK;
	size_t row, column;

	layout->points = calloc(layout->rows.n * layout->columns.n, sizeof(*layout->points));
	if (!layout->points)
		return no_memory(diag);
	for (size_t i = 0; i < layout->rows.n * layout->columns.n; i++)
		layout->points[i] = NO_POINT;
	for (size_t i = 0; status == STATUS_OK && i < plan->n_points; i++) {
		long *cell;

		if (!plan_table_takes(plan, layout->table, &plan->points[i]))
			continue;
		axis_place(&layout->rows, plan, &plan->points[i], &row, diag);
		axis_place(&layout->columns, plan, &plan->points[i], &column, diag);
		cell = &layout->points[row * layout->columns.n + column];
		if (*cell != NO_POINT)
			status = ambiguous(layout, (size_t)*cell, i, diag);
		*cell = (long)i;
	}
	return status;
}

enum exit_status layout_make(struct layout *layout, const struct plan *plan,
			     const struct plan_table *table, struct diag *diag)
{
	enum exit_status status;

	*layout = (struct layout){
		.plan = plan,
		.table = table,
		.rows = { .keys = table->rows, .n_keys = table->n_rows },
		.columns = { .keys = table->columns, .n_keys = table->n_columns },
	};
	status = layout_lines(layout, diag);
	if (status == STATUS_OK)
		status = axis_sort(&layout->rows, diag);
	if (status == STATUS_OK)
		status = axis_sort(&layout->columns, diag);
	return status == STATUS_OK ? layout_points(layout, diag) : status;
}

/* ---- results -------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b, void *ctx)
{
	const struct plan_point *points = ctx;

	return strcmp(points[*(const size_t *)a].key, points[*(const size_t *)b].key);
}

static enum exit_status take_result(void *ctx, const struct db_point *point, struct diag *diag)
{
	struct results *results = ctx;
	size_t low = 0, high = results->plan->n_points;
	struct result *result;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const char *key = results->plan->points[results->by_key[middle]].key;

		if (strcmp(key, point->key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == results->plan->n_points ||
	    strcmp(results->plan->points[results->by_key[low]].key, point->key) != 0)
		return STATUS_OK;
	result = &results->of[results->by_key[low]];
	result->found = true;
	result->stats = point->stats;
	if (point->status == DB_POINT_OK)
		return STATUS_OK;
	result->reason = strdup(point->reason);
	return result->reason ? STATUS_OK : no_memory(diag);
}

void results_free(struct results *results)
{
	for (size_t i = 0; results->of && i < results->plan->n_points; i++)
		free(results->of[i].reason);
	free(results->of);
	free(results->by_key);
}

enum exit_status results_load(struct results *results, const struct plan *plan,
			      const char *database, struct diag *diag)
{
	struct db *db;
	enum exit_status status;

	*results = (struct results){
		.plan = plan,
		.by_key = calloc(plan->n_points + 1, sizeof(*results->by_key)),
		.of = calloc(plan->n_points + 1, sizeof(*results->of)),
	};
	if (!results->by_key || !results->of)
		return no_memory(diag);
	for (size_t i = 0; i < plan->n_points; i++)
		results->by_key[i] = i;
	qsort_r(results->by_key, plan->n_points, sizeof(*results->by_key), compare_keys,
		plan->points);
	db = db_open(database, DB_READ, diag);
	if (!db)
		return diag->status;
	status = db_scan(db, take_result, results, diag);
	return db_close(db, diag) != STATUS_OK && status == STATUS_OK ? STATUS_IO : status;
}

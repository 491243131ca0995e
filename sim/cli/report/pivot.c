/* SPDX-License-Identifier: BSD-2-Clause */
/* How the report's figures choose points and lay them out. */
#include <stdlib.h>
#include <string.h>

#include "cli/report/report.h"
#include "config/params.h"

static bool is_axis(const struct selection *selection, const char *key)
{
	for (const char *const *axis = selection->axes; *axis; axis++) {
		if (strcmp(*axis, key) == 0)
			return true;
	}
	return false;
}

static bool same_setting(const struct selection *selection, const char *key, size_t row)
{
	return strcmp(point_text(selection->points, row, key),
		      point_text(selection->points, selection->first, key)) == 0;
}

/* How a trace is sampled may differ from trace to trace (sweep --confidence). */
static bool is_sampling(const char *key)
{
	return strncmp(key, "sample.", strlen("sample.")) == 0;
}

/* Equal to the first point in all but axes and samples. */
static bool same_settings(const struct selection *selection, size_t row)
{
	bool same = same_setting(selection, "model", row);

	for (size_t i = 0; i < PARAM_COUNT && same; i++) {
		if (!is_axis(selection, params[i].key) && !is_sampling(params[i].key))
			same = same_setting(selection, params[i].key, row);
	}
	return same;
}

static bool same_text(const struct points *points, const char *key, size_t a, size_t b)
{
	return strcmp(point_text(points, a, key), point_text(points, b, key)) == 0;
}

/* Sampled as the first point of its trace. */
static bool same_samples(const struct selection *selection, size_t row)
{
	const struct points *points = selection->points;
	size_t first = 0;
	bool same = true;

	while (first < row &&
	       !(same_text(points, "trace_digest", first, row) && same_settings(selection, first)))
		first++;
	for (size_t i = 0; i < PARAM_COUNT && same; i++) {
		if (is_sampling(params[i].key) && !is_axis(selection, params[i].key))
			same = same_text(points, params[i].key, first, row);
	}
	return same;
}

bool selection_takes(struct selection *selection, size_t row)
{
	bool same;

	if (selection->first == SIZE_MAX)
		selection->first = row;
	same = same_settings(selection, row) && same_samples(selection, row);
	if (!same)
		selection->left_out++;
	return same;
}

void pivot_put(struct pivot *pivot, unsigned order, const char *panel, const char *label,
	       size_t column, size_t point)
{
	struct pivot_row *row;
	size_t i = 0;

	while (i < pivot->n_rows &&
	       (strcmp(pivot->row[i].panel, panel) != 0 || strcmp(pivot->row[i].label, label) != 0))
		i++;
	if (i == pivot->n_rows) {
		row = realloc(pivot->row, (i + 1) * sizeof(*row));
		if (!row) {
			pivot->failed = true;
			return;
		}
		pivot->row = row;
		row += i;
		pivot->n_rows++;
		row->order = order;
		snprintf(row->panel, sizeof(row->panel), "%s", panel);
		snprintf(row->label, sizeof(row->label), "%s", label);
		for (size_t c = 0; c < sizeof(row->point) / sizeof(row->point[0]); c++)
			row->point[c] = SIZE_MAX;
	}
	if (pivot->row[i].point[column] == SIZE_MAX)
		pivot->row[i].point[column] = point;
}

/* Numbers as numbers and before names; sizes such as 2M by their letter's weight do not occur. */
static int compare_labels(const char *a, const char *b)
{
	char *end_a, *end_b;
	double x = strtod(a, &end_a);
	double y = strtod(b, &end_b);

	if (!*end_a && !*end_b)
		return x < y ? -1 : x > y;
	return strcmp(a, b);
}

static int compare_rows(const void *a, const void *b)
{
	const struct pivot_row *x = a;
	const struct pivot_row *y = b;
	int order = strcmp(x->panel, y->panel);

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return order ? order : compare_labels(x->label, y->label);
}

void pivot_sort(struct pivot *pivot)
{
	if (pivot->n_rows)
		qsort(pivot->row, pivot->n_rows, sizeof(*pivot->row), compare_rows);
}

void pivot_free(struct pivot *pivot)
{
	free(pivot->row);
	memset(pivot, 0, sizeof(*pivot));
}

void pivot_reasons(const struct pivot_row *row, const struct points *points, size_t n_columns,
		   struct table *table)
{
	char text[900] = "";

	for (size_t i = 0; i < n_columns; i++) {
		const char *reason;
		size_t used = strlen(text);

		if (row->point[i] == SIZE_MAX || point_ok(points, row->point[i]))
			continue;
		reason = point_reason(points, row->point[i]);
		if (!strstr(text, reason))
			snprintf(text + used, sizeof(text) - used, "%s%s", used ? "; " : "",
				 reason);
	}
	table_text(table, "%s", text);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double median(double *value, size_t n)
{
	qsort(value, n, sizeof(*value), compare_doubles);
	return n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2;
}

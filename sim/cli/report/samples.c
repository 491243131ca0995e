/* SPDX-License-Identifier: BSD-2-Clause */
/* Confidence intervals of points that were sampled: columns behind the others of a figure's table.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/report/report.h"
#include "run/sample_estimate.h"

static bool is_sampled(const struct points *points, size_t row)
{
	double period = 0;

	return point_number(points, row, "sample.period", &period) && period > 0;
}

bool pivot_sampled(const struct pivot *pivot, const struct points *points, size_t n_columns)
{
	for (size_t r = 0; r < pivot->n_rows; r++)
		for (size_t c = 0; c < n_columns; c++)
			if (pivot->row[r].point[c] != SIZE_MAX &&
			    is_sampled(points, pivot->row[r].point[c]))
				return true;
	return false;
}

/* The samples of a point as one array, to be freed; NULL: there are none. */
static struct interval *samples_of(const struct points *points, size_t row, size_t *n)
{
	struct interval *sample;
	size_t first = 0;

	*n = 0;
	while (first < points->n_intervals && points->interval[first].row != row)
		first++;
	while (first + *n < points->n_intervals && points->interval[first + *n].row == row)
		++*n;
	sample = *n ? calloc(*n, sizeof(*sample)) : NULL;
	for (size_t i = 0; sample && i < *n; i++)
		sample[i] = points->interval[first + i].counts;
	return sample;
}

static unsigned count_named(const char *name)
{
	unsigned i = 0;

	while (i < INTERVAL_COUNTS && strcmp(stat_rows[interval_counts[i]].name, name) != 0)
		i++;
	return i;
}

static struct sample_ratio ratio_of(const struct points *points, size_t row, const char *above,
				    const char *below)
{
	const unsigned a = count_named(above), b = count_named(below);
	struct sample_ratio ratio = { 0 };
	struct interval *sample;
	double accesses = 0;
	size_t n;

	if (!is_sampled(points, row) || a == INTERVAL_COUNTS || b == INTERVAL_COUNTS ||
	    !point_number(points, row, "trace_accesses", &accesses))
		return ratio;
	sample = samples_of(points, row, &n);
	if (sample)
		ratio = sample_ratio(sample, n, a, b,
				     sample_fraction(sample, n, (uint64_t)accesses));
	free(sample);
	return ratio;
}

void samples_heads(struct table *table, size_t first, size_t n_columns)
{
	for (size_t c = 0; c < n_columns; c++) {
		table_head(table, "low %s", table->head[first + c]);
		table_head(table, "high %s", table->head[first + c]);
	}
}

void samples_cells(const struct pivot_row *row, const struct points *points, size_t n_columns,
		   struct point_rate rate, struct table *table)
{
	for (size_t c = 0; c < n_columns; c++) {
		struct sample_ratio ratio = { 0 };
		double low;

		if (row->point[c] != SIZE_MAX)
			ratio = ratio_of(points, row->point[c], rate.above, rate.below);
		low = ratio.value - ratio.half_width;
		table_number(table, ratio.known, low > 0 ? low * rate.scale : 0);
		table_number(table, ratio.known, (ratio.value + ratio.half_width) * rate.scale);
	}
}

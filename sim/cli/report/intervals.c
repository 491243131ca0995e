/* SPDX-License-Identifier: BSD-2-Clause */
/* Intervals of points, and the figure over time. */
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/report/report.h"

/* Rows of a trace in the table and points of its curve; more intervals are joined. */
enum { ROWS_MAX = 400, PER_INSTRUCTIONS = 1000 };

/* What the figure has of each interval, a rate; the first of them are drawn. */
static const struct {
	const char *head;
	enum stat_id stat;
} rates[] = {
	{ "L2 TLB misses", STAT_l2_tlb_misses },
	{ "stage-2 faults", STAT_s2_faults },
	{ "walk cycles", STAT_walk_cycles },
	{ "software cycles", STAT_software_cycles },
};

enum { RATES = sizeof(rates) / sizeof(rates[0]) };

enum exit_status points_add_interval(void *ctx, const struct db_interval *interval,
				     struct diag *diag)
{
	struct points *points = ctx;
	struct point_interval *grown;
	size_t row = points->n_intervals ? points->interval[points->n_intervals - 1].row : 0;

	/* Those of one point come one after the other. */
	if (points->n_rows && strcmp(point_text(points, row, "key"), interval->key) != 0)
		for (row = 0; row < points->n_rows; row++)
			if (strcmp(point_text(points, row, "key"), interval->key) == 0)
				break;
	if (row == points->n_rows)
		return STATUS_OK;
	if ((points->n_intervals & (points->n_intervals - 1)) == 0) {
		const size_t room = points->n_intervals ? 2 * points->n_intervals : 1;

		grown = realloc(points->interval, room * sizeof(*grown));
		if (!grown)
			return diag_set(diag, STATUS_INTERNAL, "out of memory");
		points->interval = grown;
	}
	points->interval[points->n_intervals++] =
		(struct point_interval){ .row = row, .counts = interval->counts };
	return STATUS_OK;
}

static unsigned count_of(enum stat_id stat)
{
	unsigned i = 0;

	while (interval_counts[i] != stat)
		i++;
	return i;
}

/* Intervals first to end - 1, as one row each `join` of them. The end of each is its place. */
static void add_rows(const struct points *points, size_t first, size_t end, const char *trace,
		     struct table *table)
{
	const size_t join = (end - first + ROWS_MAX - 1) / ROWS_MAX;
	double instructions = 0;

	for (size_t at = first; at < end; at += join) {
		struct interval sum = { 0 };

		for (size_t i = at; i < end && i < at + join; i++)
			for (unsigned k = 0; k < INTERVAL_COUNTS; k++)
				sum.v[k] += points->interval[i].counts.v[k];
		instructions += (double)sum.v[0];
		table_text(table, "%s", trace);
		table_number(table, true, instructions / 1e6);
		for (size_t r = 0; r < RATES; r++)
			table_number(table, sum.v[0] > 0,
				     PER_INSTRUCTIONS * (double)sum.v[count_of(rates[r].stat)] /
					     (double)sum.v[0]);
	}
}

/* "xz: median 0.1, at most 5 at 3.5 million" of rows first to end - 1. */
static void describe(const struct table *table, size_t first, size_t end, FILE *out)
{
	double *value = calloc(end - first, sizeof(*value));
	size_t highest = first;

	if (!value)
		return;
	for (size_t r = first; r < end; r++) {
		table_value(table, r, 2, &value[r - first]);
		if (value[r - first] > value[highest - first])
			highest = r;
	}
	fputs(" <b>", out);
	html_text(out, table_cell(table, first, 0));
	fprintf(out, "</b>: at most %s, before %s million", table_cell(table, highest, 2),
		table_cell(table, highest, 1));
	fprintf(out, ", median %.4g.", median(value, end - first));
	free(value);
}

void figure_over_time(const struct points *points, struct table *table, FILE *finding)
{
	static const char *const axes[] = { NULL };
	struct selection selection = { points, axes, SIZE_MAX, 0 };
	size_t end;

	table_head(table, "trace");
	table_head(table, "million instructions");
	for (size_t r = 0; r < RATES; r++)
		table_head(table, "%s", rates[r].head);
	fprintf(finding, "L2 TLB misses per %d instructions.", PER_INSTRUCTIONS);
	for (size_t i = 0; i < points->n_intervals; i = end) {
		const size_t row = points->interval[i].row, before = table_rows(table);
		double sampled = 0;
		char trace[64];

		for (end = i; end < points->n_intervals && points->interval[end].row == row; end++)
			;
		point_number(points, row, "sample.period", &sampled);
		if (sampled > 0 || !selection_takes(&selection, row))
			continue;
		add_rows(points, i, end, point_trace(points, row, trace, sizeof(trace)), table);
		if (!table->failed)
			describe(table, before, table_rows(table), finding);
	}
	if (selection.left_out)
		fprintf(finding, " %s with other settings %s not shown.",
			output_count(selection.left_out, "point", "points").text,
			selection.left_out == 1 ? "is" : "are");
}

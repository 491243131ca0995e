/* SPDX-License-Identifier: BSD-2-Clause */
/* The intervals of a run, as text and JSON. */
#include <inttypes.h>
#include <string.h>

#include "cli/output.h"

void output_json_intervals(FILE *out, const struct interval_table *intervals)
{
	fputc('[', out);
	for (uint64_t i = 0; i < intervals->n; i++) {
		fprintf(out, "%s{\"interval\":%" PRIu64, i ? "," : "", i);
		for (unsigned k = 0; k < INTERVAL_COUNTS; k++)
			fprintf(out, ",\"%s\":%" PRIu64, stat_rows[interval_counts[k]].name,
				intervals->row[i].v[k]);
		fputc('}', out);
	}
	fputc(']', out);
}

/* Wide enough for its head and for any count that a run of hours comes to. */
static int width_of(unsigned count)
{
	const int head = (int)strlen(stat_rows[interval_counts[count]].name);

	return head > 12 ? head : 12;
}

void output_intervals(FILE *out, const struct interval_table *intervals)
{
	if (!intervals->n)
		return;
	fprintf(out, "Intervals\n  %8s", "interval");
	for (unsigned k = 0; k < INTERVAL_COUNTS; k++)
		fprintf(out, " %*s", width_of(k), stat_rows[interval_counts[k]].name);
	fputc('\n', out);
	for (uint64_t i = 0; i < intervals->n; i++) {
		fprintf(out, "  %8" PRIu64, i);
		for (unsigned k = 0; k < INTERVAL_COUNTS; k++)
			fprintf(out, " %*" PRIu64, width_of(k), intervals->row[i].v[k]);
		fputc('\n', out);
	}
}

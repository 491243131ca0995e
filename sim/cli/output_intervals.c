/* SPDX-License-Identifier: BSD-2-Clause */
/* The intervals or samples of a run, as text and JSON. */
#include <inttypes.h>
#include <string.h>

#include "cli/output.h"
#include "run/sample_estimate.h"

void output_json_intervals(FILE *out, const char *name, const struct interval_table *intervals)
{
	fputc('[', out);
	for (uint64_t i = 0; i < intervals->n; i++) {
		fprintf(out, "%s{\"%s\":%" PRIu64, i ? "," : "", name, i);
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

void output_json_estimates(FILE *out, const struct interval_table *samples, uint64_t accesses)
{
	const char *comma = "";

	fputc('{', out);
	for (unsigned k = 0; k < INTERVAL_COUNTS; k++) {
		const struct sample_estimate e =
			sample_estimate(samples->row, samples->n, k, accesses);

		if (!sample_is_estimated(k))
			continue;
		fprintf(out, "%s\"%s\":{\"total\":%" PRIu64, comma,
			stat_rows[interval_counts[k]].name, e.total);
		comma = ",";
		if (e.known)
			fprintf(out, ",\"low\":%" PRIu64 ",\"high\":%" PRIu64 "}", e.low, e.high);
		else
			fputs(",\"low\":null,\"high\":null}", out);
	}
	fputc('}', out);
}

void output_estimates(FILE *out, const struct interval_table *samples, uint64_t accesses)
{
	fprintf(out,
		"The statistics above are those of %" PRIu64
		" samples, %.3g %% of the accesses. The whole trace:\n"
		"  %-20s %18s %18s %18s %9s\n",
		samples->n, 100 * sample_fraction(samples->row, samples->n, accesses), "",
		"estimate", "95 %: from", "to", "+-");
	for (unsigned k = 0; k < INTERVAL_COUNTS; k++) {
		const struct sample_estimate e =
			sample_estimate(samples->row, samples->n, k, accesses);

		if (!sample_is_estimated(k))
			continue;
		fprintf(out, "  %-20s %18" PRIu64, stat_rows[interval_counts[k]].name, e.total);
		if (e.known)
			fprintf(out, " %18" PRIu64 " %18" PRIu64 " %8.2f%%\n", e.low, e.high,
				e.total ? 50 * (double)(e.high - e.low) / (double)e.total : 0.0);
		else
			fprintf(out, " %18s %18s %9s\n", "-", "-", "too few");
	}
}

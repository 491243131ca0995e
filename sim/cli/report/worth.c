/* SPDX-License-Identifier: BSD-2-Clause */
/* Figures of what backing and block rule are worth on each trace. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/report.h"

enum { BITS_4K = 12, BITS_2M = 21, BITS_1G = 30 };

/*
 * Below so many walks the cycles of a trace say which table lines were cold, not what a walk costs
 * (docs/model.md, M9): such a trace is in figure and table, but in no sentence about cycles.
 */
enum { MIN_WALKS = 1000 };

static bool granules_4k(const struct points *points, size_t row)
{
	return point_granule_bits(points, row, "stage1.granule") == BITS_4K &&
	       point_granule_bits(points, row, "stage2.granule") == BITS_4K;
}

static bool rule_is(const struct points *points, size_t row, const char *rule)
{
	return strcmp(point_text(points, row, "host.block_rule"), rule) == 0;
}

static const char *guest_panel(const struct points *points, size_t row, char buffer[64])
{
	char size[16];

	snprintf(buffer, 64, "guest pages %s",
		 size_name(point_page_bits(points, row, "guest.pages"), size));
	return buffer;
}

/* A change in per cent to one decimal, without the sign of a nought. */
static double tenths(double percent)
{
	double rounded = round(percent * 10) / 10;

	return rounded == 0 ? 0 : rounded;
}

/* The columns that one comparison reads. */
struct change {
	size_t column, against;
	size_t walks, walks_against; /* number of walks of both; 0: every trace counts */
};

struct spread {
	double lowest, highest;
	const char *low_trace, *high_trace;
	size_t n, left_out;
};

static bool enough_walks(const struct table *table, size_t row, const struct change *change)
{
	double walks, against;

	if (!change->walks)
		return true;
	return table_value(table, row, change->walks, &walks) && walks >= MIN_WALKS &&
	       table_value(table, row, change->walks_against, &against) && against >= MIN_WALKS;
}

static void collect_changes(const struct table *table, const char *panel,
			    const struct change *change, double *percents, struct spread *spread)
{
	for (size_t r = 0; r < table_rows(table); r++) {
		double value, base, percent;

		if (strcmp(table_cell(table, r, 0), panel) != 0 ||
		    !table_value(table, r, change->column, &value) ||
		    !table_value(table, r, change->against, &base) || base <= 0)
			continue;
		if (!enough_walks(table, r, change)) {
			spread->left_out++;
			continue;
		}
		percent = tenths(100 * (value - base) / base);
		if (spread->n == 0 || percent < spread->lowest) {
			spread->lowest = percent;
			spread->low_trace = table_cell(table, r, 1);
		}
		if (spread->n == 0 || percent > spread->highest) {
			spread->highest = percent;
			spread->high_trace = table_cell(table, r, 1);
		}
		percents[spread->n++] = percent;
	}
}

static void describe_spread(const struct spread *spread, double *percents, FILE *out)
{
	const char *plural = spread->n == 1 ? "" : "s";

	if (spread->n == 0) {
		fputs("a figure that no trace gives", out);
	} else if (spread->highest == spread->lowest) {
		fprintf(out, "<b>%+.1f %%</b> on %zu trace%s", spread->highest, spread->n, plural);
	} else {
		fprintf(out, "<b>%+.1f %%</b> in the median of %zu trace%s, from %+.1f %% on ",
			median(percents, spread->n), spread->n, plural, spread->lowest);
		html_text(out, spread->low_trace);
		fprintf(out, " to %+.1f %% on ", spread->highest);
		html_text(out, spread->high_trace);
	}
	if (spread->left_out)
		fprintf(out, " (%zu with fewer than %d walks left out)", spread->left_out,
			MIN_WALKS);
}

/* Over the rows of a panel: median and extremes. */
static void describe_change(const struct table *table, const char *panel, struct change change,
			    FILE *out)
{
	double *percents = calloc(table_rows(table) + 1, sizeof(*percents));
	struct spread spread = { 0 };

	if (percents)
		collect_changes(table, panel, &change, percents, &spread);
	describe_spread(&spread, percents, out);
	free(percents);
}

/* ---- by backing --------------------------------------------------------------------------- */

static size_t backing_column(unsigned bits)
{
	return bits == BITS_4K ? 0 : bits == BITS_2M ? 1 : bits == BITS_1G ? 2 : 3;
}

/* Mapped as backed, walk caches on. */
static bool backing_candidate(const struct points *points, size_t row)
{
	unsigned backing = point_page_bits(points, row, "host.backing");

	return point_ok(points, row) && !point_uncached(points, row) && granules_4k(points, row) &&
	       backing_column(backing) < 3 && point_leaf_bits(points, row) == backing;
}

/* False: no point has 1G blocks, so there is no IPA size to compare at. */
static bool collect_backing(const struct points *points, struct pivot *pivot)
{
	static const char *const axes[] = { "guest.pages", "host.backing", "host.block_rule",
					    NULL };
	struct selection selection = { points, axes, SIZE_MAX, 0 };
	char panel[64], trace[64];

	for (size_t row = 0; row < points->n_rows && selection.first == SIZE_MAX; row++) {
		if (backing_candidate(points, row) && point_leaf_bits(points, row) == BITS_1G)
			selection.first = row;
	}
	for (size_t row = 0; row < points->n_rows && selection.first != SIZE_MAX; row++) {
		if (!backing_candidate(points, row) || !selection_takes(&selection, row))
			continue;
		pivot_put(pivot, point_page_bits(points, row, "guest.pages"),
			  guest_panel(points, row, panel),
			  point_trace(points, row, trace, sizeof(trace)),
			  backing_column(point_page_bits(points, row, "host.backing")), row);
	}
	pivot_sort(pivot);
	return selection.first != SIZE_MAX;
}

/* One table row of three ratios for each statistic; L1 misses are of both L1 TLBs. */
static void backing_values(const struct pivot_row *row, const struct points *points,
			   const char *stat, const char *second, struct table *table)
{
	for (size_t c = 0; c < 3; c++) {
		double value = 0, more = 0;
		bool known = row->point[c] != SIZE_MAX &&
			     point_ratio(points, row->point[c], stat, "accesses", 1000, &value);

		if (known && second)
			known = point_ratio(points, row->point[c], second, "accesses", 1000, &more);
		table_number(table, known, value + more);
	}
}

static void walk_counts(const struct pivot_row *row, const struct points *points,
			struct table *table)
{
	for (size_t c = 0; c < 3; c++) {
		double value = 0;
		bool known = row->point[c] != SIZE_MAX &&
			     point_number(points, row->point[c], "walks", &value);

		table_number(table, known, value);
	}
}

/* A cell for each of the row's first n points. */
static void reads_per_walk(const struct pivot_row *row, const struct points *points, size_t n,
			   struct table *table)
{
	for (size_t c = 0; c < n; c++) {
		double value = 0;
		bool known = row->point[c] != SIZE_MAX &&
			     point_ratio(points, row->point[c], "walk_reads", "walks", 1, &value);

		table_number(table, known, value);
	}
}

static void backing_table(const struct points *points, struct table *table, bool misses)
{
	static const char *const size[3] = { "4K", "2M", "1G" };
	const char *const stat = misses ? "l2_tlb_misses" : "walk_cycles";
	struct pivot pivot = { 0 };
	bool sampled;

	if (!collect_backing(points, &pivot)) {
		pivot_free(&pivot);
		return;
	}
	sampled = pivot_sampled(&pivot, points, 3);
	table_head(table, "guest");
	table_head(table, "trace");
	for (size_t c = 0; c < 3; c++)
		table_head(table, "%s backing", size[c]);
	for (size_t c = 0; c < 3; c++) {
		if (misses)
			table_head(table, "L1 misses at %s", size[c]);
		else
			table_head(table, "reads per walk at %s", size[c]);
	}
	for (size_t c = 0; c < 3 && !misses; c++)
		table_head(table, "walks at %s", size[c]);
	if (sampled)
		samples_heads(table, 2, 3);
	for (size_t r = 0; r < pivot.n_rows; r++) {
		const struct pivot_row *row = &pivot.row[r];

		table_text(table, "%s", row->panel);
		table_text(table, "%s", row->label);
		backing_values(row, points, stat, NULL, table);
		if (misses) {
			backing_values(row, points, "l1d_tlb_misses", "l1i_tlb_misses", table);
		} else {
			reads_per_walk(row, points, 3, table);
			walk_counts(row, points, table);
		}
		if (sampled)
			samples_cells(row, points, 3, (struct point_rate){ stat, "accesses", 1000 },
				      table);
	}
	table->failed |= pivot.failed;
	pivot_free(&pivot);
}

static void describe_backing(const struct table *table, bool misses, FILE *finding)
{
	/* walks are in columns 8 to 10 of the table of cycles */
	const size_t w[3] = { misses ? 0 : 8, misses ? 0 : 9, misses ? 0 : 10 };

	for (size_t r = 0; r < table_rows(table); r++) {
		const char *panel = table_cell(table, r, 0);

		if (r > 0 && strcmp(panel, table_cell(table, r - 1, 0)) == 0)
			continue;
		fprintf(finding, "%s<b>%s:</b> 2M backing in place of 4K changes %s by ",
			r ? " " : "", panel, misses ? "L2 TLB misses" : "walk cycles");
		describe_change(table, panel, (struct change){ 3, 2, w[1], w[0] }, finding);
		fputs("; 1G in place of 4K by ", finding);
		describe_change(table, panel, (struct change){ 4, 2, w[2], w[0] }, finding);
		fputs("; 1G in place of 2M by ", finding);
		describe_change(table, panel, (struct change){ 4, 3, w[2], w[1] }, finding);
		fputc('.', finding);
	}
}

void figure_backing_misses(const struct points *points, struct table *table, FILE *finding)
{
	backing_table(points, table, true);
	describe_backing(table, true, finding);
	fputs(" An entry covers no more than the smaller of the two leaves.", finding);
}

void figure_backing_cycles(const struct points *points, struct table *table, FILE *finding)
{
	backing_table(points, table, false);
	describe_backing(table, false, finding);
}

/* ---- by block rule ------------------------------------------------------------------------ */

static void leaf_cell(const struct points *points, size_t point, struct table *table)
{
	char size[16];

	if (point == SIZE_MAX || !point_ok(points, point))
		table_text(table, "%s", "");
	else
		table_text(table, "%s", size_name(point_leaf_bits(points, point), size));
}

/* IPA sizes at which a rule maps 1G, as the first of them; NULL: none. */
static const char *first_with_1g(const struct table *table, size_t leaf_column)
{
	for (size_t r = 0; r < table_rows(table); r++) {
		if (strcmp(table_cell(table, r, leaf_column), "1G") == 0)
			return table_cell(table, r, 0);
	}
	return NULL;
}

static void describe_pud(const struct table *table, FILE *out)
{
	static const char *const rule[2] = { "v10", "relaxed" };

	for (size_t c = 0; c < 2; c++) {
		const char *ipa = first_with_1g(table, 3 + c);

		fprintf(out, "%s<b>%s</b> maps 1G blocks ", c ? ", " : "", rule[c]);
		if (ipa)
			fprintf(out, "from IPA %s on", ipa);
		else
			fputs("at none of these IPA sizes", out);
	}
	fputc('.', out);
	for (size_t r = 0; r < table_rows(table); r++) {
		const char *ipa = table_cell(table, r, 0);

		if (strcmp(ipa, "40") != 0 && strcmp(ipa, "44") != 0)
			continue;
		fprintf(out, " At IPA %s an uncached walk reads", ipa);
		for (size_t c = 0; c < 2; c++) {
			const char *reads = table_cell(table, r, 1 + c);
			const char *leaf = table_cell(table, r, 3 + c);

			fprintf(out, "%s <b>%s</b> descriptors under %s", c ? "," : "",
				*reads ? reads : "(no point)", rule[c]);
			if (*leaf)
				fprintf(out, " (%s leaves)", leaf);
		}
		fputc('.', out);
	}
}

void figure_pud_reads(const struct points *points, struct table *table, FILE *finding)
{
	struct selection selection = { points, report_ipa_axes, SIZE_MAX, 0 };
	struct pivot pivot = { 0 };

	for (size_t row = 0; row < points->n_rows; row++) {
		size_t column = rule_is(points, row, "v10")	  ? 0
				: rule_is(points, row, "relaxed") ? 1
								  : 2;

		if (!point_uncached(points, row) || !granules_4k(points, row) || column == 2 ||
		    point_page_bits(points, row, "guest.pages") != BITS_4K ||
		    point_page_bits(points, row, "host.backing") != BITS_1G ||
		    !selection_takes(&selection, row))
			continue;
		pivot_put(&pivot, 0, "", point_text(points, row, "stage2.ipa_bits"), column, row);
	}
	pivot_sort(&pivot);
	if (pivot.n_rows) {
		table_head(table, "IPA bits");
		table_head(table, "v10");
		table_head(table, "relaxed");
		table_head(table, "v10 leaves");
		table_head(table, "relaxed leaves");
		table_head(table, "gaps");
	}
	for (size_t r = 0; r < pivot.n_rows; r++) {
		const struct pivot_row *row = &pivot.row[r];

		table_text(table, "%s", row->label);
		reads_per_walk(row, points, 2, table);
		leaf_cell(points, row->point[0], table);
		leaf_cell(points, row->point[1], table);
		pivot_reasons(row, points, 2, table);
	}
	table->failed |= pivot.failed;
	pivot_free(&pivot);
	describe_pud(table, finding);
}

/* v10 at IPA 40, v10 at IPA 44, relaxed at IPA 40; 3: none of these. */
static size_t worth_column(const struct points *points, size_t row)
{
	double ipa = 0;

	point_number(points, row, "stage2.ipa_bits", &ipa);
	if (rule_is(points, row, "v10"))
		return ipa == 40 ? 0 : ipa == 44 ? 1 : 3;
	return rule_is(points, row, "relaxed") && ipa == 40 ? 2 : 3;
}

static void worth_table(struct pivot *pivot, const struct points *points, struct table *table)
{
	const bool sampled = pivot_sampled(pivot, points, 3);

	if (!pivot->n_rows)
		return;
	table_head(table, "guest");
	table_head(table, "trace");
	table_head(table, "v10 at IPA 40");
	table_head(table, "v10 at IPA 44");
	table_head(table, "relaxed at IPA 40");
	table_head(table, "relaxed 40 against v10 40 (%%)");
	table_head(table, "relaxed 40 against v10 44 (%%)");
	table_head(table, "walks, v10 40");
	table_head(table, "walks, v10 44");
	table_head(table, "walks, relaxed 40");
	if (sampled)
		samples_heads(table, 2, 3);
	for (size_t r = 0; r < pivot->n_rows; r++) {
		const struct pivot_row *row = &pivot->row[r];
		double value[3] = { 0 };
		bool known[3];

		table_text(table, "%s", row->panel);
		table_text(table, "%s", row->label);
		for (size_t c = 0; c < 3; c++) {
			known[c] = row->point[c] != SIZE_MAX &&
				   point_ratio(points, row->point[c], "walk_cycles", "accesses",
					       1000, &value[c]);
			table_number(table, known[c], value[c]);
		}
		for (size_t c = 0; c < 2; c++) {
			bool both = known[c] && known[2] && value[c] > 0;
			double percent = both ? 100 * (value[2] - value[c]) / value[c] : 0;

			table_number(table, both, tenths(percent));
		}
		walk_counts(row, points, table);
		if (sampled)
			samples_cells(row, points, 3,
				      (struct point_rate){ "walk_cycles", "accesses", 1000 },
				      table);
	}
	table->failed |= pivot->failed;
}

void figure_pud_worth(const struct points *points, struct table *table, FILE *finding)
{
	static const char *const axes[] = { "guest.pages", "stage2.ipa_bits", "host.block_rule",
					    "host.backing", NULL };
	struct selection selection = { points, axes, SIZE_MAX, 0 };
	struct pivot pivot = { 0 };
	char panel[64], trace[64];

	for (size_t row = 0; row < points->n_rows; row++) {
		size_t column = worth_column(points, row);

		if (!point_ok(points, row) || point_uncached(points, row) ||
		    !granules_4k(points, row) || column == 3 ||
		    point_page_bits(points, row, "host.backing") != BITS_1G ||
		    !selection_takes(&selection, row))
			continue;
		pivot_put(&pivot, point_page_bits(points, row, "guest.pages"),
			  guest_panel(points, row, panel),
			  point_trace(points, row, trace, sizeof(trace)), column, row);
	}
	pivot_sort(&pivot);
	worth_table(&pivot, points, table);
	pivot_free(&pivot);
	for (size_t r = 0; r < table_rows(table); r++) {
		const char *name = table_cell(table, r, 0);

		if (r > 0 && strcmp(name, table_cell(table, r - 1, 0)) == 0)
			continue;
		fprintf(finding, "%s<b>%s:</b> the relaxed rule at IPA 40 changes walk cycles by ",
			r ? " " : "", name);
		describe_change(table, name, (struct change){ 4, 2, 9, 7 }, finding);
		fputs(" against v10 at the same size; by ", finding);
		describe_change(table, name, (struct change){ 4, 3, 9, 8 }, finding);
		fputs(" against v10 with the IPA size raised to 44.", finding);
	}
}

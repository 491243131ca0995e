/* SPDX-License-Identifier: BSD-2-Clause */
/* Figures against IPA size, and the list of all figures. */
#include <string.h>

#include "cli/report/report.h"

enum { GRANULES = 3 };

const char *const report_ipa_axes[] = { "stage1.granule",  "stage2.granule",
					"stage1.va_bits",  "stage2.ipa_bits",
					"guest.pages",	   "host.backing",
					"host.block_rule", NULL };

const struct figure report_figures[] = {
	{ .name = "walk-reads",
	  .title = "Descriptor reads of an uncached walk against IPA size, by granule",
	  .needs = "walk_cache.s1.entries = walk_cache.s2.entries = 0, guest.pages: base, "
		   "host.backing: base and pmd, equal granules of both stages",
	  .collect = figure_walk_reads,
	  .script = "lines.gp",
	  .panels = true,
	  .axis = "reads per walk",
	  .series = 3 },
	{ .name = "walk-cycles",
	  .title = "Cycles of a walk, walk caches on, against IPA size, by granule",
	  .needs = "walk caches on, guest.pages: base, host.backing: base, equal granules of both "
		   "stages, several IPA sizes",
	  .collect = figure_walk_cycles,
	  .script = "lines.gp",
	  .panels = true,
	  .axis = "cycles per walk",
	  .series = 3 },
	{ .name = "backing-misses",
	  .title = "TLB misses by stage-2 backing",
	  .needs = "walk caches on, 4K granules, one IPA size at which host.backing 4K, 2M and 1G "
		   "are each mapped as asked",
	  .collect = figure_backing_misses,
	  .script = "dots.gp",
	  .panels = true,
	  .axis = "L2 TLB misses per 1000 accesses",
	  .series = 3 },
	{ .name = "backing-cycles",
	  .title = "Walk cycles by stage-2 backing",
	  .needs = "the same points as the figure before",
	  .collect = figure_backing_cycles,
	  .script = "dots.gp",
	  .panels = true,
	  .axis = "walk cycles per 1000 accesses",
	  .series = 3 },
	{ .name = "pud-reads",
	  .title = "Where 1G blocks can be mapped: 1G backing, 4K granule, uncached walk",
	  .needs = "walk_cache.s1.entries = walk_cache.s2.entries = 0, 4K granules, guest.pages: "
		   "base, host.backing: 1G, host.block_rule: v10 and relaxed",
	  .collect = figure_pud_reads,
	  .script = "steps.gp",
	  .axis = "reads per walk",
	  .series = 2 },
	{ .name = "pud-worth",
	  .title = "What the 1G blocks are worth on each trace: 1G backing, walk caches on",
	  .needs = "walk caches on, 4K granules, host.backing: 1G, host.block_rule: v10 at IPA 40 "
		   "and 44, relaxed at IPA 40",
	  .collect = figure_pud_worth,
	  .script = "dots.gp",
	  .panels = true,
	  .axis = "walk cycles per 1000 accesses",
	  .series = 3 },
	{ .name = "over-time",
	  .title = "Over the instructions of each trace",
	  .needs = "interval.instructions, all other settings equal",
	  .collect = figure_over_time,
	  .script = "time.gp",
	  .panels = true,
	  .axis = "per 1000 instructions",
	  .series = 2 },
};

const size_t report_figure_count = sizeof(report_figures) / sizeof(report_figures[0]);

/* Column of a point whose two stages have the same granule; GRANULES: they differ. */
static size_t granule_column(const struct points *points, size_t row)
{
	unsigned bits = point_granule_bits(points, row, "stage2.granule");

	if (bits != point_granule_bits(points, row, "stage1.granule"))
		return GRANULES;
	return bits == 12 ? 0 : bits == 14 ? 1 : bits == 16 ? 2 : GRANULES;
}

static bool is_base(const struct points *points, size_t row, const char *key, const char *granule)
{
	return point_page_bits(points, row, key) == point_granule_bits(points, row, granule);
}

static void granule_table(struct pivot *pivot, const struct points *points, struct table *table,
			  const char *first, const char *above)
{
	static const char *const name[GRANULES] = { "4K", "16K", "64K" };
	const bool sampled = pivot_sampled(pivot, points, GRANULES);

	if (!pivot->n_rows)
		return;
	pivot_sort(pivot);
	table_head(table, "%s", first);
	table_head(table, "IPA bits");
	for (size_t c = 0; c < GRANULES; c++)
		table_head(table, "%s granule", name[c]);
	table_head(table, "gaps");
	if (sampled)
		samples_heads(table, 2, GRANULES);
	for (size_t r = 0; r < pivot->n_rows; r++) {
		const struct pivot_row *row = &pivot->row[r];

		table_text(table, "%s", row->panel);
		table_text(table, "%s", row->label);
		for (size_t c = 0; c < GRANULES; c++) {
			double value = 0;
			bool known = row->point[c] != SIZE_MAX &&
				     point_ratio(points, row->point[c], above, "walks", 1, &value);

			table_number(table, known, value);
		}
		pivot_reasons(row, points, GRANULES, table);
		if (sampled)
			samples_cells(row, points, GRANULES,
				      (struct point_rate){ above, "walks", 1 }, table);
	}
	table->failed |= pivot->failed;
}

/* "19 (IPA 36 to 42), 24 (44 to 52)" of one column of one panel. False: no values there. */
static bool describe_steps(const struct table *table, const char *panel, size_t column, FILE *out)
{
	double value, held = -1;
	const char *last = "";
	const char *start = "";
	size_t runs = 0;

	for (size_t r = 0; r <= table_rows(table); r++) {
		bool in = r < table_rows(table) && strcmp(table_cell(table, r, 0), panel) == 0 &&
			  table_value(table, r, column, &value);

		if (r < table_rows(table) && !in)
			continue;
		if (held >= 0 && (!in || value != held)) {
			fprintf(out, "%s%.4g (IPA %s", runs++ ? ", " : "", held, start);
			fprintf(out, start == last ? ")" : " to %s)", last);
			held = -1;
		}
		if (!in)
			break;
		if (held < 0)
			start = table_cell(table, r, 1);
		held = value;
		last = table_cell(table, r, 1);
	}
	return runs > 0;
}

void figure_walk_reads(const struct points *points, struct table *table, FILE *finding)
{
	static const char *const panel[2] = { "stage 2 in pages", "stage 2 in level-2 blocks" };
	struct selection selection = { points, report_ipa_axes, SIZE_MAX, 0 };
	struct pivot pivot = { 0 };

	for (size_t row = 0; row < points->n_rows; row++) {
		size_t column = granule_column(points, row);
		unsigned granule = point_granule_bits(points, row, "stage2.granule");
		unsigned backing = point_page_bits(points, row, "host.backing");

		if (!point_uncached(points, row) || column == GRANULES ||
		    !is_base(points, row, "guest.pages", "stage1.granule") ||
		    (backing != granule && backing != 2 * granule - 3) ||
		    !selection_takes(&selection, row))
			continue;
		pivot_put(&pivot, backing != granule, panel[backing != granule],
			  point_text(points, row, "stage2.ipa_bits"), column, row);
	}
	granule_table(&pivot, points, table, "mapping", "walk_reads");
	pivot_free(&pivot);
	fputs("Descriptors read by one walk without walk caches.", finding);
	for (size_t p = 0; p < 2; p++) {
		for (size_t c = 2; c < 2 + GRANULES && table->n_columns; c++) {
			fprintf(finding, "%s", c == 2 ? " In " : "; ");
			if (c == 2)
				fprintf(finding, "%s: ", p ? "level-2 blocks" : "pages");
			fprintf(finding, "%s ", table->head[c]);
			if (!describe_steps(table, panel[p], c, finding))
				fputs("none", finding);
		}
		fputc('.', finding);
	}
}

/* Smallest and largest IPA size at which both granules of a panel have a value. */
static void describe_cycles(const struct table *table, size_t first, size_t end, FILE *out)
{
	double low = 0, high = 0, other = 0;
	const char *low_ipa = NULL;
	const char *high_ipa = NULL;
	size_t last = first;

	for (size_t r = first; r < end; r++) {
		double value;

		if (!table_value(table, r, 2, &value))
			continue;
		if (!low_ipa) {
			low_ipa = table_cell(table, r, 1);
			low = value;
		}
		high_ipa = table_cell(table, r, 1);
		high = value;
		last = r;
	}
	if (!low_ipa || low_ipa == high_ipa)
		return;
	fputs(" <b>", out);
	html_text(out, table_cell(table, first, 0));
	fprintf(out,
		"</b>: a walk through 4K tables takes %.1f cycles at IPA %s and %.1f at IPA %s "
		"(%+.1f %%)",
		low, low_ipa, high, high_ipa, 100 * (high - low) / low);
	if (table_value(table, last, 4, &other))
		fprintf(out, ", through 64K tables %.1f there", other);
	fputc('.', out);
}

/* Rows of the panel of row `first`. */
static size_t panel_rows(const struct pivot *pivot, size_t first)
{
	size_t n = 1;

	while (first + n < pivot->n_rows &&
	       strcmp(pivot->row[first + n].panel, pivot->row[first].panel) == 0)
		n++;
	return n;
}

/* A trace that was run at one or few of the IPA sizes makes no line: keep panels with half of the
 * most. */
static void drop_short_panels(struct pivot *pivot)
{
	size_t most = 0, kept = 0, n;

	pivot_sort(pivot);
	for (size_t r = 0; r < pivot->n_rows; r += n) {
		n = panel_rows(pivot, r);
		if (n > most)
			most = n;
	}
	for (size_t r = 0; r < pivot->n_rows; r += n) {
		n = panel_rows(pivot, r);
		if (n < 2 || 2 * n <= most)
			continue;
		memmove(&pivot->row[kept], &pivot->row[r], n * sizeof(*pivot->row));
		kept += n;
	}
	pivot->n_rows = kept;
}

void figure_walk_cycles(const struct points *points, struct table *table, FILE *finding)
{
	struct selection selection = { points, report_ipa_axes, SIZE_MAX, 0 };
	struct pivot pivot = { 0 };
	char trace[64];
	size_t first = 0;

	for (size_t row = 0; row < points->n_rows; row++) {
		size_t column = granule_column(points, row);

		if (point_uncached(points, row) || column == GRANULES ||
		    !is_base(points, row, "guest.pages", "stage1.granule") ||
		    !is_base(points, row, "host.backing", "stage2.granule") ||
		    !selection_takes(&selection, row))
			continue;
		pivot_put(&pivot, 0, point_trace(points, row, trace, sizeof(trace)),
			  point_text(points, row, "stage2.ipa_bits"), column, row);
	}
	drop_short_panels(&pivot);
	granule_table(&pivot, points, table, "trace", "walk_cycles");
	pivot_free(&pivot);
	for (size_t r = 1; r <= table_rows(table); r++) {
		if (r < table_rows(table) &&
		    strcmp(table_cell(table, r, 0), table_cell(table, first, 0)) == 0)
			continue;
		describe_cycles(table, first, r, finding);
		first = r;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep/tables.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/report/report.h"
#include "cli/sweep/layout.h"

enum { CELL_MAX = 64 };

/* Reasons of impossible points of one table, each once. */
struct notes {
	const char **texts;
	size_t n;
};

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

enum exit_status sweep_tables_check(const struct plan *plan, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < plan->n_tables; i++) {
		struct layout layout;

		status = layout_make(&layout, plan, &plan->tables[i], diag);
		layout_free(&layout);
	}
	return status;
}

/* ---- cells ---------------------------------------------------------------------------------- */

/* 1, 2, ... of a reason; 0: out of memory. */
static size_t note_number(struct notes *notes, const char *reason)
{
	const char **grown;

	for (size_t i = 0; i < notes->n; i++)
		if (strcmp(notes->texts[i], reason) == 0)
			return i + 1;
	grown = reallocarray(notes->texts, notes->n + 1, sizeof(*grown));
	if (!grown)
		return 0;
	notes->texts = grown;
	grown[notes->n++] = reason;
	return notes->n;
}

/* The number that a cell shows, or, if it has none, what stands there in a text. False: none. */
static bool cell_text(const struct layout *layout, const struct results *results,
		      struct notes *notes, size_t row, size_t column, char text[CELL_MAX])
{
	const struct plan_table *table = layout->table;
	const long point = layout->points[row * layout->columns.n + column / table->n_values];
	const struct plan_value *shown = &table->values[column % table->n_values];
	const struct result *result;
	struct config config;
	double value;

	*text = '\0';
	if (point == NO_POINT)
		return false;
	result = &results->of[point];
	if (!result->found) {
		strcpy(text, "?");
		return false;
	}
	if (result->reason) {
		snprintf(text, CELL_MAX, "(%zu)", note_number(notes, result->reason));
		return false;
	}
	plan_config(layout->plan, &layout->plan->points[point], &config);
	if (!stat_expr_value(shown->expr, &config, &result->stats, &value)) {
		strcpy(text, "-");
		return false;
	}
	snprintf(text, CELL_MAX, "%.*f", (int)shown->digits, value);
	return true;
}

/* "stage2.ipa_bits host.backing": texts of one line, or its keys' names when `line` is n. */
static void join(const struct axis *axis, size_t line, FILE *out)
{
	for (size_t i = 0; i < axis->n_keys; i++)
		fprintf(out, "%s%s", i ? " " : "",
			line == axis->n ? axis->keys[i].name
					: axis->texts[line * axis->n_keys + i]);
}

/* ---- CSV and JSON --------------------------------------------------------------------------- */

/* As a table of the report: one head a column. Cells without a number are empty. */
static enum exit_status fill_table(const struct layout *layout, const struct results *results,
				   struct notes *notes, struct table *table, struct diag *diag)
{
	const struct plan_table *wanted = layout->table;
	const size_t n_columns = layout->columns.n * wanted->n_values;
	char text[CELL_MAX];

	for (size_t i = 0; i < wanted->n_rows; i++)
		table_head(table, "%s", wanted->rows[i].name);
	for (size_t i = 0; i < n_columns; i++) {
		char *group = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&group, &size);

		if (!out)
			return no_memory(diag);
		join(&layout->columns, i / wanted->n_values, out);
		fclose(out);
		table_head(table, "%s%s%s", group, *group ? " " : "",
			   wanted->values[i % wanted->n_values].name);
		free(group);
	}
	for (size_t row = 0; row < layout->rows.n; row++) {
		for (size_t i = 0; i < wanted->n_rows; i++)
			table_text(table, "%s", layout->rows.texts[row * wanted->n_rows + i]);
		for (size_t i = 0; i < n_columns; i++)
			table_text(table, "%s",
				   cell_text(layout, results, notes, row, i, text) ? text : "");
	}
	return table->failed ? no_memory(diag) : STATUS_OK;
}

static void write_json(const struct plan_table *wanted, const struct table *table,
		       const struct notes *notes, FILE *out)
{
	fputs("{\"title\":", out);
	output_json_string(out, wanted->title);
	fprintf(out, ",\"keys\":%zu,\"head\":[", wanted->n_rows);
	for (size_t i = 0; i < table->n_columns; i++) {
		fputs(i ? "," : "", out);
		output_json_string(out, table->head[i]);
	}
	fputs("],\"rows\":[", out);
	for (size_t i = 0; i < table->n_cells; i++) {
		const size_t column = i % table->n_columns;

		fputs(column ? "," : i ? ",[" : "[", out);
		if (column < wanted->n_rows)
			output_json_string(out, table->cell[i]);
		else
			fputs(*table->cell[i] ? table->cell[i] : "null", out);
		fputs(column + 1 == table->n_columns ? "]" : "", out);
	}
	fputs("],\"impossible\":[", out);
	for (size_t i = 0; i < notes->n; i++) {
		fputs(i ? "," : "", out);
		output_json_string(out, notes->texts[i]);
	}
	fputs("]}", out);
}

/* ---- text ----------------------------------------------------------------------------------- */

static size_t longer(size_t width, const char *text)
{
	const size_t n = strlen(text);

	return n > width ? n : width;
}

/* Widths of all columns: of the keys, then of the values. */
static size_t *measure(const struct layout *layout, const struct results *results,
		       struct notes *notes, char **groups)
{
	const struct plan_table *table = layout->table;
	const size_t n_columns = layout->columns.n * table->n_values;
	size_t *widths = calloc(table->n_rows + n_columns, sizeof(*widths));
	char text[CELL_MAX];

	for (size_t i = 0; widths && i < table->n_rows; i++) {
		widths[i] = strlen(table->rows[i].name);
		for (size_t row = 0; row < layout->rows.n; row++)
			widths[i] = longer(widths[i], layout->rows.texts[row * table->n_rows + i]);
	}
	for (size_t i = 0; widths && i < n_columns; i++) {
		size_t *width = &widths[table->n_rows + i];

		*width = strlen(table->values[i % table->n_values].name);
		for (size_t row = 0; row < layout->rows.n; row++) {
			cell_text(layout, results, notes, row, i, text);
			*width = longer(*width, text);
		}
		/* The last column of a group makes room for the group's head. */
		if ((i + 1) % table->n_values == 0) {
			size_t all = 2 * (table->n_values - 1);

			for (size_t k = 0; k < table->n_values; k++)
				all += width[-(ptrdiff_t)k];
			if (all < strlen(groups[i / table->n_values]))
				*width += strlen(groups[i / table->n_values]) - all;
		}
	}
	return widths;
}

/* The line above the values' names: what each group of columns stands for. */
static void write_groups(const struct layout *layout, const size_t *widths, char **groups,
			 FILE *out)
{
	const struct plan_table *table = layout->table;

	for (size_t i = 0; i < table->n_rows; i++)
		fprintf(out, "%*s", (int)widths[i] + 2, "");
	for (size_t group = 0; group < layout->columns.n; group++) {
		const size_t *width = &widths[table->n_rows + group * table->n_values];
		size_t all = 2 * (table->n_values - 1);

		for (size_t k = 0; k < table->n_values; k++)
			all += width[k];
		fprintf(out, "%*s%s", (int)all, groups[group],
			group + 1 < layout->columns.n ? "  " : "");
	}
	fputc('\n', out);
}

static void write_rows(const struct layout *layout, const struct results *results,
		       struct notes *notes, const size_t *widths, FILE *out)
{
	const struct plan_table *table = layout->table;
	const size_t n_columns = layout->columns.n * table->n_values;
	char text[CELL_MAX];

	for (size_t i = 0; i < table->n_rows; i++)
		fprintf(out, "%-*s  ", (int)widths[i], table->rows[i].name);
	for (size_t i = 0; i < n_columns; i++)
		fprintf(out, "%*s%s", (int)widths[table->n_rows + i],
			table->values[i % table->n_values].name, i + 1 < n_columns ? "  " : "\n");
	for (size_t row = 0; row < layout->rows.n; row++) {
		for (size_t i = 0; i < table->n_rows; i++)
			fprintf(out, "%-*s  ", (int)widths[i],
				layout->rows.texts[row * table->n_rows + i]);
		for (size_t i = 0; i < n_columns; i++) {
			cell_text(layout, results, notes, row, i, text);
			fprintf(out, "%*s%s", (int)widths[table->n_rows + i], text,
				i + 1 < n_columns ? "  " : "\n");
		}
	}
	for (size_t i = 0; i < notes->n; i++)
		fprintf(out, "(%zu) impossible: %s\n", i + 1, notes->texts[i]);
}

static enum exit_status write_text(const struct layout *layout, const struct results *results,
				   struct notes *notes, FILE *out, struct diag *diag)
{
	char **groups = calloc(layout->columns.n, sizeof(*groups));
	size_t *widths = NULL, size;
	bool failed = !groups;

	for (size_t i = 0; !failed && i < layout->columns.n; i++) {
		FILE *text = open_memstream(&groups[i], &size);

		if (text)
			join(&layout->columns, i, text);
		failed = !text || fclose(text) != 0;
	}
	if (!failed)
		widths = measure(layout, results, notes, groups);
	if (widths) {
		fprintf(out, "\n%s\n", layout->table->title);
		if (layout->columns.n_keys) {
			fputs("columns: ", out);
			join(&layout->columns, layout->columns.n, out);
			fputc('\n', out);
			write_groups(layout, widths, groups, out);
		}
		write_rows(layout, results, notes, widths, out);
	}
	for (size_t i = 0; groups && i < layout->columns.n; i++)
		free(groups[i]);
	free(groups);
	failed = !widths;
	free(widths);
	return failed ? no_memory(diag) : STATUS_OK;
}

/* ---- all tables ----------------------------------------------------------------------------- */

static enum exit_status write_one(const struct layout *layout, const struct results *results,
				  enum sweep_form form, FILE *out, struct diag *diag)
{
	struct notes notes = { 0 };
	struct table table;
	enum exit_status status;

	if (form == SWEEP_TEXT) {
		status = write_text(layout, results, &notes, out, diag);
		free(notes.texts);
		return status;
	}
	table_init(&table);
	status = fill_table(layout, results, &notes, &table, diag);
	if (status == STATUS_OK && form == SWEEP_CSV) {
		fprintf(out, "# %s\n", layout->table->title);
		table_write_csv(&table, out);
	} else if (status == STATUS_OK) {
		write_json(layout->table, &table, &notes, out);
	}
	table_free(&table);
	free(notes.texts);
	return status;
}

enum exit_status sweep_tables_write(const struct plan *plan, const char *database,
				    enum sweep_form form, FILE *out, struct diag *diag)
{
	struct results results;
	enum exit_status status = results_load(&results, plan, database, diag);

	fputs(form == SWEEP_JSON ? "[" : "", out);
	for (size_t i = 0; status == STATUS_OK && i < plan->n_tables; i++) {
		struct layout layout;

		fputs(form == SWEEP_JSON && i ? "," : "", out);
		status = layout_make(&layout, plan, &plan->tables[i], diag);
		if (status == STATUS_OK)
			status = write_one(&layout, &results, form, out, diag);
		layout_free(&layout);
	}
	fputs(form == SWEEP_JSON ? "]" : "", out);
	results_free(&results);
	return status;
}

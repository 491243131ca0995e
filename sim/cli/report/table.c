/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of the report: CSV for gnuplot and for readers, LaTeX, HTML. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/report.h"

void table_init(struct table *table)
{
	memset(table, 0, sizeof(*table));
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->n_columns; i++)
		free(table->head[i]);
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cell[i]);
	free(table->head);
	free(table->cell);
	table_init(table);
}

/* Append to an array of owned strings. */
static bool append(char ***array, size_t *count, const char *format, va_list args)
{
	char **grown = realloc(*array, (*count + 1) * sizeof(**array));

	if (!grown)
		return false;
	*array = grown;
	if (vasprintf(&grown[*count], format, args) < 0)
		return false;
	(*count)++;
	return true;
}

void table_head(struct table *table, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	table->failed |= !append(&table->head, &table->n_columns, format, args);
	va_end(args);
}

void table_text(struct table *table, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	table->failed |= !append(&table->cell, &table->n_cells, format, args);
	va_end(args);
}

void table_number(struct table *table, bool known, double value)
{
	if (!known)
		table_text(table, "%s", "");
	else if (value == (double)(long long)value)
		table_text(table, "%.0f", value);
	else
		table_text(table, "%.5g", value);
}

size_t table_rows(const struct table *table)
{
	return table->n_columns ? table->n_cells / table->n_columns : 0;
}

const char *table_cell(const struct table *table, size_t row, size_t column)
{
	return table->cell[row * table->n_columns + column];
}

bool table_value(const struct table *table, size_t row, size_t column, double *value)
{
	const char *text = table_cell(table, row, column);
	char *end;

	*value = strtod(text, &end);
	return end != text && *end == '\0';
}

static void csv_field(FILE *out, const char *text)
{
	if (!strpbrk(text, ",\"\n")) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

void table_write_csv(const struct table *table, FILE *out)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		csv_field(out, table->head[i]);
		fputc(i + 1 < table->n_columns ? ',' : '\n', out);
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		csv_field(out, table->cell[i]);
		fputc((i + 1) % table->n_columns ? ',' : '\n', out);
	}
}

static void latex_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '\\':
			fputs("\\textbackslash{}", out);
			break;
		case '^':
			fputs("\\textasciicircum{}", out);
			break;
		case '~':
			fputs("\\textasciitilde{}", out);
			break;
		case '&':
		case '%':
		case '$':
		case '#':
		case '_':
		case '{':
		case '}':
			fputc('\\', out);
			/* fall through */
		default:
			fputc(*text, out);
		}
	}
}

void table_write_latex(const struct table *table, const char *caption, const char *label, FILE *out)
{
	fputs("\\begin{table}\n\\centering\n\\caption{", out);
	latex_text(out, caption);
	fprintf(out, "}\n\\label{tab:%s}\n\\begin{tabular}{", label);
	for (size_t i = 0; i < table->n_columns; i++)
		fputc('l', out);
	fputs("}\n\\hline\n", out);
	for (size_t i = 0; i < table->n_columns; i++) {
		latex_text(out, table->head[i]);
		fputs(i + 1 < table->n_columns ? " & " : " \\\\\n\\hline\n", out);
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		latex_text(out, *table->cell[i] ? table->cell[i] : "--");
		fputs((i + 1) % table->n_columns ? " & " : " \\\\\n", out);
	}
	fputs("\\hline\n\\end{tabular}\n\\end{table}\n", out);
}

void table_write_html(const struct table *table, FILE *out)
{
	double number;

	fputs("<div class=\"scroll\"><table>\n<thead><tr>", out);
	for (size_t i = 0; i < table->n_columns; i++) {
		fputs("<th scope=\"col\">", out);
		html_text(out, table->head[i]);
		fputs("</th>", out);
	}
	fputs("</tr></thead>\n<tbody>\n", out);
	for (size_t row = 0; row < table_rows(table); row++) {
		fputs("<tr>", out);
		for (size_t i = 0; i < table->n_columns; i++) {
			const char *text = table_cell(table, row, i);
			bool is_number = table_value(table, row, i, &number);

			fputs(is_number || !*text ? "<td class=\"n\">" : "<td>", out);
			html_text(out, *text ? text : "\xe2\x80\x93");
			fputs("</td>", out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

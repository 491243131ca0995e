/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage report`: the result database in, one self-contained HTML page with its tables out. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/report/report.h"

struct options {
	const char *db, *out;
};

static const struct argp_option option_rows[] = {
	{ "database", 'd', "DB", 0, "Result database of `twostage sweep` (results/report.db)", 0 },
	{ "output", 'o', "DIR", 0, "Folder for index.html and its tables (results/report)", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'd':
		options->db = arg;
		return 0;
	case 'o':
		options->out = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is expected: '%s'", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Everything that one report needs while it is made. */
struct report {
	struct report_source source;
	struct points points;
	char script_dir[PATH_MAX];
	char out_dir[PATH_MAX]; /* absolute: gnuplot runs elsewhere */
	FILE *page;
};

static enum exit_status make_folders(const char *path, struct diag *diag)
{
	char part[PATH_MAX];

	if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
		return diag_set(diag, STATUS_USAGE, "%s: path too long", path);
	for (char *c = part + 1;; c++) {
		char held = *c;

		if (held && held != '/')
			continue;
		*c = '\0';
		if (mkdir(part, 0777) != 0 && errno != EEXIST)
			return diag_set(diag, STATUS_IO, "%s: %s", part, strerror(errno));
		*c = held;
		if (!held)
			return STATUS_OK;
	}
}

/* OUT_DIR/NAME.SUFFIX */
static enum exit_status file_path(const struct report *report, const char *name, const char *suffix,
				  char path[PATH_MAX], struct diag *diag)
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/%s.%s", report->out_dir, name, suffix) >= PATH_MAX)
		return diag_set(diag, STATUS_USAGE, "%s: path too long", report->out_dir);
	return STATUS_OK;
}

static FILE *open_file(const char *path, struct diag *diag)
{
	FILE *out = fopen(path, "w");

	if (!out)
		diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	return out;
}

static enum exit_status close_file(FILE *out, const char *path, struct diag *diag)
{
	bool failed;

	errno = 0;
	failed = ferror(out);
	if (fclose(out) != 0 || failed)
		return diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno ? errno : EIO));
	return STATUS_OK;
}

/* The CSV that gnuplot draws, and the LaTeX table. */
static enum exit_status write_tables(const struct report *report, const struct figure *figure,
				     const struct table *table, char csv_path[PATH_MAX],
				     struct diag *diag)
{
	char tex_path[PATH_MAX];
	FILE *out;

	if (file_path(report, figure->name, "csv", csv_path, diag) != STATUS_OK ||
	    file_path(report, figure->name, "tex", tex_path, diag) != STATUS_OK)
		return diag->status;
	out = open_file(csv_path, diag);
	if (!out)
		return diag->status;
	table_write_csv(table, out);
	if (close_file(out, csv_path, diag) != STATUS_OK)
		return diag->status;
	out = open_file(tex_path, diag);
	if (!out)
		return diag->status;
	table_write_latex(table, figure->title, figure->name, out);
	return close_file(out, tex_path, diag);
}

static enum exit_status put_drawn(struct report *report, const struct figure *figure,
				  const struct table *table, const char *finding, struct diag *diag)
{
	char csv_path[PATH_MAX], svg_path[PATH_MAX];
	char *svg = NULL;

	if (write_tables(report, figure, table, csv_path, diag) != STATUS_OK ||
	    file_path(report, figure->name, "svg", svg_path, diag) != STATUS_OK ||
	    plot_draw(figure, table, report->script_dir, csv_path, svg_path, &svg, diag) !=
		    STATUS_OK)
		return diag->status;
	fprintf(report->page, "<figure role=\"img\" aria-label=\"%s\">\n%s</figure>\n",
		figure->title, svg);
	fprintf(report->page, "<p class=\"finding\">%s</p>\n", finding);
	fprintf(report->page,
		"<details><summary>Table</summary>\n<p><a href=\"%s.csv\">CSV</a> &middot; "
		"<a href=\"%s.tex\">LaTeX</a> &middot; <a href=\"%s.svg\">SVG</a></p>\n",
		figure->name, figure->name, figure->name);
	table_write_html(table, report->page);
	fputs("</details>\n", report->page);
	free(svg);
	return STATUS_OK;
}

static enum exit_status put_figure(struct report *report, size_t number,
				   const struct figure *figure, struct diag *diag)
{
	struct table table;
	char *finding = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&finding, &size);
	enum exit_status status = STATUS_OK;

	if (!out)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	table_init(&table);
	figure->collect(&report->points, &table, out);
	if (fclose(out) != 0 || table.failed)
		status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	fprintf(report->page, "<h2 id=\"%s\">%zu. %s</h2>\n", figure->name, number, figure->title);
	if (status == STATUS_OK && table_rows(&table) > 0) {
		status = put_drawn(report, figure, &table, finding, diag);
	} else {
		fputs("<p class=\"gap\">The database has no points for this figure. It is made of "
		      "points with ",
		      report->page);
		html_text(report->page, figure->needs);
		fputs(".</p>\n", report->page);
	}
	table_free(&table);
	free(finding);
	return status;
}

static enum exit_status write_page(struct report *report, struct diag *diag)
{
	html_begin(report->page);
	for (size_t i = 0; i < report_figure_count; i++) {
		if (put_figure(report, i + 1, &report_figures[i], diag) != STATUS_OK)
			return diag->status;
	}
	html_provenance(report->page, &report->points, &report->source);
	html_end(report->page);
	return STATUS_OK;
}

static enum exit_status prepare(struct report *report, struct diag *diag)
{
	struct stat info;
	struct tm utc;

	if (points_load(&report->points, report->source.db_path, diag) != STATUS_OK ||
	    plot_script_dir(report->script_dir, sizeof(report->script_dir), diag) != STATUS_OK ||
	    plot_version(report->source.gnuplot_version, sizeof(report->source.gnuplot_version),
			 diag) != STATUS_OK ||
	    make_folders(report->source.out_dir, diag) != STATUS_OK)
		return diag->status;
	if (!realpath(report->source.out_dir, report->out_dir))
		return diag_set(diag, STATUS_IO, "%s: %s", report->source.out_dir, strerror(errno));
	if (stat(report->source.db_path, &info) == 0 && gmtime_r(&info.st_mtime, &utc))
		strftime(report->source.last_point, sizeof(report->source.last_point),
			 "%Y-%m-%d %H:%M", &utc);
	return STATUS_OK;
}

/* The page appears under its name only when it is whole. */
static enum exit_status make_report(struct report *report, struct diag *diag)
{
	char page_path[PATH_MAX], part_path[PATH_MAX];
	enum exit_status status;

	if (prepare(report, diag) != STATUS_OK ||
	    file_path(report, "index", "html", page_path, diag) != STATUS_OK ||
	    file_path(report, "index", "html.part", part_path, diag) != STATUS_OK)
		return diag->status;
	report->page = open_file(part_path, diag);
	if (!report->page)
		return diag->status;
	status = write_page(report, diag);
	if (close_file(report->page, part_path, diag) != STATUS_OK && status == STATUS_OK)
		status = diag->status;
	if (status == STATUS_OK && rename(part_path, page_path) != 0)
		status = diag_set(diag, STATUS_IO, "%s: %s", page_path, strerror(errno));
	if (status != STATUS_OK)
		unlink(part_path);
	else
		printf("%s\n", page_path);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_rows,
		.parser = parse_option,
		.doc = "Write one self-contained page, DIR/index.html, with figures, findings and "
		       "tables from the points of a result database, and each table as CSV and "
		       "LaTeX beside it. Prints the path of the page.",
	};
	struct options options = { "results/report.db", "results/report" };
	struct diag diag = DIAG_INIT;
	struct report *report;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	report = calloc(1, sizeof(*report));
	if (!report)
		return output_error(STATUS_INTERNAL, "out of memory");
	report->source.db_path = options.db;
	report->source.out_dir = options.out;
	make_report(report, &diag);
	points_free(&report->points);
	free(report);
	return output_diag(&diag);
}

const struct command cmd_report = {
	.name = "report",
	.summary = "write figures, findings and tables of a sweep as one HTML page",
	.run = run,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* Frame and provenance of the report's page. */
#include <sqlite3.h>
#include <string.h>

#include "cli/output.h"
#include "cli/report/report.h"
#include "run/point.h"

void html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static const char style[] =
	"body{font:16px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:60rem;"
	"margin:2rem auto;padding:0 1rem}h1{font-size:1.6rem;margin-bottom:.2rem}"
	"h2{font-size:1.2rem;margin:2.5rem 0 .5rem}p{margin:.5rem 0}"
	"figure{margin:0}figure svg{width:100%;height:auto}"
	".finding{border-left:4px solid #0072B2;padding-left:.8rem}"
	".gap{border-left:4px solid #D55E00;padding-left:.8rem}"
	".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;margin:.5rem 0}"
	"th,td{padding:.15rem .6rem;text-align:left;border-bottom:1px solid #ddd;"
	"vertical-align:top}td:first-child{white-space:nowrap}"
	"td.n{text-align:right;font-variant-numeric:tabular-nums}"
	"summary{cursor:pointer;color:#0060a0}code{font-size:.9em;background:#f3f3f3;"
	"padding:.05em .3em}";

void html_begin(FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<title>twostage report</title>\n<style>",
	      out);
	fputs(style, out);
	fputs("</style>\n</head>\n<body>\n<h1>Two-stage translation: what IPA size, granule and "
	      "block size cost</h1>\n",
	      out);
}

void html_end(FILE *out)
{
	fputs("</body>\n</html>\n", out);
}

/* Is there an earlier row with the same text in all these columns? */
static bool seen_before(const struct points *points, size_t row, const char *const *columns)
{
	for (size_t earlier = 0; earlier < row; earlier++) {
		bool same = true;

		for (const char *const *c = columns; *c && same; c++)
			same = strcmp(point_text(points, earlier, *c),
				      point_text(points, row, *c)) == 0;
		if (same)
			return true;
	}
	return false;
}

static void write_traces(FILE *out, const struct points *points)
{
	static const char *const columns[] = { "trace", "trace_digest", NULL };

	fputs("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">trace</th>"
	      "<th scope=\"col\">content digest (XXH3-64)</th>"
	      "<th scope=\"col\">accesses</th></tr></thead><tbody>\n",
	      out);
	for (size_t row = 0; row < points->n_rows; row++) {
		if (seen_before(points, row, columns))
			continue;
		fputs("<tr><td>", out);
		html_text(out, point_text(points, row, "trace"));
		fputs("</td><td><code>", out);
		html_text(out, point_text(points, row, "trace_digest"));
		fputs("</code></td><td class=\"n\">", out);
		html_text(out, point_text(points, row, "trace_accesses"));
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static void write_models(FILE *out, const struct points *points)
{
	static const char *const columns[] = { "model", NULL };
	bool first = true;

	for (size_t row = 0; row < points->n_rows; row++) {
		if (seen_before(points, row, columns))
			continue;
		fputs(first ? "<code>" : ", <code>", out);
		html_text(out, point_text(points, row, "model"));
		fputs("</code>", out);
		first = false;
	}
}

void html_provenance(FILE *out, const struct points *points, const struct report_source *source)
{
	size_t ok = 0;

	for (size_t row = 0; row < points->n_rows; row++)
		ok += point_ok(points, row);
	fprintf(out,
		"<h2>Provenance</h2>\n<p>twostage " PROGRAM_VERSION ", engine " ENGINE_VERSION
		"; SQLite %s; %s. Database <code>",
		sqlite3_libversion(), source->gnuplot_version);
	html_text(out, source->db_path);
	fprintf(out, "</code>: %s, %zu run and %zu impossible on their core",
		output_count(points->n_rows, "point", "points").text, ok, points->n_rows - ok);
	if (*source->last_point)
		fprintf(out, "; last point of %s UTC", source->last_point);
	fputs(". Models: ", out);
	write_models(out, points);
	fputs(". Every approximation of the simulator is listed in "
	      "<code>docs/model.md</code>.</p>\n"
	      "<p>The same page again: <code>twostage report -d ",
	      out);
	html_text(out, source->db_path);
	fputs(" -o ", out);
	html_text(out, source->out_dir);
	fputs("</code>; database and page: <code>make report</code>.</p>\n", out);
	write_traces(out, points);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report: points of the result database in, one HTML page out. A figure is a table computed
 * from points, a gnuplot script that draws that table's CSV, and a sentence computed from the
 * table.
 */
#ifndef TWOSTAGE_CLI_REPORT_REPORT_H
#define TWOSTAGE_CLI_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/diag.h"
#include "results/db.h"

/* ---- points: report_points.c -------------------------------------------------------------- */

struct point_interval {
	size_t row; /* of its point */
	struct interval counts;
};

/* All rows of the database, as text, in the order of their points. */
struct points {
	size_t n_rows, n_columns;
	char **column; /* names */
	char **cell;   /* n_rows x n_columns; NULL where the database has none */
	size_t n_intervals;
	struct point_interval *interval; /* those of a point in order, one after the other */
};

/* STATUS_BAD_INPUT for a database that is foreign, of another version or has no point. */
enum exit_status points_load(struct points *points, const char *path, struct diag *diag);
void points_free(struct points *points);

/* Text of a column, "" where there is none. */
const char *point_text(const struct points *points, size_t row, const char *column);
/* Its number; false where there is none. */
bool point_number(const struct points *points, size_t row, const char *column, double *value);
/* A statistic per `other`, times `scale`; false where either is missing or `other` is 0. */
bool point_ratio(const struct points *points, size_t row, const char *column, const char *other,
		 double scale, double *value);
/* The point was run; false: its configuration is impossible on that core. */
bool point_ok(const struct points *points, size_t row);
/* Why not. */
const char *point_reason(const struct points *points, size_t row);
/* Name of the trace without folder and suffix. */
const char *point_trace(const struct points *points, size_t row, char *buffer, size_t size);
/* No walk cache of either stage. */
bool point_uncached(const struct points *points, size_t row);
/* log2 of the page size that a key of type PAGE (guest.pages, host.backing) stands for; 0: unknown.
 */
unsigned point_page_bits(const struct points *points, size_t row, const char *key);
/* log2 of the stage-2 leaf size that maps most of the point's memory; 0: nothing mapped. */
unsigned point_leaf_bits(const struct points *points, size_t row);
/* log2 of a granule key's value; 0: unknown. */
unsigned point_granule_bits(const struct points *points, size_t row, const char *key);
/* "4K", "2M", "1G" ... of a log2. */
const char *size_name(unsigned bits, char buffer[16]);

/* report_intervals.c: for db_intervals_scan(), `ctx` is the points, whose rows are there. */
enum exit_status points_add_interval(void *ctx, const struct db_interval *interval,
				     struct diag *diag);

/* ---- tables: report_table.c --------------------------------------------------------------- */

struct table {
	size_t n_columns, n_cells;
	char **head;
	char **cell; /* row by row */
	size_t capacity;
	bool failed; /* out of memory */
};

void table_init(struct table *table);
void table_free(struct table *table);
/* All heads come before the first cell. */
void table_head(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_text(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A number, or an empty cell (a gap) when !known. */
void table_number(struct table *table, bool known, double value);
size_t table_rows(const struct table *table);
/* Cell as number; false for a gap. */
bool table_value(const struct table *table, size_t row, size_t column, double *value);
const char *table_cell(const struct table *table, size_t row, size_t column);

void table_write_csv(const struct table *table, FILE *out);
void table_write_latex(const struct table *table, const char *caption, const char *label,
		       FILE *out);
void table_write_html(const struct table *table, FILE *out);

/* ---- choosing points: report_pivot.c ------------------------------------------------------ */

/*
 * Points that differ in the named parameters alone. The first point taken fixes all others, and
 * the first of each trace how that trace is sampled; a later one that has other settings is left
 * out and counted.
 */
struct selection {
	const struct points *points;
	const char *const *axes; /* ends with NULL */
	size_t first;		 /* SIZE_MAX: none taken yet */
	size_t left_out;
};

bool selection_takes(struct selection *selection, size_t row);

/* Points laid out as rows and columns of a figure's table. */
struct pivot_row {
	unsigned order;	 /* of the panel */
	char panel[64];	 /* "" where the figure has one panel */
	char label[64];	 /* IPA size or trace */
	size_t point[6]; /* SIZE_MAX: none */
};

struct pivot {
	struct pivot_row *row;
	size_t n_rows;
	bool failed; /* out of memory */
};

/* The first point of a cell stays. `column` < 6. */
void pivot_put(struct pivot *pivot, unsigned order, const char *panel, const char *label,
	       size_t column, size_t point);
/* By panel (order, then name), then by label, numbers as numbers. */
void pivot_sort(struct pivot *pivot);
void pivot_free(struct pivot *pivot);

/* Why the cells of a row are empty: reasons of impossible points, each once, as one cell's text. */
void pivot_reasons(const struct pivot_row *row, const struct points *points, size_t n_columns,
		   struct table *table);

/* ---- samples: report_samples.c ------------------------------------------------------------ */

/* A ratio of two counts of intervals, times `scale`. */
struct point_rate {
	const char *above, *below;
	double scale;
};

/* Is one of the points in the first `n_columns` a sampled one? */
bool pivot_sampled(const struct pivot *pivot, const struct points *points, size_t n_columns);

/* Behind all other heads: "low NAME" and "high NAME" of the columns drawn, from `first` on. */
void samples_heads(struct table *table, size_t first, size_t n_columns);

/* Behind all other cells of a row: the ends of 95 % intervals, or gaps. */
void samples_cells(const struct pivot_row *row, const struct points *points, size_t n_columns,
		   struct point_rate rate, struct table *table);

/* Sorts. n > 0. */
double median(double *value, size_t n);

/* ---- figures: report_figures.c, report_worth.c, report_intervals.c ------------------------ */

struct figure {
	const char *name;  /* stem of its files */
	const char *title; /* what it shows */
	const char *needs; /* which points it is made of */
	/* Fill the table; write the finding, as HTML, to `finding`. No rows: no such points. */
	void (*collect)(const struct points *points, struct table *table, FILE *finding);
	const char *script; /* of gnuplot */
	bool panels;	    /* the script wants the list of values of column 0 */
	const char *axis;   /* label of the value axis */
	size_t series;	    /* number of columns drawn */
};

extern const struct figure report_figures[];
extern const size_t report_figure_count;

/* Parameters in which points of a figure against IPA size may differ. */
extern const char *const report_ipa_axes[];

void figure_walk_reads(const struct points *points, struct table *table, FILE *finding);
void figure_walk_cycles(const struct points *points, struct table *table, FILE *finding);
void figure_backing_misses(const struct points *points, struct table *table, FILE *finding);
void figure_backing_cycles(const struct points *points, struct table *table, FILE *finding);
void figure_pud_reads(const struct points *points, struct table *table, FILE *finding);
void figure_pud_worth(const struct points *points, struct table *table, FILE *finding);

void figure_over_time(const struct points *points, struct table *table, FILE *finding);

/* ---- drawing: report_plot.c --------------------------------------------------------------- */

/* Run gnuplot on the CSV. `svg` receives the drawing, ready to be put into a page, ids made unique
 * by `name`; the caller frees it. STATUS_IO with gnuplot's own message when it fails. */
enum exit_status plot_draw(const struct figure *figure, const struct table *table,
			   const char *script_dir, const char *csv_path, const char *svg_path,
			   char **svg, struct diag *diag);

/* "gnuplot 5.4 patchlevel 4"; STATUS_IO when it cannot be run. */
enum exit_status plot_version(char *buffer, size_t size, struct diag *diag);

/* Folder of the figures' scripts: beside the program's own folder, or $TWOSTAGE_SCRIPTS. */
enum exit_status plot_script_dir(char *buffer, size_t size, struct diag *diag);

/* ---- page: report_html.c ------------------------------------------------------------------ */

/* Where the page's contents come from. */
struct report_source {
	const char *db_path, *out_dir;
	char last_point[32]; /* when the database was last written to, UTC; "" unknown */
	char gnuplot_version[64];
};

void html_text(FILE *out, const char *text);
void html_begin(FILE *out);
void html_provenance(FILE *out, const struct points *points, const struct report_source *source);
void html_end(FILE *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage sweep --find`. */
#include "cli/sweep/find.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/progress.h"
#include "cli/report/report.h"
#include "cli/sweep/json.h"
#include "run/point.h"

/* Behind the settings of a combination: state, value, figure, value beside it, figure. */
enum { RESULT_COLUMNS = 5 };

enum { REFUSALS_SHOWN = 8 };

/* Names of enum find_state. */
static const char *const states[] = {
	[FIND_OPEN] = "open",	[FIND_EDGE] = "edge",	  [FIND_ALWAYS] = "always",
	[FIND_NEVER] = "never", [FIND_FAILED] = "failed", [FIND_IMPOSSIBLE] = "impossible",
};

/* Parameters that tell combinations apart. */
struct keys {
	const struct param *param[PARAM_COUNT];
	size_t n;
};

/* A run of the searches, under sweep_run(). */
struct running {
	struct find *find;
	struct db *db;
	struct sweep_options *options;
};

/* ---- the table ------------------------------------------------------------------------------ */

static void add_key(struct keys *keys, const struct param *param)
{
	for (size_t i = 0; i < keys->n; i++)
		if (keys->param[i] == param)
			return;
	keys->param[keys->n++] = param;
}

static struct keys keys_of(const struct plan *plan)
{
	struct keys keys = { .n = 0 };

	for (size_t g = 0; g < plan->n_grids; g++) {
		const struct plan_grid *grid = &plan->grids[g];

		for (size_t k = 0; k + 1 < grid->n_axes; k++)
			for (size_t i = 0; i < grid->axes[k].n_params; i++)
				if (grid->axes[k].n_steps > 1 || plan->n_grids > 1)
					add_key(&keys, grid->axes[k].params[i]);
	}
	return keys;
}

static void param_cell(struct table *table, const struct plan *plan, size_t point,
		       const struct param *param)
{
	char text[PARAM_TEXT_MAX];
	struct config config;

	plan_config(plan, &plan->points[point], &config);
	params_format(&config, param, text);
	table_text(table, "%s", text);
}

/* One side of the change; empty where there is none. Of two equal ends, the first that holds or the
 * last that fails. */
static void side_cells(struct table *table, const struct plan *plan, const struct find *find,
		       const struct find_search *search, bool holds)
{
	const bool is_low =
		search->at_low.holds == holds && (holds || search->at_high.holds != holds);
	const struct find_probe *probe = is_low ? &search->at_low : &search->at_high;

	if (search->state == FIND_FAILED || search->state == FIND_OPEN || !probe->known ||
	    probe->holds != holds) {
		table_text(table, "%s", "");
		table_text(table, "%s", "");
		return;
	}
	param_cell(table, plan, find_point(find, search, is_low ? search->low : search->high),
		   find_param(find));
	table_number(table, probe->has_value, probe->value);
}

static void fill(struct table *table, const struct plan *plan, const struct find *find,
		 const struct keys *keys)
{
	size_t n;
	const struct find_search *searches = find_searches(find, &n);

	table_head(table, "model");
	table_head(table, "trace");
	for (size_t i = 0; i < keys->n; i++)
		table_head(table, "%s", keys->param[i]->key);
	table_head(table, "state");
	table_head(table, "holds_at");
	table_head(table, "holds_value");
	table_head(table, "fails_at");
	table_head(table, "fails_value");
	for (size_t i = 0; i < n; i++) {
		const struct find_search *search = &searches[i];
		const struct plan_point *point = &plan->points[search->example];

		table_text(table, "%s", plan->models[point->model]->name);
		table_text(table, "%s", plan->traces[point->trace].name.name);
		for (size_t k = 0; k < keys->n; k++)
			param_cell(table, plan, search->example, keys->param[k]);
		table_text(table, "%s", states[search->state]);
		side_cells(table, plan, find, search, true);
		side_cells(table, plan, find, search, false);
	}
}

static const char *last_cell(const struct table *table, size_t row)
{
	const char *text = table_cell(table, row, table->n_columns - 1);

	return *text ? text : "-";
}

static int write_text(const struct table *table)
{
	int *widths = calloc(table->n_columns, sizeof(*widths));

	if (!widths)
		return output_error(STATUS_INTERNAL, "out of memory");
	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = (int)strlen(table->head[i]);
	for (size_t i = 0; i < table->n_cells; i++)
		if ((int)strlen(table->cell[i]) > widths[i % table->n_columns])
			widths[i % table->n_columns] = (int)strlen(table->cell[i]);
	for (size_t row = 0; row <= table_rows(table); row++) {
		for (size_t i = 0; i + 1 < table->n_columns; i++) {
			const char *text = row ? table_cell(table, row - 1, i) : table->head[i];

			printf("%-*s  ", widths[i], *text ? text : "-");
		}
		puts(row ? last_cell(table, row - 1) : table->head[table->n_columns - 1]);
	}
	free(widths);
	return STATUS_OK;
}

/* One member; numbers that are missing are null. */
static void write_member(const struct table *table, size_t row, size_t column)
{
	const size_t n_keys = table->n_columns - RESULT_COLUMNS;
	const char *text = table_cell(table, row, column);

	output_json_string(stdout, table->head[column]);
	fputs(":", stdout);
	if (!*text)
		fputs("null", stdout);
	else if (column > n_keys && (column - n_keys) % 2 == 0)
		fputs(text, stdout);
	else
		output_json_string(stdout, text);
}

static void write_json(const struct table *table)
{
	fputs("\"searches\":[", stdout);
	for (size_t row = 0; row < table_rows(table); row++) {
		for (size_t i = 0; i < table->n_columns; i++) {
			fputs(i ? "," : row ? ",{" : "{", stdout);
			write_member(table, row, i);
		}
		fputs("}", stdout);
	}
	fputs("],", stdout);
}

/* ---- values that cannot be ------------------------------------------------------------------ */

/* A value of the axis that no core can have, with all that it was refused for alike. */
struct refused {
	char *value, *reason;
	size_t n_searches;
};

/* In the order of the plan; an axis may have a million values, so a tree finds those alike. */
struct refusals {
	struct refused **refused;
	size_t n;
	void *tree;
};

static int compare_refused(const void *a, const void *b)
{
	const struct refused *one = a, *other = b;
	const int order = strcmp(one->value, other->value);

	return order ? order : strcmp(one->reason, other->reason);
}

static void refused_free(struct refused *refused)
{
	if (!refused)
		return;
	free(refused->value);
	free(refused->reason);
	free(refused);
}

static void keep_node(void *node)
{
	(void)node;
}

static void refusals_free(struct refusals *refusals)
{
	tdestroy(refusals->tree, keep_node);
	for (size_t i = 0; i < refusals->n; i++)
		refused_free(refusals->refused[i]);
	free(refusals->refused);
}

static bool append_refused(struct refusals *refusals, struct refused *refused)
{
	struct refused **grown =
		reallocarray(refusals->refused, refusals->n + 1, sizeof(struct refused *));

	if (!grown)
		return false;
	refusals->refused = grown;
	grown[refusals->n++] = refused;
	return true;
}

static bool add_refusal(struct refusals *refusals, const char *value, const struct diag *why)
{
	struct refused *refused = calloc(1, sizeof(*refused));
	struct refused *const *alike = NULL;

	if (refused) {
		refused->value = strdup(value);
		refused->reason = strdup(why->text);
		if (refused->value && refused->reason)
			alike = tsearch(refused, &refusals->tree, compare_refused);
	}
	if (!alike) {
		refused_free(refused);
		return false;
	}
	if (*alike == refused) {
		refused->n_searches = 1;
		return append_refused(refusals, refused);
	}
	(*alike)->n_searches++;
	refused_free(refused);
	return true;
}

/* A point of the plan belongs to one search. */
static bool find_refusals(const struct plan *plan, const struct param *param,
			  struct refusals *refusals)
{
	bool added = true;

	*refusals = (struct refusals){ 0 };
	for (size_t i = 0; added && i < plan->n_points; i++) {
		struct diag why = DIAG_INIT;
		char value[PARAM_TEXT_MAX];
		struct config config;

		plan_config(plan, &plan->points[i], &config);
		if (point_check(&config, &why) == STATUS_OK)
			continue;
		params_format(&config, param, value);
		added = add_refusal(refusals, value, &why);
	}
	return added;
}

/* How many from i on are refused for one reason in as many searches. */
static size_t alike_from(const struct refusals *refusals, size_t i)
{
	const struct refused *first = refusals->refused[i];
	size_t n = 1;

	while (i + n < refusals->n && refusals->refused[i + n]->n_searches == first->n_searches &&
	       strcmp(refusals->refused[i + n]->reason, first->reason) == 0)
		n++;
	return n;
}

/* "20", "20, 40", "20, 40, ... 5120 (256 values)" */
static void write_values(const struct refusals *refusals, size_t i, size_t n, FILE *out)
{
	fputs(refusals->refused[i]->value, out);
	if (n > 1)
		fprintf(out, ", %s", refusals->refused[i + 1]->value);
	if (n > 2)
		fprintf(out, ",%s %s (%zu values)", n > 3 ? " ..." : "",
			refusals->refused[i + n - 1]->value, n);
}

static void write_refusals_text(const struct refusals *refusals, const struct param *param,
				FILE *out)
{
	size_t i = 0;

	for (size_t lines = 0; i < refusals->n && lines < REFUSALS_SHOWN; lines++) {
		const struct refused *refused = refusals->refused[i];
		const size_t n = alike_from(refusals, i);

		fprintf(out, "%s=", param->key);
		write_values(refusals, i, n, out);
		fprintf(out, " cannot be in %s: %s\n",
			output_count(refused->n_searches, "search", "searches").text,
			refused->reason);
		i += n;
	}
	if (i < refusals->n)
		fprintf(out, "%s more cannot be; --json names them all\n",
			output_count(refusals->n - i, "value", "values").text);
}

static void write_refusals_json(const struct refusals *refusals)
{
	fputs("\"refused\":[", stdout);
	for (size_t i = 0; i < refusals->n; i++) {
		const struct refused *refused = refusals->refused[i];

		fputs(i ? ",{\"value\":" : "{\"value\":", stdout);
		output_json_string(stdout, refused->value);
		printf(",\"searches\":%zu,\"reason\":", refused->n_searches);
		output_json_string(stdout, refused->reason);
		fputs("}", stdout);
	}
	fputs("],", stdout);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void write_json_params(const struct sweep_args *arguments, const struct plan *plan,
			      const char *database)
{
	sweep_json_begin(plan, database);
	printf(",\"find\":");
	output_json_string(stdout, arguments->find);
	printf(",\"where\":");
	output_json_string(stdout, arguments->where);
	printf("},");
}

static void print_json(const struct sweep_args *arguments, const struct plan *plan,
		       const struct find *find, const char *database,
		       const struct sweep_summary *summary, const struct table *table,
		       const struct refusals *refusals)
{
	size_t n;

	find_searches(find, &n);
	write_json_params(arguments, plan, database);
	write_json(table);
	write_refusals_json(refusals);
	printf("\"stats\":{\"searches\":%zu,\"points\":%zu,\"unfit\":%zu,\"run\":%zu,"
	       "\"impossible\":%zu,\"skipped\":%zu,\"failed\":%zu}}\n",
	       n, plan->n_points, find_impossible(find), summary->n_ok, summary->n_impossible,
	       summary->n_skipped, summary->n_failed);
}

/* The summary goes to standard error where the table alone is wanted. */
static int print_text(const struct sweep_args *arguments, const struct plan *plan,
		      const struct find *find, const char *database,
		      const struct sweep_summary *summary, const struct table *table,
		      const struct refusals *refusals)
{
	FILE *out = arguments->csv ? stderr : stdout;
	int status = STATUS_OK;
	size_t n;

	find_searches(find, &n);
	fprintf(out,
		"%s: %s among %s, %zu of which cannot be: %zu run, %zu impossible, %zu there "
		"already, %zu failed\n",
		database, output_count(n, "search", "searches").text,
		output_count(plan->n_points, "point", "points").text, find_impossible(find),
		summary->n_ok, summary->n_impossible, summary->n_skipped, summary->n_failed);
	if (arguments->csv)
		table_write_csv(table, stdout);
	else
		status = write_text(table);
	write_refusals_text(refusals, find_param(find), out);
	return status;
}

static int print(const struct sweep_args *arguments, const struct plan *plan,
		 const struct find *find, const char *database, const struct sweep_summary *summary)
{
	const struct keys keys = keys_of(plan);
	struct refusals refusals;
	int status = STATUS_OK;
	struct table table;

	table_init(&table);
	fill(&table, plan, find, &keys);
	if (!find_refusals(plan, find_param(find), &refusals) || table.failed)
		status = output_error(STATUS_INTERNAL, "out of memory");
	else if (arguments->json)
		print_json(arguments, plan, find, database, summary, &table, &refusals);
	else
		status = print_text(arguments, plan, find, database, summary, &table, &refusals);
	refusals_free(&refusals);
	table_free(&table);
	return status;
}

/* ---- running -------------------------------------------------------------------------------- */

static size_t pick(void *ctx)
{
	struct running *running = ctx;

	return find_pick(running->find);
}

static enum exit_status settled(void *ctx, size_t index, struct diag *diag)
{
	struct running *running = ctx;

	return find_settle(running->find, index, running->db, diag);
}

static int step(void *ctx, const struct sweep_summary *summary)
{
	struct running *running = ctx;

	return running->options->step(running->options->ctx, summary);
}

static void failed(void *ctx, const struct plan_point *point, const struct diag *why)
{
	struct running *running = ctx;

	running->options->failed(running->options->ctx, point, why);
}

/* The caller's progress and failures, and our choice of points. */
static enum exit_status run(struct running *running, struct plan *plan,
			    struct sweep_summary *summary, struct diag *diag)
{
	struct sweep_options options = *running->options;

	options.end = plan->n_points;
	options.pick = pick;
	options.settled = settled;
	options.step = step;
	options.failed = failed;
	options.ctx = running;
	return sweep_run(plan, running->db, &options, summary, diag);
}

int sweep_find(const struct sweep_args *arguments, struct plan *plan, struct find *find,
	       const char *database, struct sweep_options *options)
{
	struct running running = { .find = find, .options = options };
	struct sweep_summary summary = { 0 };
	struct diag diag = DIAG_INIT;
	enum exit_status status = STATUS_OK;

	if (find_needs_run(find)) {
		running.db = db_open(database, DB_WRITE, &diag);
		if (!running.db)
			return output_diag(&diag);
		interrupt_catch();
		status = run(&running, plan, &summary, &diag);
		if (db_close(running.db, &diag) != STATUS_OK && status == STATUS_OK)
			status = diag.status;
	}
	if (status == STATUS_INTERRUPTED)
		diag_set(&diag, status, "interrupted; repeat the command to resume");
	if (status != STATUS_OK)
		return output_diag(&diag);
	status = (enum exit_status)print(arguments, plan, find, database, &summary);
	return status == STATUS_OK ? (int)summary.first_failure : (int)status;
}

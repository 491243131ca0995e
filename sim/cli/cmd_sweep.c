/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/sweep_tables.h"
#include "run/plan.h"
#include "run/point.h"
#include "run/pool.h"
#include "run/sweep.h"

struct arguments {
	const char *spec, *database;
	unsigned n_workers;
	int dry_run, json, csv;
};

struct context {
	const struct plan *plan;
	struct progress progress;
};

static unsigned parse_workers(const char *text, struct argp_state *state)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || *end || end == text || n < 1 || n > POOL_WORKERS_MAX)
		argp_error(state, "--jobs %s: a number from 1 to %d expected", text,
			   POOL_WORKERS_MAX);
	return (unsigned)n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'j':
		arguments->n_workers = parse_workers(arg, state);
		return 0;
	case 'o':
		arguments->database = arg;
		return 0;
	case 'n':
		arguments->dry_run = 1;
		return 0;
	case 'J':
		arguments->json = 1;
		return 0;
	case 'C':
		arguments->csv = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->spec)
			argp_error(state, "one spec at a time");
		arguments->spec = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which spec?");
		return 0;
	case ARGP_KEY_END:
		if (arguments->csv && arguments->json)
			argp_error(state, "--csv and --json exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int show_step(void *ctx, const struct sweep_summary *summary)
{
	struct context *context = ctx;

	progress_show(&context->progress,
		      summary->n_skipped + summary->n_ok + summary->n_impossible +
			      summary->n_failed,
		      summary->n_points);
	return interrupt_seen();
}

static void show_failure(void *ctx, const struct plan_point *point, const struct diag *why)
{
	struct context *context = ctx;
	char name[1024];

	progress_clear(&context->progress);
	plan_describe(context->plan, point, name, sizeof(name));
	output_error(why->status, "%s%s%s (point: %s)", why->place, *why->place ? ": " : "",
		     why->text, name);
}

/* The start of the JSON object, up to its statistics. */
static void print_json_params(const struct plan *plan, const char *database)
{
	printf("{\"schema\":1,\"params\":{\"sweep\":");
	output_json_string(stdout, plan->name);
	printf(",\"database\":");
	output_json_string(stdout, database);
	printf("},");
}

/* The summary goes to standard error where the tables alone are wanted. */
static void print_summary(const struct arguments *arguments, const struct plan *plan,
			  const struct sweep_summary *summary, const char *database)
{
	const size_t n_not_run = summary->n_points - summary->n_ok - summary->n_impossible -
				 summary->n_skipped - summary->n_failed;

	if (!arguments->json) {
		fprintf(arguments->csv ? stderr : stdout,
			"%s: %zu points: %zu run, %zu impossible, %zu there already, %zu failed, "
			"%zu not run\n",
			database, summary->n_points, summary->n_ok, summary->n_impossible,
			summary->n_skipped, summary->n_failed, n_not_run);
		return;
	}
	print_json_params(plan, database);
	printf("\"stats\":{\"points\":%zu,\"duplicates\":%zu,\"run\":%zu,\"impossible\":%zu,"
	       "\"skipped\":%zu,\"failed\":%zu,\"not_run\":%zu}",
	       summary->n_points, plan->n_duplicates, summary->n_ok, summary->n_impossible,
	       summary->n_skipped, summary->n_failed, n_not_run);
}

/* What the spec's `print:` asks for. */
static void print_tables(const struct arguments *arguments, const struct plan *plan,
			 const char *database, struct diag *diag)
{
	const enum sweep_form form = arguments->json  ? SWEEP_JSON
				     : arguments->csv ? SWEEP_CSV
						      : SWEEP_TEXT;

	if (plan->n_tables && diag->status == STATUS_OK) {
		fputs(arguments->json ? ",\"tables\":" : "", stdout);
		sweep_tables_write(plan, database, form, stdout, diag);
	}
	fputs(arguments->json ? "}\n" : "", stdout);
}

static int run_sweep(const struct arguments *arguments, struct plan *plan, const char *database)
{
	struct context context = { .plan = plan };
	struct sweep_options options = { arguments->n_workers, show_step, show_failure, &context };
	struct sweep_summary summary = { 0 };
	struct diag diag = DIAG_INIT;
	struct db *db = db_open(database, DB_WRITE, &diag);
	enum exit_status status;

	if (!db)
		return output_diag(&diag);
	interrupt_catch();
	progress_init(&context.progress, "points");
	status = sweep_run(plan, db, &options, &summary, &diag);
	progress_clear(&context.progress);
	if (db_close(db, &diag) != STATUS_OK && status == STATUS_OK)
		status = diag.status;
	print_summary(arguments, plan, &summary, database);
	if (status == STATUS_INTERRUPTED)
		diag_set(&diag, status, "interrupted; repeat the command to resume");
	print_tables(arguments, plan, database, &diag);
	if (diag.status != STATUS_OK)
		return output_diag(&diag);
	return (int)summary.first_failure;
}

/* What a sweep would do, without doing it. */
static int print_plan(const struct arguments *arguments, const struct plan *plan,
		      const char *database)
{
	struct diag diag = DIAG_INIT;
	struct db *db = access(database, F_OK) == 0 ? db_open(database, DB_READ, &diag) : NULL;
	size_t n_done = 0, n_impossible = 0;
	uint64_t accesses = 0;
	char name[1024];

	for (size_t i = 0; diag.status == STATUS_OK && i < plan->n_points; i++) {
		const struct plan_point *point = &plan->points[i];
		const char *state = "to run";
		struct config config;
		int found = 0;

		plan_config(plan, point, &config);
		if (db && db_has(db, point->key, &found, &diag) != STATUS_OK)
			break;
		if (found) {
			state = "there already";
			n_done++;
		} else if (point_check(&config, NULL) != STATUS_OK) {
			state = "impossible";
			n_impossible++;
		} else {
			accesses += plan->traces[point->trace].name.accesses;
		}
		plan_describe(plan, point, name, sizeof(name));
		if (!arguments->json)
			printf("%6zu  %-13s  %s\n", i, state, name);
	}
	db_close(db, NULL);
	if (diag.status != STATUS_OK)
		return output_diag(&diag);
	if (arguments->json)
		print_json_params(plan, database);
	printf(arguments->json ? "\"stats\":{\"points\":%zu,\"duplicates\":%zu,\"skipped\":%zu,"
				 "\"impossible\":%zu,\"to_run\":%zu,\"accesses\":%" PRIu64 "}}\n"
			       : "%zu points (%zu more were duplicates): %zu there already, %zu "
				 "impossible, %zu to run, %" PRIu64 " accesses to replay\n",
	       plan->n_points, plan->n_duplicates, n_done, n_impossible,
	       plan->n_points - n_done - n_impossible, accesses);
	return STATUS_OK;
}

/* -o, or results/NAME.db; NULL on failure. */
static char *database_path(const struct arguments *arguments, const struct plan *plan,
			   struct diag *diag)
{
	char *path = NULL;

	if (arguments->database) {
		path = strdup(arguments->database);
	} else if (!arguments->dry_run && mkdir("results", 0777) != 0 && errno != EEXIST) {
		diag_set(diag, STATUS_IO, "results: %s", strerror(errno));
		return NULL;
	} else if (asprintf(&path, "results/%s.db", plan->name) < 0) {
		path = NULL;
	}
	if (!path)
		diag_set(diag, STATUS_INTERNAL, "out of memory");
	return path;
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "jobs", 'j', "N", 0, "worker processes; as many as processors if not given", 0 },
		{ "output", 'o', "DATABASE", 0, "results/NAME.db if not given", 0 },
		{ "dry-run", 'n', NULL, 0, "list the points and stop", 0 },
		{ "json", 'J', NULL, 0, "print the summary and the spec's tables as JSON", 0 },
		{ "csv", 'C', NULL, 0, "print the spec's tables as CSV", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "SPEC.yaml",
		.doc = "Run all points of a spec into a result database. Points that are there "
		       "already are skipped: repeat the command to resume. Ends with the tables "
		       "that the spec's `print:` asks for.",
	};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct arguments arguments = { .n_workers = processors > 0 ? (unsigned)processors : 1 };
	struct diag diag = DIAG_INIT;
	char *database = NULL;
	struct plan *plan;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	plan = plan_load(arguments.spec, &diag);
	if (plan && plan_open_traces(plan, &diag) == STATUS_OK &&
	    plan_expand(plan, &diag) == STATUS_OK && sweep_tables_check(plan, &diag) == STATUS_OK)
		database = database_path(&arguments, plan, &diag);
	if (!database)
		status = output_diag(&diag);
	else if (arguments.dry_run)
		status = print_plan(&arguments, plan, database);
	else
		status = run_sweep(&arguments, plan, database);
	free(database);
	plan_free(plan);
	return status;
}

const struct command cmd_sweep = { "sweep", "run many points into a result database", run };

/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/sweep/args.h"
#include "cli/sweep/confidence.h"
#include "cli/sweep/find.h"
#include "cli/sweep/json.h"
#include "cli/sweep/plan.h"
#include "cli/sweep/slices.h"
#include "cli/sweep/tables.h"
#include "sweep/plan.h"
#include "sweep/sweep.h"

struct context {
	const struct plan *plan;
	struct progress progress;
};

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

/* The summary goes to standard error where the tables alone are wanted. */
static void print_summary(const struct sweep_args *arguments, const struct plan *plan,
			  const struct sweep_summary *summary, const char *database)
{
	const size_t n_not_run = summary->n_points - summary->n_ok - summary->n_impossible -
				 summary->n_skipped - summary->n_failed;

	if (!arguments->json) {
		fprintf(arguments->csv ? stderr : stdout,
			"%s: %s: %zu run, %zu impossible, %zu there already, %zu failed, "
			"%zu not run\n",
			database, output_count(summary->n_points, "point", "points").text,
			summary->n_ok, summary->n_impossible, summary->n_skipped, summary->n_failed,
			n_not_run);
		return;
	}
	sweep_json_begin(plan, database);
	fputs("},", stdout);
	printf("\"stats\":{\"points\":%zu,\"duplicates\":%zu,\"run\":%zu,\"impossible\":%zu,"
	       "\"skipped\":%zu,\"failed\":%zu,\"not_run\":%zu}",
	       summary->n_points, plan->n_duplicates, summary->n_ok, summary->n_impossible,
	       summary->n_skipped, summary->n_failed, n_not_run);
}

/* What the spec's `print:` asks for. */
static void print_tables(const struct sweep_args *arguments, const struct plan *plan,
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

static int run_sweep(const struct sweep_args *arguments, struct plan *plan, const char *database)
{
	struct context context = { .plan = plan };
	struct sweep_options options = { .n_workers = arguments->n_workers,
					 .end = plan->n_points,
					 .step = show_step,
					 .failed = show_failure,
					 .ctx = &context };
	struct sweep_summary summary = { 0 };
	struct diag diag = DIAG_INIT;
	struct sweep_place place;
	enum exit_status status;

	if (sweep_place_open(&place, arguments, plan, database, &diag) != STATUS_OK)
		return output_diag(&diag);
	interrupt_catch();
	progress_init(&context.progress, "points");
	status = sweep_place_narrow(&place, plan, &options, &diag);
	if (status == STATUS_OK)
		status = sweep_run(plan, place.db, &options, &summary, &diag);
	progress_clear(&context.progress);
	print_summary(arguments, plan, &summary, db_path(place.db));
	if (sweep_place_close(&place, &diag) != STATUS_OK && status == STATUS_OK)
		status = diag.status;
	if (status == STATUS_INTERRUPTED)
		diag_set(&diag, status, "interrupted; repeat the command to resume");
	/* A slice has not all points that tables need. */
	if (arguments->mode == SWEEP_ALL)
		print_tables(arguments, plan, database, &diag);
	else
		fputs(arguments->json ? "}\n" : "", stdout);
	if (diag.status != STATUS_OK)
		return output_diag(&diag);
	return (int)summary.first_failure;
}

/* After sweep_merge() all is there: the tables, and what is not there yet counts as not run. */
static int merge_sweep(const struct sweep_args *arguments, struct plan *plan, const char *database)
{
	struct sweep_summary summary = { .n_points = plan->n_points };
	struct diag diag = DIAG_INIT;
	size_t n_missing = 0;
	enum exit_status status = sweep_merge(plan, database, &n_missing, &diag);

	if (status != STATUS_OK)
		return output_diag(&diag);
	summary.n_skipped = plan->n_points - n_missing;
	print_summary(arguments, plan, &summary, database);
	print_tables(arguments, plan, database, &diag);
	if (diag.status != STATUS_OK)
		return output_diag(&diag);
	return n_missing ? STATUS_INTERRUPTED : STATUS_OK;
}

static int submit_sweep(const struct sweep_args *arguments, struct plan *plan, const char *database)
{
	struct diag diag = DIAG_INIT;
	int status;

	switch (sweep_slurm_run(arguments, plan, database, &diag)) {
	case SWEEP_SLURM_COMPLETE:
		return merge_sweep(arguments, plan, database);
	case SWEEP_SLURM_DETACHED:
		return arguments->detach ? STATUS_OK : STATUS_INTERRUPTED;
	case SWEEP_SLURM_INCOMPLETE:
		/* What was run is of use all the same. */
		status = merge_sweep(arguments, plan, database);
		return status == STATUS_INTERRUPTED ? STATUS_INTERNAL : status;
	case SWEEP_SLURM_FAILED:
		break;
	}
	return output_diag(&diag);
}

/* -o, or results/NAME.db; NULL on failure. */
static char *database_path(const struct sweep_args *arguments, const struct plan *plan,
			   struct diag *diag)
{
	char *path = NULL;

	if (arguments->database) {
		path = strdup(arguments->database);
	} else if (!arguments->dry_run && arguments->mode != SWEEP_STATUS &&
		   mkdir("results", 0777) != 0 && errno != EEXIST) {
		diag_set(diag, STATUS_IO, "results: %s", strerror(errno));
		return NULL;
	} else if (asprintf(&path, "results/%s.db", plan->name) < 0) {
		path = NULL;
	}
	if (!path)
		diag_set(diag, STATUS_INTERNAL, "out of memory");
	return path;
}

static int dispatch(const struct sweep_args *arguments, struct plan *plan, const char *database)
{
	if (arguments->dry_run)
		return sweep_plan_print(arguments, plan, database);
	switch (arguments->mode) {
	case SWEEP_MERGE:
		return merge_sweep(arguments, plan, database);
	case SWEEP_STATUS:
		return sweep_status(arguments, plan, database);
	case SWEEP_SLURM:
		return submit_sweep(arguments, plan, database);
	case SWEEP_ALL:
	case SWEEP_SLICE:
		break;
	}
	return run_sweep(arguments, plan, database);
}

/* NULL on failure. */
static struct plan *load_plan(const struct sweep_args *arguments, struct diag *diag)
{
	struct plan *plan = plan_load(arguments->spec, diag);

	for (size_t i = 0; plan && *arguments->timing && i < plan->n_models; i++)
		model_set_option(plan->models[i], arguments->timing, diag);
	if (!plan || diag->status == STATUS_OK)
		return plan;
	plan_free(plan);
	return NULL;
}

static int run_find(const struct sweep_args *arguments, struct plan *plan, struct find *find,
		    const char *database)
{
	struct context context = { .plan = plan };
	struct sweep_options options = { .n_workers = arguments->n_workers,
					 .step = show_step,
					 .failed = show_failure,
					 .ctx = &context };
	int status;

	progress_init(&context.progress, "points");
	status = sweep_find(arguments, plan, find, database, &options);
	progress_clear(&context.progress);
	return status;
}

/* All that can be wrong before anything is run. *find: NULL unless it is asked for. */
static enum exit_status prepare(const struct sweep_args *arguments, struct plan *plan,
				struct find **find, struct diag *diag)
{
	enum exit_status status;

	*find = NULL;
	if (arguments->find) {
		*find = find_create(plan, arguments->find, arguments->where, diag);
		if (!*find)
			return diag->status;
	}
	plan->salvage = arguments->salvage != 0;
	status = plan_open_traces(plan, diag);
	for (size_t i = 0; i < plan->n_traces; i++)
		if (plan->traces[i].damage)
			output_salvaged(plan->traces[i].damage);
	if (status == STATUS_OK && arguments->confidence)
		status = sweep_choose_samples(arguments, plan, diag);
	if (status == STATUS_OK)
		status = plan_expand(plan, diag);
	if (status == STATUS_OK)
		status = *find ? find_begin(*find, diag) : sweep_tables_check(plan, diag);
	return status;
}

/* Each trace of a sweep stays open, and each worker has two pipes: the usual limit of 1024 is
 * little. */
static void allow_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(int argc, char **argv)
{
	struct sweep_args arguments = { 0 };
	struct diag diag = DIAG_INIT;
	struct find *find = NULL;
	char *database = NULL;
	struct plan *plan;
	int status;

	sweep_args_parse(&arguments, argc, argv);
	allow_open_files();
	plan = load_plan(&arguments, &diag);
	if (plan && prepare(&arguments, plan, &find, &diag) == STATUS_OK)
		database = database_path(&arguments, plan, &diag);
	if (!database)
		status = output_diag(&diag);
	else if (find)
		status = run_find(&arguments, plan, find, database);
	else
		status = dispatch(&arguments, plan, database);
	free(database);
	find_free(find);
	plan_free(plan);
	return status;
}

const struct command cmd_sweep = { "sweep", "run many points into a result database", run };

/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage sweep --status`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/sweep/json.h"
#include "cli/sweep/plan.h"
#include "cli/sweep/slices.h"
#include "cli/sweep/slurm.h"
#include "sweep/forecast.h"

enum {
	/* Processor time after which no further group is probed. */
	PROBE_MICROS = 1000 * 1000,
	STATE_UNKNOWN = SLURM_RUNNING + 1, /* without Slurm, or when it does not answer */
};

struct view {
	const struct slices *slices;
	struct slice_progress *progress; /* of each */
	enum slurm_task *tasks;
	bool has_queue;
	unsigned n_complete, n_running;
	struct slice_progress all;
};

bool slice_last_line(const struct slices *slices, unsigned index, char *path, size_t path_bytes,
		     char *text, size_t text_bytes)
{
	char line[512];
	FILE *log;

	snprintf(path, path_bytes, "%s/slice-%u.log", slices->folder, index + 1);
	log = fopen(path, "r");
	*text = '\0';
	while (log && fgets(line, sizeof(line), log)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			snprintf(text, text_bytes, "%s", line);
	}
	if (log)
		fclose(log);
	return *text != '\0';
}

/* ---- slices --------------------------------------------------------------------------------- */

static const char *state_of(const struct view *view, unsigned i)
{
	static const char *const states[] = { "no task", "pending", "running", "unknown" };

	return states[view->has_queue ? (unsigned)view->tasks[i] : (unsigned)STATE_UNKNOWN];
}

static enum exit_status look(struct view *view, struct db *base, struct diag *diag)
{
	const struct slices *slices = view->slices;
	char *name = slurm_job_name(slices);
	enum exit_status status = STATUS_OK;

	view->progress = calloc(slices->n, sizeof(*view->progress));
	view->tasks = calloc(slices->n, sizeof(*view->tasks));
	if (!view->progress || !view->tasks || !name)
		status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	else
		view->has_queue = slurm_queue(name, view->tasks, slices->n, NULL) == STATUS_OK;
	free(name);
	for (unsigned i = 0; status == STATUS_OK && i < slices->n; i++) {
		struct slice_progress *progress = &view->progress[i];

		status = slices_look(slices, i, base, progress, diag);
		view->n_complete += progress->n_done == progress->n_points;
		view->n_running += view->has_queue && view->tasks[i] == SLURM_RUNNING;
		view->all.n_points += progress->n_points;
		view->all.n_done += progress->n_done;
		view->all.guessed_micros += progress->guessed_micros;
		view->all.left_micros += progress->left_micros;
		view->all.micros += progress->micros;
	}
	return status;
}

/* Processor time for what is left: the guess, as far wrong as it was of what is done. */
static uint64_t left_micros(const struct view *view)
{
	const struct slice_progress *all = &view->all;

	if (!all->guessed_micros || !all->micros)
		return all->left_micros;
	return (uint64_t)((double)all->left_micros * (double)all->micros /
			  (double)all->guessed_micros);
}

/* Slices one after the other of which nothing is done and which wait alike are told together. */
static bool is_like(const struct view *view, unsigned a, unsigned b)
{
	return view->progress[a].n_done == 0 && view->progress[b].n_done == 0 &&
	       view->progress[b].n_points && view->tasks[a] == view->tasks[b] &&
	       view->tasks[a] != SLURM_RUNNING;
}

static void print_slices(const struct view *view)
{
	for (unsigned i = 0, next; i < view->slices->n; i = next) {
		const struct slice_progress *progress = &view->progress[i];
		size_t n_points = progress->n_points;
		char path[4096], text[512];

		for (next = i + 1; next < view->slices->n && is_like(view, i, next); next++)
			n_points += view->progress[next].n_points;
		if (progress->n_done == progress->n_points)
			continue;
		if (next > i + 1)
			printf("slices %u to %u: ", i + 1, next);
		else
			printf("slice %u: ", i + 1);
		printf("%zu of %s", progress->n_done,
		       output_count(n_points, "point", "points").text);
		if (view->has_queue)
			printf(", %s", state_of(view, i));
		if (view->tasks[i] == SLURM_GONE && next == i + 1 &&
		    slice_last_line(view->slices, i, path, sizeof(path), text, sizeof(text)))
			printf("; its output ends: %s", text);
		putchar('\n');
	}
}

static void print_text(const struct view *view)
{
	const struct slice_progress *all = &view->all;
	char left[32], wall[32];

	print_slices(view);
	printf("%s: %u of %s complete, %zu of %s done\n", view->slices->folder, view->n_complete,
	       output_count(view->slices->n, "slice", "slices").text, all->n_done,
	       output_count(all->n_points, "point", "points").text);
	if (all->n_done == all->n_points)
		return;
	printf("left: about %s of processor time, %s", sweep_duration(left_micros(view), left),
	       all->micros ? "by what the points so far took" : "guessed from the traces");
	if (view->n_running)
		printf("; %s with a processor for each of %s",
		       sweep_duration(left_micros(view) / view->n_running, wall),
		       output_count(view->n_running, "running task", "running tasks").text);
	putchar('\n');
}

static void print_json(const struct view *view)
{
	printf("\"slices\":[");
	for (unsigned i = 0; i < view->slices->n; i++)
		printf("%s{\"slice\":%u,\"points\":%zu,\"done\":%zu,\"state\":\"%s\"}",
		       i ? "," : "", i + 1, view->progress[i].n_points, view->progress[i].n_done,
		       state_of(view, i));
	printf("],\"stats\":{\"slices\":%u,\"complete\":%u,\"points\":%zu,\"done\":%zu,"
	       "\"left_micros\":%" PRIu64 "}}\n",
	       view->slices->n, view->n_complete, view->all.n_points, view->all.n_done,
	       left_micros(view));
}

/* *complete: all points are there. */
static enum exit_status tell_slices(const struct sweep_args *arguments, const struct plan *plan,
				    const char *database, struct db *base, bool *complete,
				    struct diag *diag)
{
	struct slices slices = { 0 };
	struct view view = { .slices = &slices };
	enum exit_status status = sweep_find_slices(&slices, plan, database, diag);

	if (status == STATUS_OK)
		status = slices_check(&slices, diag);
	if (status == STATUS_OK)
		status = look(&view, base, diag);
	if (status == STATUS_OK && arguments->json) {
		sweep_json_begin(plan, database);
		fputs("},", stdout);
		print_json(&view);
	} else if (status == STATUS_OK) {
		print_text(&view);
	}
	*complete = view.all.n_done == view.all.n_points;
	free(view.progress);
	free(view.tasks);
	slices_free(&slices);
	return status;
}

/* ---- without slices ------------------------------------------------------------------------- */

static enum exit_status tell_database(const struct sweep_args *arguments, const struct plan *plan,
				      const char *database, struct db *base, bool *complete,
				      struct diag *diag)
{
	struct forecast forecast = { 0 };
	const enum exit_status status =
		forecast_make(&forecast, plan, base, arguments->n_workers, PROBE_MICROS, diag);
	char all[32], wall[32];

	*complete = forecast.n_done == plan->n_points;
	if (status == STATUS_OK && arguments->json) {
		sweep_json_begin(plan, database);
		fputs("},", stdout);
		printf("\"slices\":[],\"stats\":{\"slices\":0,\"complete\":0,\"points\":%zu,"
		       "\"done\":%zu,\"left_micros\":%" PRIu64 "}}\n",
		       plan->n_points, forecast.n_done, forecast.micros);
	} else if (status == STATUS_OK) {
		printf("%s: %zu of %s done, no slices\n", database, forecast.n_done,
		       output_count(plan->n_points, "point", "points").text);
		if (forecast.n_to_run)
			printf("left: about %s of processor time, %s with %s\n",
			       sweep_duration(forecast.micros, all),
			       sweep_duration(forecast.wall_micros, wall),
			       output_count(forecast.n_workers, "worker", "workers").text);
	}
	forecast_free(&forecast);
	return status;
}

int sweep_status(const struct sweep_args *arguments, const struct plan *plan, const char *database)
{
	struct diag diag = DIAG_INIT;
	struct db *base = NULL;
	bool complete = false;
	unsigned n_slices;

	if (slices_find(plan, database, &n_slices, &diag) == STATUS_OK &&
	    db_open_existing(database, &base, &diag) == STATUS_OK) {
		if (n_slices)
			tell_slices(arguments, plan, database, base, &complete, &diag);
		else
			tell_database(arguments, plan, database, base, &complete, &diag);
	}
	db_close(base, NULL);
	if (diag.status != STATUS_OK)
		return output_diag(&diag);
	return complete ? STATUS_OK : STATUS_INTERRUPTED;
}

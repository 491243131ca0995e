/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `twostage sweep --slurm`. The queue and the shards say all: a command that was interrupted, or
 * one that is given twice, finds the tasks by their name and submits only slices that have none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "cli/progress.h"
#include "cli/sweep/slices.h"
#include "cli/sweep/slurm.h"
#include "sweep/forecast.h"

enum {
	/* Slurm's default MaxArraySize is 1001, and array indices are less than it. */
	TASKS_MAX = 1000,
	/* Processor time after which no further group is probed. */
	PROBE_MICROS = 3 * 1000 * 1000,
	/* How often a slice that gets no further is submitted. */
	TRIES_MAX = 3,
	/* Slices whose failure is told. */
	REPORTED_MAX = 8,
	POLL_MIN_SECONDS = 1,
	POLL_MAX_SECONDS = 30,
};

struct slice_state {
	size_t n_points, n_done;
	unsigned tries; /* submissions since n_done last grew */
	unsigned char complete;
};

struct watch {
	struct slices slices;
	struct slurm_job job;
	struct db *base;
	struct slice_state *states;
	enum slurm_task *tasks;
	unsigned char *wanted;
	char *name;
	int answered; /* has Slurm answered once? */
	unsigned n_queued, n_complete, n_wanted, n_given_up;
};

/* As the folder says; else as asked for, or by what the plan is expected to take. */
static enum exit_status count_tasks(const struct sweep_args *arguments, const struct plan *plan,
				    const char *database, struct db *base, unsigned *n_tasks,
				    struct diag *diag)
{
	const uint64_t per_task = (uint64_t)arguments->task_minutes * 60 * 1000000;
	struct forecast forecast = { 0 };
	enum exit_status status = slices_find(plan, database, n_tasks, diag);
	uint64_t n;

	if (status != STATUS_OK || *n_tasks)
		return status;
	*n_tasks = arguments->n_tasks;
	if (*n_tasks)
		return STATUS_OK;
	status = forecast_make(&forecast, plan, base, 1, PROBE_MICROS, diag);
	n = forecast.micros / per_task + 1;
	if (n > plan->n_points)
		n = plan->n_points;
	*n_tasks = n < 1 ? 1 : n > TASKS_MAX ? TASKS_MAX : (unsigned)n;
	forecast_free(&forecast);
	return status;
}

static enum exit_status start(struct watch *watch, const struct sweep_args *arguments,
			      const struct plan *plan, const char *database, struct diag *diag)
{
	struct slices *slices = &watch->slices;
	unsigned n_tasks = 0;
	enum exit_status status = db_open_existing(database, &watch->base, diag);

	if (status == STATUS_OK)
		status = count_tasks(arguments, plan, database, watch->base, &n_tasks, diag);
	if (status == STATUS_OK)
		status = slices_cut(slices, plan, n_tasks, database, diag);
	if (status == STATUS_OK && arguments->n_tasks && arguments->n_tasks != slices->n)
		status = diag_set(diag, STATUS_BAD_INPUT, "%s: cut into %u slices, not %u",
				  slices->folder, slices->n, arguments->n_tasks);
	if (status == STATUS_OK)
		status = slices_claim(slices, diag);
	if (status != STATUS_OK)
		return status;
	watch->states = calloc(slices->n, sizeof(*watch->states));
	watch->tasks = calloc(slices->n, sizeof(*watch->tasks));
	watch->wanted = calloc(slices->n, 1);
	watch->name = slurm_job_name(slices);
	if (!watch->states || !watch->tasks || !watch->wanted || !watch->name)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	watch->job = (struct slurm_job){ .name = watch->name,
					 .spec = arguments->spec,
					 .database = database,
					 .wanted = watch->wanted,
					 .options = arguments->sbatch,
					 .n_options = arguments->n_sbatch };
	return STATUS_OK;
}

static void stop(struct watch *watch)
{
	db_close(watch->base, NULL);
	free(watch->states);
	free(watch->tasks);
	free(watch->wanted);
	free(watch->name);
	slices_free(&watch->slices);
}

/* A slice without a task in the queue: is it complete, or has it to be run (again)? */
static enum exit_status look_at(struct watch *watch, unsigned i, struct diag *diag)
{
	struct slice_state *state = &watch->states[i];
	struct slice_progress progress;
	enum exit_status status = slices_look(&watch->slices, i, watch->base, &progress, diag);

	if (status != STATUS_OK)
		return status;
	state->n_points = progress.n_points;
	if (progress.n_done > state->n_done)
		state->tries = 0;
	state->n_done = progress.n_done;
	state->complete = progress.n_done == progress.n_points;
	watch->wanted[i] = !state->complete && state->tries < TRIES_MAX;
	watch->n_given_up += !state->complete && !watch->wanted[i];
	watch->n_wanted += watch->wanted[i];
	return STATUS_OK;
}

/* At all slices, whose tasks the queue has told. */
static enum exit_status look(struct watch *watch, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	watch->n_queued = watch->n_complete = watch->n_wanted = watch->n_given_up = 0;
	memset(watch->wanted, 0, watch->slices.n);
	for (unsigned i = 0; status == STATUS_OK && i < watch->slices.n; i++) {
		watch->n_queued += watch->tasks[i] != SLURM_GONE;
		if (watch->tasks[i] == SLURM_GONE && !watch->states[i].complete)
			status = look_at(watch, i, diag);
		watch->n_complete += watch->states[i].complete;
	}
	return status;
}

static enum exit_status submit(struct watch *watch, struct diag *diag)
{
	enum exit_status status = slurm_submit(&watch->slices, &watch->job, diag);
	unsigned again = 0;

	if (status != STATUS_OK)
		return status;
	for (unsigned i = 0; i < watch->slices.n; i++) {
		again += watch->wanted[i] && watch->states[i].tries;
		watch->states[i].tries += watch->wanted[i];
	}
	fprintf(stderr, "%s: %u of %s submitted as %s%s\n", watch->slices.folder, watch->n_wanted,
		output_count(watch->slices.n, "slice", "slices").text, watch->name,
		again ? ", some of them again" : "");
	return STATUS_OK;
}

static void report_given_up(const struct watch *watch)
{
	unsigned n_reported = 0;

	for (unsigned i = 0; i < watch->slices.n; i++) {
		const struct slice_state *state = &watch->states[i];
		char path[4096], text[512];

		if (state->complete || n_reported++ >= REPORTED_MAX)
			continue;
		if (!slice_last_line(&watch->slices, i, path, sizeof(path), text, sizeof(text)))
			snprintf(text, sizeof(text), "no output");
		output_error(STATUS_INTERNAL, "slice %u: %zu of %s after %s; %s: %s", i + 1,
			     state->n_done, output_count(state->n_points, "point", "points").text,
			     output_count(state->tries, "try", "tries").text, path, text);
	}
	if (n_reported > REPORTED_MAX)
		output_error(STATUS_INTERNAL, "%u more slices likewise; --status lists them",
			     n_reported - REPORTED_MAX);
}

static void wait_seconds(unsigned seconds)
{
	for (unsigned i = 0; i < seconds * 10 && !interrupt_seen(); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
}

static void tell_detached(const struct watch *watch, const char *spec)
{
	fprintf(stderr,
		"%s: tasks go on without this command; `twostage sweep %s --status` says how far "
		"they are, the same command waits for them, `scancel --name=%s` ends them\n",
		watch->slices.folder, spec, watch->name);
}

/*
 * One look, and the submission of what is missing. A controller that does not answer now may do so
 * later, once it has answered and while it has tasks of ours.
 */
static enum exit_status look_and_submit(struct watch *watch, struct diag *diag)
{
	struct diag now = DIAG_INIT;
	/* The queue first: a task that left it has written all it will write. */
	enum exit_status status = slurm_queue(watch->name, watch->tasks, watch->slices.n, &now);

	if (status == STATUS_IO && watch->answered) {
		/* What was submitted is there until the queue says otherwise. */
		watch->n_queued += watch->n_wanted;
		watch->n_wanted = 0;
		return STATUS_OK;
	}
	if (status == STATUS_OK)
		status = look(watch, &now);
	if (status == STATUS_OK && watch->n_wanted) {
		status = submit(watch, &now);
		if (status == STATUS_IO && watch->n_queued)
			return STATUS_OK;
	}
	watch->answered = status == STATUS_OK;
	if (status != STATUS_OK)
		*diag = now;
	return status;
}

/* Until all slices are complete or given up, or until they are all submitted. */
static enum exit_status watch_tasks(struct watch *watch, const struct sweep_args *arguments,
				    struct diag *diag)
{
	unsigned pause = POLL_MIN_SECONDS;
	struct progress progress;
	enum exit_status status = STATUS_OK;

	progress_init(&progress, "slices");
	while (!interrupt_seen()) {
		status = look_and_submit(watch, diag);
		if (status != STATUS_OK || watch->n_queued + watch->n_wanted == 0)
			break;
		progress_show(&progress, watch->n_complete, watch->slices.n);
		if (arguments->detach)
			break;
		if (watch->n_wanted)
			pause = POLL_MIN_SECONDS;
		wait_seconds(pause);
		pause = pause * 3 / 2 + 1 > POLL_MAX_SECONDS ? POLL_MAX_SECONDS : pause * 3 / 2 + 1;
	}
	progress_clear(&progress);
	return status;
}

enum sweep_slurm_end sweep_slurm_run(const struct sweep_args *arguments, const struct plan *plan,
				     const char *database, struct diag *diag)
{
	struct watch watch = { 0 };
	enum sweep_slurm_end end = SWEEP_SLURM_FAILED;

	interrupt_catch();
	if (start(&watch, arguments, plan, database, diag) == STATUS_OK &&
	    watch_tasks(&watch, arguments, diag) == STATUS_OK) {
		if (watch.n_complete == watch.slices.n)
			end = SWEEP_SLURM_COMPLETE;
		else if (watch.n_queued + watch.n_wanted || interrupt_seen())
			end = SWEEP_SLURM_DETACHED;
		else
			end = SWEEP_SLURM_INCOMPLETE;
	}
	if (end == SWEEP_SLURM_DETACHED)
		tell_detached(&watch, arguments->spec);
	if (end == SWEEP_SLURM_INCOMPLETE)
		report_given_up(&watch);
	stop(&watch);
	return end;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/sweep.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "run/point.h"
#include "sweep/pool.h"
#include "sweep/schedule.h"
#include "sweep/share.h"

/* How often an idle parent looks for an interrupt. */
enum { WAIT_MS = 200 };

/* Points dealt with in one transaction at most. */
enum { BATCH_MAX = 256 };

/* What a worker sends back. */
struct outcome {
	struct diag diag; /* STATUS_OK: stats are valid */
	struct stats stats;
	uint64_t wall_micros;
	uint64_t n_intervals;
	struct interval interval[]; /* as many as any point of the plan has */
};

struct sweep {
	struct plan *plan;
	struct db *db;
	const struct sweep_options *options;
	struct sweep_summary *summary;
	struct pool *pool;
	struct schedule schedule; /* without options->pick */
	size_t picked;		  /* by it, not yet handed out; SWEEP_NONE: none */
};

static uint64_t now_micros(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* What a worker knows; each has its own share once it is forked. */
struct work {
	const struct plan *plan;
	const struct schedule *schedule; /* NULL: jobs are points, else places */
	struct share *share;
};

/* In a worker. */
static void run_point(void *ctx, uint64_t job, void *result)
{
	const struct work *work = ctx;
	const struct plan *plan = work->plan;
	const struct schedule *schedule = work->schedule;
	const size_t index = schedule ? schedule->places[job].point : job;
	const unsigned wanted = schedule ? schedule_wanted(schedule, job) : SHARE_ALL;
	const struct plan_point *point = &plan->points[index];
	struct outcome *outcome = result;
	uint64_t start = now_micros();
	struct interval_table intervals;
	enum exit_status status;
	struct config config;

	plan_config(plan, point, &config);
	status = share_run(work->share, &config, plan->traces[point->trace].reader, wanted,
			   &outcome->stats, &intervals, &outcome->diag);
	if (status != STATUS_OK)
		diag_set(&outcome->diag, status, "failed without saying why");
	outcome->n_intervals = intervals.n;
	for (uint64_t i = 0; i < intervals.n; i++)
		outcome->interval[i] = intervals.row[i];
	interval_table_free(&intervals);
	outcome->wall_micros = now_micros() - start;
}

/* The job that a worker is to do next; SWEEP_NONE: none. */
static size_t next_job(struct sweep *sweep, unsigned worker)
{
	const struct sweep_options *options = sweep->options;

	if (!options->pick)
		return schedule_next(&sweep->schedule, worker);
	if (sweep->picked == SWEEP_NONE)
		sweep->picked = options->pick(options->ctx);
	return sweep->picked;
}

static void take_job(struct sweep *sweep, unsigned worker)
{
	if (sweep->options->pick)
		sweep->picked = SWEEP_NONE;
	else
		schedule_take(&sweep->schedule, worker);
}

static size_t point_of(const struct sweep *sweep, size_t job)
{
	return sweep->options->pick ? job : sweep->schedule.places[job].point;
}

/* A worker that is free and has something to do; n_workers: there is none. */
static unsigned idle_worker(struct sweep *sweep)
{
	unsigned worker = 0;

	while (worker < sweep->options->n_workers &&
	       !(pool_is_free(sweep->pool, worker) && next_job(sweep, worker) != SWEEP_NONE))
		worker++;
	return worker;
}

static enum exit_status settle(struct sweep *sweep, size_t index, enum exit_status status,
			       struct diag *diag)
{
	if (status != STATUS_OK || !sweep->options->settled)
		return status;
	return sweep->options->settled(sweep->options->ctx, index, diag);
}

static void fail_point(struct sweep *sweep, const struct plan_point *point, const struct diag *why)
{
	sweep->summary->n_failed++;
	if (sweep->summary->first_failure == STATUS_OK)
		sweep->summary->first_failure = why->status;
	if (sweep->options->failed)
		sweep->options->failed(sweep->options->ctx, point, why);
}

static void name_point(const struct sweep *sweep, const struct plan_point *point,
		       struct db_point *row)
{
	memset(row, 0, sizeof(*row));
	memcpy(row->key, point->key, sizeof(row->key));
	row->model = sweep->plan->models[point->model]->name;
	row->trace = sweep->plan->traces[point->trace].name;
	plan_config(sweep->plan, point, &row->config);
}

static enum exit_status store_impossible(struct sweep *sweep, const struct plan_point *point,
					 const char *reason, struct diag *diag)
{
	struct db_point row;

	name_point(sweep, point, &row);
	row.status = DB_POINT_IMPOSSIBLE;
	row.reason = reason;
	sweep->summary->n_impossible++;
	return db_put(sweep->db, &row, diag);
}

static enum exit_status store_result(struct sweep *sweep, const struct plan_point *point,
				     const struct outcome *outcome, struct diag *diag)
{
	struct db_point row;

	if (outcome->diag.impossible)
		return store_impossible(sweep, point, outcome->diag.text, diag);
	if (outcome->diag.status != STATUS_OK) {
		fail_point(sweep, point, &outcome->diag);
		return STATUS_OK;
	}
	name_point(sweep, point, &row);
	row.stats = outcome->stats;
	row.n_intervals = outcome->n_intervals;
	row.interval = outcome->interval;
	row.wall_micros = outcome->wall_micros;
	sweep->summary->n_ok++;
	return db_put(sweep->db, &row, diag);
}

static void report_death(struct sweep *sweep, const struct plan_point *point, int wait_status)
{
	struct diag why = DIAG_INIT;

	if (WIFSIGNALED(wait_status))
		diag_set(&why, STATUS_INTERNAL, "the worker died of signal %d (%s)",
			 WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	else
		diag_set(&why, STATUS_INTERNAL, "the worker ended with status %d",
			 WEXITSTATUS(wait_status));
	fail_point(sweep, point, &why);
}

/* Is it in the database, or in the one that counts as well? */
static enum exit_status find_point(struct sweep *sweep, const struct plan_point *point, int *found,
				   struct diag *diag)
{
	/* Asked anew each time: another sweep may be filling the same database. */
	enum exit_status status = db_has(sweep->db, point->key, found, diag);

	if (status == STATUS_OK && !*found && sweep->options->base)
		status = db_has(sweep->options->base, point->key, found, diag);
	return status;
}

/* A worker's job; perhaps for a copy of another one. */
static enum exit_status hand_out(struct sweep *sweep, unsigned worker, size_t job,
				 struct diag *diag)
{
	const unsigned like =
		sweep->options->pick ? worker : schedule_like(&sweep->schedule, worker);

	return like == worker ? pool_submit(sweep->pool, worker, job, diag)
			      : pool_submit_copy(sweep->pool, worker, like, job, diag);
}

/* Deal with a worker's next point: skip it, note that it is impossible, or hand it out. */
static enum exit_status begin_point(struct sweep *sweep, unsigned worker, struct diag *diag)
{
	const size_t job = next_job(sweep, worker), index = point_of(sweep, job);
	const struct plan_point *point = &sweep->plan->points[index];
	struct diag reason = DIAG_INIT;
	enum exit_status status;
	struct config config;
	int found;

	take_job(sweep, worker);
	status = find_point(sweep, point, &found, diag);
	if (status != STATUS_OK)
		return status;
	if (found) {
		sweep->summary->n_skipped++;
		return settle(sweep, index, STATUS_OK, diag);
	}
	plan_config(sweep->plan, point, &config);
	if (point_check(&config, &reason) == STATUS_OK)
		return hand_out(sweep, worker, job, diag);
	if (reason.status == STATUS_BAD_INPUT)
		status = store_impossible(sweep, point, reason.text, diag);
	else
		fail_point(sweep, point, &reason);
	return settle(sweep, index, status, diag);
}

/* Hand out points while there is room; skipped and impossible ones cost a worker nothing. */
static enum exit_status begin_points(struct sweep *sweep, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	for (unsigned n = 0; status == STATUS_OK && n < BATCH_MAX; n++) {
		const unsigned worker = idle_worker(sweep);

		if (worker == sweep->options->n_workers)
			break;
		status = begin_point(sweep, worker, diag);
	}
	return status;
}

static enum exit_status end_point(struct sweep *sweep, const struct pool_event *event,
				  struct diag *diag)
{
	const struct plan_point *point;
	enum exit_status status = STATUS_OK;
	size_t index;

	if (event->type == POOL_NOTHING)
		return STATUS_OK;
	index = point_of(sweep, event->job);
	point = &sweep->plan->points[index];
	if (event->type == POOL_RESULT)
		status = store_result(sweep, point, event->result, diag);
	else
		report_death(sweep, point, event->wait_status);
	return settle(sweep, index, status, diag);
}

/*
 * One transaction: *event, and whatever else has ended meanwhile. A worker gets its next point
 * before the result of its last is written, so that it need not wait for the disk.
 */
static enum exit_status deal(struct sweep *sweep, struct pool_event *event, struct diag *diag)
{
	const struct sweep_summary before = *sweep->summary;
	enum exit_status status = db_begin(sweep->db, diag);

	if (status != STATUS_OK)
		return status;
	for (unsigned n = 0; status == STATUS_OK; n++) {
		status = begin_points(sweep, diag);
		if (status == STATUS_OK)
			status = end_point(sweep, event, diag);
		if (status != STATUS_OK || n == BATCH_MAX)
			break;
		status = pool_wait(sweep->pool, 0, event, diag);
		if (event->type == POOL_NOTHING)
			break;
	}
	status = db_end(sweep->db, status, diag);
	if (status != STATUS_OK)
		*sweep->summary = before;
	return status;
}

static enum exit_status run_points(struct sweep *sweep, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	while (status == STATUS_OK) {
		const bool may_begin = idle_worker(sweep) < sweep->options->n_workers;
		struct pool_event event = { .type = POOL_NOTHING };

		if (!may_begin && !pool_busy(sweep->pool))
			break;

		if (!may_begin)
			status = pool_wait(sweep->pool, WAIT_MS, &event, diag);
		if (status == STATUS_OK && (may_begin || event.type != POOL_NOTHING))
			status = deal(sweep, &event, diag);
		if (status == STATUS_OK && sweep->options->step &&
		    sweep->options->step(sweep->options->ctx, sweep->summary))
			status = STATUS_INTERRUPTED;
	}
	return status;
}

enum exit_status sweep_name(const struct plan *plan, size_t first, size_t end, struct db *db,
			    struct diag *diag)
{
	char(*keys)[DB_KEY_TEXT] = calloc(plan->n_points + 1, sizeof(*keys));
	const struct db_sweep sweep = { .name = plan->name,
					.keys = (const char(*)[DB_KEY_TEXT])keys,
					.n_points = plan->n_points,
					.first = first,
					.end = end };
	enum exit_status status;

	if (!keys)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	for (size_t i = 0; i < plan->n_points; i++)
		memcpy(keys[i], plan->points[i].key, sizeof(*keys));
	status = db_put_sweep(db, &sweep, diag);
	free(keys);
	return status;
}

/* What the workers send: room for the intervals of the point that has most. */
static size_t result_bytes(const struct plan *plan)
{
	uint64_t most = 0;

	for (size_t i = 0; i < plan->n_points; i++) {
		const struct trace_reader *trace = plan->traces[plan->points[i].trace].reader;
		struct config config;
		uint64_t rows;

		plan_config(plan, &plan->points[i], &config);
		rows = interval_table_rows(&config, trace_info(trace));
		most = rows > most ? rows : most;
	}
	return sizeof(struct outcome) + (size_t)most * sizeof(struct interval);
}

enum exit_status sweep_run(struct plan *plan, struct db *db, const struct sweep_options *options,
			   struct sweep_summary *summary, struct diag *diag)
{
	struct sweep sweep = {
		.plan = plan, .db = db, .options = options, .summary = summary, .picked = SWEEP_NONE
	};
	struct work work = { .plan = plan };
	enum exit_status status = STATUS_OK;

	*summary = (struct sweep_summary){ .n_points = options->end - options->first };
	if (!options->pick)
		status = sweep_name(plan, options->first, options->end, db, diag);
	if (status != STATUS_OK)
		return status;
	if (!options->pick) {
		status = schedule_init(&sweep.schedule, plan, options->first, options->end,
				       options->n_workers, diag);
		work.schedule = &sweep.schedule;
	}
	if (status != STATUS_OK)
		return status;
	work.share = share_create(SWEEP_SHARE_BYTES);
	if (!work.share) {
		schedule_fini(&sweep.schedule);
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	}
	sweep.pool = pool_create(options->n_workers, result_bytes(plan), run_point, &work, diag);
	status = sweep.pool ? run_points(&sweep, diag) : STATUS_INTERNAL;
	pool_destroy(sweep.pool);
	share_free(work.share);
	schedule_fini(&sweep.schedule);
	return status;
}

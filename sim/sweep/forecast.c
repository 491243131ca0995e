/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/forecast.h"

#include <stdlib.h>

#include "run/point.h"
#include "run/sample.h"
#include "sweep/forecast_known.h"
#include "sweep/forecast_pages.h"
#include "sweep/forecast_probe.h"
#include "sweep/schedule.h"
#include "sweep/sweep.h"

enum {
	PROBES_MAX = 4, /* groups of a trace that are probed */
	/* What starting and the database take, of a sweep and of each of its points. */
	SWEEP_MICROS = 12000,
	POINT_MICROS = 200,
	/* What a point usually takes besides its tables: the program and its buffers, and for each
	 * eight bytes of tables six of what goes with them. */
	USUAL_BYTES = 16 << 20,
	TABLE_EIGHTHS = 14,
};

/* What a place of the schedule costs. */
struct cost {
	uint64_t alone, shared; /* micros; the latter after the place before it */
};

struct work {
	struct forecast *forecast;
	const struct plan *plan;
	struct db *db;
	struct forecast_known
		*known; /* [trace * (n_models + 1) + model]; behind the models: of any */
	struct forecast_pages *pages;  /* by trace; below == 0: not looked at yet */
	struct plan part;	       /* the points to run */
	size_t *indices;	       /* of these in the plan */
	struct schedule schedule;      /* of these */
	size_t *first;		       /* place of each group, in the order of the schedule */
	struct forecast_probe *probes; /* of each group; records == 0: none */
	struct cost *costs;	       /* of each place */
	uint64_t *busy;		       /* what each worker has done, in the simulation */
	struct diag *diag;
};

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* ---- states ---------------------------------------------------------------------- */

static enum exit_status find_states(struct work *work)
{
	struct forecast *forecast = work->forecast;
	const struct plan *plan = work->plan;
	enum exit_status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < plan->n_points; i++) {
		const struct plan_point *point = &plan->points[i];
		struct config config;
		int found = 0;

		if (work->db)
			status = db_has(work->db, point->key, &found, work->diag);
		plan_config(plan, point, &config);
		if (found) {
			forecast->states[i] = FORECAST_DONE;
			forecast->n_done++;
		} else if (point_check(&config, NULL) != STATUS_OK) {
			forecast->states[i] = FORECAST_IMPOSSIBLE;
			forecast->n_impossible++;
		} else {
			forecast->n_to_run++;
			forecast->accesses += plan->traces[point->trace].name.accesses;
		}
	}
	return status;
}

static void list_points(struct work *work)
{
	const struct plan *plan = work->plan;

	for (size_t i = 0; i < plan->n_points; i++) {
		if (work->forecast->states[i] != FORECAST_TO_RUN)
			continue;
		work->indices[work->part.n_points] = i;
		work->part.points[work->part.n_points++] = plan->points[i];
	}
}

/* What the point of a place shares with the one before. */
static enum share_depth depth_of(const struct work *work, size_t place)
{
	const struct schedule_place *at = &work->schedule.places[place];
	struct config config;

	plan_config(work->plan, &work->part.points[at->point], &config);
	return point_is_alone(&config) ? SHARE_NOTHING : (enum share_depth)at->shared;
}

/* Those of one trace together. */
static int by_example(const void *a, const void *b)
{
	const struct forecast_group *x = a, *y = b;

	if (x->trace != y->trace)
		return x->trace < y->trace ? -1 : 1;
	return (x->example > y->example) - (x->example < y->example);
}

static void list_groups(struct work *work)
{
	struct forecast *forecast = work->forecast;

	for (size_t i = 0; i < work->schedule.n; i++) {
		const enum share_depth shared = depth_of(work, i);
		const size_t point = work->schedule.places[i].point;
		struct forecast_group *group = &forecast->groups[forecast->n_groups - 1];

		if (shared == SHARE_NOTHING) {
			group = &forecast->groups[forecast->n_groups];
			*group = (struct forecast_group){ .trace = work->part.points[point].trace,
							  .example = work->indices[point] };
			work->first[forecast->n_groups++] = i;
		}
		group->n_points++;
		group->n_shared[shared]++;
		if (shared != SHARE_NOTHING)
			forecast->share_bytes = SWEEP_SHARE_BYTES;
	}
}

/* ---- probes --------------------------------------------------------------------------------- */

static enum exit_status look_at_pages(struct work *work, uint32_t trace)
{
	struct forecast_pages *pages = &work->pages[trace];

	if (pages->below)
		return STATUS_OK;
	pages->below = UINT64_MAX;
	return forecast_pages(work->plan->traces[trace].reader, pages, work->diag);
}

static enum exit_status probe_group(struct work *work, size_t group)
{
	struct forecast *forecast = work->forecast;
	struct forecast_probe *probe = &work->probes[group];
	const uint32_t trace = forecast->groups[group].trace;
	const uint64_t start = forecast_processor_nanos();
	enum exit_status status = look_at_pages(work, trace);

	if (status == STATUS_OK)
		status = forecast_probe(&work->part, &work->schedule, work->first[group],
					&work->pages[trace], probe, work->diag);
	forecast->n_probes += probe->records != 0;
	forecast->probe_records += probe->records;
	forecast->probe_micros += (forecast_processor_nanos() - start) / 1000;
	return status;
}

/* The groups of one trace stand together. */
static size_t end_of_trace(const struct forecast *forecast, size_t group)
{
	const uint32_t trace = forecast->groups[group].trace;

	while (group < forecast->n_groups && forecast->groups[group].trace == trace)
		group++;
	return group;
}

/* One group of each trace, then another one of each: those that differ most come first. */
static enum exit_status probe_groups(struct work *work, uint64_t most_micros)
{
	static const unsigned eighths[PROBES_MAX] = { 0, 7, 4, 2 };
	struct forecast *forecast = work->forecast;
	enum exit_status status = STATUS_OK;

	for (unsigned round = 0; round < PROBES_MAX; round++) {
		for (size_t begin = 0, end; begin < forecast->n_groups; begin = end) {
			size_t group;

			end = end_of_trace(forecast, begin);
			group = begin + (end - begin) * eighths[round] / 8;
			if (status != STATUS_OK || forecast->probe_micros >= most_micros)
				return status;
			if (!work->probes[group].records)
				status = probe_group(work, group);
		}
	}
	return status;
}

/* That of the group, or of one nearby of the same trace; NULL: there is none. */
static const struct forecast_probe *probe_of(const struct work *work, size_t group)
{
	const struct forecast *forecast = work->forecast;
	const uint32_t trace = forecast->groups[group].trace;

	for (size_t apart = 0; apart < forecast->n_groups; apart++) {
		const size_t before = group - apart, behind = group + apart;
		const bool has_before = apart <= group && forecast->groups[before].trace == trace;
		const bool has_behind =
			behind < forecast->n_groups && forecast->groups[behind].trace == trace;

		if (has_before && work->probes[before].records)
			return &work->probes[before];
		if (has_behind && work->probes[behind].records)
			return &work->probes[behind];
		if (!has_before && !has_behind)
			break;
	}
	return NULL;
}

/* ---- time and memory ------------------------------------------------------------------------ */

/* Of a point that takes samples, the share that is replayed. */
static double share_replayed(const struct config *config)
{
	if (!sample_wanted(config) || !config->sample.warm ||
	    config->sample.length + config->sample.warm >= config->sample.period)
		return 1;
	return (double)(config->sample.length + config->sample.warm) /
	       (double)config->sample.period;
}

/* Of a point alone; `probe` may be NULL. A time that is far below the probe's is of one that
 * shared. */
static uint64_t micros_alone(struct forecast *forecast, const struct forecast_times *known,
			     const struct forecast_probe *probe, uint64_t guess)
{
	if (known->n_points && (!probe || known->most_micros >= probe->micros / 3)) {
		forecast->n_measured++;
		return known->most_micros;
	}
	if (!probe)
		return guess;
	forecast->n_probed++;
	return probe->micros;
}

static enum exit_status add_place(struct work *work, size_t i, const struct forecast_probe *probe)
{
	const struct schedule_place *place = &work->schedule.places[i];
	const struct plan_point *point = &work->part.points[place->point];
	const enum share_depth depth = depth_of(work, i);
	struct forecast *forecast = work->forecast;
	double ratio = (double)(place[1].before - place->before) / (double)place->alone;
	const struct forecast_times *known;
	struct config config;
	enum exit_status status = forecast_known(work->known, point, &known, work->diag);
	uint64_t bytes, alone;

	if (status == STATUS_OK && !known->n_points)
		status = look_at_pages(work, point->trace);
	if (status != STATUS_OK)
		return status;
	plan_config(work->plan, point, &config);
	alone = micros_alone(forecast, known, probe, work->pages[point->trace].guess_micros);
	alone = (uint64_t)((double)alone * share_replayed(&config));
	if (point_is_alone(&config))
		ratio = 1;
	else if (probe && probe->ratio[depth] > 0)
		ratio = probe->ratio[depth];
	work->costs[i].shared = (uint64_t)((double)alone * ratio) + POINT_MICROS;
	work->costs[i].alone = alone + POINT_MICROS;
	if (work->costs[i].alone < work->costs[i].shared)
		work->costs[i].alone = work->costs[i].shared;
	bytes = known->n_points ? known->table_bytes : work->pages[point->trace].table_bytes;
	if (bytes > forecast->table_bytes)
		forecast->table_bytes = bytes;
	return STATUS_OK;
}

/* Recordings that a worker has with a group: of its points so far, if it needs not forget them. */
static uint64_t recorded_with(const struct forecast_group *group,
			      const struct forecast_probe *probe)
{
	const uint64_t kept = SWEEP_SHARE_BYTES / SHARE_KEPT_DIVISOR;
	const uint64_t first = probe ? probe->recorded_bytes[SHARE_NOTHING] : SWEEP_SHARE_BYTES;
	uint64_t others = 0, largest = 0, all;

	for (unsigned depth = SHARE_STREAM; probe && depth < SHARE_DEPTHS; depth++) {
		const uint64_t bytes = probe->recorded_bytes[depth];

		others += bytes * group->n_shared[depth];
		if (group->n_shared[depth] && bytes > largest)
			largest = bytes;
	}
	all = first + (others < kept + largest ? others : kept + largest);
	return all < SWEEP_SHARE_BYTES ? all : SWEEP_SHARE_BYTES;
}

static void expect_bytes(struct work *work)
{
	struct forecast *forecast = work->forecast;
	uint64_t recorded = 0;

	for (size_t i = 0; forecast->share_bytes && i < forecast->n_groups; i++) {
		const struct forecast_group *group = &forecast->groups[i];
		const uint64_t bytes = recorded_with(group, probe_of(work, i));

		if (group->n_points > 1 && bytes > recorded)
			recorded = bytes;
	}
	forecast->expected_bytes =
		USUAL_BYTES + forecast->table_bytes / 8 * TABLE_EIGHTHS + recorded;
	if (forecast->expected_bytes > forecast->worker_bytes)
		forecast->expected_bytes = forecast->worker_bytes;
}

static enum exit_status add_places(struct work *work)
{
	const struct forecast_probe *probe = NULL;
	enum exit_status status = STATUS_OK;
	size_t group = 0;

	for (size_t i = 0; status == STATUS_OK && i < work->schedule.n; i++) {
		if (group < work->forecast->n_groups && work->first[group] == i)
			probe = probe_of(work, group++);
		status = add_place(work, i, probe);
	}
	return status;
}

/* The worker that is free first. */
static unsigned first_free(const struct work *work)
{
	unsigned first = 0;

	for (unsigned i = 1; i < work->forecast->n_workers; i++)
		if (work->busy[i] < work->busy[first])
			first = i;
	return first;
}

/* The next time at which a worker is done; `now`: all are. */
static uint64_t next_end(const struct work *work, uint64_t now)
{
	uint64_t end = UINT64_MAX;

	for (unsigned i = 0; i < work->forecast->n_workers; i++)
		if (work->busy[i] > now && work->busy[i] < end)
			end = work->busy[i];
	return end == UINT64_MAX ? now : end;
}

/*
 * Let workers take places as sweep_run() does; one that goes on where it was has the recordings
 * that it wants, and so has a copy of the one that was there.
 */
static void simulate(struct work *work, size_t *behind)
{
	struct forecast *forecast = work->forecast;
	size_t left = work->schedule.n;

	while (left) {
		const unsigned worker = first_free(work);
		const uint64_t now = work->busy[worker];
		const size_t place = schedule_next(&work->schedule, worker);
		unsigned like;
		uint64_t cost;

		if (place == SCHEDULE_NONE) {
			work->busy[worker] = next_end(work, now);
			if (work->busy[worker] == now)
				break;
			continue;
		}
		schedule_take(&work->schedule, worker);
		like = schedule_like(&work->schedule, worker);
		if (work->busy[like] > now)
			work->busy[worker] = work->busy[like];
		cost = place == behind[worker] || like != worker ? work->costs[place].shared
								 : work->costs[place].alone;
		work->busy[worker] += cost;
		forecast->micros += cost;
		if (cost > forecast->longest_micros)
			forecast->longest_micros = cost;
		behind[worker] = place + 1;
		left--;
		if (work->busy[worker] > forecast->wall_micros)
			forecast->wall_micros = work->busy[worker];
	}
}

static enum exit_status find_wall(struct work *work)
{
	size_t *behind = calloc(work->forecast->n_workers + 1, sizeof(*behind));

	work->busy = calloc(work->forecast->n_workers + 1, sizeof(*work->busy));
	if (!behind || !work->busy) {
		free(behind);
		return no_memory(work->diag);
	}
	for (unsigned i = 0; i < work->forecast->n_workers; i++)
		behind[i] = SIZE_MAX;
	simulate(work, behind);
	free(behind);
	return STATUS_OK;
}

static enum exit_status forecast_points(struct work *work, unsigned n_workers,
					uint64_t most_probe_micros)
{
	struct forecast *forecast = work->forecast;
	enum exit_status status;

	list_points(work);
	forecast->n_workers =
		forecast->n_to_run < n_workers ? (unsigned)forecast->n_to_run : n_workers;
	status = schedule_init(&work->schedule, &work->part, 0, work->part.n_points,
			       forecast->n_workers ? forecast->n_workers : 1, work->diag);
	if (status != STATUS_OK)
		return status;
	list_groups(work);
	status = probe_groups(work, most_probe_micros);
	if (status == STATUS_OK)
		status = add_places(work);
	if (status == STATUS_OK)
		status = find_wall(work);
	forecast->worker_bytes =
		FORECAST_POINT_BYTES + forecast->share_bytes + forecast->table_bytes;
	expect_bytes(work);
	qsort(forecast->groups, forecast->n_groups, sizeof(*forecast->groups), by_example);
	if (forecast->n_to_run) {
		forecast->micros += SWEEP_MICROS;
		forecast->wall_micros += SWEEP_MICROS;
	}
	return status;
}

static enum exit_status work_init(struct work *work)
{
	const struct plan *plan = work->plan;
	const size_t n = plan->n_points + 1;

	work->part = *plan;
	work->part.n_points = 0;
	work->forecast->states = calloc(n, 1);
	work->forecast->groups = calloc(n, sizeof(*work->forecast->groups));
	work->part.points = calloc(n, sizeof(*work->part.points));
	work->indices = calloc(n, sizeof(*work->indices));
	work->first = calloc(n, sizeof(*work->first));
	work->probes = calloc(n, sizeof(*work->probes));
	work->costs = calloc(n, sizeof(*work->costs));
	work->pages = calloc(plan->n_traces + 1, sizeof(*work->pages));
	work->known = forecast_known_create(plan, work->db);
	return work->forecast->states && work->forecast->groups && work->part.points &&
			       work->indices && work->first && work->probes && work->costs &&
			       work->pages && work->known
		       ? STATUS_OK
		       : no_memory(work->diag);
}

static void work_fini(struct work *work)
{
	free(work->part.points);
	free(work->indices);
	free(work->first);
	free(work->probes);
	free(work->costs);
	free(work->pages);
	free(work->known);
	free(work->busy);
	schedule_fini(&work->schedule);
}

enum exit_status forecast_make(struct forecast *forecast, const struct plan *plan, struct db *db,
			       unsigned n_workers, uint64_t most_probe_micros, struct diag *diag)
{
	struct work work = { .forecast = forecast, .plan = plan, .db = db, .diag = diag };
	enum exit_status status;

	*forecast = (struct forecast){ 0 };
	status = work_init(&work);
	if (status == STATUS_OK)
		status = find_states(&work);
	if (status == STATUS_OK)
		status = forecast_points(&work, n_workers, most_probe_micros);
	work_fini(&work);
	return status;
}

void forecast_free(struct forecast *forecast)
{
	free(forecast->states);
	free(forecast->groups);
	*forecast = (struct forecast){ 0 };
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/forecast_probe.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "run/point.h"
#include "run/sample.h"
#include "sweep/sweep.h"

enum {
	/* Replayed once in about so much processor time; all of the trace if that takes less than
	 * three times as much. */
	PASS_NANOS = 40 * 1000 * 1000,
	BLOCKS_MAX = 256,
};

/* A group under way. */
struct probing {
	const struct plan *plan;
	const struct schedule *schedule;
	const struct forecast_pages *pages;
	const struct trace_reader *trace;
	uint64_t blocks[2 * BLOCKS_MAX]; /* the same twice */
	size_t n;
	struct trace_reader *once, *twice; /* of them; NULL: not made */
	const struct trace_reader *shared; /* one of these two: what measure_sharing() replays */
	uint64_t setup_nanos;		   /* of a replay of nothing */
	struct forecast_probe *probe;
	struct diag *diag;
};

uint64_t forecast_processor_nanos(void)
{
	struct rusage children = { 0 };
	struct timespec own = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return (uint64_t)own.tv_sec * 1000000000 + (uint64_t)own.tv_nsec +
	       ((uint64_t)children.ru_utime.tv_sec + (uint64_t)children.ru_stime.tv_sec) *
		       1000000000 +
	       ((uint64_t)children.ru_utime.tv_usec + (uint64_t)children.ru_stime.tv_usec) * 1000;
}

/* A point as it is run on a part of its trace: what counts does not matter, and may not fit. */
static struct config config_of(const struct probing *probing, size_t place)
{
	const struct plan *plan = probing->plan;
	struct config config;

	plan_config(plan, &plan->points[probing->schedule->places[place].point], &config);
	config.sample.period = 0;
	config.warmup.instructions = 0;
	config.interval.instructions = 0;
	return config;
}

/* Time of one point; 0: it failed. */
static uint64_t run(struct probing *probing, struct share *share, size_t place,
		    const struct trace_reader *trace, unsigned wanted)
{
	const struct config config = config_of(probing, place);
	const uint64_t start = forecast_processor_nanos();
	struct interval_table intervals = { 0 };
	struct diag ignored = DIAG_INIT;
	struct stats stats;
	enum exit_status status;

	status = share_run(share, &config, trace, wanted, &stats, &intervals, &ignored);
	interval_table_free(&intervals);
	if (status != STATUS_OK)
		return 0;
	probing->probe->records += trace_info(trace)->totals.records;
	return forecast_processor_nanos() - start + 1;
}

static uint64_t run_alone(struct probing *probing, size_t place, const struct trace_reader *trace)
{
	struct share *share = share_create(0);
	const uint64_t nanos = share ? run(probing, share, place, trace, 0) : 0;

	share_free(share);
	return nanos;
}

static uint64_t beyond(uint64_t more, uint64_t less)
{
	return more > less ? more - less : 0;
}

/* The `n` blocks, `times` times one after the other; NULL: out of memory. */
static struct trace_reader *part_of(struct probing *probing, uint64_t n, size_t times)
{
	probing->n = (size_t)n;
	forecast_spread(trace_info(probing->trace)->blocks, probing->n, probing->blocks);
	memcpy(probing->blocks + n, probing->blocks, probing->n * sizeof(*probing->blocks));
	return trace_part(probing->trace, probing->blocks, times * probing->n, probing->diag);
}

/*
 * More and more blocks until they take as long as they may: the first ones say little of the next,
 * as memory and caches are cold. *nanos: of those it ends with; 0: the point failed.
 */
static enum exit_status choose_blocks(struct probing *probing, size_t place, uint64_t *nanos)
{
	const uint64_t all = trace_info(probing->trace)->blocks;
	uint64_t n = 0;

	do {
		n = n == 0 ? 1 : n < all / 4 && 4 * n < BLOCKS_MAX ? 4 * n : all;
		n = n < BLOCKS_MAX ? n : BLOCKS_MAX;
		trace_close(probing->once);
		probing->once = part_of(probing, n, 1);
		if (!probing->once)
			return probing->diag->status;
		*nanos = run_alone(probing, place, probing->once);
	} while (*nanos && *nanos < PASS_NANOS && n < all && n < BLOCKS_MAX);
	return STATUS_OK;
}

/* What making a machine takes, and the trace a second time behind the first. */
static enum exit_status measure_again(struct probing *probing, size_t place, uint64_t *nanos)
{
	struct trace_reader *none = part_of(probing, 0, 1);

	if (none)
		probing->setup_nanos = run_alone(probing, place, none);
	trace_close(none);
	probing->twice = part_of(probing, trace_info(probing->once)->blocks, 2);
	if (!none || !probing->twice)
		return probing->diag->status;
	*nanos = run_alone(probing, place, probing->twice);
	if (*nanos)
		probing->shared = probing->twice;
	return STATUS_OK;
}

/*
 * The second time no page is new: what the first time took beyond that is what pages cost that are
 * accessed for the first time, and these are fewer the further a trace has come.
 */
static enum exit_status extrapolate(struct probing *probing, uint64_t once, uint64_t twice)
{
	const struct trace_totals *all = &trace_info(probing->trace)->totals;
	const struct trace_totals *part = &trace_info(probing->once)->totals;
	const double times = (double)all->records / (double)(part->records ? part->records : 1);
	const uint64_t again = twice ? beyond(twice, once) : once;
	const uint64_t first = beyond(beyond(once, again), probing->setup_nanos);
	enum exit_status status;
	uint64_t n_pages;
	double nanos;

	if (part->records == all->records) {
		probing->probe->micros = once / 1000 + 1;
		return STATUS_OK;
	}
	status = forecast_pages_in(probing->trace, probing->pages, probing->blocks, probing->n,
				   &n_pages, probing->diag);
	nanos = (double)probing->setup_nanos + times * (double)again;
	if (n_pages)
		nanos += (double)first * (double)probing->pages->pages / (double)n_pages;
	probing->probe->micros = (uint64_t)(nanos / 1000) + 1;
	return status;
}

/* Recordings of the part may take the part of the memory that those of the whole may. */
static struct share *small_share(const struct probing *probing)
{
	const double all = (double)trace_info(probing->trace)->totals.records + 1;
	const double part = (double)trace_info(probing->shared)->totals.records;

	return share_create((size_t)((double)SWEEP_SHARE_BYTES * (part < all ? part / all : 1)));
}

/* What the last point would have recorded of all of the trace. */
static uint64_t recorded_bytes(const struct probing *probing, const struct share *share)
{
	const double all = (double)trace_info(probing->trace)->totals.records + 1;
	const double part = (double)trace_info(probing->shared)->totals.records + 1;
	const double recorded = (double)share_recorded_bytes(share);

	return (uint64_t)(part < all ? recorded * all / part : recorded);
}

/* The first place of each depth, in the order in which they would be run. */
static enum exit_status measure_sharing(struct probing *probing, size_t place, uint64_t alone)
{
	const struct schedule *schedule = probing->schedule;
	struct share *share = small_share(probing);
	bool seen[SHARE_DEPTHS] = { false };

	if (!schedule_wanted(schedule, place)) {
		probing->probe->ratio[SHARE_NOTHING] = 1;
		share_free(share);
		return STATUS_OK;
	}
	if (!share)
		return diag_set(probing->diag, STATUS_INTERNAL, "out of memory");
	for (size_t i = place;
	     i < schedule->n && (i == place || schedule->places[i].shared != SHARE_NOTHING); i++) {
		const enum share_depth depth =
			i == place ? SHARE_NOTHING : schedule->places[i].shared;
		uint64_t nanos;
		double ratio;

		if (seen[depth])
			continue;
		seen[depth] = true;
		nanos = run(probing, share, i, probing->shared, schedule_wanted(schedule, i));
		ratio = (double)nanos / (double)alone;
		probing->probe->ratio[depth] = i > place || ratio > 1 ? ratio : 1;
		probing->probe->recorded_bytes[depth] = recorded_bytes(probing, share);
	}
	share_free(share);
	return STATUS_OK;
}

static enum exit_status measure(struct probing *probing, size_t place)
{
	uint64_t once = 0, twice = 0;
	enum exit_status status = choose_blocks(probing, place, &once);

	if (!once)
		probing->probe->records = 0;
	if (status != STATUS_OK || !once)
		return status;
	probing->shared = probing->once;
	if (trace_info(probing->once)->blocks < trace_info(probing->trace)->blocks)
		status = measure_again(probing, place, &twice);
	if (status == STATUS_OK)
		status = extrapolate(probing, once, twice);
	return status == STATUS_OK ? measure_sharing(probing, place, twice ? twice : once) : status;
}

enum exit_status forecast_probe(const struct plan *plan, const struct schedule *schedule,
				size_t place, const struct forecast_pages *pages,
				struct forecast_probe *probe, struct diag *diag)
{
	const struct plan_point *point = &plan->points[schedule->places[place].point];
	struct probing probing = {
		.plan = plan,
		.schedule = schedule,
		.pages = pages,
		.trace = plan->traces[point->trace].reader,
		.probe = probe,
		.diag = diag,
	};
	enum exit_status status;

	*probe = (struct forecast_probe){ 0 };
	if (!trace_info(probing.trace)->blocks)
		return STATUS_OK;
	status = measure(&probing, place);
	trace_close(probing.once);
	trace_close(probing.twice);
	return status;
}

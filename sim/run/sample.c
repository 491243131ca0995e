/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/sample.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "run/replay.h"
#include "trace/rng.h"

bool sample_wanted(const struct config *config)
{
	return config->sample.period != 0;
}

struct sample_grid sample_grid_of(const struct config *config, const struct trace_info *info)
{
	const bool drawn = config->sample.offset == 0;

	return (struct sample_grid){
		.period = config->sample.period,
		.length = config->sample.length,
		.offset = drawn ? 0 : config->sample.offset % config->sample.period,
		.all = trace_accesses(&info->totals) + info->totals.splits,
		.drawn = drawn,
		.seed = rng_mix(config->seed ^ UINT64_C(0x73616d706c65)),
	};
}

/*
 * A period is made of places of the samples' length, the last one being what remains; a draw gives
 * each the same chance, and so each ordinal.
 */
struct sample_span sample_grid_span(const struct sample_grid *grid, uint64_t index)
{
	const uint64_t places = (grid->period - 1) / grid->length + 1;
	struct sample_span span = { index * grid->period, (index + 1) * grid->period };
	struct rng rng;

	span.begin += grid->offset;
	if (grid->drawn) {
		rng = rng_seed(grid->seed + index);
		span.begin += rng_below(&rng, places) * grid->length;
	}
	if (grid->length < span.end - span.begin)
		span.end = span.begin + grid->length;
	return span;
}

uint64_t sample_grid_rows(const struct sample_grid *grid)
{
	return grid->all ? (grid->all - 1) / grid->period + 1 : 0;
}

uint64_t sample_rows(const struct config *config, const struct trace_info *info)
{
	const struct sample_grid grid = sample_grid_of(config, info);
	const uint64_t rows = sample_grid_rows(&grid);

	return rows <= INTERVALS_MAX ? rows : 0;
}

static enum exit_status check_grid(const struct config *config, const struct sample_grid *grid,
				   struct diag *diag)
{
	const uint64_t period = grid->period, length = grid->length;
	const uint64_t rows = sample_grid_rows(grid);

	if (config->warmup.instructions || config->interval.instructions)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.period: no samples are taken of a run with a warm-up or "
				"intervals (warmup.instructions, interval.instructions)");
	if (length > period)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.length: %" PRIu64
				" accesses are more than a period of %" PRIu64,
				length, period);
	if (config->sample.offset > period)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.offset: %" PRIu64 " is beyond the period of %" PRIu64
				" accesses",
				config->sample.offset, period);
	if (grid->offset + length > period)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.offset: %" PRIu64 " and a length of %" PRIu64
				" accesses reach beyond a period of %" PRIu64,
				grid->offset, length, period);
	if (rows > INTERVALS_MAX)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.period: %" PRIu64 " accesses make %" PRIu64
				" samples of this trace; at most %d are kept",
				period, rows, INTERVALS_MAX);
	if (length < period && rows < 2)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.period: %" PRIu64 " accesses make less than two samples of "
				"this trace of %" PRIu64
				"; two at least are needed to tell how far they scatter",
				period, grid->all);
	return STATUS_OK;
}

/* What goes on without accesses, or depends on each of them, cannot be left out. */
static enum exit_status check_replay(const struct replay *replay, struct diag *diag)
{
	const char *what = NULL;

	if (replay->timing)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.period: timing.backend: %s takes no samples",
				replay->machine->config.timing.backend);
	if (replay->machine->walkers)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.period: no samples are taken where walks go on beside the "
				"core (core.window_instructions)");
	if (replay->session.due != UINT64_MAX || replay->scheduled)
		return diag_set(diag, STATUS_BAD_INPUT,
				"sample.period: no samples are taken where the host acts by itself "
				"(dirty logging, ageing, scans, time slices, devices)");
	if (!replay->machine->config.sample.warm)
		return STATUS_OK;
	if (replay->track_stores)
		what = "stores change what is mapped (dirty state, forks)";
	else if (vm_allocates_asids(replay->machine->vms[0]))
		what = "ASIDs are given out anew (guest.asid_bits)";
	else if (!machine_vmids_suffice(replay->machine))
		what = "VMIDs are given out anew";
	if (!what)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT, "sample.warm: has to be all where %s", what);
}

/* Walks in samples have a histogram of their own. */
static void swap_latencies(struct sampler *sampler)
{
	struct walk_latencies *other = sampler->aside;

	sampler->aside = sampler->machine->mmu.latencies;
	sampler->machine->mmu.latencies = other;
}

/* What adds up over time, but for what follows from the number of accesses. */
static void count(const struct sampler *sampler, struct stats *stats)
{
	static const struct trace_totals none;

	mmu_count_sums(&sampler->machine->mmu, stats);
	timeline_count_totals(&sampler->machine->mmu.shape, &none, stats);
	machine_count_sums(sampler->machine, stats);
}

/* The state of the machine from `ordinal` on, and where it ends. */
static void enter(struct sampler *sampler, uint64_t ordinal)
{
	while (sampler->span.end <= ordinal)
		sampler->span = sample_grid_span(&sampler->grid, ++sampler->row);
	if (ordinal >= sampler->span.begin) {
		sampler->state = SAMPLE_COUNT;
		sampler->due = sampler->span.end;
		/* What making the machine cost belongs to the first access. */
		if (ordinal)
			count(sampler, &sampler->at);
		swap_latencies(sampler);
	} else if (sampler->span.begin - ordinal <= sampler->warm) {
		sampler->state = SAMPLE_WARM;
		sampler->due = sampler->span.begin;
	} else {
		sampler->state = SAMPLE_SKIP;
		sampler->due = sampler->span.begin - sampler->warm;
	}
}

static void leave(struct sampler *sampler)
{
	struct stats now;

	if (sampler->state != SAMPLE_COUNT)
		return;
	swap_latencies(sampler);
	count(sampler, &now);
	for (unsigned i = 0; i < STAT_COUNT; i++)
		sampler->sum.v[i] += now.v[i] - sampler->at.v[i];
	if (sampler->row < sampler->table->n)
		for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
			sampler->table->row[sampler->row].v[i] =
				now.v[interval_counts[i]] - sampler->at.v[interval_counts[i]];
}

enum exit_status sampler_init(struct sampler *sampler, struct replay *replay,
			      const struct trace_reader *trace, struct interval_table *table,
			      struct diag *diag)
{
	const struct config *config = &replay->machine->config;
	enum exit_status status;

	*sampler = (struct sampler){
		.machine = replay->machine,
		.trace = trace,
		.table = table,
		.grid = sample_grid_of(config, trace_info(trace)),
		.warm = config->sample.warm ? config->sample.warm : UINT64_MAX,
	};
	status = check_grid(config, &sampler->grid, diag);
	if (status == STATUS_OK)
		status = check_replay(replay, diag);
	if (status != STATUS_OK)
		return status;
	sampler->aside = calloc(1, sizeof(*sampler->aside));
	table->n = sample_grid_rows(&sampler->grid);
	table->row = calloc(table->n + 1, sizeof(*table->row));
	if (!sampler->aside || !table->row) {
		sampler_fini(sampler);
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	}
	sampler->span = sample_grid_span(&sampler->grid, 0);
	enter(sampler, 0);
	replay->sampler = sampler;
	return STATUS_OK;
}

void sampler_fini(struct sampler *sampler)
{
	free(sampler->aside);
	sampler->aside = NULL;
	sample_pages_fini(&sampler->touched);
}

static bool has_new_page(const struct sampler *sampler, const struct trace_block *block)
{
	for (uint32_t i = 0; i < block->n_keys; i++)
		if (!sample_pages_have(&sampler->touched, &block->keys[i]))
			return true;
	return false;
}

enum exit_status sampler_read(struct sampler *sampler, uint64_t index, unsigned columns,
			      struct trace_block *block, struct diag *diag)
{
	const struct trace_reader *trace = sampler->trace;
	const uint64_t first = trace_block_ordinal(trace, index);
	const struct trace_totals totals = trace_block_totals(trace, index);
	enum exit_status status;

	if (first >= sampler->due)
		sampler_mark(sampler, first);
	if (trace_block_ordinal(trace, index + 1) > sampler->due)
		return trace_read_block(trace, index, columns | COLUMN_ORDINALS, block, diag);
	if (sampler->state != SAMPLE_SKIP)
		return trace_read_block(trace, index, columns, block, diag);
	if (totals.events)
		return trace_read_block(trace, index, COLUMN_KEY, block, diag);
	status = trace_read_block(trace, index, COLUMN_KEYS_ALONE, block, diag);
	if (status != STATUS_OK || !has_new_page(sampler, block))
		return status;
	return trace_read_block(trace, index, COLUMN_KEY, block, diag);
}

void sampler_mark(struct sampler *sampler, uint64_t ordinal)
{
	leave(sampler);
	enter(sampler, ordinal);
}

void sampler_forget(struct sampler *sampler, const struct trace_event *event)
{
	const bool tables = sampler->machine->config.guest.image != NULL;

	if (event->type == EVENT_UNMAP || event->type == EVENT_FORK ||
	    (event->type == EVENT_CONTEXT_SWITCH && tables))
		sample_pages_clear(&sampler->touched);
}

/* Where an ordinal lies in the trace: totals up to it. For ordinals that never fall. */
struct course {
	const struct trace_reader *trace;
	uint64_t block;		   /* the one that it lies in */
	struct trace_totals begun; /* of the blocks before */
};

static uint64_t share(uint64_t count, uint64_t part, uint64_t whole)
{
	return part < whole ? (uint64_t)((rng_u128)count * part / whole) : count;
}

static void add(struct trace_totals *sum, const struct trace_totals *more, uint64_t part,
		uint64_t whole)
{
	const uint64_t fetches = share(more->fetches, part, whole);
	const uint64_t stores = share(more->stores, part, whole);
	const uint64_t splits = share(more->splits, part, whole);
	const uint64_t all = share(trace_accesses(more) + more->splits, part, whole);

	sum->instructions += share(more->instructions, part, whole);
	sum->fetches += fetches;
	sum->stores += stores;
	sum->splits += splits;
	sum->loads += all - fetches - stores - splits; /* so that their sum is rounded once */
}

/* A block's accesses are taken to be spread evenly over its ordinals. */
static struct trace_totals totals_at(struct course *course, uint64_t ordinal)
{
	const uint64_t blocks = trace_info(course->trace)->blocks;
	struct trace_totals sum;
	uint64_t first;

	while (course->block < blocks &&
	       trace_block_ordinal(course->trace, course->block + 1) <= ordinal) {
		const struct trace_totals all = trace_block_totals(course->trace, course->block++);

		add(&course->begun, &all, 1, 1);
	}
	sum = course->begun;
	first = course->block < blocks ? trace_block_ordinal(course->trace, course->block)
				       : UINT64_MAX;
	if (first < ordinal) {
		const uint64_t end = trace_block_ordinal(course->trace, course->block + 1);
		const struct trace_totals all = trace_block_totals(course->trace, course->block);

		add(&sum, &all, ordinal - first, end - first);
	}
	return sum;
}

static struct trace_totals between(const struct trace_totals *a, const struct trace_totals *b)
{
	return (struct trace_totals){
		.instructions = b->instructions - a->instructions,
		.fetches = b->fetches - a->fetches,
		.loads = b->loads - a->loads,
		.stores = b->stores - a->stores,
		.splits = b->splits - a->splits,
	};
}

/* The trace may end before. */
static uint64_t cut(const struct sample_grid *grid, uint64_t ordinal)
{
	return ordinal < grid->all ? ordinal : grid->all;
}

/* What follows from accesses, for each sample; all of them together. */
static struct trace_totals finish_rows(struct sampler *sampler)
{
	const struct sample_grid *grid = &sampler->grid;
	struct course course = { .trace = sampler->trace };
	struct trace_totals all = { 0 };

	for (uint64_t i = 0; i < sampler->table->n; i++) {
		const struct sample_span span = sample_grid_span(grid, i);
		const struct trace_totals a = totals_at(&course, cut(grid, span.begin));
		const struct trace_totals b = totals_at(&course, cut(grid, span.end));
		const struct trace_totals own = between(&a, &b);
		struct interval *row = &sampler->table->row[i];
		struct stats stats = { 0 };

		timeline_count_totals(&sampler->machine->mmu.shape, &own, &stats);
		for (unsigned k = 0; k < INTERVAL_COUNTS; k++)
			row->v[k] += stats.v[interval_counts[k]];
		add(&all, &own, 1, 1);
	}
	return all;
}

enum exit_status sampler_finish(struct sampler *sampler, struct stats *stats, struct diag *diag)
{
	uint64_t *v = stats->v;
	struct trace_totals totals;

	leave(sampler);
	sampler->state = SAMPLE_SKIP;
	totals = finish_rows(sampler);
	/* Percentiles are those of walks in samples. */
	swap_latencies(sampler);
	timeline_count(sampler->machine, &totals, stats);
	swap_latencies(sampler);
	timeline_count_totals(&sampler->machine->mmu.shape, &totals, &sampler->sum);
	for (unsigned i = 0; i < STAT_COUNT; i++)
		if (!stat_rows[i].at_end)
			v[i] = sampler->sum.v[i];
	if (v[STAT_loads] <= trace_info(sampler->trace)->totals.loads &&
	    v[STAT_l1i_tlb_hits] <= v[STAT_fetches] &&
	    v[STAT_l1d_tlb_hits] <= v[STAT_loads] + v[STAT_stores] + v[STAT_page_splits])
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT,
			"sample.period: so few accesses are in samples that their hits and misses "
			"cannot be told apart; longer samples can");
}

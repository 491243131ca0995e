/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/timeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "run/sample.h"

const enum stat_id interval_counts[INTERVAL_COUNTS] = {
	STAT_instructions,	 STAT_accesses,	 STAT_l1i_tlb_misses, STAT_l1d_tlb_misses,
	STAT_l2_tlb_misses,	 STAT_walks,	 STAT_walk_reads,     STAT_walk_cycles,
	STAT_translation_cycles, STAT_s1_faults, STAT_s2_faults,      STAT_tlbis,
	STAT_software_cycles,
};

void interval_table_free(struct interval_table *table)
{
	free(table->row);
	*table = (struct interval_table){ 0 };
}

bool timeline_wanted(const struct config *config)
{
	return config->warmup.instructions || config->interval.instructions;
}

/* Rows of the table, also where there are too many. */
static uint64_t rows_of(const struct config *config, uint64_t instructions)
{
	const uint64_t warmup = config->warmup.instructions, period = config->interval.instructions;

	if (!period || instructions <= warmup)
		return 0;
	return (instructions - warmup - 1) / period + 1;
}

uint64_t interval_table_rows(const struct config *config, const struct trace_info *info)
{
	const uint64_t rows = sample_wanted(config) ? sample_rows(config, info)
						    : rows_of(config, info->totals.instructions);

	return rows <= INTERVALS_MAX ? rows : 0;
}

static enum exit_status check(const struct config *config, const struct trace_info *info,
			      struct diag *diag)
{
	const uint64_t all = info->totals.instructions;

	if (!all)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s.instructions: this trace counts no instructions (it has no "
				"fetches)",
				config->warmup.instructions ? "warmup" : "interval");
	if (config->warmup.instructions >= all)
		return diag_set(diag, STATUS_BAD_INPUT,
				"warmup.instructions: nothing is left of a trace of %" PRIu64
				" instructions after %" PRIu64,
				all, config->warmup.instructions);
	if (rows_of(config, all) > INTERVALS_MAX)
		return diag_set(diag, STATUS_BAD_INPUT,
				"interval.instructions: %" PRIu64 " make %" PRIu64
				" intervals of this trace; at most %d are kept",
				config->interval.instructions, rows_of(config, all), INTERVALS_MAX);
	return STATUS_OK;
}

enum exit_status timeline_init(struct timeline *timeline, struct machine *machine,
			       struct host_session *session, const struct trace_info *info,
			       struct interval_table *table, struct diag *diag)
{
	const struct config *config = &machine->config;
	const uint64_t period = config->interval.instructions;
	const enum exit_status status = check(config, info, diag);

	memset(timeline, 0, sizeof(*timeline));
	if (status != STATUS_OK)
		return status;
	timeline->machine = machine;
	timeline->session = session;
	timeline->table = table;
	timeline->all = info->totals.instructions;
	timeline->warmup = config->warmup.instructions;
	timeline->period = period;
	timeline->trailing = UINT32_MAX;
	timeline->warm = !timeline->warmup;
	timeline->due = timeline->warm ? period : timeline->warmup;
	table->n = interval_table_rows(config, info);
	table->row = table->n ? calloc(table->n, sizeof(*table->row)) : NULL;
	if (table->n && !table->row)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	for (uint64_t i = 0; i < table->n; i++) {
		const uint64_t left = timeline->all - timeline->warmup - i * period;

		table->row[i].v[0] = left < period ? left : period;
	}
	return STATUS_OK;
}

void timeline_segment(struct timeline *timeline, const struct trace_block *block, uint32_t e)
{
	const uint32_t end = e < block->n_events ? block->events[e].before : block->n_records;

	if (e == 0)
		timeline->last_block =
			timeline->instructions + block->totals.instructions == timeline->all;
	timeline->trailing =
		end && (e < block->n_events || timeline->last_block) ? end - 1 : UINT32_MAX;
}

static void begin_record(struct trace_totals *begun, const struct trace_block *block, uint32_t i)
{
	if (block->keys[block->key[i]].stream == STREAM_FETCH) {
		begun->fetches += block->reads[i];
		return;
	}
	begun->loads += block->reads[i];
	begun->stores += block->stores[i];
	begun->splits += block->splits[i];
}

uint32_t timeline_next(struct timeline *timeline, const struct trace_block *block, uint32_t first,
		       uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		const uint32_t own = block->instructions[i];
		const uint64_t begins =
			timeline->instructions + (i == timeline->trailing && own ? 1 : own);

		if (begins > timeline->due)
			return i;
		timeline->instructions += own;
		begin_record(&timeline->begun, block, i);
	}
	return end;
}

/* What the core waits for, unless its walkers say so themselves. */
static void count_stalls(const struct mmu_shape *shape, struct stats *stats)
{
	const uint64_t overlap = shape->overlap_permille;
	uint64_t *v = stats->v;
	const uint64_t walks = v[STAT_walk_cycles];

	if (shape->core_goes_on)
		return;
	v[STAT_walk_active_cycles] = walks;
	v[STAT_stall_cycles] = walks - walks / 1000 * overlap - walks % 1000 * overlap / 1000;
}

void timeline_count_totals(const struct mmu_shape *shape, const struct trace_totals *totals,
			   struct stats *stats)
{
	uint64_t *v = stats->v;
	const uint64_t data = totals->loads + totals->stores + totals->splits;
	const uint64_t misses = v[STAT_l1i_tlb_misses] + v[STAT_l1d_tlb_misses];

	v[STAT_accesses] = trace_accesses(totals);
	v[STAT_instructions] = totals->instructions;
	v[STAT_fetches] = totals->fetches;
	v[STAT_loads] = totals->loads;
	v[STAT_stores] = totals->stores;
	v[STAT_page_splits] = totals->splits;
	v[STAT_l1i_tlb_hits] = totals->fetches - v[STAT_l1i_tlb_misses];
	v[STAT_l1d_tlb_hits] = data - v[STAT_l1d_tlb_misses];
	v[STAT_translation_cycles] =
		totals->fetches * shape->l1i.hit_cycles + data * shape->l1d.hit_cycles +
		(shape->l2.sets ? misses * shape->l2.hit_cycles : 0) +
		v[STAT_l2_rehashes] * shape->l2_rehash_cycles + v[STAT_walk_cycles];
	count_stalls(shape, stats);
}

void timeline_count(struct machine *machine, const struct trace_totals *totals, struct stats *stats)
{
	mmu_count(&machine->mmu, stats);
	timeline_count_totals(&machine->mmu.shape, totals, stats);
	machine_count(machine, stats);
}

/* What timeline_count() has for the rows of an interval, without going through all tables. */
static void sample(const struct timeline *timeline, const struct trace_totals *totals,
		   struct interval *now)
{
	const struct machine *machine = timeline->machine;
	struct stats stats = machine->mmu.stats;
	uint64_t *v = stats.v;

	account_sums(&stats);
	timeline_count_totals(&machine->mmu.shape, totals, &stats);
	for (uint32_t i = 0; i < machine->vms_count; i++) {
		v[STAT_s1_faults] += vm_s1_faults(machine->vms[i]);
		v[STAT_s2_faults] += vm_s2_faults(machine->vms[i]);
	}
	v[STAT_software_cycles] = machine_software_cycles(machine);
	for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
		now->v[i] = v[interval_counts[i]];
}

static void end_interval(struct timeline *timeline, const struct trace_totals *totals)
{
	struct interval *row = &timeline->table->row[timeline->interval++];
	struct interval now;

	sample(timeline, totals, &now);
	for (unsigned i = 1; i < INTERVAL_COUNTS; i++)
		row->v[i] = now.v[i] - timeline->at.v[i];
	timeline->at = now;
}

static void end_warmup(struct timeline *timeline)
{
	const struct trace_totals *begun = &timeline->begun;

	timeline->warm = true;
	timeline_count(timeline->machine, begun, &timeline->base);
	timeline->base.v[STAT_instructions] = timeline->warmup;
	mmu_reset_percentiles(&timeline->machine->mmu);
	host_session_start(timeline->session, trace_accesses(begun) + begun->splits);
	sample(timeline, begun, &timeline->at);
}

void timeline_mark(struct timeline *timeline)
{
	if (timeline->warm)
		end_interval(timeline, &timeline->begun);
	else
		end_warmup(timeline);
	/* The last interval ends with the trace. */
	timeline->due = timeline->interval + 1 < timeline->table->n
				? timeline->due + timeline->period
				: UINT64_MAX;
}

enum exit_status timeline_finish(struct timeline *timeline, const struct trace_totals *totals,
				 struct stats *stats, struct diag *diag)
{
	uint64_t *v = stats->v;

	timeline_count(timeline->machine, totals, stats);
	if (timeline->table->n)
		end_interval(timeline, totals);
	if (!timeline->warmup)
		return STATUS_OK;
	if (timeline->warm)
		for (unsigned i = 0; i < STAT_COUNT; i++)
			v[i] -= stat_rows[i].at_end ? 0 : timeline->base.v[i];
	count_stalls(&timeline->machine->mmu.shape, stats);
	if (!timeline->warm || v[STAT_l1i_tlb_hits] > v[STAT_fetches] ||
	    v[STAT_l1d_tlb_hits] > v[STAT_loads] + v[STAT_stores] + v[STAT_page_splits])
		return diag_set(
			diag, STATUS_BAD_INPUT,
			"warmup.instructions: the runs of this trace that begin after %" PRIu64
			" instructions are too few to tell hits from misses; a raw trace "
			"or a shorter warm-up can",
			timeline->warmup);
	return STATUS_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/point.h"

#include <string.h>

#include "run/machine.h"
#include "run/replay.h"

enum exit_status point_check(const struct config *config, struct diag *diag)
{
	return machine_check(config, diag);
}

/* What machine and replay refuse is no fault of the trace: this configuration cannot run it. */
static enum exit_status refuse_point(enum exit_status status, struct diag *diag)
{
	if (status == STATUS_BAD_INPUT && diag)
		diag->impossible = true;
	return status;
}

/* The trace as the replay reads it: blocks in order, and again where runs have to be looked into.
 */
struct feed {
	const struct trace_reader *trace;
	struct diag *diag;
	uint64_t index;		     /* of the current block */
	struct trace_block again[2]; /* the current one and the one before, reread */
	uint64_t again_index[2];     /* UINT64_MAX: none */
};

static const struct trace_block *feed_again(void *ctx, unsigned back)
{
	const unsigned columns = COLUMN_KEY | COLUMN_FIRST_KIND | COLUMN_ORDINALS;
	struct feed *feed = ctx;
	struct trace_block *block = &feed->again[back];

	if (back > feed->index)
		return NULL;
	if (feed->again_index[back] == feed->index - back)
		return block;
	feed->again_index[back] = UINT64_MAX;
	if (trace_read_block(feed->trace, feed->index - back, columns, block, feed->diag))
		return NULL;
	feed->again_index[back] = feed->index - back;
	return block;
}

static enum exit_status replay_all(struct replay *replay, const struct trace_reader *trace,
				   const struct point_progress *progress, struct diag *diag)
{
	const struct trace_info *info = trace_info(trace);
	const uint64_t all = trace_accesses(&info->totals);
	struct feed feed = { .trace = trace,
			     .diag = diag,
			     .again_index = { UINT64_MAX, UINT64_MAX } };
	struct trace_block block = { 0 };
	enum exit_status status = STATUS_OK;
	uint64_t done = 0;

	replay->reread = feed_again;
	replay->reread_ctx = &feed;
	for (; status == STATUS_OK && feed.index < info->blocks; feed.index++) {
		status = trace_read_block(trace, feed.index, replay->columns, &block, diag);
		if (status == STATUS_OK)
			status = refuse_point(replay_block(replay, &block), diag);
		done += trace_accesses(&block.totals);
		if (status == STATUS_OK && progress && progress->step(progress->ctx, done, all))
			status = diag_set(diag, STATUS_INTERRUPTED, "interrupted");
	}
	trace_block_free(&block);
	trace_block_free(&feed.again[0]);
	trace_block_free(&feed.again[1]);
	return status == STATUS_OK ? replay_finish(replay) : status;
}

/* Hits and cycles follow from the counts of accesses, which the trace's totals hold. */
static void count_totals(const struct mmu_shape *shape, const struct trace_totals *totals,
			 struct stats *stats)
{
	uint64_t *v = stats->v;
	const uint64_t data = totals->loads + totals->stores + totals->splits;
	uint64_t l2_lookups;

	v[STAT_accesses] = trace_accesses(totals);
	v[STAT_instructions] = totals->instructions;
	v[STAT_fetches] = totals->fetches;
	v[STAT_loads] = totals->loads;
	v[STAT_stores] = totals->stores;
	v[STAT_page_splits] = totals->splits;
	v[STAT_l1i_tlb_hits] = totals->fetches - v[STAT_l1i_tlb_misses];
	v[STAT_l1d_tlb_hits] = data - v[STAT_l1d_tlb_misses];
	l2_lookups = shape->l2.sets ? v[STAT_l2_tlb_hits] + v[STAT_l2_tlb_misses] : 0;
	v[STAT_translation_cycles] = totals->fetches * shape->l1i.hit_cycles +
				     data * shape->l1d.hit_cycles +
				     l2_lookups * shape->l2.hit_cycles + v[STAT_walk_cycles];
}

static uint64_t lookups(const struct trace_totals *totals)
{
	return trace_accesses(totals) + totals->splits;
}

enum exit_status point_run(const struct config *config, const struct trace_reader *trace,
			   const struct point_progress *progress, struct stats *stats,
			   struct diag *diag)
{
	const struct trace_info *info = trace_info(trace);
	const uint32_t vcpus = info->vcpus ? info->vcpus : 1;
	const uint32_t vms = machine_vms(config, info->vms ? info->vms : 1);
	struct machine machine;
	struct replay replay;
	enum exit_status status =
		refuse_point(machine_init(&machine, config, vcpus, vms, diag), diag);

	if (status != STATUS_OK)
		return status;
	status = refuse_point(replay_init(&replay, &machine, info, diag), diag);
	if (status == STATUS_OK)
		status = replay_all(&replay, trace, progress, diag);
	replay_fini(&replay);
	if (status == STATUS_OK) {
		mmu_finish(&machine.mmu);
		*stats = machine.mmu.stats;
		count_totals(&machine.mmu.shape, &info->totals, stats);
		machine_count(&machine, stats);
		host_session_count(&replay.session, lookups(&info->totals), stats);
	}
	machine_fini(&machine);
	return status;
}

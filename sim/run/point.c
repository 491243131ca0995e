/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/point_private.h"

#include <string.h>

#include "run/machine_setup.h"
#include "run/map_follow.h"
#include "run/point_process.h"
#include "run/replay.h"
#include "run/sample.h"

enum exit_status point_check(const struct config *config, struct diag *diag)
{
	return machine_check(config, diag);
}

/* The trace as the replay reads it: blocks in order, and again where runs have to be looked into.
 */
struct feed {
	const struct trace_reader *trace;
	struct diag *diag;
	struct trace_block block;
	uint64_t index;		   /* of the block */
	struct trace_block before; /* the one before, if it was reread */
	uint64_t before_index;	   /* UINT64_MAX: none */
	unsigned columns;	   /* of that */
};

static const struct trace_block *feed_again(void *ctx, unsigned back)
{
	struct feed *feed = ctx;
	struct trace_block *block = &feed->block;
	bool sound;

	if (!back) {
		sound = trace_has_times(block) ||
			!trace_read_times(feed->trace, feed->index, block, feed->diag);
		return sound ? block : NULL;
	}
	if (back > feed->index)
		return NULL;
	if (feed->before_index != feed->index - 1) {
		sound = !trace_read_block(feed->trace, feed->index - 1, feed->columns,
					  &feed->before, feed->diag);
		feed->before_index = sound ? feed->index - 1 : UINT64_MAX;
	}
	return feed->before_index != UINT64_MAX ? &feed->before : NULL;
}

static enum exit_status read_next(const struct replay *replay, const struct trace_reader *trace,
				  uint64_t index, struct trace_block *block, struct diag *diag)
{
	return replay->sampler ? sampler_read(replay->sampler, index, replay->columns, block, diag)
			       : trace_read_block(trace, index, replay->columns, block, diag);
}

static enum exit_status replay_all(struct replay *replay, const struct trace_reader *trace,
				   const struct point_progress *progress, struct diag *diag)
{
	const struct trace_info *info = trace_info(trace);
	const uint64_t all = trace_accesses(&info->totals);
	struct feed feed = { .trace = trace,
			     .diag = diag,
			     .before_index = UINT64_MAX,
			     .columns = COLUMN_KEY | COLUMN_ORDINALS |
					(replay->columns & COLUMN_FIRST_KIND) };
	struct trace_block *block = &feed.block;
	enum exit_status status = STATUS_OK;
	uint64_t done = 0;

	replay->reread = feed_again;
	replay->reread_ctx = &feed;
	for (; status == STATUS_OK && feed.index < info->blocks; feed.index++) {
		status = read_next(replay, trace, feed.index, block, diag);
		if (status == STATUS_OK)
			status = refuse_point(replay_block(replay, block), diag);
		done += trace_accesses(&block->totals);
		if (status == STATUS_OK && progress && progress->step(progress->ctx, done, all))
			status = diag_set(diag, STATUS_INTERRUPTED, "interrupted");
	}
	trace_block_free(&feed.block);
	trace_block_free(&feed.before);
	return status == STATUS_OK ? replay_finish(replay) : status;
}

bool point_has_process(const struct config *config)
{
	return strcmp(config->timing.backend, "systemc") == 0;
}

bool point_is_alone(const struct config *config)
{
	return point_has_process(config) || timeline_wanted(config) || sample_wanted(config);
}

/* Write down of a replay what can be. */
static void attach(struct recorder *record, struct replay *replay)
{
	if (record->stream && replay_is_recordable(replay)) {
		recorder_attach(record, replay->machine);
		replay->record = record;
		return;
	}
	recorder_spoil(record);
	if (!replay_is_retimable(replay))
		recorder_spoil_walks(record);
	/* In which cache a read is found depends on the guest's lines, too. */
	if (replay->lines && record->walks)
		record->walks->overflow = true;
	recorder_attach_walks(record, replay->mmu);
}

static void detach(struct recorder *record, struct replay *replay)
{
	if (replay->record)
		recorder_detach(record);
	else
		recorder_detach_walks(record, replay->mmu);
}

/* The whole trace through a machine that is ready, and what came of it. */
static enum exit_status run_timed(struct machine *machine, struct timing *timing,
				  const struct trace_reader *trace,
				  const struct point_progress *progress, struct stats *stats,
				  struct interval_table *intervals, struct recorder *record,
				  struct diag *diag)
{
	const struct trace_info *info = trace_info(trace);
	const bool along = timeline_wanted(&machine->config);
	const bool sampled = sample_wanted(&machine->config);
	struct sampler sampler = { 0 };
	struct timeline timeline;
	struct replay replay;
	enum exit_status status =
		refuse_point(replay_init(&replay, machine, timing, info, diag), diag);

	if (status == STATUS_OK && sampled) {
		status =
			refuse_point(sampler_init(&sampler, &replay, trace, intervals, diag), diag);
	} else if (status == STATUS_OK && along) {
		status = refuse_point(
			timeline_init(&timeline, machine, &replay.session, info, intervals, diag),
			diag);
		replay_along(&replay, &timeline);
	}
	if (record && status == STATUS_OK)
		attach(record, &replay);
	if (status == STATUS_OK)
		status = replay_all(&replay, trace, progress, diag);
	if (record && status == STATUS_OK)
		detach(record, &replay);
	replay_fini(&replay);
	if (status == STATUS_OK && sampled)
		status = refuse_point(sampler_finish(&sampler, stats, diag), diag);
	sampler_fini(&sampler);
	if (status != STATUS_OK || sampled)
		return status;
	if (along)
		status = refuse_point(timeline_finish(&timeline, &info->totals, stats, diag), diag);
	else if (record)
		recorder_count(record, machine, &info->totals, stats);
	else
		timeline_count(machine, &info->totals, stats);
	host_session_count(&replay.session, point_lookups(stats) + replay.session.start.lookups,
			   stats);
	return status;
}

/* With the timing backend that the configuration names. */
static enum exit_status run_on(struct machine *machine, const struct trace_reader *trace,
			       const struct point_progress *progress, struct stats *stats,
			       struct interval_table *intervals, struct recorder *record,
			       struct diag *diag)
{
	const struct timing_config config =
		machine_timing(&machine->config, machine->mmu.shape.vcpus);
	struct timing *timing;
	enum exit_status status;

	if (!point_has_process(&machine->config))
		return run_timed(machine, NULL, trace, progress, stats, intervals, record, diag);
	timing = timing_create(&config, &machine->mmu, diag);
	if (!timing)
		return refuse_point(diag->status, diag);
	status = run_timed(machine, timing, trace, progress, stats, intervals, record, diag);
	timing_destroy(timing);
	return status;
}

static enum exit_status run_point(const struct config *config, const struct trace_reader *trace,
				  const struct point_progress *progress, struct stats *stats,
				  struct interval_table *intervals, struct recorder *record,
				  struct diag *diag)
{
	struct machine machine;
	enum exit_status status =
		refuse_point(build_machine(&machine, config, trace_info(trace), diag), diag);

	*intervals = (struct interval_table){ 0 };
	if (status != STATUS_OK)
		return status;
	status = run_on(&machine, trace, progress, stats, intervals, record, diag);
	if (progress && progress->latencies)
		*progress->latencies = *machine.mmu.latencies;
	machine_fini(&machine);
	if (status != STATUS_OK)
		interval_table_free(intervals);
	return status;
}

static enum exit_status run_unrecorded(const struct config *config,
				       const struct trace_reader *trace,
				       const struct point_progress *progress, struct stats *stats,
				       struct interval_table *intervals, struct diag *diag)
{
	return run_point(config, trace, progress, stats, intervals, NULL, diag);
}

enum exit_status point_run_intervals(const struct config *config, const struct trace_reader *trace,
				     const struct point_progress *progress, struct stats *stats,
				     struct interval_table *intervals, struct diag *diag)
{
	return point_has_process(config)
		       ? point_in_process(run_unrecorded, config, trace, progress, stats, intervals,
					  diag)
		       : run_unrecorded(config, trace, progress, stats, intervals, diag);
}

enum exit_status point_run_recorded(const struct config *config, const struct trace_reader *trace,
				    struct stats *stats, struct interval_table *intervals,
				    struct recorder *record, struct diag *diag)
{
	return run_point(config, trace, NULL, stats, intervals, record, diag);
}

/* L1 TLBs of one entry miss wherever those of the recording did. */
static struct config narrow(const struct config *config)
{
	struct config one = *config;

	one.tlb.l1i.entries = one.tlb.l1d.entries = 1;
	one.tlb.l1i.ways = one.tlb.l1d.ways = 0;
	return one;
}

bool point_follow(const struct config *config, const struct trace_reader *trace,
		  const struct miss_stream *stream, struct recorder *record, struct stats *stats)
{
	const struct trace_info *info = trace_info(trace);
	const struct config one = narrow(config);
	struct diag diag = DIAG_INIT;
	struct machine machine;
	struct replay replay;
	bool followed;

	if (point_is_alone(config) || build_machine(&machine, &one, info, &diag) != STATUS_OK)
		return false;
	followed = replay_init(&replay, &machine, NULL, info, &diag) == STATUS_OK &&
		   replay_is_recordable(&replay);
	if (followed) {
		recorder_attach(record, &machine);
		replay.record = record;
		followed = replay_stream(&replay, stream);
		recorder_detach(record);
	}
	replay_fini(&replay);
	if (followed)
		recorder_count(record, &machine, &info->totals, stats);
	machine_fini(&machine);
	return followed;
}

static struct mmu_shape shape_of(const struct config *config, const struct trace_info *info)
{
	return machine_mmu_shape(config, info->vcpus ? info->vcpus : 1);
}

bool point_follow_map(const struct config *config, const struct trace_reader *trace,
		      const struct miss_stream *stream, const struct map_log *map,
		      struct recorder *record, struct stats *stats)
{
	const struct trace_info *info = trace_info(trace);
	const struct mmu_shape shape = shape_of(config, info);

	if (!map_follow(&shape, stream, map, record, stats))
		return false;
	timeline_count_totals(&shape, &info->totals, stats);
	machine_tally_count(record->tally, &config->cost, stats);
	return true;
}

/* What depends on the time of walks, and the cycles of software. */
static void retime(const struct config *config, const struct mmu_shape *shape,
		   const struct trace_info *info, const struct os_work *work, struct stats *stats)
{
	timeline_count_totals(shape, &info->totals, stats);
	machine_work_count(work, &config->cost, stats);
}

bool point_follow_walks(const struct config *config, const struct trace_reader *trace,
			const struct read_log *walks, const struct os_work *work,
			struct recorder *record, struct stats *stats)
{
	const struct trace_info *info = trace_info(trace);
	const struct mmu_shape shape = shape_of(config, info);

	if (!read_log_count(walks, &shape, record->times, record->budget, stats))
		return false;
	retime(config, &shape, info, work, stats);
	return true;
}

bool point_follow_times(const struct config *config, const struct trace_reader *trace,
			const struct time_log *times, const struct os_work *work,
			struct stats *stats)
{
	const struct trace_info *info = trace_info(trace);
	const struct mmu_shape shape = shape_of(config, info);

	if (!time_log_count(times, &shape, stats))
		return false;
	retime(config, &shape, info, work, stats);
	return true;
}

enum exit_status point_run(const struct config *config, const struct trace_reader *trace,
			   const struct point_progress *progress, struct stats *stats,
			   struct diag *diag)
{
	struct interval_table intervals;
	const enum exit_status status =
		point_run_intervals(config, trace, progress, stats, &intervals, diag);

	interval_table_free(&intervals);
	return status;
}

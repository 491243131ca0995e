/* SPDX-License-Identifier: BSD-2-Clause */
/* A point whose trace is read while it is replayed. */
#include "run/point_private.h"
#include "run/replay.h"

bool point_takes_feed(const struct config *config)
{
	return !point_is_alone(config);
}

/* What a machine was built for: not all of it is known before the trace has been read. */
struct needs {
	unsigned vcpus, vms;
	bool ipas, instructions;
};

static struct needs needs_of(const struct trace_info *info)
{
	return (struct needs){ info->vcpus, info->vms, info->has_ipa,
			       info->totals.instructions != 0 };
}

static bool suffices(const struct needs *built_for, const struct trace_info *info)
{
	const struct needs now = needs_of(info);

	return now.vcpus == built_for->vcpus && now.vms == built_for->vms &&
	       now.ipas == built_for->ipas && now.instructions == built_for->instructions;
}

/* What a replay may look into again. */
struct blocks {
	struct trace_feed *feed;
	struct trace_block again[2];
};

static const struct trace_block *read_again(void *ctx, unsigned back)
{
	struct blocks *blocks = ctx;

	return trace_feed_again(blocks->feed, back, &blocks->again[back]) ? &blocks->again[back]
									  : NULL;
}

enum outcome { WHOLE, OUTGROWN };

static enum exit_status replay_all(struct replay *replay, struct trace_feed *feed,
				   const struct point_progress *progress, enum outcome *outcome,
				   struct diag *diag)
{
	const struct trace_info *info = trace_feed_info(feed);
	const struct needs built_for = needs_of(info);
	struct blocks blocks = { .feed = feed };
	uint64_t done = 0;

	replay->reread = read_again;
	replay->reread_ctx = &blocks;
	for (;;) {
		struct trace_block block;
		enum exit_status status;
		bool more;

		status = trace_feed_next(feed, &block, &more, diag);
		if (status != STATUS_OK)
			return status;
		*outcome = suffices(&built_for, info) ? WHOLE : OUTGROWN;
		if (*outcome == OUTGROWN)
			return STATUS_OK;
		if (!more)
			return replay_finish(replay);
		status = refuse_point(replay_block(replay, &block), diag);
		if (status != STATUS_OK)
			return status;
		done += trace_accesses(&block.totals);
		if (progress && progress->step(progress->ctx, done, trace_feed_estimate(feed)))
			return diag_set(diag, STATUS_INTERRUPTED, "interrupted");
	}
}

static enum exit_status run_machine(struct machine *machine, struct trace_feed *feed,
				    const struct point_progress *progress, struct stats *stats,
				    enum outcome *outcome, struct diag *diag)
{
	const struct trace_info *info = trace_feed_info(feed);
	struct replay replay;
	enum exit_status status =
		refuse_point(replay_init(&replay, machine, NULL, info, diag), diag);

	if (status != STATUS_OK)
		return status;
	status = trace_feed_want(feed, replay.columns, diag);
	if (status == STATUS_OK)
		status = replay_all(&replay, feed, progress, outcome, diag);
	replay_fini(&replay);
	if (status != STATUS_OK || *outcome == OUTGROWN)
		return status;
	timeline_count(machine, &info->totals, stats);
	host_session_count(&replay.session, point_lookups(stats) + replay.session.start.lookups,
			   stats);
	return STATUS_OK;
}

static enum exit_status run_once(const struct config *config, struct trace_feed *feed,
				 const struct point_progress *progress, struct stats *stats,
				 enum outcome *outcome, struct diag *diag)
{
	struct machine machine;
	enum exit_status status = trace_feed_prime(feed, diag);

	if (status != STATUS_OK)
		return status;
	status = refuse_point(build_machine(&machine, config, trace_feed_info(feed), diag), diag);
	if (status != STATUS_OK)
		return status;
	status = run_machine(&machine, feed, progress, stats, outcome, diag);
	if (progress && progress->latencies)
		*progress->latencies = *machine.mmu.latencies;
	machine_fini(&machine);
	return status;
}

enum exit_status point_run_feed(const struct config *config, struct trace_feed *feed,
				const struct point_progress *progress, struct stats *stats,
				struct diag *diag)
{
	enum outcome outcome = WHOLE;
	enum exit_status status = run_once(config, feed, progress, stats, &outcome, diag);

	if (status != STATUS_OK || outcome == WHOLE)
		return status;
	status = trace_feed_learn(feed, diag);
	if (status == STATUS_OK)
		status = run_once(config, feed, progress, stats, &outcome, diag);
	if (status == STATUS_OK && outcome == OUTGROWN)
		return diag_set(diag, STATUS_BAD_INPUT, "the trace changed while it was read");
	return status;
}

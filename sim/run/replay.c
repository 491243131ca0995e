/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/replay_private.h"
#include "run/sample.h"

#include <stdlib.h>
#include <string.h>

/* Which columns, and how. */
static void choose_loop(struct replay *replay, const struct trace_info *info)
{
	const struct repl_ops *l1i = replay->mmu->shape.l1i.repl,
			      *l1d = replay->mmu->shape.l1d.repl;
	const bool lru = !strcmp(l1i->name, "lru") && !strcmp(l1d->name, "lru");

	replay->runs = info->granularity != TRACE_RAW;
	replay->scheduled = host_session_schedules(&replay->session);
	replay->track_stores = machine_dirty_state(&replay->machine->config) == DIRTY_HARDWARE ||
			       host_session_watches_stores(&replay->session) || info->has_forks;
	/* A hint that hits does not say which VM and address space run: of no account while each
	 * keeps its VMID and ASID. */
	replay->fast = lru && !replay->track_stores &&
		       !vm_allocates_asids(replay->machine->vms[0]) &&
		       (replay->scheduled || machine_vmids_suffice(replay->machine));
	replay->columns = COLUMN_KEY;
	if (replay->track_stores)
		replay->columns |= COLUMN_FIRST_KIND | COLUMN_ORDINALS;
	if (replay->session.due != UINT64_MAX)
		replay->columns |= COLUMN_ORDINALS;
	if (info->has_ipa && strcmp(replay->machine->config.guest.policy, "first_touch") != 0)
		replay->columns |= COLUMN_COUNTS;
	if (replay->timing)
		replay->columns |= COLUMN_COUNTS;
	replay->has_instructions = info->totals.instructions;
	if (replay->machine->walkers)
		replay->columns |= replay->has_instructions ? COLUMN_INSTRUCTIONS : COLUMN_ORDINALS;
}

enum exit_status replay_init(struct replay *replay, struct machine *machine, struct timing *timing,
			     const struct trace_info *info, struct diag *diag)
{
	struct mmu *mmu = &machine->mmu;
	const struct repl_ops *l1i = mmu->shape.l1i.repl, *l1d = mmu->shape.l1d.repl;
	const struct repl_ops *unsafe = !l1i->run_safe ? l1i : !l1d->run_safe ? l1d : NULL;

	memset(replay, 0, sizeof(*replay));
	if (unsafe && info->granularity != TRACE_RAW)
		return diag_set(diag, STATUS_BAD_INPUT,
				"tlb.%s.replacement: %s changes state at each hit of a run, so it "
				"needs a raw trace; this one holds %s runs",
				unsafe == l1i ? "l1i" : "l1d", unsafe->name,
				info->granularity == TRACE_PAGE_RUNS ? "page" : "line");
	if (mmu->shape.inclusion == MMU_INCLUSIVE && info->granularity != TRACE_RAW)
		return diag_set(diag, STATUS_BAD_INPUT,
				"tlb.inclusion: inclusive: level 2 takes entries out of level 1 in "
				"the middle of runs (docs/model.md, M1 (b)), so it needs a raw "
				"trace; this one holds %s runs",
				info->granularity == TRACE_PAGE_RUNS ? "page" : "line");
	if (machine_simulates_lines(&machine->config) && info->granularity == TRACE_PAGE_RUNS)
		return diag_set(
			diag, STATUS_BAD_INPUT,
			"cache.data: simulate wants to know each line that the guest uses, so "
			"it needs a trace of line runs or a raw one; this one holds page runs");
	if (machine->walkers && machine->config.walker.merge[0] == 'n' &&
	    info->granularity != TRACE_RAW)
		return diag_set(diag, STATUS_BAD_INPUT,
				"walker.merge: no wants to know each access while a walk is under "
				"way, so it needs a raw trace; this one holds %s runs",
				info->granularity == TRACE_PAGE_RUNS ? "page" : "line");
	replay->lines = machine_simulates_lines(&machine->config);
	replay->machine = machine;
	replay->mmu = mmu;
	replay->timing = timing;
	replay->diag = diag;
	host_session_init(&replay->session, machine);
	choose_loop(replay, info);
	replay->hints = calloc(TRACE_BLOCK_RECORDS, sizeof(*replay->hints));
	replay->stores = calloc(mmu->shape.vcpus, sizeof(*replay->stores));
	replay->last = calloc(mmu->shape.vcpus, 2 * sizeof(*replay->last));
	if (replay->lines)
		replay->line_pa = calloc(TRACE_BLOCK_RECORDS, sizeof(*replay->line_pa));
	if (!replay->hints || !replay->stores || !replay->last ||
	    (replay->lines && !replay->line_pa)) {
		replay_fini(replay);
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	}
	for (uint32_t i = 0; i < mmu->shape.vcpus; i++)
		replay->stores[i].ordinal = UINT64_MAX;
	return STATUS_OK;
}

void replay_fini(struct replay *replay)
{
	free(replay->hints);
	free(replay->line_pa);
	free(replay->stores);
	free(replay->last);
	replay->hints = NULL;
	replay->line_pa = NULL;
	replay->stores = NULL;
	replay->last = NULL;
}

void replay_along(struct replay *replay, struct timeline *timeline)
{
	replay->timeline = timeline;
	replay->columns |= COLUMN_COUNTS | COLUMN_INSTRUCTIONS;
}

enum exit_status replay_fault_status(struct replay *replay, uint32_t vm)
{
	const struct diag *why = vm_diag(replay->machine->vms[vm]);

	if (why->status != STATUS_OK)
		return diag_set(replay->diag, why->status, "%s", why->text);
	return diag_set(replay->diag, STATUS_INTERNAL,
			"a walk kept faulting after its fault was handled");
}

static enum exit_status check_keys(struct replay *replay, const struct trace_block *block)
{
	for (uint32_t i = 0; i < block->n_keys; i++)
		if (block->keys[i].vcpu >= replay->mmu->shape.vcpus ||
		    (!replay->scheduled && block->keys[i].vm >= replay->machine->vms_count))
			return diag_set(
				replay->diag, STATUS_BAD_INPUT,
				"a record names vCPU %u of VM %u, but the trace says that it "
				"has %u vCPUs and %u VMs",
				block->keys[i].vcpu, block->keys[i].vm, replay->mmu->shape.vcpus,
				replay->machine->vms_count);
	return STATUS_OK;
}

/* The same, with the boundaries of the timeline among them. */
static enum exit_status run_records(struct replay *replay, const struct trace_block *block,
				    uint32_t first, uint32_t end)
{
	struct timeline *timeline = replay->timeline;
	enum exit_status status = STATUS_OK;

	if (replay->sampler)
		return replay_sampled(replay, block, first, end);
	while (timeline && status == STATUS_OK) {
		const uint32_t at = timeline_next(timeline, block, first, end);

		if (at == end)
			break;
		status = replay_unmarked(replay, block, first, at);
		if (status == STATUS_OK && replay->timing)
			status = timing_sync(replay->timing, replay->diag);
		if (replay->machine->walkers && !timeline->warm)
			walkers_drain(replay->machine->walkers);
		timeline_mark(timeline);
		first = at;
	}
	return status == STATUS_OK ? replay_unmarked(replay, block, first, end) : status;
}

/* What the host does before record `index`, and its effect on open runs. */
static enum exit_status host_acts(struct replay *replay, const struct trace_block *block,
				  uint32_t index)
{
	const uint64_t now = replay->session.due;
	enum exit_status status = replay_flush_stores(replay, now);

	if (status == STATUS_OK && replay->timing)
		status = timing_sync(replay->timing, replay->diag);
	if (status == STATUS_OK)
		status = host_session_act(&replay->session, replay->diag);
	if (status != STATUS_OK)
		return status;
	if (replay->scheduled)
		memset(replay->hints, 0, block->n_keys * sizeof(*replay->hints));
	else if (replay->tlbis == replay->mmu->stats.v[STAT_tlbis])
		return STATUS_OK; /* nothing that an open run has looked up has changed */
	return replay_reopen(replay, block, index, now, REPLAY_ALL_RUNS);
}

/* Records between two events, with what the host does among them. */
static enum exit_status run_segment(struct replay *replay, const struct trace_block *block,
				    uint32_t first, uint32_t end)
{
	enum exit_status status = STATUS_OK;

	while (status == STATUS_OK && replay->session.due != UINT64_MAX) {
		const uint32_t at = replay_record_at(block, first, end, replay->session.due);

		if (at == end)
			break;
		status = run_records(replay, block, first, at);
		if (status == STATUS_OK)
			status = host_acts(replay, block, at);
		first = at;
	}
	return status == STATUS_OK ? run_records(replay, block, first, end) : status;
}

enum exit_status replay_block(struct replay *replay, const struct trace_block *block)
{
	enum exit_status status = check_keys(replay, block);
	uint32_t done = 0;

	if (status != STATUS_OK)
		return status;
	if (replay->fast)
		memset(replay->hints, 0, block->n_keys * sizeof(*replay->hints));
	replay_forget_records(replay);
	for (uint32_t e = 0; e <= block->n_events; e++) {
		const uint32_t end =
			e < block->n_events ? block->events[e].before : block->n_records;

		if (replay->timeline)
			timeline_segment(replay->timeline, block, e);
		status = run_segment(replay, block, done, end);
		if (status == STATUS_OK && e < block->n_events)
			status = replay_event(replay, &block->events[e]);
		if (status != STATUS_OK)
			return status;
		done = end;
	}
	return replay->timing ? timing_sync(replay->timing, replay->diag) : STATUS_OK;
}

enum exit_status replay_finish(struct replay *replay)
{
	const enum exit_status status = replay_flush_stores(replay, UINT64_MAX);

	if (replay->machine->walkers)
		walkers_drain(replay->machine->walkers);
	return status == STATUS_OK && replay->timing ? timing_sync(replay->timing, replay->diag)
						     : status;
}

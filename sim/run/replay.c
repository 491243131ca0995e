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

static const struct mmu_space *enter(struct replay *replay, const struct trace_key *key,
				     uint32_t vm)
{
	const struct mmu_space *space =
		vm_enter(replay->machine->vms[vm], key->vcpu, key->asid, replay->diag);
	const bool entering_acts = vm_allocates_asids(replay->machine->vms[vm]);

	replay->entered =
		(struct replay_space){ entering_acts ? NULL : space, vm, (uint16_t)key->asid };
	return space;
}

bool replay_request(struct replay *replay, const struct trace_key *key, struct mmu_request *request)
{
	const struct replay_space *entered = &replay->entered;
	const uint32_t vm = replay_vm(replay, key);
	const bool same = entered->space && entered->vm == vm && entered->asid == key->asid;

	/* Not every trace says when a vCPU changes its VM. */
	if (replay->machine->running[key->vcpu] != vm)
		machine_run_vm(replay->machine, key->vcpu, vm);
	*request = (struct mmu_request){
		.space = same ? entered->space : enter(replay, key, vm),
		.va = va_of(va_sign_extend(key->va)),
		.kind = key->stream == STREAM_FETCH ? ACCESS_FETCH : ACCESS_LOAD,
		.known_ipa = key->ipa,
	};
	return request->space;
}

/* The other accesses of a run that is emulated: each one exits. */
static enum exit_status emulate_rest(struct replay *replay, const struct trace_block *block,
				     uint32_t i, const struct mmu_request *request)
{
	const uint32_t vcpu = block->keys[block->key[i]].vcpu;
	uint64_t rest;

	if (!replay->runs || !block->reads)
		return STATUS_OK;
	rest = (uint64_t)block->reads[i] + block->stores[i] + block->splits[i];
	for (; rest > 1; rest--)
		if (mmu_access(replay->mmu, vcpu, request) == TLB_NONE)
			return replay_fault_status(replay,
						   replay_vm(replay, &block->keys[block->key[i]]));
	return STATUS_OK;
}

uint32_t replay_record_access(struct replay *replay, const struct trace_key *key,
			      const struct mmu_request *request)
{
	const uint64_t *v = replay->mmu->stats.v;
	const uint64_t before = v[STAT_l1i_tlb_misses] + v[STAT_l1d_tlb_misses];
	struct recorder *record = replay->record;
	uint32_t slot;

	recorder_begin(record);
	slot = mmu_access(replay->mmu, key->vcpu, request);
	if (slot == MMU_EMULATED)
		recorder_spoil(record); /* exits fill nothing, so they are no misses */
	else if (slot != TLB_NONE && v[STAT_l1i_tlb_misses] + v[STAT_l1d_tlb_misses] != before)
		recorder_miss(record, key, request->space,
			      &mmu_l1(replay->mmu, key->vcpu, replay_side(key))->leaf[slot]);
	else
		recorder_end(record);
	return slot;
}

/* The first line of a record, once the slot of its L1 TLB says where it lies. Its PA. */
static pa_t use_line(struct replay *replay, const struct trace_key *key, uint32_t slot)
{
	const enum mmu_stream stream = replay_side(key);
	const struct tlb_leaf *leaf = &mmu_l1(replay->mmu, key->vcpu, stream)->leaf[slot];
	const pa_t pa = pa_of(leaf->pa.v | (key->va & low_mask(leaf->size_bits)));

	mmu_guest_line(replay->mmu, key->vcpu, stream, pa);
	return pa;
}

/* The hint of a key failed: the full look-up, and a new hint. */
static enum exit_status access_by_key(struct replay *replay, const struct trace_block *block,
				      uint32_t i, struct replay_hint *hint)
{
	const struct trace_key *key = &block->keys[block->key[i]];
	struct tlb *l1 = mmu_l1(replay->mmu, key->vcpu, replay_side(key));
	struct mmu_request request;
	uint32_t slot;

	if (!replay_request(replay, key, &request))
		return replay->diag->status;
	l1->clock = replay->clock;
	slot = replay_access(replay, key, &request);
	replay->clock = l1->clock;
	if (slot == TLB_NONE)
		return replay_fault_status(replay, replay_vm(replay, key));
	if (slot == MMU_EMULATED)
		return emulate_rest(replay, block, i, &request);
	*hint = (struct replay_hint){
		.index = mmu_l1_index(replay->mmu, l1, slot),
		.seen = l1->generation[slot] + 1,
	};
	if (replay->lines)
		replay->line_pa[block->key[i]] = use_line(replay, key, slot);
	if (replay->tlbis != replay->mmu->stats.v[STAT_tlbis])
		return replay_reopen(replay, block, i, 0, REPLAY_OTHER_RUNS);
	return STATUS_OK;
}

/*
 * The hot loop. A key that its L1 TLB still holds in the same slot is a hit, and LRU wants no more
 * than a new time stamp; all else goes through access_by_key().
 */
static enum exit_status run_by_hints(struct replay *replay, const struct trace_block *block,
				     uint32_t first, uint32_t end)
{
	const uint32_t *generation = replay->mmu->l1_generation;
	uint64_t *stamp = replay->mmu->l1_stamp;
	struct replay_hint *hints = replay->hints;
	uint64_t clock = replay->clock;

	for (uint32_t i = first; i < end; i++) {
		struct replay_hint *hint = &hints[block->key[i]];
		enum exit_status status;

		if (generation[hint->index] + 1 == hint->seen) {
			stamp[hint->index] = ++clock;
			continue;
		}
		replay->clock = clock;
		status = access_by_key(replay, block, i, hint);
		clock = replay->clock;
		if (status != STATUS_OK)
			return status;
	}
	replay->clock = clock;
	return STATUS_OK;
}

/* run_by_hints() when the guest's lines go through the caches, too. */
static enum exit_status run_lines_by_hints(struct replay *replay, const struct trace_block *block,
					   uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		const uint32_t key = block->key[i];
		struct replay_hint *hint = &replay->hints[key];
		enum exit_status status;

		if (replay->mmu->l1_generation[hint->index] + 1 == hint->seen) {
			replay->mmu->l1_stamp[hint->index] = ++replay->clock;
			mmu_guest_line(replay->mmu, block->keys[key].vcpu,
				       replay_side(&block->keys[key]), replay->line_pa[key]);
			continue;
		}
		status = access_by_key(replay, block, i, hint);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* Any policy, any granularity, dirty state: each record through the whole hierarchy. */
static enum exit_status run_by_records(struct replay *replay, const struct trace_block *block,
				       uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		const struct trace_key *key = &block->keys[block->key[i]];
		enum exit_status status = STATUS_OK;
		struct mmu_request request;
		uint32_t slot;

		if (!replay_request(replay, key, &request))
			return replay->diag->status;
		if (replay->track_stores) {
			status = replay_flush_stores(replay, block->ordinal[i]);
			if (status != STATUS_OK)
				return status;
			if (block->first_store[i])
				request.kind = ACCESS_STORE;
		}
		slot = mmu_access(replay->mmu, key->vcpu, &request);
		if (slot == TLB_NONE)
			return replay_fault_status(replay, replay_vm(replay, key));
		if (replay->lines && slot != MMU_EMULATED)
			use_line(replay, key, slot);
		if (slot == MMU_EMULATED)
			status = emulate_rest(replay, block, i, &request);
		else if (replay->tlbis != replay->mmu->stats.v[STAT_tlbis])
			status = replay_reopen(replay, block, i, 0, REPLAY_OTHER_RUNS);
		if (status != STATUS_OK)
			return status;
		if (replay->track_stores && !block->first_store[i] &&
		    block->store_ordinal[i] != UINT64_MAX) {
			request.kind = ACCESS_STORE;
			replay->stores[key->vcpu] = (struct replay_store){
				.ordinal = block->store_ordinal[i],
				.request = request,
			};
		}
	}
	return STATUS_OK;
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

static enum exit_status run_batches(struct replay *replay, const struct trace_block *block,
				    uint32_t first, uint32_t end)
{
	enum exit_status status = STATUS_OK;

	for (; first < end && status == STATUS_OK; first += REPLAY_BATCH) {
		replay_look_ahead(replay, block, first, end);
		status = run_by_hints(replay, block, first,
				      end - first < REPLAY_BATCH ? end : first + REPLAY_BATCH);
	}
	return status;
}

enum exit_status replay_untimed(struct replay *replay, const struct trace_block *block,
				uint32_t first, uint32_t end)
{
	if (!replay->fast)
		return run_by_records(replay, block, first, end);
	if (replay->lines)
		return run_lines_by_hints(replay, block, first, end);
	return block->n_keys >= TRACE_MANY_KEYS ? run_batches(replay, block, first, end)
						: run_by_hints(replay, block, first, end);
}

/* A timing backend wants to know whose record it is, and how many look-ups hit in L1. */
static enum exit_status run_timed(struct replay *replay, const struct trace_block *block,
				  uint32_t first, uint32_t end)
{
	/* The TLBs of several vCPUs do not stay in the host's caches either. */
	const bool ahead =
		replay->fast && (replay->mmu->shape.vcpus > 1 || block->n_keys >= TRACE_MANY_KEYS);

	for (uint32_t i = first; i < end; i++) {
		const struct trace_key *key = &block->keys[block->key[i]];
		enum exit_status status;

		if (ahead && (i - first) % REPLAY_BATCH == 0)
			replay_look_ahead(replay, block, i, end);
		timing_on(replay->timing, key->vcpu);
		status = replay->fast ? run_by_hints(replay, block, i, i + 1)
				      : run_by_records(replay, block, i, i + 1);
		if (status != STATUS_OK)
			return status;
		timing_lookups(replay->timing, replay_side(key),
			       (uint64_t)block->reads[i] + block->stores[i] + block->splits[i]);
	}
	return STATUS_OK;
}

enum exit_status replay_unmarked(struct replay *replay, const struct trace_block *block,
				 uint32_t first, uint32_t end)
{
	if (replay->machine->walkers)
		return replay_clocked(replay, block, first, end);
	return replay->timing ? run_timed(replay, block, first, end)
			      : replay_untimed(replay, block, first, end);
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

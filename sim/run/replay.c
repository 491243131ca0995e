/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/tlbi.h"

enum exit_status replay_init(struct replay *replay, struct mmu *mmu, struct vm **vms,
			     uint32_t vms_count, const struct trace_info *info,
			     enum dirty_state dirty_state, struct diag *diag)
{
	const struct repl_ops *l1i = mmu->shape.l1i.repl, *l1d = mmu->shape.l1d.repl;
	const struct repl_ops *unsafe = !l1i->run_safe ? l1i : !l1d->run_safe ? l1d : NULL;
	const bool lru = !strcmp(l1i->name, "lru") && !strcmp(l1d->name, "lru");

	memset(replay, 0, sizeof(*replay));
	if (unsafe && info->granularity != TRACE_RAW)
		return diag_set(diag, STATUS_BAD_INPUT,
				"tlb.%s.replacement: %s changes state at each hit of a run, so it "
				"needs a raw trace; this one holds %s runs",
				unsafe == l1i ? "l1i" : "l1d", unsafe->name,
				info->granularity == TRACE_PAGE_RUNS ? "page" : "line");
	replay->mmu = mmu;
	replay->vms = vms;
	replay->vms_count = vms_count;
	replay->diag = diag;
	replay->track_stores = dirty_state == DIRTY_HARDWARE;
	replay->fast = lru && !replay->track_stores;
	replay->columns = COLUMN_KEY;
	if (replay->track_stores)
		replay->columns |= COLUMN_FIRST_KIND | COLUMN_ORDINALS;
	replay->hints = calloc(TRACE_BLOCK_RECORDS, sizeof(*replay->hints));
	replay->stores = calloc(mmu->shape.vcpus, sizeof(*replay->stores));
	if (!replay->hints || !replay->stores) {
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
	free(replay->stores);
	replay->hints = NULL;
	replay->stores = NULL;
}

static enum exit_status fault_status(struct replay *replay, uint16_t vm)
{
	const struct diag *why = vm_diag(replay->vms[vm]);

	if (why->status != STATUS_OK)
		return diag_set(replay->diag, why->status, "%s", why->text);
	return diag_set(replay->diag, STATUS_INTERNAL,
			"a walk kept faulting after its fault was handled");
}

static bool request_of(struct replay *replay, const struct trace_key *key,
		       struct mmu_request *request)
{
	*request = (struct mmu_request){
		.space = vm_space(replay->vms[key->vm], key->asid, replay->diag),
		.va = va_of(va_sign_extend(key->va)),
		.kind = key->stream == STREAM_FETCH ? ACCESS_FETCH : ACCESS_LOAD,
		.known_ipa = key->ipa,
	};
	return request->space;
}

static enum mmu_stream stream_of(const struct trace_key *key)
{
	return key->stream == STREAM_FETCH ? MMU_FETCH : MMU_DATA;
}

/* The hint of a key failed: the full look-up, and a new hint. */
static enum exit_status access_by_key(struct replay *replay, const struct trace_key *key,
				      struct replay_hint *hint)
{
	struct tlb *l1 = mmu_l1(replay->mmu, key->vcpu, stream_of(key));
	struct mmu_request request;
	uint32_t slot;

	if (!request_of(replay, key, &request))
		return replay->diag->status;
	l1->clock = replay->clock;
	slot = mmu_access(replay->mmu, key->vcpu, &request);
	replay->clock = l1->clock;
	if (slot == TLB_NONE)
		return fault_status(replay, key->vm);
	*hint = (struct replay_hint){
		.index = mmu_l1_index(replay->mmu, l1, slot),
		.seen = l1->generation[slot] + 1,
	};
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
		status = access_by_key(replay, &block->keys[block->key[i]], hint);
		clock = replay->clock;
		if (status != STATUS_OK)
			return status;
	}
	replay->clock = clock;
	return STATUS_OK;
}

/* Look up again the stores that lie within open runs, in order, up to `ordinal`. */
static enum exit_status flush_stores(struct replay *replay, uint64_t ordinal)
{
	for (;;) {
		struct replay_store *due = NULL;
		struct mmu_request request;
		uint32_t vcpu, slot;
		struct tlb *l1;

		for (uint32_t i = 0; i < replay->mmu->shape.vcpus; i++)
			if (replay->stores[i].ordinal < (due ? due->ordinal : ordinal))
				due = &replay->stores[i];
		if (!due)
			return STATUS_OK;
		vcpu = (uint32_t)(due - replay->stores);
		request = due->request;
		due->ordinal = UINT64_MAX;
		/* The hit changes no replacement state (run_safe): only its dirty state matters. */
		l1 = mmu_l1(replay->mmu, vcpu, MMU_DATA);
		slot = tlb_find(l1, request.space->context, request.va);
		if (slot != TLB_NONE && l1->leaf[slot].dirty_clear &&
		    mmu_rewalk(replay->mmu, vcpu, &request, slot) == TLB_NONE)
			return diag_set(replay->diag, STATUS_INTERNAL,
					"a store within a run could not set dirty state");
	}
}

/* Any policy, any granularity, dirty state: each record through the whole hierarchy. */
static enum exit_status run_by_records(struct replay *replay, const struct trace_block *block,
				       uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		const struct trace_key *key = &block->keys[block->key[i]];
		struct mmu_request request;
		enum exit_status status;

		if (!request_of(replay, key, &request))
			return replay->diag->status;
		if (replay->track_stores) {
			status = flush_stores(replay, block->ordinal[i]);
			if (status != STATUS_OK)
				return status;
			if (block->first_store[i])
				request.kind = ACCESS_STORE;
		}
		if (mmu_access(replay->mmu, key->vcpu, &request) == TLB_NONE)
			return fault_status(replay, key->vm);
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

static void event_unmap(struct replay *replay, const struct trace_event *event, struct vm *vm,
			uint16_t vmid)
{
	const struct tlb_match match = {
		.scope = TLB_SCOPE_VA,
		.context = { .vmid = vmid, .asid = event->asid },
		.first = va_sign_extend(event->args[0]),
		.last = va_sign_extend(event->args[0] + event->args[1] - 1),
	};

	if (!event->args[1])
		return;
	mmu_invalidate(replay->mmu, MMU_ALL_VCPUS, &match,
		       vm_unmap(vm, event->asid, va_of(match.first), event->args[1]));
}

/* Context and VM switches carry nothing to do: each key names its VM and ASID. */
static enum exit_status run_event(struct replay *replay, const struct trace_event *event)
{
	const struct mmu_space *space;
	enum exit_status status = flush_stores(replay, UINT64_MAX);

	if (status != STATUS_OK || event->vm >= replay->vms_count)
		return status;
	if (event->type != EVENT_TLBI && event->type != EVENT_UNMAP)
		return STATUS_OK;
	space = vm_space(replay->vms[event->vm], event->asid, replay->diag);
	if (!space)
		return replay->diag->status;
	if (event->type == EVENT_UNMAP) {
		event_unmap(replay, event, replay->vms[event->vm], space->context.vmid);
		return STATUS_OK;
	}

	const struct tlbi tlbi = {
		.encoding = (uint32_t)event->args[0],
		.xt = event->args[1],
		.vmid = space->context.vmid,
		.regime = space->regime,
	};
	if (event->args[0] <= UINT32_MAX && mmu_tlbi(replay->mmu, &tlbi))
		return STATUS_OK;
	return diag_set(replay->diag, STATUS_BAD_INPUT,
			"a TLBI event has encoding 0x%" PRIx64 ", which no TLBI instruction has",
			event->args[0]);
}

static enum exit_status check_keys(struct replay *replay, const struct trace_block *block)
{
	for (uint32_t i = 0; i < block->n_keys; i++)
		if (block->keys[i].vcpu >= replay->mmu->shape.vcpus ||
		    block->keys[i].vm >= replay->vms_count)
			return diag_set(
				replay->diag, STATUS_BAD_INPUT,
				"a record names vCPU %u of VM %u, but the trace says that it "
				"has %u vCPUs and %u VMs",
				block->keys[i].vcpu, block->keys[i].vm, replay->mmu->shape.vcpus,
				replay->vms_count);
	return STATUS_OK;
}

enum exit_status replay_block(struct replay *replay, const struct trace_block *block)
{
	enum exit_status status = check_keys(replay, block);
	uint32_t done = 0;

	if (status != STATUS_OK)
		return status;
	if (replay->fast)
		memset(replay->hints, 0, block->n_keys * sizeof(*replay->hints));
	for (uint32_t e = 0; e <= block->n_events; e++) {
		const uint32_t end =
			e < block->n_events ? block->events[e].before : block->n_records;

		status = replay->fast ? run_by_hints(replay, block, done, end)
				      : run_by_records(replay, block, done, end);
		if (status == STATUS_OK && e < block->n_events)
			status = run_event(replay, &block->events[e]);
		if (status != STATUS_OK)
			return status;
		done = end;
	}
	return STATUS_OK;
}

enum exit_status replay_finish(struct replay *replay)
{
	return flush_stores(replay, UINT64_MAX);
}

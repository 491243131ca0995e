/* SPDX-License-Identifier: BSD-2-Clause */
/* What the host does to a memslot's memory on its own: it takes it back, or makes huge pages. */
#include "os/kvm_memory_private.h"

#include <stdlib.h>

static void drop_frame(struct kvm_memory *memory, uint64_t user, unsigned size_bits, uint64_t pa)
{
	if (memory->dropped)
		memory->dropped(memory->placed_ctx, user, size_bits, pa_of(pa));
	/* A page of the pool goes back there. */
	if (memory->pool_next > 0)
		memory->pool[--memory->pool_next] = pa_of(pa);
	else
		frames_free(memory->frames, size_bits, pa_of(pa));
}

/* __split_huge_pmd(): the same memory, or the zero page, by a table of pages. */
static enum kvm_memory_result split_chunk(struct kvm_memory *memory, struct kvm_chunk *chunk)
{
	const uint64_t units = UINT64_C(1) << (memory->chunk_bits - memory->unit_bits);
	const bool zero = chunk->state == STATE_ZERO;
	uint64_t pa = chunk->pa;

	if (zero && !kvm_shared_frame(memory, &memory->zero_page, memory->page, &pa))
		return kvm_no_frames(memory);
	chunk->unit = kvm_new_units(memory);
	if (!chunk->unit)
		return KVM_MEMORY_NO_MEMORY;
	for (uint64_t i = 0; i < units; i++)
		chunk->unit[i] = unit_of(pa + (zero ? 0 : i << memory->unit_bits), chunk->state);
	chunk->state = STATE_PAGES;
	return KVM_MEMORY_OK;
}

/* Of the chunk at user address `at`, what lies in [first, end). */
static enum kvm_memory_result discard_chunk(struct kvm_memory *memory, struct kvm_chunk *chunk,
					    uint64_t at, uint64_t first, uint64_t end)
{
	const uint64_t units = UINT64_C(1) << (memory->chunk_bits - memory->unit_bits);
	const uint64_t bytes = UINT64_C(1) << memory->unit_bits;

	if (chunk->state == STATE_NONE)
		return KVM_MEMORY_OK;
	if (chunk->state != STATE_PAGES && first <= at && end - at >= units * bytes) {
		if (kvm_owns_frame(chunk->state))
			drop_frame(memory, at, memory->chunk_bits, chunk->pa);
		chunk->state = STATE_NONE;
		return KVM_MEMORY_OK;
	}
	if (chunk->state != STATE_PAGES) {
		const enum kvm_memory_result result = split_chunk(memory, chunk);

		if (result != KVM_MEMORY_OK)
			return result;
	}
	for (uint64_t i = 0; i < units; i++, at += bytes) {
		struct unit *unit = &chunk->unit[i];

		if (at < first || at >= end || end - at < bytes)
			continue;
		if (kvm_owns_frame(state_of(*unit)))
			drop_frame(memory, at, memory->unit_bits, pa_of_unit(*unit));
		*unit = unit_of(0, STATE_NONE);
	}
	return KVM_MEMORY_OK;
}

enum kvm_memory_result kvm_memory_discard(struct kvm_memory *memory, uint64_t first, uint64_t end)
{
	enum kvm_memory_result result = KVM_MEMORY_OK;

	if (memory->backing == KVM_BACKING_DEVICE || first >= end)
		return KVM_MEMORY_OK;
	if (memory->invalidate)
		memory->invalidate(memory->invalidate_ctx, first, end);
	for (uint64_t i = (first - memory->first) >> memory->chunk_bits;
	     i <= (end - 1 - memory->first) >> memory->chunk_bits && i < memory->chunks &&
	     result == KVM_MEMORY_OK;
	     i++)
		if (memory->chunk[i])
			result = discard_chunk(memory, memory->chunk[i],
					       memory->first + (i << memory->chunk_bits), first,
					       end);
	return result;
}

enum kvm_memory_result kvm_memory_collapse(struct kvm_memory *memory, uint64_t user)
{
	struct kvm_chunk *chunk =
		memory->backing == KVM_BACKING_THP ? kvm_chunk_of(memory, user) : NULL;
	const uint64_t units = UINT64_C(1) << (memory->chunk_bits - memory->unit_bits);
	const uint64_t first = user & ~low_mask(memory->chunk_bits);
	bool written = false;
	pa_t fresh;

	for (uint64_t i = 0; chunk && chunk->state == STATE_PAGES && i < units; i++)
		written = written || state_of(chunk->unit[i]) == STATE_WRITABLE;
	if (!written)
		return KVM_MEMORY_OK;
	if (!frames_alloc(memory->frames, memory->chunk_bits, &fresh))
		return kvm_no_frames(memory);
	if (memory->invalidate)
		memory->invalidate(memory->invalidate_ctx, first,
				   first + low_mask(memory->chunk_bits) + 1);
	for (uint64_t i = 0; i < units; i++)
		if (kvm_owns_frame(state_of(chunk->unit[i])))
			drop_frame(memory, first + (i << memory->unit_bits), memory->unit_bits,
				   pa_of_unit(chunk->unit[i]));
	free(chunk->unit);
	chunk->unit = NULL;
	chunk->state = STATE_WRITABLE;
	chunk->pa = fresh.v;
	if (memory->placed)
		memory->placed(memory->placed_ctx, first, memory->chunk_bits, fresh);
	return KVM_MEMORY_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/kvm_memory_private.h"

#include <stdlib.h>

enum { ZEROED_BITS = 12 };

bool kvm_hugetlb_exists(enum granule page, unsigned bits)
{
	static const uint64_t sizes[] = {
		[GRANULE_4K] = 1 << 16 | 1 << 21 | 1 << 25 | 1 << 30,
		[GRANULE_16K] = 1 << 21 | 1 << 25 | 1 << 30,
		[GRANULE_64K] = 1 << 21 | 1 << 29 | UINT64_C(1) << 34,
	};

	return bits < 64 && sizes[page] >> bits & 1;
}

bool kvm_memory_init(struct kvm_memory *memory, enum kvm_backing backing, unsigned hugetlb_bits,
		     enum granule page, uint64_t user, uint64_t bytes, struct frames *frames)
{
	const unsigned pmd_bits = level_shift(page, 2);
	unsigned unit_bits = page, chunk_bits;

	if (backing == KVM_BACKING_HUGETLB)
		unit_bits = hugetlb_bits;
	chunk_bits = unit_bits > pmd_bits ? unit_bits : pmd_bits;
	*memory = (struct kvm_memory){ .backing = backing,
				       .page = page,
				       .unit_bits = unit_bits,
				       .chunk_bits = chunk_bits,
				       .first = user & ~low_mask(chunk_bits),
				       .frames = frames };
	if (backing == KVM_BACKING_DEVICE) {
		memory->device_user = user;
		return true;
	}
	memory->chunks = ((user + bytes - 1 - memory->first) >> chunk_bits) + 1;
	memory->chunk = calloc(memory->chunks, sizeof(*memory->chunk));
	return memory->chunk != NULL;
}

static void chunk_free(struct kvm_memory *memory, struct kvm_chunk *chunk)
{
	const uint64_t units = UINT64_C(1) << (memory->chunk_bits - memory->unit_bits);

	if (kvm_owns_frame(chunk->state))
		frames_free(memory->frames, memory->chunk_bits, pa_of(chunk->pa));
	for (uint64_t i = 0; chunk->unit && i < units; i++)
		if (kvm_owns_frame(state_of(chunk->unit[i])))
			frames_free(memory->frames, memory->unit_bits,
				    pa_of(pa_of_unit(chunk->unit[i])));
	free(chunk->unit);
	free(chunk);
}

void kvm_memory_fini(struct kvm_memory *memory)
{
	while (memory->newest) {
		struct kvm_chunk *chunk = memory->newest;

		memory->newest = chunk->older;
		chunk_free(memory, chunk);
	}
	for (; memory->pool_next < memory->pool_pages; memory->pool_next++)
		frames_free(memory->frames, memory->unit_bits, memory->pool[memory->pool_next]);
	if (memory->zero_page)
		frames_free(memory->frames, memory->page, pa_of(memory->zero_page - 1));
	if (memory->huge_zero_page)
		frames_free(memory->frames, memory->chunk_bits, pa_of(memory->huge_zero_page - 1));
	free(memory->chunk);
	free(memory->pool);
	memory->chunk = NULL;
	memory->pool = NULL;
}

bool kvm_memory_reserve(struct kvm_memory *memory, uint64_t user, uint64_t bytes, uint64_t *asked,
			uint64_t *had)
{
	*asked = ((user + bytes - 1) >> memory->unit_bits) - (user >> memory->unit_bits) + 1;
	*had = *asked;
	memory->pool = calloc(*asked, sizeof(*memory->pool));
	if (!memory->pool)
		return false;
	while (memory->pool_pages < *asked &&
	       frames_alloc(memory->frames, memory->unit_bits, &memory->pool[memory->pool_pages]))
		memory->pool_pages++;
	*had = memory->pool_pages;
	return *had == *asked;
}

bool kvm_memory_touched(const struct kvm_memory *memory, uint64_t user)
{
	const uint64_t offset = user & low_mask(memory->chunk_bits);
	const struct kvm_chunk *chunk;

	if (memory->backing == KVM_BACKING_DEVICE)
		return true;
	chunk = memory->chunk[(user - memory->first) >> memory->chunk_bits];
	if (!chunk || chunk->state != STATE_PAGES)
		return chunk && chunk->state != STATE_NONE;
	return state_of(chunk->unit[offset >> memory->unit_bits]) != STATE_NONE;
}

unsigned kvm_memory_vma_bits(const struct kvm_memory *memory)
{
	return memory->backing == KVM_BACKING_HUGETLB ? memory->unit_bits : (unsigned)memory->page;
}

struct unit *kvm_new_units(const struct kvm_memory *memory)
{
	return calloc((size_t)1 << (memory->chunk_bits - memory->unit_bits), sizeof(struct unit));
}

/* Only THP memory has chunks that are mapped by one entry above their units. */
struct kvm_chunk *kvm_chunk_of(struct kvm_memory *memory, uint64_t user)
{
	struct kvm_chunk **at = &memory->chunk[(user - memory->first) >> memory->chunk_bits];
	struct kvm_chunk *chunk = *at;

	if (chunk)
		return chunk;
	chunk = calloc(1, sizeof(*chunk));
	if (!chunk)
		return NULL;
	if (memory->backing != KVM_BACKING_THP) {
		chunk->state = STATE_PAGES;
		chunk->unit = kvm_new_units(memory);
		if (!chunk->unit) {
			free(chunk);
			return NULL;
		}
	}
	chunk->older = memory->newest;
	memory->newest = chunk;
	*at = chunk;
	return chunk;
}

bool kvm_shared_frame(struct kvm_memory *memory, uint64_t *frame, unsigned size_bits, uint64_t *pa)
{
	pa_t fresh;

	if (!*frame) {
		if (!frames_alloc(memory->frames, size_bits, &fresh))
			return false;
		*frame = fresh.v + 1;
	}
	*pa = *frame - 1;
	return true;
}

/* A cleared frame for the memory around `user`. */
static bool own_frame(struct kvm_memory *memory, uint64_t user, unsigned size_bits, uint64_t *pa,
		      struct kvm_pin *pin)
{
	pa_t fresh;

	if (memory->pool_next < memory->pool_pages)
		fresh = memory->pool[memory->pool_next++];
	else if (!frames_alloc(memory->frames, size_bits, &fresh))
		return false;
	*pa = fresh.v;
	pin->zeroed_4k += UINT64_C(1) << (size_bits - ZEROED_BITS);
	if (memory->placed)
		memory->placed(memory->placed_ctx, user & ~low_mask(size_bits), size_bits, fresh);
	return true;
}

static void invalidate(struct kvm_memory *memory, uint64_t user, unsigned size_bits,
		       struct kvm_pin *pin)
{
	const uint64_t first = user & ~low_mask(size_bits);

	pin->invalidated = true;
	if (memory->invalidate)
		memory->invalidate(memory->invalidate_ctx, first,
				   first + (UINT64_C(1) << size_bits));
}

/* __split_huge_zero_page_pmd(): every page becomes the zero page. */
static enum kvm_memory_result split_zero(struct kvm_memory *memory, uint64_t user,
					 struct kvm_chunk *chunk, struct kvm_pin *pin)
{
	const uint64_t units = UINT64_C(1) << (memory->chunk_bits - memory->unit_bits);
	uint64_t zero;

	if (!kvm_shared_frame(memory, &memory->zero_page, memory->page, &zero))
		return kvm_no_frames(memory);
	chunk->unit = kvm_new_units(memory);
	if (!chunk->unit)
		return KVM_MEMORY_NO_MEMORY;
	invalidate(memory, user, memory->chunk_bits, pin);
	for (uint64_t i = 0; i < units; i++)
		chunk->unit[i] = unit_of(zero, STATE_ZERO);
	chunk->state = STATE_PAGES;
	return KVM_MEMORY_OK;
}

/* VM_FAULT_FALLBACK: the chunk becomes a table of pages, none of them there yet. */
static enum kvm_memory_result fall_back(struct kvm_memory *memory, struct kvm_chunk *chunk)
{
	chunk->unit = kvm_new_units(memory);
	if (!chunk->unit)
		return KVM_MEMORY_NO_MEMORY;
	chunk->state = STATE_PAGES;
	memory->huge_fallbacks++;
	return KVM_MEMORY_OK;
}

/* get_huge_zero_page() clears its page when it is first wanted. */
static bool huge_zero(struct kvm_memory *memory, uint64_t *pa, struct kvm_pin *pin)
{
	const bool made = memory->huge_zero_page != 0;

	if (!kvm_shared_frame(memory, &memory->huge_zero_page, memory->chunk_bits, pa))
		return false;
	if (!made)
		pin->zeroed_4k += UINT64_C(1) << (memory->chunk_bits - ZEROED_BITS);
	return true;
}

/* do_huge_pmd_anonymous_page() and do_huge_pmd_wp_page(): THP memory before it is split. */
static enum kvm_memory_result fault_huge(struct kvm_memory *memory, uint64_t user, bool write,
					 struct kvm_chunk *chunk, struct kvm_pin *pin)
{
	bool ok;

	if (chunk->state == STATE_ZERO && write)
		return split_zero(memory, user, chunk, pin);
	if (chunk->state != STATE_NONE)
		return KVM_MEMORY_OK;
	if (write)
		ok = own_frame(memory, user, memory->chunk_bits, &chunk->pa, pin);
	else
		ok = huge_zero(memory, &chunk->pa, pin);
	if (!ok)
		return fall_back(memory, chunk);
	chunk->state = write ? STATE_WRITABLE : STATE_ZERO;
	return KVM_MEMORY_OK;
}

/*
 * hugetlb_no_page() and hugetlb_wp(): a private page of its own at the first touch, made writable
 * in place by the first write.
 */
static bool fault_hugetlb(struct kvm_memory *memory, uint64_t user, bool write, struct unit *unit,
			  struct kvm_pin *pin)
{
	const enum state before = state_of(*unit);
	uint64_t pa = pa_of_unit(*unit);

	if (before == STATE_NONE && !own_frame(memory, user, memory->unit_bits, &pa, pin))
		return false;
	if (write)
		*unit = unit_of(pa, STATE_WRITABLE);
	else if (before == STATE_NONE)
		*unit = unit_of(pa, STATE_READ_ONLY);
	return true;
}

/* do_anonymous_page() and do_wp_page(): the zero page until the first write, then a copy. */
static bool fault_page(struct kvm_memory *memory, uint64_t user, bool write, struct unit *unit,
		       struct kvm_pin *pin)
{
	const enum state before = state_of(*unit);
	uint64_t pa;

	if (before == STATE_WRITABLE || (before == STATE_ZERO && !write))
		return true;
	if (!write) {
		if (!kvm_shared_frame(memory, &memory->zero_page, memory->page, &pa))
			return false;
		*unit = unit_of(pa, STATE_ZERO);
		return true;
	}
	if (!own_frame(memory, user, memory->page, &pa, pin))
		return false;
	if (before == STATE_ZERO) {
		invalidate(memory, user, memory->page, pin);
		pin->copied = true;
	}
	*unit = unit_of(pa, STATE_WRITABLE);
	return true;
}

static pa_t device_page(const struct kvm_memory *memory, uint64_t user)
{
	const uint64_t offset = (user - memory->device_user) & ~low_mask(memory->page);

	return pa_of(memory->device_pa + offset);
}

enum kvm_memory_result kvm_memory_pin(struct kvm_memory *memory, uint64_t user,
				      enum access_kind access, struct kvm_pin *pin)
{
	const bool write = access == ACCESS_STORE;
	struct kvm_chunk *chunk;
	uint64_t pa, offset;
	enum state state;
	bool ok;

	if (memory->backing == KVM_BACKING_DEVICE) {
		*pin = (struct kvm_pin){ .pa = device_page(memory, user),
					 .writable = true,
					 .mapped_bits = memory->page };
		return KVM_MEMORY_OK;
	}
	*pin = (struct kvm_pin){ .mapped_bits = memory->chunk_bits };
	chunk = kvm_chunk_of(memory, user);
	if (!chunk)
		return KVM_MEMORY_NO_MEMORY;
	if (chunk->state != STATE_PAGES) {
		const enum kvm_memory_result result = fault_huge(memory, user, write, chunk, pin);

		if (result != KVM_MEMORY_OK)
			return result;
	}
	pa = chunk->pa;
	state = chunk->state;
	if (state == STATE_PAGES) {
		offset = user & low_mask(memory->chunk_bits);
		struct unit *unit = &chunk->unit[offset >> memory->unit_bits];

		if (memory->backing == KVM_BACKING_HUGETLB)
			ok = fault_hugetlb(memory, user, write, unit, pin);
		else
			ok = fault_page(memory, user, write, unit, pin);
		if (!ok)
			return kvm_no_frames(memory);
		pa = pa_of_unit(*unit);
		state = state_of(*unit);
		pin->mapped_bits = memory->unit_bits;
	}
	offset = user & low_mask(pin->mapped_bits) & ~low_mask(memory->page);
	pin->pa = pa_of(pa + offset);
	pin->writable = state == STATE_WRITABLE;
	return KVM_MEMORY_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the host's mapping of a memslot's memory. */
#ifndef TWOSTAGE_OS_KVM_MEMORY_PRIVATE_H
#define TWOSTAGE_OS_KVM_MEMORY_PRIVATE_H

#include "os/kvm_memory.h"

enum state {
	STATE_NONE,
	STATE_ZERO,	 /* the zero page or the huge zero page, read-only */
	STATE_READ_ONLY, /* a page of its own, not yet written (hugetlb) */
	STATE_WRITABLE,
	STATE_PAGES, /* chunk: a table of pages */
};

/* Address and state in one word: frames are pages at least. */
struct unit {
	uint64_t word;
};

enum { STATE_MASK = 7 };

static inline struct unit unit_of(uint64_t pa, enum state state)
{
	return (struct unit){ .word = pa | (uint64_t)state };
}

static inline enum state state_of(struct unit unit)
{
	return (enum state)(unit.word & STATE_MASK);
}

static inline uint64_t pa_of_unit(struct unit unit)
{
	return unit.word & ~(uint64_t)STATE_MASK;
}

/* A PMD's worth of memory, or one hugetlb page if that is larger. */
struct kvm_chunk {
	enum state state;
	uint64_t pa;		 /* of the whole chunk; of no use with STATE_PAGES */
	struct unit *unit;	 /* with STATE_PAGES */
	struct kvm_chunk *older; /* made before this one */
};

static inline bool kvm_owns_frame(enum state state)
{
	return state == STATE_READ_ONLY || state == STATE_WRITABLE;
}

/* Of the host's memory, or of our own that tells what of it is free. */
static inline enum kvm_memory_result kvm_no_frames(const struct kvm_memory *memory)
{
	return memory->frames->no_memory ? KVM_MEMORY_NO_MEMORY : KVM_MEMORY_NO_FRAMES;
}

/* Units that are not there yet, for a chunk. NULL: out of memory. */
struct unit *kvm_new_units(const struct kvm_memory *memory);

/* The chunk that holds `user`, made if need be. NULL: out of memory. */
struct kvm_chunk *kvm_chunk_of(struct kvm_memory *memory, uint64_t user);

/* One frame of the size, made once and then shared. */
bool kvm_shared_frame(struct kvm_memory *memory, uint64_t *frame, unsigned size_bits, uint64_t *pa);

#endif

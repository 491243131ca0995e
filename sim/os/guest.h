/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest page policies: one file sim/os/guest/NAME.c each, which defines `guest_NAME`. */
#ifndef TWOSTAGE_OS_GUEST_H
#define TWOSTAGE_OS_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/types.h"

/* The guest's physical memory, a buddy allocator: os/guest_memory.h. Sizes are log2 of bytes. */
struct guest_memory;

/* A block of 2^bits bytes, aligned to its size. False: none is free. */
bool guest_memory_take(struct guest_memory *memory, unsigned bits, ipa_t *out);

/* All of a block that was taken, or an aligned part of it, is free again. */
void guest_memory_give_back(struct guest_memory *memory, unsigned bits, ipa_t ipa);

/* How the kernel maps its linear map and its text. */
enum guest_kernel_map { KERNEL_PAGES, KERNEL_BLOCKS };

/* What does not change in a guest. Sizes are log2 of bytes. */
struct guest_setup {
	ipa_t first, end; /* its memory, one memslot */
	unsigned va_bits; /* of each half of the address space */
	unsigned page_bits, pmd_bits, pud_bits;
	unsigned contiguous_bits; /* a set of pages with the Contiguous bit */
	unsigned leaf_bits;	  /* guest.pages */
	uint32_t thp_permille, contiguous_permille;
	enum guest_kernel_map kernel_map;
	uint64_t seed;
};

/* What a policy is asked: a stage-1 translation fault of one page. */
struct guest_fault {
	va_t va;
	uint64_t known_ipa; /* of va, from the trace; UINT64_MAX: not known */
	uint16_t asid;	    /* of the address space, as the trace numbers them */
	enum access_kind kind;
	/* Of the largest leaf, or set of contiguous pages, that is free, if it is looked at. */
	unsigned hole_bits;
};

struct guest_leaf {
	ipa_t ipa;	    /* of the first byte of the span that holds va */
	unsigned leaf_bits; /* of each leaf */
	unsigned span_bits; /* leaf_bits; or more: a set of contiguous leaves, all mapped at once */
	bool cleared;	    /* the guest cleared the memory first: it had no owner */
	bool fallback;	    /* a larger span was wanted, but no block was free */
};

enum guest_result {
	GUEST_OK,
	GUEST_NO_MEMORY,
	GUEST_OFFSET, /* known_ipa and va differ in their offset in a page */
	GUEST_IN_USE, /* known_ipa lies in memory that serves something else */
};

struct guest_ops {
	const char *name;
	const char *help; /* one line */
	size_t state_bytes;
	/* Why such a guest cannot be, one line; NULL, also as a function: it can. */
	const char *(*refuse)(const struct guest_setup *setup);
	/* `setup` and `memory` outlive the state. */
	void (*init)(void *state, const struct guest_setup *setup, struct guest_memory *memory);
	/* Will fault() look at hole_bits, which are not known yet? NULL: never. */
	bool (*wants_hole)(const void *state, const struct guest_fault *fault);
	/* The span to map for a fault. */
	enum guest_result (*fault)(void *state, const struct guest_fault *fault,
				   struct guest_leaf *leaf);
	/* 2^bits bytes, aligned, for the kernel itself. False: no such block is free. */
	bool (*take)(void *state, unsigned bits, ipa_t *out);
	/* 2^bits bytes that a leaf at va mapped are unmapped and nobody else maps them. NULL: they
	 * are not used again, and neither are tables. */
	void (*give_back)(void *state, va_t va, unsigned bits, ipa_t ipa);
};

extern const struct guest_ops *const guest_registry[];

const struct guest_ops *guest_find(const char *name); /* NULL: no such policy */

#endif

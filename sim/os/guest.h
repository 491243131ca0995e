/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest page policies: one file sim/os/guest/NAME.c each, which defines `guest_NAME`. */
#ifndef TWOSTAGE_OS_GUEST_H
#define TWOSTAGE_OS_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/types.h"

/* What a policy is asked: a stage-1 translation fault of one page. */
struct guest_fault {
	va_t va;
	uint64_t known_ipa; /* of va, from the trace; UINT64_MAX: not known */
	unsigned leaf_bits; /* log2 of the page size that guest.pages asks for */
	unsigned page_bits; /* log2 of the granule */
};

struct guest_leaf {
	ipa_t ipa;	    /* of the first byte of the leaf that holds va */
	unsigned leaf_bits; /* log2 of its size */
};

struct guest_ops {
	const char *name;
	const char *help; /* one line */
	size_t state_bytes;
	/* The guest's memory is [first, end) of the IPA space. */
	void (*init)(void *state, ipa_t first, ipa_t end, uint64_t seed);
	/* The leaf to map for a fault. False: out of guest memory. */
	bool (*fault)(void *state, const struct guest_fault *fault, struct guest_leaf *leaf);
	/* 2^bits bytes, aligned, for the kernel itself, above all that it took before. False: out
	 * of guest memory. */
	bool (*take)(void *state, unsigned bits, ipa_t *out);
};

extern const struct guest_ops *const guest_registry[];

const struct guest_ops *guest_find(const char *name); /* NULL: no such policy */

#endif

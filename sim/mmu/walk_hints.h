/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where tables of the last level lie in the host's memory, so that the descriptors of walks to come
 * can be on their way into its caches. A hint that is out of date fetches in vain: no result
 * depends on one.
 */
#ifndef TWOSTAGE_MMU_WALK_HINTS_H
#define TWOSTAGE_MMU_WALK_HINTS_H

#include "mem/phys.h"

enum {
	WALK_HINTS = 4096, /* of each stage; a power of two */
	HINT_INDEX_BITS = PHYS_PAGE_BITS - 3,
};

struct walk_hints {
	/* By stage, and by the input addresses whose descriptors share a page: its words. */
	const uint64_t *words[2][WALK_HINTS];
};

static inline const uint64_t **walk_hint(struct walk_hints *hints, int stage, uint64_t ia,
					 unsigned granule_bits)
{
	return &hints->words[stage - 1][ia >> (granule_bits + HINT_INDEX_BITS) & (WALK_HINTS - 1)];
}

/* Where the descriptor of ia is thought to be; NULL: not known. */
static inline const uint64_t *walk_hint_word(struct walk_hints *hints, int stage, uint64_t ia,
					     unsigned granule_bits)
{
	const uint64_t *words = *walk_hint(hints, stage, ia, granule_bits);

	return words ? &words[ia >> granule_bits & low_mask(HINT_INDEX_BITS)] : NULL;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where tables lie in the host's memory. Walks then need not look up the page of each descriptor,
 * and descriptors of walks to come can be on their way into the host's caches. Only time depends
 * on what is remembered.
 */
#ifndef TWOSTAGE_MMU_WALK_HINTS_H
#define TWOSTAGE_MMU_WALK_HINTS_H

#include <string.h>

#include "mem/phys.h"

enum {
	WALK_HINTS = 4096, /* of each stage; a power of two */
	WALK_HINT_LEVELS = 5,
	WALK_UPPERS = 64, /* a power of two */
	HINT_INDEX_BITS = PHYS_PAGE_BITS - 3,
};

/* A page of the simulated memory and its words. */
struct walk_hint {
	uint64_t key; /* page number + 1; 0: none */
	const uint64_t *words;
};

/* The way to the stage-2 table of level 2 for a GiB of IPA. */
struct walk_upper {
	uint64_t key;  /* IPA >> 30, + 1; 0: none */
	uint64_t base; /* of the start table */
	unsigned n;    /* descriptors above: of the start level and below */
	const uint64_t *word[2];
	uint64_t desc[2]; /* that they held: the way is this one as long as they do */
	pa_t pa[2];
	const uint64_t *words; /* of the table, or of the page of it that is meant */
	uint64_t table;	       /* PA of that */
};

struct walk_hints {
	uint64_t replaced; /* as in struct phys_mem; all is forgotten when that is another one */
	/* Tables of the last level are many: by stage, and by the input addresses whose descriptors
	 * share a page. */
	struct walk_hint last[2][WALK_HINTS];
	/* The one read last, by stage and level + 1. */
	struct walk_hint upper[2][WALK_HINT_LEVELS];
	struct walk_upper stage2[WALK_UPPERS];
};

/* To be called before a walk: pages may have been freed since the last one. */
static inline void walk_hints_renew(struct walk_hints *hints, const struct phys_mem *mem)
{
	if (hints->replaced == mem->replaced)
		return;
	memset(hints, 0, sizeof(*hints));
	hints->replaced = mem->replaced;
}

static inline uint64_t walk_hint_key(pa_t pa)
{
	return (pa.v >> PHYS_PAGE_BITS) + 1;
}

static inline struct walk_hint *walk_hint(struct walk_hints *hints, int stage, uint64_t ia,
					  unsigned granule_bits)
{
	return &hints->last[stage - 1][ia >> (granule_bits + HINT_INDEX_BITS) & (WALK_HINTS - 1)];
}

/* Where the descriptor of ia is thought to be; NULL: not known. It may be out of date. */
static inline const uint64_t *walk_hint_word(struct walk_hints *hints, int stage, uint64_t ia,
					     unsigned granule_bits)
{
	const uint64_t *words = walk_hint(hints, stage, ia, granule_bits)->words;

	return words ? &words[ia >> granule_bits & low_mask(HINT_INDEX_BITS)] : NULL;
}

#endif

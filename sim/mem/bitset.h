/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of small numbers that finds its next member in a few steps: bits, and bits of nonzero
 * words. */
#ifndef TWOSTAGE_MEM_BITSET_H
#define TWOSTAGE_MEM_BITSET_H

#include <stdbool.h>
#include <stdint.h>

#define BITSET_NONE UINT64_MAX

/* Levels of 64-way summaries: four hold 2^24 members. */
enum { BITSET_LEVELS = 4 };

struct bitset {
	uint64_t *level[BITSET_LEVELS]; /* level 0 has a bit each member; owned as one piece */
	uint64_t bits[BITSET_LEVELS];	/* of each level */
	unsigned levels;
};

/* An empty set of numbers below `bits`, 1 to 2^24. False: out of memory, the set is then empty. */
bool bitset_init(struct bitset *set, uint64_t bits);
void bitset_fini(struct bitset *set);

static inline bool bitset_has(const struct bitset *set, uint64_t i)
{
	return set->level[0][i >> 6] >> (i & 63) & 1;
}

static inline bool bitset_is_empty(const struct bitset *set)
{
	return set->level[set->levels - 1][0] == 0;
}

void bitset_add(struct bitset *set, uint64_t i);
void bitset_remove(struct bitset *set, uint64_t i);

/* The smallest member that is `from` or more, or BITSET_NONE. */
uint64_t bitset_next(const struct bitset *set, uint64_t from);

#endif

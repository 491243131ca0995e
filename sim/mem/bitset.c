/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/bitset.h"

#include <stdlib.h>

static uint64_t words_of(uint64_t bits)
{
	return (bits + 63) >> 6;
}

bool bitset_init(struct bitset *set, uint64_t bits)
{
	uint64_t words = 0, *at;

	*set = (struct bitset){ 0 };
	do {
		set->bits[set->levels++] = bits;
		bits = words_of(bits);
		words += bits;
	} while (bits > 1);
	at = calloc(words, sizeof(*at));
	for (unsigned i = 0; at && i < set->levels; i++) {
		set->level[i] = at;
		at += words_of(set->bits[i]);
	}
	return at != NULL;
}

void bitset_fini(struct bitset *set)
{
	free(set->level[0]);
	*set = (struct bitset){ 0 };
}

void bitset_add(struct bitset *set, uint64_t i)
{
	for (unsigned level = 0; level < set->levels; level++, i >>= 6) {
		uint64_t *word = &set->level[level][i >> 6];
		const uint64_t before = *word;

		*word |= UINT64_C(1) << (i & 63);
		if (before)
			return;
	}
}

void bitset_remove(struct bitset *set, uint64_t i)
{
	for (unsigned level = 0; level < set->levels; level++, i >>= 6) {
		uint64_t *word = &set->level[level][i >> 6];

		*word &= ~(UINT64_C(1) << (i & 63));
		if (*word)
			return;
	}
}

uint64_t bitset_next(const struct bitset *set, uint64_t from)
{
	unsigned level = 0;
	uint64_t i = from, word = 0;

	/* Up, until a word has a member at or behind i ... */
	for (;; level++, i = (i >> 6) + 1) {
		if (level == set->levels || i >= set->bits[level])
			return BITSET_NONE;
		word = set->level[level][i >> 6] >> (i & 63);
		if (word)
			break;
	}
	/* ... and down along the first nonzero words. */
	i += (unsigned)__builtin_ctzll(word);
	while (level-- > 0)
		i = i << 6 | (unsigned)__builtin_ctzll(set->level[level][i]);
	return i;
}

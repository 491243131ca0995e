/* SPDX-License-Identifier: BSD-2-Clause */
/* Words that come again and again, each kept once: what is recorded is their index. */
#ifndef TWOSTAGE_RUN_WORD_SET_H
#define TWOSTAGE_RUN_WORD_SET_H

#include <stdint.h>

#include "run/budget.h"

struct word_set {
	uint64_t *word; /* owned, as the other array; by first use */
	size_t words, room;
	uint32_t *slot; /* hash of `word`: its index + 1, or 0 */
	size_t slots;	/* a power of two, or 0 */
};

void word_set_fini(struct word_set *set);
size_t word_set_bytes(const struct word_set *set);

/* Where the table looks for a word first. */
static inline size_t word_set_slot(const struct word_set *set, uint64_t word)
{
	return word * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (set->slots - 1);
}

/* As word_set_put(), of a word that is elsewhere, or new. */
bool word_set_find(struct word_set *set, struct budget *budget, uint64_t word, uint32_t *index);

/* The index of a word, which is added if it is new. False: budget or memory is spent. */
static inline bool word_set_put(struct word_set *set, struct budget *budget, uint64_t word,
				uint32_t *index)
{
	const uint32_t found = set->slots ? set->slot[word_set_slot(set, word)] : 0;

	if (!found || set->word[found - 1] != word)
		return word_set_find(set, budget, word, index);
	*index = found - 1;
	return true;
}

#endif

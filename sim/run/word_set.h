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
	uint32_t newest;
};

void word_set_fini(struct word_set *set);
size_t word_set_bytes(const struct word_set *set);

/* As word_set_put(), of a word that is not the newest. */
bool word_set_find(struct word_set *set, struct budget *budget, uint64_t word, uint32_t *index);

/* The index of a word, which is added if it is new. False: budget or memory is spent. */
static inline bool word_set_put(struct word_set *set, struct budget *budget, uint64_t word,
				uint32_t *index)
{
	*index = set->newest;
	return (set->words && set->word[set->newest] == word) ||
	       word_set_find(set, budget, word, index);
}

#endif

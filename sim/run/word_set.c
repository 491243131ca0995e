/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/word_set.h"

#include <string.h>

enum { FIRST_SLOTS = 64 };

void word_set_fini(struct word_set *set)
{
	free(set->word);
	free(set->slot);
	memset(set, 0, sizeof(*set));
}

size_t word_set_bytes(const struct word_set *set)
{
	return set->room * sizeof(*set->word) + set->slots * sizeof(*set->slot);
}

/* Where the table has a word, or has room for it. */
static uint32_t *slot_of(const struct word_set *set, uint64_t word)
{
	size_t i = word_set_slot(set, word);

	while (set->slot[i] && set->word[set->slot[i] - 1] != word)
		i = (i + 1) & (set->slots - 1);
	return &set->slot[i];
}

/* Never more than half full. */
static bool grow_slots(struct word_set *set, struct budget *budget)
{
	const size_t slots = set->slots ? set->slots * 2 : FIRST_SLOTS;
	const size_t more = (slots - set->slots) * sizeof(*set->slot);
	uint32_t *grown;

	if (set->words * 2 < set->slots)
		return true;
	if (budget->bytes + more > budget->most_bytes)
		return false;
	grown = calloc(slots, sizeof(*grown));
	if (!grown)
		return false;
	free(set->slot);
	set->slot = grown;
	set->slots = slots;
	budget->bytes += more;
	for (uint32_t i = 0; i < set->words; i++)
		*slot_of(set, set->word[i]) = i + 1;
	return true;
}

bool word_set_find(struct word_set *set, struct budget *budget, uint64_t word, uint32_t *index)
{
	uint64_t *grown;
	uint32_t *slot;

	if (!grow_slots(set, budget))
		return false;
	slot = slot_of(set, word);
	if (!*slot) {
		grown = budget_grow(budget, set->word, set->words, &set->room, sizeof(*set->word));
		if (!grown)
			return false;
		set->word = grown;
		set->word[set->words++] = word;
		*slot = (uint32_t)set->words;
	}
	*index = *slot - 1;
	return true;
}

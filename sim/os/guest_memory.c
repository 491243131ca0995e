/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/guest_memory.h"

#include <stdlib.h>
#include <string.h>

bool guest_memory_init(struct guest_memory *memory, const struct guest_setup *setup,
		       uint32_t fragmentation_permille)
{
	(void)fragmentation_permille;
	memset(memory, 0, sizeof(*memory));
	memory->next = setup->first.v;
	memory->end = setup->end.v;
	return true;
}

void guest_memory_fini(struct guest_memory *memory)
{
	for (unsigned i = 0; i < 64; i++)
		free(memory->free[i].ipa);
}

bool guest_memory_take(struct guest_memory *memory, unsigned bits, ipa_t *out)
{
	struct free_blocks *list = &memory->free[bits];
	const uint64_t ipa = (memory->next + low_mask(bits)) & ~low_mask(bits);

	if (list->count) {
		*out = ipa_of(list->ipa[--list->count]);
		return true;
	}
	if (ipa >= memory->end || memory->end - ipa <= low_mask(bits))
		return false;
	memory->next = ipa + low_mask(bits) + 1;
	*out = ipa_of(ipa);
	return true;
}

void guest_memory_give_back(struct guest_memory *memory, unsigned bits, ipa_t ipa)
{
	struct free_blocks *list = &memory->free[bits];

	if (list->count == list->room) {
		const size_t room = list->room ? 2 * list->room : 64;
		uint64_t *grown = realloc(list->ipa, room * sizeof(*grown));

		if (!grown)
			return;
		list->ipa = grown;
		list->room = room;
	}
	list->ipa[list->count++] = ipa.v;
}

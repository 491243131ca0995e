/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/sample_pages.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1024, PAGE_BITS = 12, GROUP_BITS = 6 };

/* Without bits in `pages`. */
static struct sample_page_group group_of(const struct trace_key *key)
{
	return (struct sample_page_group){
		.va = key->va >> (PAGE_BITS + GROUP_BITS),
		.owner = (uint64_t)key->vm << 17 | (uint64_t)key->asid << 1 | key->stream,
	};
}

static uint64_t bit_of(const struct trace_key *key)
{
	return UINT64_C(1) << (key->va >> PAGE_BITS & ((1u << GROUP_BITS) - 1));
}

/* Fibonacci hashing; nothing depends on the order of slots. */
static size_t slot_of(const struct sample_pages *set, const struct sample_page_group *group)
{
	const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
	const uint64_t hash = (group->va * factor ^ group->owner) * factor;
	size_t slot = (size_t)(hash >> 32) & (set->room - 1);

	while (set->group[slot].pages &&
	       (set->group[slot].va != group->va || set->group[slot].owner != group->owner))
		slot = (slot + 1) & (set->room - 1);
	return slot;
}

void sample_pages_fini(struct sample_pages *set)
{
	free(set->group);
	*set = (struct sample_pages){ 0 };
}

void sample_pages_clear(struct sample_pages *set)
{
	if (set->n)
		memset(set->group, 0, set->room * sizeof(*set->group));
	set->n = 0;
}

bool sample_pages_have(const struct sample_pages *set, const struct trace_key *key)
{
	const struct sample_page_group group = group_of(key);

	return set->n && set->group[slot_of(set, &group)].pages & bit_of(key);
}

static bool grow(struct sample_pages *set)
{
	struct sample_pages larger = { .n = set->n,
				       .room = set->room ? 2 * set->room : FIRST_ROOM };

	larger.group = calloc(larger.room, sizeof(*larger.group));
	if (!larger.group)
		return false;
	for (size_t i = 0; i < set->room; i++)
		if (set->group[i].pages)
			larger.group[slot_of(&larger, &set->group[i])] = set->group[i];
	free(set->group);
	*set = larger;
	return true;
}

bool sample_pages_add(struct sample_pages *set, const struct trace_key *key)
{
	struct sample_page_group group = group_of(key);
	size_t slot;

	if (2 * set->n >= set->room && !grow(set))
		return false;
	slot = slot_of(set, &group);
	if (!set->group[slot].pages) {
		set->group[slot] = group;
		set->n++;
	}
	set->group[slot].pages |= bit_of(key);
	return true;
}

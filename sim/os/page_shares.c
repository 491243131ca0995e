/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/page_shares.h"

#include <stdlib.h>

enum { FIRST_ROOM = 256, NO_OTHERS = 0 };

struct page_share {
	uint64_t page;
	uint32_t others; /* that map it beside the first; 0: the slot is empty */
};

void page_shares_fini(struct page_shares *shares)
{
	free(shares->slot);
	*shares = (struct page_shares){ 0 };
}

static size_t home_of(const struct page_shares *shares, uint64_t page)
{
	return (size_t)((page >> GRANULE_4K) * UINT64_C(0x9e3779b97f4a7c15) >> 32) &
	       (shares->room - 1);
}

/* The slot of a page, or the empty one where it would go. */
static struct page_share *find(const struct page_shares *shares, uint64_t page)
{
	size_t i = home_of(shares, page);

	while (shares->slot[i].others != NO_OTHERS && shares->slot[i].page != page)
		i = (i + 1) & (shares->room - 1);
	return &shares->slot[i];
}

/* At most half full. */
static bool make_room(struct page_shares *shares)
{
	struct page_shares grown = { .count = shares->count,
				     .room = shares->room ? 2 * shares->room : FIRST_ROOM };

	if (2 * shares->count < shares->room)
		return true;
	grown.slot = calloc(grown.room, sizeof(*grown.slot));
	if (!grown.slot)
		return false;
	for (size_t i = 0; i < shares->room; i++)
		if (shares->slot[i].others != NO_OTHERS)
			*find(&grown, shares->slot[i].page) = shares->slot[i];
	free(shares->slot);
	*shares = grown;
	return true;
}

bool page_shares_add(struct page_shares *shares, ipa_t page)
{
	struct page_share *slot;

	if (!make_room(shares))
		return false;
	slot = find(shares, page.v);
	shares->count += slot->others == NO_OTHERS;
	slot->page = page.v;
	slot->others++;
	return true;
}

/* Empty a slot: those behind it that it kept from their place move up. */
static void remove_at(struct page_shares *shares, size_t hole)
{
	const size_t mask = shares->room - 1;

	for (size_t i = (hole + 1) & mask; shares->slot[i].others != NO_OTHERS;
	     i = (i + 1) & mask) {
		const size_t home = home_of(shares, shares->slot[i].page);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		shares->slot[hole] = shares->slot[i];
		hole = i;
	}
	shares->slot[hole].others = NO_OTHERS;
	shares->count--;
}

bool page_shares_drop(struct page_shares *shares, ipa_t page)
{
	struct page_share *slot;

	if (!page_shares_has(shares, page))
		return false;
	slot = find(shares, page.v);
	if (--slot->others == NO_OTHERS) {
		slot->others++;
		remove_at(shares, (size_t)(slot - shares->slot));
	}
	return true;
}

bool page_shares_has(const struct page_shares *shares, ipa_t page)
{
	return shares->count && find(shares, page.v)->others != NO_OTHERS;
}

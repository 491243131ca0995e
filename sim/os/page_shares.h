/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of guest memory that several address spaces map: how many each. A page of one is not here.
 */
#ifndef TWOSTAGE_OS_PAGE_SHARES_H
#define TWOSTAGE_OS_PAGE_SHARES_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/types.h"

/* Open hash table; all zero is empty. */
struct page_shares {
	struct page_share *slot; /* a power of two of them; owned */
	size_t count, room;
};

void page_shares_fini(struct page_shares *shares);

/* One more maps the page. False: out of memory, nothing changed. */
bool page_shares_add(struct page_shares *shares, ipa_t page);

/* One fewer maps it. False: it was the only one, the page is free. */
bool page_shares_drop(struct page_shares *shares, ipa_t page);

bool page_shares_has(const struct page_shares *shares, ipa_t page);

#endif

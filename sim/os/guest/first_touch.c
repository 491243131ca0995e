/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages are given out upwards from the start of guest memory, in the order of their first touch. */
#include "os/guest.h"

struct first_touch {
	uint64_t next; /* lowest IPA not given out */
};

static void init(void *state, ipa_t first, ipa_t end, uint64_t seed)
{
	struct first_touch *own = state;

	(void)end;
	(void)seed;
	own->next = first.v;
}

static bool fault(void *state, const struct guest_fault *fault, ipa_t end, struct guest_leaf *leaf)
{
	struct first_touch *own = state;
	const uint64_t size_bytes = UINT64_C(1) << fault->leaf_bits;
	const uint64_t ipa = (own->next + size_bytes - 1) & ~(size_bytes - 1);

	if (ipa >= end.v || end.v - ipa < size_bytes)
		return false;
	own->next = ipa + size_bytes;
	*leaf = (struct guest_leaf){ .ipa = ipa_of(ipa), .leaf_bits = fault->leaf_bits };
	return true;
}

const struct guest_ops guest_first_touch = {
	.name = "first_touch",
	.help = "pages in order of their first touch, from the start of guest memory",
	.state_bytes = sizeof(struct first_touch),
	.init = init,
	.fault = fault,
};

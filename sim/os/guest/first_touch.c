/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages are given out upwards from the start of guest memory, in the order of their first touch. */
#include "os/guest.h"

struct first_touch {
	uint64_t next, end; /* IPAs not given out */
};

static void init(void *state, ipa_t first, ipa_t end, uint64_t seed)
{
	struct first_touch *own = state;

	(void)seed;
	*own = (struct first_touch){ .next = first.v, .end = end.v };
}

static bool take(void *state, unsigned bits, ipa_t *out)
{
	struct first_touch *own = state;
	const uint64_t size_bytes = UINT64_C(1) << bits;
	const uint64_t ipa = (own->next + size_bytes - 1) & ~(size_bytes - 1);

	if (ipa >= own->end || own->end - ipa < size_bytes)
		return false;
	own->next = ipa + size_bytes;
	*out = ipa_of(ipa);
	return true;
}

static bool fault(void *state, const struct guest_fault *fault, struct guest_leaf *leaf)
{
	leaf->leaf_bits = fault->leaf_bits;
	return take(state, fault->leaf_bits, &leaf->ipa);
}

const struct guest_ops guest_first_touch = {
	.name = "first_touch",
	.help = "pages in order of their first touch, from the start of guest memory",
	.state_bytes = sizeof(struct first_touch),
	.init = init,
	.fault = fault,
	.take = take,
};

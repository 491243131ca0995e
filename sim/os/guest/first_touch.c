/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages are given out upwards from the start of guest memory, in the order of their first touch. */
#include "os/guest.h"

struct first_touch {
	uint64_t next, end; /* IPAs not given out */
	unsigned leaf_bits;
};

static void init(void *state, const struct guest_setup *setup, struct guest_memory *memory)
{
	struct first_touch *own = state;

	(void)memory;
	*own = (struct first_touch){ setup->first.v, setup->end.v, setup->leaf_bits };
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

static enum guest_result fault(void *state, const struct guest_fault *fault,
			       struct guest_leaf *leaf)
{
	const struct first_touch *own = state;

	(void)fault;
	leaf->leaf_bits = leaf->span_bits = own->leaf_bits;
	leaf->fallback = false;
	leaf->cleared = true;
	return take(state, own->leaf_bits, &leaf->ipa) ? GUEST_OK : GUEST_NO_MEMORY;
}

const struct guest_ops guest_first_touch = {
	.name = "first_touch",
	.help = "pages in order of their first touch, from the start of guest memory; none is "
		"reused",
	.state_bytes = sizeof(struct first_touch),
	.init = init,
	.fault = fault,
	.take = take,
};

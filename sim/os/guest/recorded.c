/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest that was recorded: each page at the IPA that the trace says. What it does not say, and
 * what is no memory here (devices), is given out downwards from the end of guest memory, as are
 * tables.
 */
#include "os/guest.h"

struct recorded {
	const struct guest_setup *setup;
	uint64_t used_end; /* behind the highest IPA of the trace so far */
	uint64_t top;	   /* lowest IPA given out from above */
};

static const char *refuse(const struct guest_setup *setup)
{
	return setup->leaf_bits == setup->page_bits ? NULL
						    : "guest.pages: guest.policy recorded maps "
						      "base pages, where the trace has them";
}

static void init(void *state, const struct guest_setup *setup, struct guest_memory *memory)
{
	struct recorded *own = state;

	(void)memory;
	*own = (struct recorded){ setup, setup->first.v, setup->end.v };
}

static bool take(void *state, unsigned bits, ipa_t *out)
{
	struct recorded *own = state;
	const uint64_t size_bytes = UINT64_C(1) << bits;
	uint64_t ipa;

	if (own->top - own->used_end < size_bytes)
		return false;
	ipa = (own->top - size_bytes) & ~(size_bytes - 1);
	if (ipa < own->used_end)
		return false;
	own->top = ipa;
	*out = ipa_of(ipa);
	return true;
}

static enum guest_result fault(void *state, const struct guest_fault *fault,
			       struct guest_leaf *leaf)
{
	struct recorded *own = state;
	const unsigned bits = own->setup->page_bits;
	const uint64_t ipa = fault->known_ipa & ~low_mask(bits), end = ipa + low_mask(bits) + 1;

	leaf->leaf_bits = leaf->span_bits = bits;
	leaf->fallback = false;
	leaf->cleared = true;
	if (fault->known_ipa == UINT64_MAX || ipa < own->setup->first.v || ipa >= own->setup->end.v)
		return take(state, bits, &leaf->ipa) ? GUEST_OK : GUEST_NO_MEMORY;
	if ((fault->known_ipa ^ fault->va.v) & low_mask(bits))
		return GUEST_OFFSET;
	if (end > own->top)
		return GUEST_IN_USE;
	if (end > own->used_end)
		own->used_end = end;
	leaf->ipa = ipa_of(ipa);
	return GUEST_OK;
}

const struct guest_ops guest_recorded = {
	.name = "recorded",
	.help = "each page at the IPA that the trace says; unknown ones and tables at the top",
	.state_bytes = sizeof(struct recorded),
	.refuse = refuse,
	.init = init,
	.fault = fault,
	.take = take,
};

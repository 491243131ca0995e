/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/guest_memory.h"

enum { IPA_BITS_MAX = 52 };

/* Not the layout of the host's memory, which has the same seed. */
#define SEED_OF_GUEST UINT64_C(0x6775657374)

bool guest_memory_init(struct guest_memory *memory, const struct guest_setup *setup,
		       uint32_t fragmentation_permille)
{
	const struct frames_setup frames = {
		.base = pa_of(setup->first.v),
		.bytes = setup->end.v - setup->first.v,
		.pa_bits = IPA_BITS_MAX,
		.page_bits = setup->page_bits,
		.fragmentation_permille = fragmentation_permille,
		.seed = setup->seed ^ SEED_OF_GUEST,
	};

	return frames_init(&memory->frames, &frames);
}

void guest_memory_fini(struct guest_memory *memory)
{
	frames_fini(&memory->frames);
}

bool guest_memory_take(struct guest_memory *memory, unsigned bits, ipa_t *out)
{
	pa_t frame;

	if (!frames_alloc(&memory->frames, bits, &frame))
		return false;
	*out = ipa_of(frame.v);
	return true;
}

void guest_memory_give_back(struct guest_memory *memory, unsigned bits, ipa_t ipa)
{
	frames_free(&memory->frames, bits, pa_of(ipa.v));
}

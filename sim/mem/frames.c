/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/frames.h"

#include <string.h>

static uint64_t align_up(uint64_t v, unsigned bits)
{
	return (v + low_mask(bits)) & ~low_mask(bits);
}

void frames_init(struct frames *frames, pa_t base, unsigned pa_bits)
{
	memset(frames, 0, sizeof(*frames));
	frames->next_region = align_up(base.v, FRAMES_REGION_BITS);
	frames->end = UINT64_C(1) << pa_bits;
}

bool frames_alloc(struct frames *frames, unsigned size_bits, pa_t *out)
{
	const unsigned region_bits =
		size_bits > FRAMES_REGION_BITS ? size_bits : FRAMES_REGION_BITS;

	if (frames->region[size_bits].next == frames->region[size_bits].end) {
		const uint64_t first = align_up(frames->next_region, region_bits);

		if (first >= frames->end || frames->end - first < UINT64_C(1) << region_bits)
			return false;
		frames->next_region = first + (UINT64_C(1) << region_bits);
		frames->region[size_bits].next = first;
		frames->region[size_bits].end = frames->next_region;
	}
	*out = pa_of(frames->region[size_bits].next);
	frames->region[size_bits].next += UINT64_C(1) << size_bits;
	return true;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host physical frames: naturally aligned, never given back, lowest address first within each size.
 * Each size takes its frames out of 1 GiB regions of its own, as a kernel keeps page types apart.
 */
#ifndef TWOSTAGE_MEM_FRAMES_H
#define TWOSTAGE_MEM_FRAMES_H

#include <stdbool.h>

#include "arch/types.h"

enum { FRAMES_REGION_BITS = 30 };

struct frames {
	uint64_t next_region; /* lowest PA of no region */
	uint64_t end;	      /* of physical memory */
	struct {
		uint64_t next, end;
	} region[64]; /* by log2 of the frame size */
};

/* Memory is [base, 2^pa_bits); base is rounded up to a region. */
void frames_init(struct frames *frames, pa_t base, unsigned pa_bits);

/* A frame of 2^size_bits bytes, 12 <= size_bits < 52. False: physical memory is exhausted. */
bool frames_alloc(struct frames *frames, unsigned size_bits, pa_t *out);

#endif

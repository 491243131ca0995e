/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests want to know of host frames. */
#ifndef TWOSTAGE_TESTS_FRAMES_VIEW_H
#define TWOSTAGE_TESTS_FRAMES_VIEW_H

#include "mem/frames.h"

/* Bytes that are free, in pieces of any size. */
static inline uint64_t free_bytes_of(const struct frames *frames)
{
	return frames_available(frames, FRAMES_PAGE_BITS) << FRAMES_PAGE_BITS;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's physical memory, for the policies that want it (os/guest.h has what they call): the
 * buddy allocator of mem/frames.h over the memslot, where addresses are IPAs.
 */
#ifndef TWOSTAGE_OS_GUEST_MEMORY_H
#define TWOSTAGE_OS_GUEST_MEMORY_H

#include "os/guest.h"

struct free_blocks {
	uint64_t *ipa;
	size_t count, room;
};

struct guest_memory {
	uint64_t next, end;
	struct free_blocks free[64];
};

/* All of [setup->first, setup->end) is free, fragmented as frames_init() says. False: out of our
 * own memory. */
bool guest_memory_init(struct guest_memory *memory, const struct guest_setup *setup,
		       uint32_t fragmentation_permille);
void guest_memory_fini(struct guest_memory *memory);

#endif

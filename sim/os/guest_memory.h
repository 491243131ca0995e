/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's physical memory, for the policies that want it (os/guest.h has what they call): the
 * buddy allocator of mem/frames.h over the memslot, where addresses are IPAs.
 */
#ifndef TWOSTAGE_OS_GUEST_MEMORY_H
#define TWOSTAGE_OS_GUEST_MEMORY_H

#include "mem/frames.h"
#include "os/guest.h"

struct guest_memory {
	struct frames frames;
};

/*
 * The whole 2 MiB blocks of [setup->first, setup->end) are free, as far as fragmentation_permille
 * leaves them (host.fragmentation; mem/frames_layout.h). False: out of our own memory.
 */
bool guest_memory_init(struct guest_memory *memory, const struct guest_setup *setup,
		       uint32_t fragmentation_permille);
void guest_memory_fini(struct guest_memory *memory);

#endif

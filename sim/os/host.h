/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's rules for the block size of a stage-2 fault: one file sim/os/host/NAME.c each. */
#ifndef TWOSTAGE_OS_HOST_H
#define TWOSTAGE_OS_HOST_H

#include <stdbool.h>

#include "arch/types.h"

/* What user_mem_abort() knows when it chooses a block size. */
struct host_fault {
	enum granule granule;
	unsigned levels;       /* of the stage-2 tables */
	unsigned start_level;  /* 4 - levels, 0..2 */
	unsigned backing_bits; /* log2 of the host page behind the address (the VMA's page size) */
};

struct host_ops {
	const char *name;
	const char *help; /* one line */
	/* log2 of the largest leaf this rule maps for the fault, before memslot alignment:
	 * backing_bits if the rule allows it, else what that kernel falls back to. */
	unsigned (*block_bits)(const struct host_fault *fault);
};

extern const struct host_ops *const host_registry[];

const struct host_ops *host_find(const char *name); /* NULL: no such rule */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's rules for the block size of a stage-2 fault: one file sim/os/host/NAME.c each. */
#ifndef TWOSTAGE_OS_HOST_H
#define TWOSTAGE_OS_HOST_H

#include <stdbool.h>

#include "arch/geometry.h"
#include "arch/types.h"

/* What user_mem_abort() knows when it chooses a block size. */
struct host_fault {
	enum granule granule;
	unsigned levels;       /* of the stage-2 tables */
	unsigned backing_bits; /* log2 of the host page behind the address: the VMA's page size */
	/*
	 * Bit n set: a block of 2^n bytes around the fault lies inside the memslot, and IPA and
	 * user address agree modulo its size (fault_supports_stage2_huge_mapping). Up to the size
	 * of the host page.
	 */
	uint64_t fitting;
	/*
	 * The same for blocks that reach beyond the memslot, into IPAs that are nobody's: what KVM
	 * mapped before it looked at the memslot's ends (v5.1).
	 */
	uint64_t reaching;
};

static inline bool host_fits(const struct host_fault *fault, unsigned bits)
{
	return fault->fitting >> bits & 1;
}

/* As KVM up to v5.0 saw it. */
static inline bool host_fits_or_reaches(const struct host_fault *fault, unsigned bits)
{
	return (fault->fitting | fault->reaching) >> bits & 1;
}

struct host_ops {
	const char *name;
	const char *help; /* one line */
	/*
	 * log2 of the bytes this rule maps for the fault: the granule, a PMD or a PUD. A size that
	 * the tables have no level for is mapped by the largest leaves they have.
	 */
	unsigned (*block_bits)(const struct host_fault *fault);
	bool device_blocks; /* device memory is mapped by blocks too, else by pages */
};

extern const struct host_ops *const host_registry[];

const struct host_ops *host_find(const char *name); /* NULL: no such rule */

#endif

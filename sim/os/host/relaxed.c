/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux v5.0, "Relax the restriction on using stage2 PUD huge mapping" (commit a80868f39855): a PUD
 * needs kvm_stage2_has_pmd(), 3 levels. A size that is refused falls to a page. Where the memslot
 * begins or ends is not asked.
 */
#include "os/host.h"

static unsigned block_bits(const struct host_fault *fault)
{
	const unsigned size = fault->backing_bits;

	if (size == geometry_pmd_bits(fault->granule) && host_fits_or_reaches(fault, size))
		return size;
	if (size == geometry_pud_bits(fault->granule) && fault->levels > 2 &&
	    host_fits_or_reaches(fault, size))
		return size;
	return fault->granule;
}

const struct host_ops host_relaxed = {
	.name = "relaxed",
	.help = "v5.0: PUD blocks with 3 levels of stage 2; what is refused becomes a page",
	.block_bits = block_bits,
};

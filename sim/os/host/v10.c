/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux v4.20, the "Stage2 PUD huge page" series, version 10 (commit b8e0ba7c8bea): a PUD needs
 * kvm_stage2_has_pud(), that is more than 3 levels. A size that is refused falls to a page, never
 * to a PMD. Where the memslot begins or ends is not asked.
 */
#include "os/host.h"

static unsigned block_bits(const struct host_fault *fault)
{
	const unsigned size = fault->backing_bits;

	if (size == geometry_pmd_bits(fault->granule) && host_fits_or_reaches(fault, size))
		return size;
	if (size == geometry_pud_bits(fault->granule) && fault->levels > 3 &&
	    host_fits_or_reaches(fault, size))
		return size;
	return fault->granule;
}

const struct host_ops host_v10 = {
	.name = "v10",
	.help = "v4.20: PUD blocks only with 4 levels of stage 2; what is refused becomes a page",
	.block_bits = block_bits,
};

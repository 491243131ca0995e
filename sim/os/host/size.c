/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rule proposed in the discussion of the v10 series: `sz >= PMD_SIZE && stage2_pgdir_size(kvm)
 * >= sz`. A contiguous-PMD size that passes is mapped by PMD blocks: the contiguous bit is never
 * set.
 */
#include "os/host.h"

static unsigned block_bits(const struct host_fault *fault)
{
	const unsigned size = fault->backing_bits;
	const unsigned pgdir_bits = level_shift(fault->granule, 4 - (int)fault->levels);

	if (size < geometry_pmd_bits(fault->granule) || size > pgdir_bits ||
	    !host_fits(fault, size))
		return fault->granule;
	return size >= geometry_pud_bits(fault->granule) ? geometry_pud_bits(fault->granule)
							 : geometry_pmd_bits(fault->granule);
}

const struct host_ops host_size = {
	.name = "size",
	.help = "any size from PMD up to what one entry of the root maps; else a page",
	.block_bits = block_bits,
};

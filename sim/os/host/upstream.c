/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Today's KVM (since v5.10; observed on 6.1 and 6.12): PUD, then PMD, then page. PUD only with 4K
 * pages (hugetlbfs has none with others); a contiguous PMD is mapped by PMDs, a contiguous PTE by
 * pages. The number of levels is not asked: without a PUD level the map is made of PMD blocks.
 */
#include "os/host.h"

static unsigned block_bits(const struct host_fault *fault)
{
	const unsigned size = fault->backing_bits;
	const unsigned pmd_bits = geometry_pmd_bits(fault->granule),
		       pud_bits = geometry_pud_bits(fault->granule);

	if (fault->granule == GRANULE_4K && size >= pud_bits && host_fits(fault, pud_bits))
		return pud_bits;
	if (size >= pmd_bits && host_fits(fault, pmd_bits))
		return pmd_bits;
	return fault->granule;
}

const struct host_ops host_upstream = {
	.name = "upstream",
	.help = "v5.10 and later: PUD (4K pages only), else PMD, else a page",
	.block_bits = block_bits,
	.device_blocks = true,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* What accesses to come will read, fetched into the host's caches. */
#include "arch/desc.h"
#include "mmu/hierarchy.h"
#include "mmu/walk_hints.h"

void mmu_fetch_stage1(const struct mmu *mmu, va_t va)
{
	const uint64_t *word = walk_hint_word(mmu->hints, 1, va.v, mmu->shape.s1_granule);

	if (word)
		__builtin_prefetch(word);
}

void mmu_fetch_stage2(const struct mmu *mmu, uint32_t vcpu, va_t va)
{
	const uint64_t *word = walk_hint_word(mmu->hints, 1, va.v, mmu->shape.s1_granule);
	uint64_t ipa;

	if (mmu->vcpu[vcpu].l2->shape.sets)
		tlb_host_prefetch(mmu->vcpu[vcpu].l2, va);
	/* The words of a page stay readable as long as the memory exists. */
	if (!word || !(*word & DESC_VALID))
		return;
	ipa = *word & low_mask(48) & ~low_mask(mmu->shape.s1_granule);
	ipa |= va.v & low_mask(mmu->shape.s1_granule);
	word = walk_hint_word(mmu->hints, 2, ipa, mmu->shape.s2_granule);
	if (word)
		__builtin_prefetch(word);
}

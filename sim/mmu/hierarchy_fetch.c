/* SPDX-License-Identifier: BSD-2-Clause */
/* What accesses to come will read, fetched into the host's caches. */
#include "arch/desc.h"
#include "mmu/hierarchy.h"
#include "mmu/walk_hints.h"

void mmu_fetch_stage1(const struct mmu *mmu, struct mmu_ahead *ahead, uint32_t n)
{
	const enum granule granule = mmu->shape.s1_granule;
	struct walk_hints *hints = mmu->hints;

	for (uint32_t i = 0; i < n; i++) {
		ahead[i].s1_word = walk_hint_word(hints, 1, ahead[i].va.v, granule);
		if (ahead[i].s1_word)
			__builtin_prefetch(ahead[i].s1_word);
	}
}

void mmu_fetch_stage2(const struct mmu *mmu, const struct mmu_ahead *ahead, uint32_t n)
{
	const enum granule s1_granule = mmu->shape.s1_granule, s2_granule = mmu->shape.s2_granule;
	const uint64_t offset = low_mask(s1_granule);
	struct walk_hints *hints = mmu->hints;

	for (uint32_t i = 0; i < n; i++) {
		/* The words of a page stay readable as long as the memory exists. */
		const uint64_t desc = ahead[i].s1_word ? *ahead[i].s1_word : 0;
		const struct tlb *l2 = mmu->vcpu[ahead[i].vcpu].l2;
		const uint64_t *word;

		if (l2->shape.sets)
			tlb_host_prefetch(l2, ahead[i].va);
		if (!(desc & DESC_VALID))
			continue;
		word = walk_hint_word(hints, 2,
				      (desc & low_mask(48) & ~offset) | (ahead[i].va.v & offset),
				      s2_granule);
		if (word)
			__builtin_prefetch(word);
	}
}

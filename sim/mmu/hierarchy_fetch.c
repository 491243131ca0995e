/* SPDX-License-Identifier: BSD-2-Clause */
/* What accesses to come will read, fetched into the host's caches. */
#include "arch/desc.h"
#include "mmu/hierarchy.h"
#include "mmu/walk_hints.h"

/* Descriptors that are about to be read: the caches of the model will be asked for them, too. */
enum {
	SOON = 16,
	L2_SMALL = 2048, /* entries: in the host's own L2 cache without further ado */
};

struct soon {
	const struct mmu *mmu;
	uint32_t n;
	struct latency_query query[SOON];
};

static void fetch_soon(struct soon *soon)
{
	const struct latency_ops *latency = soon->mmu->shape.latency;

	if (latency->read_soon)
		latency->read_soon(soon->mmu->latency_state, soon->query, soon->n);
	soon->n = 0;
}

static inline void add_soon(struct soon *soon, const struct walk_hint *hint, uint64_t ia,
			    unsigned granule_bits)
{
	const uint64_t index = ia >> granule_bits & low_mask(HINT_INDEX_BITS);

	__builtin_prefetch(&hint->words[index]);
	soon->query[soon->n++].pa = pa_of((hint->key - 1) << PHYS_PAGE_BITS | index << 3);
	if (soon->n == SOON)
		fetch_soon(soon);
}

void mmu_fetch_stage1(const struct mmu *mmu, struct mmu_ahead *ahead, uint32_t n)
{
	const enum granule granule = mmu->shape.s1_granule;
	struct walk_hints *hints = mmu->hints;
	struct soon soon;

	soon.mmu = mmu;
	soon.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct walk_hint *hint = walk_hint(hints, 1, ahead[i].va.v, granule);

		ahead[i].s1_word = walk_hint_word(hints, 1, ahead[i].va.v, granule);
		if (ahead[i].s1_word)
			add_soon(&soon, hint, ahead[i].va.v, granule);
	}
	fetch_soon(&soon);
}

/* Do the L2 TLBs take so much memory that their sets have to be fetched, too? */
static bool l2_is_large(const struct mmu *mmu)
{
	const struct tlb_shape *l2 = &mmu->shape.l2;

	return (uint64_t)l2->sets * l2->ways * mmu->shape.vcpus > L2_SMALL;
}

void mmu_fetch_stage2(const struct mmu *mmu, const struct mmu_ahead *ahead, uint32_t n)
{
	const enum granule s1_granule = mmu->shape.s1_granule, s2_granule = mmu->shape.s2_granule;
	const uint64_t offset = low_mask(s1_granule);
	const bool fetch_l2 = l2_is_large(mmu);
	struct walk_hints *hints = mmu->hints;
	struct soon soon;

	soon.mmu = mmu;
	soon.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		/* The words of a page stay readable as long as the memory exists. */
		const uint64_t desc = ahead[i].s1_word ? *ahead[i].s1_word : 0;
		const uint64_t ipa = (desc & low_mask(48) & ~offset) | (ahead[i].va.v & offset);
		const struct tlb *l2 = mmu->vcpu[ahead[i].vcpu].l2;
		const struct walk_hint *hint;

		if (fetch_l2)
			tlb_host_prefetch(l2, ahead[i].va);
		if (!(desc & DESC_VALID))
			continue;
		hint = walk_hint(hints, 2, ipa, s2_granule);
		if (hint->words)
			add_soon(&soon, hint, ipa, s2_granule);
	}
	fetch_soon(&soon);
}

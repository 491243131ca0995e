/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next-page prefetch (docs/model.md, M43). What misses a TLB that prefetches brings the page behind
 * it in, too, where it is not there yet. Only misses do: a hit in L1 changes nothing below.
 */
#include "mmu/hierarchy_private.h"

/* The first byte behind the entry that `tlb` makes of `leaf` around va. False: none in this half.
 */
static bool next_of(const struct tlb *tlb, const struct tlb_leaf *leaf, va_t va, va_t *next)
{
	const unsigned bits = tlb_entry_bits(tlb, leaf);

	if (!bits)
		return false;
	*next = va_of((va.v | low_mask(bits)) + 1);
	return next->v >> 55 == va.v >> 55;
}

static void fill_ahead(struct mmu *mmu, struct tlb *tlb, struct tlb_context context,
		       const struct mmu_request *request, const struct tlb_leaf *leaf)
{
	const uint32_t slot = tlb_fill_ahead(tlb, context, request->va, leaf);

	mmu->stats.v[STAT_prefetch_fills] += slot != TLB_NONE;
}

/* Into L2, unless it is there. `request` is for the page to prefetch. */
static void prefetch_l2(struct mmu *mmu, const struct mmu_request *request)
{
	const struct mmu_vcpu *own = &mmu->vcpu[request->vcpu];
	const struct tlb_context context = mmu_l2_context(own, request);
	struct tlb_leaf leaf;

	if (tlb_find(own->l2, context, request->va) == TLB_NONE &&
	    mmu_walk_ahead(mmu, request, &leaf))
		fill_ahead(mmu, own->l2, context, request, &leaf);
}

/* Into L1, unless it is there: out of L2, or by a walk that fills both. */
static void prefetch_l1(struct mmu *mmu, struct tlb *l1, const struct mmu_request *request)
{
	const struct tlb_context context = request->space->context;
	const struct mmu_vcpu *own = &mmu->vcpu[request->vcpu];
	const struct tlb_context l2_context = mmu_l2_context(own, request);
	struct tlb *l2 = own->l2;
	uint32_t slot = TLB_NONE;
	struct tlb_leaf leaf;

	if (tlb_find(l1, context, request->va) != TLB_NONE)
		return;
	if (l2->shape.sets)
		slot = tlb_find(l2, l2_context, request->va);
	if (slot != TLB_NONE) {
		leaf = tlb_leaf_for(l2, slot, request->va);
		leaf.ahead = 0;
	} else if (!mmu_walk_ahead(mmu, request, &leaf)) {
		return;
	} else if (l2->shape.sets) {
		fill_ahead(mmu, l2, l2_context, request, &leaf);
	}
	fill_ahead(mmu, l1, context, request, &leaf);
}

void mmu_prefetch(struct mmu *mmu, const struct mmu_request *request, const struct tlb_leaf *leaf,
		  enum mmu_missed missed)
{
	struct mmu_vcpu *own = &mmu->vcpu[request->vcpu];
	struct tlb *l1 = &own->l1[request->kind == ACCESS_FETCH ? MMU_FETCH : MMU_DATA];
	struct mmu_request next = *request;

	/* A prefetch does not know what will be done with the page. */
	if (next.kind == ACCESS_STORE)
		next.kind = ACCESS_LOAD;
	next.known_ipa = UINT64_MAX;
	if (own->l2->shape.prefetch && missed == MMU_MISSED_ALL &&
	    next_of(own->l2, leaf, request->va, &next.va))
		prefetch_l2(mmu, &next);
	if (l1->shape.prefetch && next_of(l1, leaf, request->va, &next.va))
		prefetch_l1(mmu, l1, &next);
}

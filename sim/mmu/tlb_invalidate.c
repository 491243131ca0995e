/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/tlb_private.h"

/*
 * An entry stands for its whole stage-1 leaf: the guest sends one TLBI by VA for each of its
 * leaves, and that removes all the pieces which stage 2 or the TLB's sizes made of it.
 */
static bool overlaps(uint64_t va, unsigned size_bits, unsigned s1_bits,
		     const struct tlb_match *match)
{
	const unsigned reach_bits = s1_bits > size_bits ? s1_bits : size_bits;
	const uint64_t first = va & ~low_mask(reach_bits);

	return first <= match->last && match->first <= (first | low_mask(reach_bits));
}

/* Which contexts match: bits that must be those of one or the other. */
struct wanted {
	uint64_t mask, own, global;
	uint64_t pe; /* entries of this PE are taken for those of all */
};

#define PE_BITS (low_mask(KIND_SHIFT) & ~low_mask(PE_SHIFT))

static struct wanted wanted_by(const struct tlb_match *match)
{
	const struct tlb_context context = { .vmid = match->context.vmid,
					     .asid = match->context.asid };
	const uint64_t own = context_tag(context);
	struct wanted wanted = { .mask = UINT64_MAX, .own = own, .global = own };

	wanted.pe = (uint64_t)match->context.pe << PE_SHIFT;
	switch (match->scope) {
	case TLB_SCOPE_ALL:
		wanted.mask = ~low_mask(PE_SHIFT);
		wanted.own = wanted.global = 0;
		break;
	case TLB_SCOPE_VMID:
	case TLB_SCOPE_VAA:
		wanted.mask = ~low_mask(17);
		break;
	case TLB_SCOPE_ASID:
		break;
	case TLB_SCOPE_VA:
		wanted.global = global_tag(own);
		break;
	}
	return wanted;
}

static bool context_matches(uint64_t context, const struct wanted *wanted)
{
	if ((context & PE_BITS) == wanted->pe)
		context &= ~PE_BITS;
	return !((context ^ wanted->own) & wanted->mask) ||
	       !((context ^ wanted->global) & wanted->mask);
}

/* The pages of a slot's group that match. */
static uint8_t matching_pages(const struct tlb *tlb, uint32_t slot, uint64_t va,
			      const struct tlb_match *match)
{
	uint8_t pages = 0;

	for (unsigned i = 0; i < 1u << tlb->shape.group_bits; i++)
		if (overlaps(va + ((uint64_t)i << tlb->shape.page_bits), tlb->shape.page_bits,
			     tlb->leaf[slot].s1_bits, match))
			pages |= (uint8_t)(tlb->held[slot] & 1u << i);
	return pages;
}

static void invalidate_slot(struct tlb *tlb, uint32_t slot, const struct tlb_match *match)
{
	const uint64_t key = tlb->tag[slot].key;
	const uint64_t va = key_address(key);
	uint8_t pages = UINT8_MAX;

	if (match->scope == TLB_SCOPE_VA || match->scope == TLB_SCOPE_VAA) {
		/* Stage 1 off (0): there is no level that a hint could name. */
		if (match->s1_bits && tlb->leaf[slot].s1_bits &&
		    tlb->leaf[slot].s1_bits != match->s1_bits)
			return;
		if (tlb->held && key & KEY_GROUP)
			pages = matching_pages(tlb, slot, va, match);
		else if (!overlaps(va, key & 63, tlb->leaf[slot].s1_bits, match))
			pages = 0;
	}
	if (pages)
		tlb_drop_pages(tlb, slot, pages);
}

uint32_t tlb_invalidate(struct tlb *tlb, const struct tlb_match *match)
{
	const struct wanted wanted = wanted_by(match);
	const uint32_t before = tlb->used, words = valid_words(tlb);

	for (uint32_t word = 0; word < words && tlb->used; word++) {
		for (uint64_t left = tlb->valid[word]; left; left &= left - 1) {
			const uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);

			if (context_matches(tlb->tag[slot].context, &wanted))
				invalidate_slot(tlb, slot, match);
		}
	}
	return before - tlb->used;
}

bool tlb_walk_at(const struct tlb *tlb, uint32_t slot, struct tlb_walk_tag *tag)
{
	const uint64_t key = tlb->tag[slot].key, context = tlb->tag[slot].context;

	if (key == KEY_INVALID || !(context >> KIND_SHIFT))
		return false;
	*tag = (struct tlb_walk_tag){
		.kind = (enum tlb_walk_kind)__builtin_ctzll(context >> KIND_SHIFT),
		.context = { .vmid = (uint16_t)(context >> 17),
			     .asid = (uint16_t)(context >> 1),
			     .pe = (uint8_t)(context >> PE_SHIFT &
					     low_mask(KIND_SHIFT - PE_SHIFT)) },
		.ia = key_address(key),
		.size_bits = key & 63,
	};
	return true;
}

uint32_t tlb_drop_within(struct tlb *tlb, const struct tlb_evicted *entry)
{
	const uint64_t tag = (uint64_t)entry->context.vmid << 17 |
			     (entry->leaf.global ? 1 : (uint64_t)entry->context.asid << 1);
	const uint64_t last = entry->va.v | low_mask(entry->leaf.size_bits);
	const uint32_t before = tlb->used;

	for (uint32_t slot = 0; slot < tlb->slots; slot++) {
		const uint64_t va = key_address(tlb->tag[slot].key);

		if (tlb->tag[slot].key != KEY_INVALID && tlb->tag[slot].context == tag &&
		    va >= entry->va.v && va <= last)
			tlb_drop(tlb, slot);
	}
	return before - tlb->used;
}

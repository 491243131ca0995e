/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries that hold several neighbouring pages (docs/model.md, tlb.*.coalesce). */
#include "mmu/tlb_private.h"

static unsigned group_size_bits(const struct tlb *tlb)
{
	return (unsigned)tlb->shape.page_bits + tlb->shape.group_bits;
}

static uint64_t group_key(const struct tlb *tlb, va_t va)
{
	return KEY_GROUP | key_of(va.v & ~low_mask(group_size_bits(tlb)), tlb->shape.page_bits);
}

static bool holds_page(const struct tlb *tlb, uint32_t slot, uint64_t key, uint8_t bit,
		       uint64_t own, uint64_t global)
{
	return tag_matches(&tlb->tag[slot], key, own, global) && tlb->held[slot] & bit;
}

/* The entry of va's group that holds one of the pages in `bit`, beginning behind `after`. */
static uint32_t find_group(const struct tlb *tlb, va_t va, uint8_t bit, uint64_t own,
			   uint64_t global, uint32_t after)
{
	const uint64_t key = group_key(tlb, va);
	const uint32_t ways = tlb->shape.ways;
	uint32_t slot, first;

	if (tlb->bucket) {
		slot = after == TLB_NONE ? *bucket_of(tlb, key) : tlb->next[after];
		while (slot != TLB_NONE && !holds_page(tlb, slot, key, bit, own, global))
			slot = tlb->next[slot];
		return slot;
	}
	first = set_of(tlb, va.v, group_size_bits(tlb)) * ways;
	for (slot = after == TLB_NONE ? first : after + 1; slot < first + ways; slot++)
		if (holds_page(tlb, slot, key, bit, own, global))
			return slot;
	return TLB_NONE;
}

uint32_t tlb_find_grouped(const struct tlb *tlb, uint64_t own, va_t va)
{
	const uint64_t global = global_tag(own);

	for (uint64_t sizes = tlb->resident; sizes; sizes &= sizes - 1) {
		const unsigned size_bits = (unsigned)__builtin_ctzll(sizes);
		const uint32_t slot =
			in_groups(tlb, size_bits)
				? find_group(tlb, va, group_bit(tlb, va), own, global, TLB_NONE)
				: find_size(tlb, TLB_ANY, va.v, size_bits, own, global);

		if (slot != TLB_NONE)
			return slot;
	}
	return TLB_NONE;
}

struct tlb_leaf tlb_page_of(const struct tlb *tlb, uint32_t slot, va_t va)
{
	struct tlb_leaf leaf = tlb->leaf[slot];

	leaf.ahead = 0;
	if (!(tlb->tag[slot].key & KEY_GROUP))
		return leaf;
	leaf.pa = pa_around(&leaf, va, tlb->shape.page_bits);
	leaf.size_bits = tlb->shape.page_bits;
	leaf.span_bits = 0;
	return leaf;
}

bool tlb_leaves_alike(const struct tlb_leaf *a, const struct tlb_leaf *b)
{
	return a->s1_bits == b->s1_bits && a->s2_bits == b->s2_bits &&
	       a->leaf_bits == b->leaf_bits && a->perms == b->perms && a->global == b->global &&
	       a->dirty_clear == b->dirty_clear && a->no_fetch == b->no_fetch;
}

/* Put the page of va into an entry of its group. TLB_NONE: no entry suits. */
static uint32_t join_group(struct tlb *tlb, va_t va, uint64_t context, const struct tlb_leaf *leaf)
{
	const unsigned group = group_size_bits(tlb);
	const uint64_t pa = pa_around(leaf, va, tlb->shape.page_bits).v;
	const uint64_t inside = low_mask(group) & ~low_mask(tlb->shape.page_bits);
	uint32_t slot = TLB_NONE;

	if ((pa ^ va.v) & inside)
		return TLB_NONE;
	while ((slot = find_group(tlb, va, UINT8_MAX, context, context, slot)) != TLB_NONE) {
		struct tlb_leaf *entry = &tlb->leaf[slot];

		if (entry->size_bits != group || entry->pa.v != (pa & ~inside) ||
		    !tlb_leaves_alike(entry, leaf))
			continue;
		tlb->held[slot] |= group_bit(tlb, va);
		tlb->coalesced++;
		tlb_touch(tlb, slot);
		return slot;
	}
	return TLB_NONE;
}

/* Else the first page of a new entry of its group, which others may join if its PA permits. */
uint32_t tlb_fill_grouped(struct tlb *tlb, uint64_t context, va_t va, const struct tlb_leaf *leaf)
{
	const unsigned group = group_size_bits(tlb), page = tlb->shape.page_bits;
	const struct tlb_tag tag = { group_key(tlb, va), context };
	const uint64_t pa = pa_around(leaf, va, page).v;
	const bool aligned = !((pa ^ va.v) & low_mask(group) & ~low_mask(page));
	uint32_t slot = join_group(tlb, va, context, leaf);

	if (slot != TLB_NONE)
		return slot;
	slot = tlb_put(tlb, set_of(tlb, va.v, group), tag, page);
	tlb->held[slot] = group_bit(tlb, va);
	tlb->leaf[slot] = *leaf;
	tlb->leaf[slot].size_bits = (uint8_t)(aligned ? group : page);
	tlb->leaf[slot].pa = pa_around(leaf, va, aligned ? group : page);
	return slot;
}

void tlb_drop_pages(struct tlb *tlb, uint32_t slot, uint8_t pages)
{
	if (tlb->held && tlb->tag[slot].key & KEY_GROUP && tlb->held[slot] & ~pages) {
		tlb->held[slot] &= (uint8_t)~pages;
		tlb->leaf[slot].ahead &= (uint8_t)~pages;
		tlb->generation[slot]++;
		return;
	}
	tlb_drop(tlb, slot);
}

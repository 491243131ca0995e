/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the TLB, and walk caches that lie in one. */
#ifndef TWOSTAGE_MMU_TLB_PRIVATE_H
#define TWOSTAGE_MMU_TLB_PRIVATE_H

#include "mmu/tlb.h"

#define KEY_INVALID UINT64_MAX

/* Of a group's key: no size has this bit, and no address reaches it. */
#define KEY_GROUP (UINT64_C(1) << 58)

/* Of the context: the PE, and its bits for entries of walk caches, by enum tlb_walk_kind. */
enum { PE_SHIFT = 33, KIND_SHIFT = 40 };

/* Bit 0 tells a global entry: no context of an access has it set. */
static inline uint64_t context_tag(struct tlb_context context)
{
	return ((uint64_t)context.pe << 32 | (uint64_t)context.vmid << 16 | context.asid) << 1;
}

/* The same of a global entry: bit 0 in place of the ASID. */
static inline uint64_t global_tag(uint64_t own)
{
	return own >> 17 << 17 | 1;
}

/* 12 <= size_bits, so that the page number loses nothing. */
static inline uint64_t key_of(uint64_t va, unsigned size_bits)
{
	return va >> size_bits << 6 | size_bits;
}

/* The first byte that an entry speaks for. */
static inline uint64_t key_address(uint64_t key)
{
	return (key & ~KEY_GROUP) >> 6 << (key & 63);
}

/* Of the pages that a group's entry may hold, the one of va. */
static inline uint8_t group_bit(const struct tlb *tlb, va_t va)
{
	return (uint8_t)(1u << (va.v >> tlb->shape.page_bits & low_mask(tlb->shape.group_bits)));
}

/* Are entries of this size groups of pages? */
static inline bool in_groups(const struct tlb *tlb, unsigned size_bits)
{
	return tlb->held && size_bits == tlb->shape.page_bits;
}

/* Part of each caller, for which the form of the TLB is a constant. */
#define FORMED static inline __attribute__((always_inline))

/* All bits of the page number, folded by exclusive or to as many as choose a set. */
static inline uint32_t hashed_set(const struct tlb *tlb, uint64_t page)
{
	const unsigned bits = 32u - (unsigned)__builtin_clz(tlb->shape.sets - 1);
	uint64_t folded = 0;

	for (; page; page >>= bits)
		folded ^= page & low_mask(bits);
	return (uint32_t)(folded % tlb->shape.sets);
}

/* The upper half of the address space gives small numbers, too: only low bits index. */
FORMED uint32_t set_in(const struct tlb *tlb, enum tlb_form form, uint64_t va, unsigned size_bits)
{
	if (form == TLB_CHAINS)
		return 0;
	if (form == TLB_MASKED || tlb->masked)
		return (uint32_t)(va >> size_bits) & tlb->set_mask;
	if (tlb->shape.hashed)
		return hashed_set(tlb, va >> size_bits);
	return (uint32_t)((va >> size_bits) % tlb->shape.sets);
}

static inline uint32_t set_of(const struct tlb *tlb, uint64_t va, unsigned size_bits)
{
	return set_in(tlb, TLB_ANY, va, size_bits);
}

/* First slot of the chain that a key belongs to. */
static inline uint32_t *bucket_of(const struct tlb *tlb, uint64_t key)
{
	return &tlb->bucket[key * UINT64_C(0x9e3779b97f4a7c15) >> tlb->bucket_shift];
}

static inline bool tag_matches(const struct tlb_tag *tag, uint64_t key, uint64_t own,
			       uint64_t global)
{
	return tag->key == key && (tag->context == own || tag->context == global);
}

/* A context of the ways whose bits are set. */
FORMED uint32_t way_among(const struct tlb_tag *tag, uint32_t ways, uint64_t own, uint64_t global)
{
	for (; ways; ways &= ways - 1) {
		const uint32_t way = (uint32_t)__builtin_ctz(ways);

		if (tag[way].context == own || tag[way].context == global)
			return way;
	}
	return TLB_NONE;
}

/* All keys before any branch: which way it will be is not to be foreseen. */
FORMED uint32_t way_of_few(const struct tlb_tag *tag, uint32_t ways, uint64_t key, uint64_t own,
			   uint64_t global)
{
	uint32_t equal = 0;

	for (uint32_t way = 0; way < ways; way++)
		equal |= (uint32_t)(tag[way].key == key) << way;
	return way_among(tag, equal, own, global);
}

FORMED uint32_t way_of(const struct tlb_tag *tag, uint32_t ways, uint64_t key, uint64_t own,
		       uint64_t global)
{
	for (uint32_t way = 0; way < ways; way++)
		if (tag_matches(&tag[way], key, own, global))
			return way;
	return TLB_NONE;
}

/* The usual numbers of ways. */
FORMED uint32_t find_in_set(const struct tlb *tlb, uint32_t set, uint64_t key, uint64_t own,
			    uint64_t global)
{
	const uint32_t ways = tlb->shape.ways, first = set * ways;
	const struct tlb_tag *tag = &tlb->tag[first];
	const uint32_t way = ways == 5	 ? way_of_few(tag, 5, key, own, global)
			     : ways == 4 ? way_of_few(tag, 4, key, own, global)
			     : ways == 8 ? way_of_few(tag, 8, key, own, global)
					 : way_of(tag, ways, key, own, global);

	return way == TLB_NONE ? TLB_NONE : first + way;
}

FORMED uint32_t find_in_chain(const struct tlb *tlb, uint64_t key, uint64_t own, uint64_t global)
{
	uint32_t slot = *bucket_of(tlb, key);

	while (slot != TLB_NONE && !tag_matches(&tlb->tag[slot], key, own, global))
		slot = tlb->next[slot];
	return slot;
}

/* One size: an entry of either context. */
FORMED uint32_t find_size(const struct tlb *tlb, enum tlb_form form, uint64_t va,
			  unsigned size_bits, uint64_t own, uint64_t global)
{
	const uint64_t key = key_of(va, size_bits);

	if (form == TLB_CHAINS || (form == TLB_ANY && tlb->bucket))
		return find_in_chain(tlb, key, own, global);
	return find_in_set(tlb, set_in(tlb, form, va, size_bits), key, own, global);
}

/* Words of tlb->valid. */
static inline uint32_t valid_words(const struct tlb *tlb)
{
	return (tlb->slots + 63) / 64;
}

/* PA of the first byte of the 2^size_bits bytes around va. */
static inline pa_t pa_around(const struct tlb_leaf *leaf, va_t va, unsigned size_bits)
{
	return pa_of((leaf->pa.v | (va.v & low_mask(leaf->size_bits))) & ~low_mask(size_bits));
}

/*
 * Claims a slot of the set for an entry: VA to PA, counted as one of 2^size_bits bytes, or of a
 * walk cache (size_bits = 0). The leaf is the caller's to fill in.
 */
uint32_t tlb_put(struct tlb *tlb, uint32_t set, struct tlb_tag tag, unsigned size_bits);

/* tlb_group.c: tlb_find() in a TLB with groups. */
uint32_t tlb_find_grouped(const struct tlb *tlb, uint64_t own, va_t va);

/* tlb_group.c: tlb_fill() of a page that is held in groups. */
uint32_t tlb_fill_grouped(struct tlb *tlb, uint64_t context, va_t va, const struct tlb_leaf *leaf);

/* tlb_group.c: may the page of `leaf` be in one entry with those of `entry`, addresses aside? */
bool tlb_leaves_alike(const struct tlb_leaf *entry, const struct tlb_leaf *leaf);

/* These pages of a group leave its entry, which goes with its last one, as one of a single page. */
void tlb_drop_pages(struct tlb *tlb, uint32_t slot, uint8_t pages);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/walk_cache.h"

#include <stdlib.h>
#include <string.h>

#include "mmu/tlb_private.h"

/* A leaf and a table may cover the same bytes of IA, so the kind is part of the key. */
enum { KEY_LEAF = 1 };

#define KEY_STAGE2 (UINT64_C(1) << 62)

static void init_empty(struct walk_cache *cache, uint32_t hit_cycles, enum granule granule)
{
	memset(cache, 0, sizeof(*cache));
	cache->granule = granule;
	cache->hit_cycles = hit_cycles;
}

bool walk_cache_init(struct walk_cache *cache, uint32_t entries, uint32_t ways, uint32_t hit_cycles,
		     enum granule granule)
{
	init_empty(cache, hit_cycles, granule);
	if (!entries)
		return true;
	cache->ways = ways ? ways : entries;
	cache->sets = entries / cache->ways;
	cache->set_mask = cache->sets - 1;
	cache->masked = (cache->sets & (cache->sets - 1)) == 0;
	cache->slots = calloc(entries, sizeof(*cache->slots));
	if (cache->slots)
		return true;
	walk_cache_fini(cache);
	return false;
}

void walk_cache_init_joined(struct walk_cache *cache, struct walk_cache *store, uint32_t hit_cycles,
			    enum granule granule)
{
	init_empty(cache, hit_cycles, granule);
	cache->ways = store->ways;
	cache->sets = store->sets;
	cache->set_mask = store->set_mask;
	cache->masked = store->masked;
	cache->tag = KEY_STAGE2;
	cache->store = store;
}

bool walk_cache_init_in_tlb(struct walk_cache *cache, struct tlb *tlb, int stage,
			    uint32_t hit_cycles, enum granule granule)
{
	init_empty(cache, hit_cycles, granule);
	cache->ways = tlb->shape.ways;
	cache->sets = tlb->shape.sets;
	cache->tag = stage == 2 ? KEY_STAGE2 : 0;
	cache->tlb = tlb;
	cache->points = calloc(tlb->slots, sizeof(*cache->points));
	return cache->points;
}

void walk_cache_init_shared(struct walk_cache *cache, const struct walk_cache *first)
{
	*cache = *first;
	cache->borrows_points = true;
}

void walk_cache_fini(struct walk_cache *cache)
{
	free(cache->slots);
	if (!cache->borrows_points)
		free(cache->points);
	memset(cache, 0, sizeof(*cache));
}

/* Bytes of IA that a point speaks for: a leaf its own size, a table what one entry above it maps.
 */
static unsigned point_bits(const struct walk_cache *cache, const struct walk_point *point)
{
	return level_shift(cache->granule, point->leaf ? point->level : point->level - 1);
}

/* log2 of what the entry for a point covers; 0: the cache keeps none. */
static unsigned entry_bits(const struct walk_cache *cache, const struct walk_point *point)
{
	const unsigned size_bits = point_bits(cache, point);
	uint64_t sizes;

	if (!point->leaf)
		return cache->limits.no_levels >> (point->level + 1) & 1 ? 0 : size_bits;
	if (!cache->limits.no_sizes)
		return size_bits;
	sizes = ~cache->limits.no_sizes & (low_mask(size_bits) << 1 | 1) & ~low_mask(GRANULE_4K);
	return sizes ? 63u - (unsigned)__builtin_clzll(sizes) : 0;
}

static enum tlb_walk_kind kind_of(const struct walk_cache *cache, bool leaf)
{
	return !cache->tag ? TLB_S1_TABLE : leaf ? TLB_S2_LEAF : TLB_S2_TABLE;
}

/* In a TLB: the tag of a kind of entries. */
static uint64_t kind_tag(enum tlb_walk_kind kind)
{
	return UINT64_C(1) << (KIND_SHIFT + (unsigned)kind);
}

/* What tells the entries of a kind and size from others but their IA. */
static uint64_t look_tag(const struct walk_cache *cache, unsigned size_bits, bool leaf)
{
	if (cache->tlb)
		return kind_tag(kind_of(cache, leaf));
	return cache->tag | (uint64_t)size_bits << 1 | (leaf ? KEY_LEAF : 0);
}

/* In slots: 52 bits of prefix at most (12 <= size_bits), 6 of size, 1 of kind. */
static uint64_t slot_key(uint64_t ia, unsigned size_bits, uint64_t tag)
{
	return ia >> size_bits << 7 | tag;
}

static void add_looks(struct walk_cache *cache, uint64_t sizes, bool leaf)
{
	for (; sizes; sizes &= sizes - 1) {
		const unsigned size_bits = (unsigned)__builtin_ctzll(sizes);

		cache->look[cache->looks++] = (struct walk_cache_look){
			.tag = look_tag(cache, size_bits, leaf),
			.size_bits = (uint8_t)size_bits,
		};
	}
}

/* After a change of leaf_sizes or table_sizes. */
static void renew_looks(struct walk_cache *cache)
{
	cache->looks = 0;
	add_looks(cache, cache->leaf_sizes, true);
	add_looks(cache, cache->table_sizes, false);
}

/* What holds the slots and the clock. */
static struct walk_cache *store_of(struct walk_cache *cache)
{
	return cache->store ? cache->store : cache;
}

static struct walk_cache_slot *set_of_slots(struct walk_cache *cache, uint64_t prefix)
{
	const uint64_t set = cache->masked ? prefix & cache->set_mask : prefix % cache->sets;

	return store_of(cache)->slots + set * cache->ways;
}

/* In a TLB: of entries that the walk under way may use and makes. */
static uint64_t own_tag(const struct walk_cache *cache, uint32_t context)
{
	return context_tag((struct tlb_context){ .vmid = (uint16_t)(context >> 16),
						 .asid = (uint16_t)context,
						 .pe = cache->common ? 0 : cache->pe });
}

FORMED bool probe_formed(struct walk_cache *cache, enum tlb_form form, uint32_t context,
			 uint64_t ia, struct walk_point *out)
{
	const uint64_t own = own_tag(cache, context);
	struct tlb *tlb = cache->tlb;

	for (uint32_t i = 0; i < cache->looks; i++) {
		const uint64_t tag = cache->look[i].tag | own;
		const uint32_t slot = find_size(tlb, form, ia, cache->look[i].size_bits, tag, tag);

		if (slot == TLB_NONE)
			continue;
		*out = cache->points[slot];
		tlb_touch(tlb, slot);
		return true;
	}
	return false;
}

static __attribute__((noinline)) bool probe_tlb(struct walk_cache *cache, uint32_t context,
						uint64_t ia, struct walk_point *out)
{
	return cache->tlb->finds == TLB_MASKED ? probe_formed(cache, TLB_MASKED, context, ia, out)
					       : probe_formed(cache, TLB_ANY, context, ia, out);
}

static __attribute__((noinline)) bool probe_slots(struct walk_cache *cache, uint32_t context,
						  uint64_t ia, struct walk_point *out)
{
	for (uint32_t i = 0; i < cache->looks; i++) {
		const unsigned size_bits = cache->look[i].size_bits;
		const uint64_t key = slot_key(ia, size_bits, cache->look[i].tag);
		struct walk_cache_slot *slot = set_of_slots(cache, ia >> size_bits);
		const struct walk_cache_slot *end = slot + cache->ways;

		while (slot < end && (slot->key != key || slot->context != context))
			slot++;
		if (slot == end)
			continue;
		slot->stamp = ++store_of(cache)->clock;
		*out = slot->point;
		return true;
	}
	return false;
}

bool walk_cache_probe(struct walk_cache *cache, uint32_t context, uint64_t ia,
		      struct walk_point *out)
{
	return cache->tlb ? probe_tlb(cache, context, ia, out)
			  : probe_slots(cache, context, ia, out);
}

static void learn_in_tlb(struct walk_cache *cache, uint32_t context, uint64_t ia,
			 unsigned size_bits, const struct walk_point *point)
{
	const uint64_t own = kind_tag(kind_of(cache, point->leaf)) | own_tag(cache, context);
	uint32_t slot = find_size(cache->tlb, TLB_ANY, ia, size_bits, own, own);

	if (slot == TLB_NONE)
		slot = tlb_put(cache->tlb, set_of(cache->tlb, ia, size_bits),
			       (struct tlb_tag){ key_of(ia, size_bits), own }, 0);
	else
		tlb_touch(cache->tlb, slot);
	cache->points[slot] = *point;
}

static void learn_in_slots(struct walk_cache *cache, uint32_t context, uint64_t ia,
			   unsigned size_bits, const struct walk_point *point)
{
	const uint64_t key = slot_key(ia, size_bits, look_tag(cache, size_bits, point->leaf));
	struct walk_cache_slot *slot = set_of_slots(cache, ia >> size_bits), *oldest = slot;

	for (const struct walk_cache_slot *end = slot + cache->ways; slot < end; slot++) {
		if (slot->key == key && slot->context == context) {
			oldest = slot;
			break;
		}
		oldest = slot->stamp < oldest->stamp ? slot : oldest;
	}
	oldest->key = key;
	oldest->context = context;
	oldest->point = *point;
	oldest->stamp = ++store_of(cache)->clock;
}

bool walk_cache_keeps(const struct walk_cache *cache, int level, bool leaf)
{
	const struct walk_point point = { .level = (int8_t)level, .leaf = leaf };

	return cache->ways && entry_bits(cache, &point);
}

void walk_cache_expect_all(struct walk_cache *cache)
{
	/* Of level 0 no table is learnt: it is the first, or the one behind level -1. */
	for (int level = cache->granule == GRANULE_4K ? 0 : 1; level <= 3; level++) {
		const struct walk_point table = { .level = (int8_t)level };
		const struct walk_point leaf = { .level = (int8_t)level, .leaf = true };

		cache->table_sizes |= UINT64_C(1) << entry_bits(cache, &table);
		if (cache->tag)
			cache->leaf_sizes |= UINT64_C(1) << entry_bits(cache, &leaf);
	}
	/* 0 says that such a point is not kept. */
	cache->table_sizes &= ~UINT64_C(1);
	cache->leaf_sizes &= ~UINT64_C(1);
	renew_looks(cache);
}

void walk_cache_learn(struct walk_cache *cache, uint32_t context, uint64_t ia,
		      const struct walk_point *point)
{
	const unsigned size_bits = cache->ways ? entry_bits(cache, point) : 0;
	uint64_t *sizes = point->leaf ? &cache->leaf_sizes : &cache->table_sizes;

	if (!size_bits)
		return;
	if (cache->tlb)
		learn_in_tlb(cache, context, ia, size_bits, point);
	else
		learn_in_slots(cache, context, ia, size_bits, point);
	if (*sizes >> size_bits & 1)
		return;
	*sizes |= UINT64_C(1) << size_bits;
	renew_looks(cache);
}

/* What an invalidation names. */
struct named {
	uint32_t context, mask;
	enum walk_points points;
	uint64_t first, last;
};

/* Is an entry for 2^size_bits bytes from `begin` on, which holds `point`, among them? */
static bool is_named(const struct walk_cache *cache, const struct named *named, uint32_t context,
		     uint64_t begin, unsigned size_bits, const struct walk_point *point)
{
	const unsigned own_bits = point_bits(cache, point);
	const unsigned reach_bits = own_bits > size_bits ? own_bits : size_bits;
	const uint64_t start = begin & ~low_mask(reach_bits);

	if ((context ^ named->context) & named->mask)
		return false;
	if (named->points == WALK_POINTS_LEAVES && !point->leaf)
		return false;
	return start <= named->last && (start | low_mask(reach_bits)) >= named->first;
}

static void invalidate_entry(struct walk_cache *cache, const struct named *named, uint32_t slot)
{
	struct tlb_walk_tag tag;

	if (!tlb_walk_at(cache->tlb, slot, &tag) || (tag.kind != TLB_S1_TABLE) != (cache->tag != 0))
		return;
	if (tag.context.pe && tag.context.pe != cache->pe)
		return;
	if (is_named(cache, named, (uint32_t)tag.context.vmid << 16 | tag.context.asid, tag.ia,
		     tag.size_bits, &cache->points[slot]))
		tlb_drop(cache->tlb, slot);
}

static void invalidate_in_tlb(struct walk_cache *cache, const struct named *named)
{
	const struct tlb *tlb = cache->tlb;
	const uint32_t words = valid_words(tlb);

	for (uint32_t word = 0; word < words; word++) {
		for (uint64_t left = tlb->valid[word]; left; left &= left - 1) {
			const uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);

			if (tlb->tag[slot].context >> KIND_SHIFT)
				invalidate_entry(cache, named, slot);
		}
	}
}

static void invalidate_in_slots(struct walk_cache *cache, const struct named *named)
{
	for (uint32_t i = 0; i < cache->sets * cache->ways; i++) {
		struct walk_cache_slot *slot = &store_of(cache)->slots[i];
		const unsigned size_bits = slot->key >> 1 & 63;
		const uint64_t begin = (slot->key & ~KEY_STAGE2) >> 7 << size_bits;

		if (!slot->key || (slot->key & KEY_STAGE2) != cache->tag ||
		    !is_named(cache, named, slot->context, begin, size_bits, &slot->point))
			continue;
		slot->key = 0;
		slot->stamp = 0;
	}
}

void walk_cache_invalidate(struct walk_cache *cache, uint32_t context, uint32_t mask,
			   enum walk_points points, uint64_t first, uint64_t last)
{
	const struct named named = { context, mask, points, first, last };

	if (walk_cache_is_unused(cache))
		return;
	if (cache->tlb)
		invalidate_in_tlb(cache, &named);
	else
		invalidate_in_slots(cache, &named);
}

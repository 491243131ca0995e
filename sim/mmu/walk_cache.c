/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/walk_cache.h"

#include <stdlib.h>
#include <string.h>

/* A leaf and a table may cover the same bytes of IA, so the kind is part of the key. */
enum { KEY_LEAF = 1 };

bool walk_cache_init(struct walk_cache *cache, uint32_t entries, uint32_t ways, uint32_t hit_cycles,
		     enum granule granule)
{
	memset(cache, 0, sizeof(*cache));
	cache->granule = granule;
	cache->hit_cycles = hit_cycles;
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

void walk_cache_fini(struct walk_cache *cache)
{
	free(cache->slots);
	memset(cache, 0, sizeof(*cache));
}

/* Bytes of IA that a point speaks for: a leaf its own size, a table what one entry above it maps.
 */
static unsigned point_bits(const struct walk_cache *cache, const struct walk_point *point)
{
	return level_shift(cache->granule, point->leaf ? point->level : point->level - 1);
}

/* 52 bits of prefix at most (12 <= size_bits), 6 of size, 1 of kind. */
static uint64_t key_of(uint64_t ia, unsigned size_bits, bool leaf)
{
	return ia >> size_bits << 7 | (uint64_t)size_bits << 1 | (leaf ? KEY_LEAF : 0);
}

static struct walk_cache_slot *set_of(const struct walk_cache *cache, uint64_t prefix)
{
	const uint64_t set = cache->masked ? prefix & cache->set_mask : prefix % cache->sets;

	return cache->slots + set * cache->ways;
}

static bool probe_sizes(struct walk_cache *cache, uint32_t context, uint64_t ia, uint64_t sizes,
			bool leaf, struct walk_point *out)
{
	for (; sizes; sizes &= sizes - 1) {
		const unsigned size_bits = (unsigned)__builtin_ctzll(sizes);
		const uint64_t key = key_of(ia, size_bits, leaf);
		struct walk_cache_slot *slot = set_of(cache, ia >> size_bits);

		for (const struct walk_cache_slot *end = slot + cache->ways; slot < end; slot++) {
			if (slot->key != key || slot->context != context)
				continue;
			slot->stamp = ++cache->clock;
			*out = slot->point;
			return true;
		}
	}
	return false;
}

/* Smallest first: the smallest table point is the one closest to the leaf. */
bool walk_cache_probe(struct walk_cache *cache, uint32_t context, uint64_t ia,
		      struct walk_point *out)
{
	return probe_sizes(cache, context, ia, cache->leaf_sizes, true, out) ||
	       probe_sizes(cache, context, ia, cache->table_sizes, false, out);
}

void walk_cache_learn(struct walk_cache *cache, uint32_t context, uint64_t ia,
		      const struct walk_point *point)
{
	const unsigned size_bits = point_bits(cache, point);
	const uint64_t key = key_of(ia, size_bits, point->leaf);
	struct walk_cache_slot *slot, *oldest;

	if (!cache->ways)
		return;
	oldest = slot = set_of(cache, ia >> size_bits);
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
	oldest->stamp = ++cache->clock;
	*(point->leaf ? &cache->leaf_sizes : &cache->table_sizes) |= UINT64_C(1) << size_bits;
}

void walk_cache_invalidate(struct walk_cache *cache, uint32_t context, uint32_t mask,
			   enum walk_points points, uint64_t first, uint64_t last)
{
	for (uint32_t i = 0; i < cache->sets * cache->ways; i++) {
		struct walk_cache_slot *slot = &cache->slots[i];
		const unsigned size_bits = slot->key >> 1 & 63;
		const uint64_t begin = slot->key >> 7 << size_bits;
		const uint64_t end = begin | low_mask(size_bits);

		if (!slot->key || ((slot->context ^ context) & mask) || begin > last || end < first)
			continue;
		if (points == WALK_POINTS_LEAVES && !(slot->key & KEY_LEAF))
			continue;
		slot->key = 0;
		slot->stamp = 0;
	}
}

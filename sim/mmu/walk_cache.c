/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/walk_cache.h"

#include <stdlib.h>
#include <string.h>

/* A leaf and a table may cover the same bytes of IA, so the kind is part of the key. */
enum { KEY_LEAF = 1, SLOT_NONE = -1 };

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
	cache->key = calloc(entries, sizeof(*cache->key));
	cache->context = calloc(entries, sizeof(*cache->context));
	cache->stamp = calloc(entries, sizeof(*cache->stamp));
	cache->point = calloc(entries, sizeof(*cache->point));
	if (cache->key && cache->context && cache->stamp && cache->point)
		return true;
	walk_cache_fini(cache);
	return false;
}

void walk_cache_fini(struct walk_cache *cache)
{
	free(cache->key);
	free(cache->context);
	free(cache->stamp);
	free(cache->point);
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

static uint32_t set_of(const struct walk_cache *cache, uint64_t prefix)
{
	const bool power_of_two = (cache->sets & (cache->sets - 1)) == 0;

	return (uint32_t)(power_of_two ? prefix & (cache->sets - 1) : prefix % cache->sets);
}

static int64_t find(const struct walk_cache *cache, uint32_t context, uint64_t ia,
		    unsigned size_bits, bool leaf, uint32_t *set_first)
{
	const uint64_t key = key_of(ia, size_bits, leaf);
	const uint32_t first = set_of(cache, ia >> size_bits) * cache->ways;

	*set_first = first;
	for (uint32_t slot = first; slot < first + cache->ways; slot++)
		if (cache->key[slot] == key && cache->context[slot] == context)
			return slot;
	return SLOT_NONE;
}

static bool probe_sizes(struct walk_cache *cache, uint32_t context, uint64_t ia, uint64_t sizes,
			bool leaf, struct walk_point *out)
{
	for (; sizes; sizes &= sizes - 1) {
		uint32_t first;
		const int64_t slot =
			find(cache, context, ia, (unsigned)__builtin_ctzll(sizes), leaf, &first);

		if (slot == SLOT_NONE)
			continue;
		cache->stamp[slot] = ++cache->clock;
		*out = cache->point[slot];
		return true;
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
	uint32_t first, slot;

	if (!cache->ways)
		return;
	first = slot = set_of(cache, ia >> size_bits) * cache->ways;
	for (uint32_t s = first; s < first + cache->ways; s++) {
		if (cache->key[s] == key && cache->context[s] == context) {
			slot = s;
			break;
		}
		slot = cache->stamp[s] < cache->stamp[slot] ? s : slot;
	}
	cache->key[slot] = key;
	cache->context[slot] = context;
	cache->point[slot] = *point;
	cache->stamp[slot] = ++cache->clock;
	*(point->leaf ? &cache->leaf_sizes : &cache->table_sizes) |= UINT64_C(1) << size_bits;
}

void walk_cache_invalidate(struct walk_cache *cache, uint32_t context, uint32_t mask,
			   enum walk_points points, uint64_t first, uint64_t last)
{
	for (uint32_t slot = 0; slot < cache->sets * cache->ways; slot++) {
		const uint64_t key = cache->key[slot];
		const unsigned size_bits = key >> 1 & 63;
		const uint64_t begin = key >> 7 << size_bits;
		const uint64_t end = begin | low_mask(size_bits);

		if (!key || ((cache->context[slot] ^ context) & mask) || begin > last ||
		    end < first)
			continue;
		if (points == WALK_POINTS_LEAVES && !(key & KEY_LEAF))
			continue;
		cache->key[slot] = 0;
		cache->stamp[slot] = 0;
	}
}

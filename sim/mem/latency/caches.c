/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor reads go through up to three caches, then DRAM. Lines of 64 bytes, so eight
 * neighbouring descriptors share one; LRU; a miss fills every level it passed. Of each level's ways
 * only the stated share is there for tables, the guest's own data holds the rest; or the share is
 * all, and the guest's lines go through the same caches (docs/model.md, M12).
 */
#include "mem/latency.h"

#include <string.h>

enum { LINE_BITS = 6, LEVELS = 3 };

struct level {
	uint64_t sets, set_mask; /* set_mask = sets - 1 */
	bool masked;		 /* sets is a power of two: set_mask chooses one */
	uint32_t ways;
	size_t first; /* of its tags */
	struct latency_result hit;
};

struct caches {
	struct level level[LEVELS]; /* those there are, `levels` in number */
	int levels;
	uint32_t dram_cycles;
	uint64_t tag[]; /* line number + 1, most recently used first in each set; 0 = free */
};

/* 0: no such level. */
static uint64_t level_sets(const struct latency_level *level)
{
	return (level->size_bytes >> LINE_BITS) / level->ways;
}

static uint32_t table_ways(const struct latency_config *config, const struct latency_level *level)
{
	const uint64_t ways = (uint64_t)level->ways * config->table_share_permille / 1000;

	return ways ? (uint32_t)ways : 1;
}

static size_t state_bytes(const struct latency_config *config)
{
	size_t tags = 0;

	for (int i = 0; i < LEVELS; i++)
		tags += level_sets(&config->level[i]) * table_ways(config, &config->level[i]);
	return sizeof(struct caches) + tags * sizeof(uint64_t);
}

static void init(void *state, const struct latency_config *config)
{
	struct caches *caches = state;
	size_t first = 0;

	memset(caches, 0, state_bytes(config));
	caches->dram_cycles = config->dram_cycles;
	for (int i = 0; i < LEVELS; i++) {
		const uint64_t sets = level_sets(&config->level[i]);

		if (!sets)
			continue;
		struct level *level = &caches->level[caches->levels++];

		*level = (struct level){
			.sets = sets,
			.set_mask = sets - 1,
			.masked = (sets & (sets - 1)) == 0,
			.ways = table_ways(config, &config->level[i]),
			.first = first,
			.hit = { .cycles = config->level[i].hit_cycles,
				 .found_in = (enum found_in)i },
		};
		first += sets * level->ways;
	}
}

/* Look `line` up in a set and make it the most recent; a miss drops the oldest. */
static inline bool set_access(uint64_t *set, uint32_t ways, uint64_t line)
{
	uint64_t carried = line;

	for (const uint64_t *end = set + ways; set < end; set++) {
		const uint64_t old = *set;

		*set = carried;
		if (old == line)
			return true;
		carried = old;
	}
	return false;
}

static inline uint64_t set_of(const struct level *level, uint64_t line)
{
	return level->masked ? line & level->set_mask : line % level->sets;
}

/* Through levels `first` to end - 1, those there are. */
static inline struct latency_result look_up(struct caches *caches, pa_t pa, int first, int end)
{
	const uint64_t line = (pa.v >> LINE_BITS) + 1;

	for (int i = first; i < end; i++) {
		const struct level *level = &caches->level[i];
		uint64_t *set = caches->tag + level->first + set_of(level, line) * level->ways;

		if (set_access(set, level->ways, line))
			return level->hit;
	}
	return (struct latency_result){ .cycles = caches->dram_cycles, .found_in = FOUND_DRAM };
}

static struct latency_result read_caches(void *state, pa_t pa, bool cacheable)
{
	struct caches *caches = state;

	return look_up(caches, pa, 0, cacheable ? caches->levels : 0);
}

/* Tags are many: those of all reads are on their way before the first look-up. */
static void read_soon(const void *state, const struct latency_query *query, uint32_t n)
{
	const struct caches *caches = state;
	const struct level *level = &caches->level[0];

	for (uint32_t i = 0; caches->levels && i < n; i++) {
		const uint64_t line = (query[i].pa.v >> LINE_BITS) + 1;

		__builtin_prefetch(caches->tag + level->first + set_of(level, line) * level->ways);
	}
}

static void read_all(void *own, void *shared, const struct latency_query *query, uint32_t n,
		     struct latency_result *found)
{
	struct caches *private = own, *common = shared;

	read_soon(common, query, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct latency_query *q = &query[i];

		found[i] = look_up(private, q->pa, 0, q->cacheable ? private->levels : 0);
		if (found[i].found_in == FOUND_DRAM)
			found[i] = look_up(common, q->pa, 0, q->cacheable ? common->levels : 0);
	}
}

static struct latency_result guest_access(void *state, pa_t pa, enum latency_side side)
{
	struct caches *caches = state;
	const bool l1d = caches->levels && caches->level[0].hit.found_in == FOUND_L1D;

	return look_up(caches, pa, l1d && side == LATENCY_FETCH, caches->levels);
}

static uint32_t cycles_of(const struct latency_config *config, enum found_in found)
{
	return found == FOUND_DRAM ? config->dram_cycles : config->level[found].hit_cycles;
}

const struct latency_ops latency_caches = {
	.name = "caches",
	.help = "through the cache.* levels, then DRAM",
	.state_bytes = state_bytes,
	.init = init,
	.read = read_caches,
	.read_all = read_all,
	.read_soon = read_soon,
	.cycles = cycles_of,
	.guest = guest_access,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor reads go through up to three caches, then DRAM. Lines of 64 bytes, so eight
 * neighbouring descriptors share one; LRU; a miss fills every level it passed. Of each level's ways
 * only the stated share is there for tables: the guest's own data holds the rest (docs/model.md).
 */
#include "mem/latency.h"

#include <string.h>

enum { LINE_BITS = 6, LEVELS = 3 };

struct level {
	uint64_t sets;
	uint32_t ways, hit_cycles;
	size_t first; /* of its tags */
};

struct caches {
	struct level level[LEVELS]; /* ways = 0: no such level */
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
		caches->level[i] = (struct level){
			.sets = sets,
			.ways = table_ways(config, &config->level[i]),
			.hit_cycles = config->level[i].hit_cycles,
			.first = first,
		};
		first += sets * caches->level[i].ways;
	}
}

/* Look `line` up in a set and make it the most recent; a miss drops the oldest. */
static bool set_access(uint64_t *set, uint32_t ways, uint64_t line)
{
	uint64_t carried = line;

	for (uint32_t way = 0; way < ways; way++) {
		const uint64_t old = set[way];

		set[way] = carried;
		if (old == line)
			return true;
		carried = old;
	}
	return false;
}

static uint64_t set_of(const struct level *level, uint64_t line)
{
	const uint64_t mask = level->sets - 1;

	if ((level->sets & mask) == 0)
		return line & mask;
	return line % level->sets;
}

static struct latency_result read_caches(void *state, pa_t pa, bool cacheable)
{
	struct caches *caches = state;
	const uint64_t line = (pa.v >> LINE_BITS) + 1;

	for (int i = 0; cacheable && i < LEVELS; i++) {
		const struct level *level = &caches->level[i];
		uint64_t *set = caches->tag + level->first + set_of(level, line) * level->ways;

		if (level->ways && set_access(set, level->ways, line))
			return (struct latency_result){ .cycles = level->hit_cycles,
							.found_in = (enum found_in)i };
	}
	return (struct latency_result){ .cycles = caches->dram_cycles, .found_in = FOUND_DRAM };
}

const struct latency_ops latency_caches = {
	.name = "caches",
	.help = "through the cache.* levels, then DRAM",
	.state_bytes = state_bytes,
	.init = init,
	.read = read_caches,
};

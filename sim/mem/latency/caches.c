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
	uint64_t *tag; /* ways of each set, most recently used first: line number; all ones: none */
	uint64_t sets;
	uint64_t set_mask; /* sets - 1 if sets is a power of two, which saves a division; else 0 */
	uint64_t ways;
	struct latency_result hit;
};

struct caches {
	struct level *end;	    /* of those there are */
	struct level level[LEVELS]; /* in the order in which they are asked */
	struct latency_result miss;
	struct latency_result single[2]; /* of the first level: a miss, a hit */
	bool first_masked; /* there is a first level, and set_mask & line is its set */
	uint64_t tag[];
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

	memset(caches, 0xff, state_bytes(config));
	caches->end = caches->level;
	caches->miss = (struct latency_result){ config->dram_cycles, FOUND_DRAM };
	for (int i = 0; i < LEVELS; i++) {
		const uint64_t sets = level_sets(&config->level[i]);

		if (!sets)
			continue;
		struct level *level = caches->end++;

		*level = (struct level){
			.tag = caches->tag + first,
			.sets = sets,
			.set_mask = sets & (sets - 1) ? 0 : sets - 1,
			.ways = table_ways(config, &config->level[i]),
			.hit = { .cycles = config->level[i].hit_cycles,
				 .found_in = (enum found_in)i },
		};
		first += sets * level->ways;
	}
	caches->single[0] = caches->miss;
	caches->single[1] = caches->level[0].hit;
	caches->first_masked = caches->end != caches->level &&
			       caches->level[0].set_mask == caches->level[0].sets - 1;
}

static inline uint64_t *set_of(const struct level *level, uint64_t line)
{
	const uint64_t set = __builtin_expect(level->set_mask != 0, 1) ? line & level->set_mask
								       : line % level->sets;

	return level->tag + set * level->ways;
}

/* b where a flag of all ones or none says so, else a. Compilers would rather branch. */
static inline uint64_t either(uint64_t flag, uint64_t a, uint64_t b)
{
	return a ^ ((a ^ b) & flag);
}

/* All ones if they are the same. */
static inline uint64_t flag_same(uint64_t a, uint64_t b)
{
	return -(uint64_t)(a == b);
}

/*
 * A line becomes the most recent of its set; a miss drops the oldest. The usual numbers of ways
 * without branches, as nobody can foretell which way it is, and who guesses wrong has to wait for
 * the tags.
 */
static inline bool use_one(uint64_t *set, uint64_t line)
{
	const bool hit = set[0] == line;

	set[0] = line;
	return hit;
}

static inline bool use_two(uint64_t *set, uint64_t line)
{
	const uint64_t a = set[0], b = set[1], at_a = flag_same(a, line);

	set[0] = line;
	set[1] = either(at_a, a, b);
	return (at_a | flag_same(b, line)) & 1;
}

static inline bool use_four(uint64_t *set, uint64_t line)
{
	const uint64_t a = set[0], b = set[1], c = set[2], d = set[3];
	const uint64_t at_a = flag_same(a, line), by_b = at_a | flag_same(b, line);
	const uint64_t by_c = by_b | flag_same(c, line);

	set[0] = line;
	set[1] = either(at_a, a, b);
	set[2] = either(by_b, b, c);
	set[3] = either(by_c, c, d);
	return (by_c | flag_same(d, line)) & 1;
}

static inline bool use_many(uint64_t *set, uint64_t ways, uint64_t line)
{
	uint64_t carried = set[0];

	if (carried == line)
		return true;
	set[0] = line;
	for (uint64_t i = 1; i < ways; i++) {
		const uint64_t old = set[i];

		set[i] = carried;
		if (old == line)
			return true;
		carried = old;
	}
	return false;
}

static inline bool use_line(uint64_t *set, uint64_t ways, uint64_t line)
{
	return ways == 4   ? use_four(set, line)
	       : ways == 2 ? use_two(set, line)
	       : ways == 1 ? use_one(set, line)
			   : use_many(set, ways, line);
}

/* From `level` on. NULL: in none of them. */
static inline const struct latency_result *look_up(const struct level *level,
						   const struct level *end, uint64_t line)
{
	for (; level < end; level++)
		if (use_line(set_of(level, line), level->ways, line))
			return &level->hit;
	return NULL;
}

static struct latency_result read_caches(void *state, pa_t pa, bool cacheable)
{
	const struct caches *caches = state;
	const struct latency_result *found = NULL;

	if (cacheable)
		found = look_up(caches->level, caches->end, pa.v >> LINE_BITS);
	return found ? *found : caches->miss;
}

/* Tags are many: those of all reads are on their way before the first look-up. */
static void read_soon(const void *state, const struct latency_query *query, uint32_t n)
{
	const struct caches *caches = state;

	for (uint32_t i = 0; caches->end != caches->level && i < n; i++)
		__builtin_prefetch(set_of(caches->level, query[i].pa.v >> LINE_BITS));
}

/* Of a single level nobody waits for the tags to say where the line is found. */
static inline const struct latency_result *look_up_shared(const struct caches *shared,
							  uint64_t line)
{
	const struct level *only = shared->level;
	const struct latency_result *hit;

	if (shared->end == only + 1)
		return &shared->single[use_line(set_of(only, line), only->ways, line)];
	hit = look_up(only, shared->end, line);
	return hit ? hit : &shared->miss;
}

/* Own levels from `level` on, then those that all share. */
static __attribute__((noinline)) const struct latency_result *
look_further(const struct caches *own, const struct level *level, const struct caches *shared,
	     uint64_t line)
{
	const struct latency_result *hit = look_up(level, own->end, line);

	return hit ? hit : look_up_shared(shared, line);
}

static void read_each(const struct caches *own, const struct caches *shared,
		      const struct latency_query *query, uint32_t n, struct latency_result *found)
{
	for (uint32_t i = 0; i < n; i++) {
		found[i] = shared->miss;
		if (query[i].cacheable)
			found[i] =
				*look_further(own, own->level, shared, query[i].pa.v >> LINE_BITS);
	}
}

/* Most reads find their line in the first level, where it was used last of its set. */
static void read_all(void *own, void *shared, const struct latency_query *query, uint32_t n,
		     struct latency_result *found)
{
	const struct caches *private = own, *common = shared;
	const struct level first = private->level[0];

	if (!private->first_masked) {
		read_each(private, common, query, n, found);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t line = query[i].pa.v >> LINE_BITS;
		uint64_t *set = first.tag + (line & first.set_mask) * first.ways;

		if (!query[i].cacheable)
			found[i] = common->miss;
		else if (use_line(set, first.ways, line))
			found[i] = first.hit;
		else
			found[i] = *look_further(private, private->level + 1, common, line);
	}
}

static struct latency_result guest_access(void *state, pa_t pa, enum latency_side side)
{
	const struct caches *caches = state;
	const struct level *first = caches->level;
	const struct latency_result *found;

	if (side == LATENCY_FETCH && first < caches->end && first->hit.found_in == FOUND_L1D)
		first++;
	found = look_up(first, caches->end, pa.v >> LINE_BITS);
	return found ? *found : caches->miss;
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

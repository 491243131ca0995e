/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/repl/lru.h"

#include <string.h>

struct lru {
	uint32_t ways;
	uint64_t clock;
	uint64_t stamp[]; /* sets x ways: time of last use, 0 never */
};

static size_t state_bytes(struct repl_geometry geometry)
{
	return sizeof(struct lru) + (size_t)geometry.sets * geometry.ways * sizeof(uint64_t);
}

static void init(void *state, struct repl_geometry geometry, uint64_t seed)
{
	struct lru *lru = state;

	(void)seed;
	memset(lru, 0, state_bytes(geometry));
	lru->ways = geometry.ways;
}

static void touch(void *state, uint32_t set, uint32_t way)
{
	struct lru *lru = state;

	lru->stamp[(size_t)set * lru->ways + way] = ++lru->clock;
}

static uint32_t victim(void *state, uint32_t set)
{
	const struct lru *lru = state;

	return lru_oldest(lru->stamp + (size_t)set * lru->ways, lru->ways);
}

const struct repl_ops repl_lru = {
	.name = "lru",
	.help = "least recently used",
	.run_safe = true,
	.state_bytes = state_bytes,
	.init = init,
	.on_hit = touch,
	.on_fill = touch,
	.victim = victim,
};

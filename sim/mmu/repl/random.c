/* SPDX-License-Identifier: BSD-2-Clause */
/* Uniformly random victim; draws only when a victim is needed, so runs replay exactly. */
#include "mmu/repl.h"

struct random_state {
	uint32_t ways;
	uint64_t x;
};

static size_t state_bytes(struct repl_geometry geometry)
{
	(void)geometry;
	return sizeof(struct random_state);
}

static void init(void *state, struct repl_geometry geometry, uint64_t seed)
{
	struct random_state *r = state;

	r->ways = geometry.ways;
	r->x = seed;
}

static void keep(void *state, uint32_t set, uint32_t way)
{
	(void)state;
	(void)set;
	(void)way;
}

/* splitmix64; the high product half maps 32 random bits to 0..ways-1 without a division. */
static uint32_t victim(void *state, uint32_t set)
{
	struct random_state *r = state;
	uint64_t z = (r->x += UINT64_C(0x9e3779b97f4a7c15));

	(void)set;
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (uint32_t)(((z >> 32) * r->ways) >> 32);
}

const struct repl_ops repl_random = {
	.name = "random",
	.help = "a random way, from the seed",
	.run_safe = true,
	.state_bytes = state_bytes,
	.init = init,
	.on_hit = keep,
	.on_fill = keep,
	.victim = victim,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tree pseudo-LRU: a binary tree of bits over the ways, each pointing to the half used longer ago.
 * With a number of ways that is no power of two, subtrees without ways are never followed.
 */
#include "mmu/repl.h"

#include <string.h>

struct plru {
	uint32_t ways;
	uint32_t leaves; /* ways rounded up to a power of two */
	uint8_t node[];	 /* sets x leaves; node 1 is the root; 1 = the victim is to the right */
};

static uint32_t round_up(uint32_t ways)
{
	uint32_t leaves = 1;

	while (leaves < ways)
		leaves *= 2;
	return leaves;
}

static size_t state_bytes(struct repl_geometry geometry)
{
	return sizeof(struct plru) + (size_t)geometry.sets * round_up(geometry.ways);
}

static void init(void *state, struct repl_geometry geometry, uint64_t seed)
{
	struct plru *plru = state;

	(void)seed;
	memset(plru, 0, state_bytes(geometry));
	plru->ways = geometry.ways;
	plru->leaves = round_up(geometry.ways);
}

static void touch(void *state, uint32_t set, uint32_t way)
{
	struct plru *plru = state;
	uint8_t *node = plru->node + (size_t)set * plru->leaves;

	for (uint32_t n = plru->leaves + way; n > 1; n /= 2)
		node[n / 2] = (n & 1) == 0;
}

static uint32_t victim(void *state, uint32_t set)
{
	const struct plru *plru = state;
	const uint8_t *node = plru->node + (size_t)set * plru->leaves;
	uint32_t n = 1, first = 0, span = plru->leaves;

	/* [first, first + span): the ways below node n. */
	while (n < plru->leaves) {
		span /= 2;
		const bool right = node[n] && first + span < plru->ways;

		n = 2 * n + right;
		first += right ? span : 0;
	}
	return first;
}

const struct repl_ops repl_plru = {
	.name = "plru",
	.help = "tree pseudo-LRU",
	.run_safe = true,
	.state_bytes = state_bytes,
	.init = init,
	.on_hit = touch,
	.on_fill = touch,
	.victim = victim,
};

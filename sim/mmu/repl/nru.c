/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Not recently used: one bit a way, set on hit and fill; when all are set the others are cleared.
 * The victim is the first way whose bit is clear.
 */
#include "mmu/repl.h"

#include <string.h>

struct nru {
	uint32_t ways;
	uint8_t used[]; /* sets x ways */
};

static size_t state_bytes(struct repl_geometry geometry)
{
	return sizeof(struct nru) + (size_t)geometry.sets * geometry.ways;
}

static void init(void *state, struct repl_geometry geometry, uint64_t seed)
{
	struct nru *nru = state;

	(void)seed;
	memset(nru, 0, state_bytes(geometry));
	nru->ways = geometry.ways;
}

static void touch(void *state, uint32_t set, uint32_t way)
{
	struct nru *nru = state;
	uint8_t *used = nru->used + (size_t)set * nru->ways;

	used[way] = 1;
	if (memchr(used, 0, nru->ways))
		return;
	memset(used, 0, nru->ways);
	used[way] = 1;
}

static uint32_t victim(void *state, uint32_t set)
{
	const struct nru *nru = state;
	const uint8_t *used = nru->used + (size_t)set * nru->ways;
	const uint8_t *clear = memchr(used, 0, nru->ways);

	/* With one way its bit is always set: it is the victim. */
	return clear ? (uint32_t)(clear - used) : 0;
}

const struct repl_ops repl_nru = {
	.name = "nru",
	.help = "not recently used, one bit a way",
	.run_safe = true,
	.state_bytes = state_bytes,
	.init = init,
	.on_hit = touch,
	.on_fill = touch,
	.victim = victim,
};

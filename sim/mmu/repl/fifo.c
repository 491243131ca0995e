/* SPDX-License-Identifier: BSD-2-Clause */
/* First in, first out: each set's victims go round its ways. */
#include "mmu/repl.h"

#include <string.h>

struct fifo {
	uint32_t ways;
	uint32_t next[]; /* per set: the way filled longest ago */
};

static size_t state_bytes(struct repl_geometry geometry)
{
	return sizeof(struct fifo) + geometry.sets * sizeof(uint32_t);
}

static void init(void *state, struct repl_geometry geometry, uint64_t seed)
{
	struct fifo *fifo = state;

	(void)seed;
	memset(fifo, 0, state_bytes(geometry));
	fifo->ways = geometry.ways;
}

static void on_hit(void *state, uint32_t set, uint32_t way)
{
	(void)state;
	(void)set;
	(void)way;
}

/* A fill of the way at the head moves the head; a fill of another, freed way keeps the order. */
static void on_fill(void *state, uint32_t set, uint32_t way)
{
	struct fifo *fifo = state;

	if (fifo->next[set] == way)
		fifo->next[set] = way + 1 == fifo->ways ? 0 : way + 1;
}

static uint32_t victim(void *state, uint32_t set)
{
	const struct fifo *fifo = state;

	return fifo->next[set];
}

const struct repl_ops repl_fifo = {
	.name = "fifo",
	.help = "first in, first out",
	.run_safe = true,
	.state_bytes = state_bytes,
	.init = init,
	.on_hit = on_hit,
	.on_fill = on_fill,
	.victim = victim,
};

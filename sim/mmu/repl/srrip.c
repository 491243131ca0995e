/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static re-reference interval prediction, 2 bits, hit priority (Jaleel et al., ISCA 2010). A fill
 * predicts a long interval and the next hit a near one: the hit after a fill changes state, so runs
 * cannot be replayed.
 */
#include "mmu/repl.h"

#include <string.h>

enum { DISTANT = 3, LONG = 2, NEAR = 0 };

struct srrip {
	uint32_t ways;
	uint8_t value[]; /* sets x ways */
};

static size_t state_bytes(struct repl_geometry geometry)
{
	return sizeof(struct srrip) + (size_t)geometry.sets * geometry.ways;
}

static void init(void *state, struct repl_geometry geometry, uint64_t seed)
{
	struct srrip *srrip = state;

	(void)seed;
	srrip->ways = geometry.ways;
	memset(srrip->value, DISTANT, (size_t)geometry.sets * geometry.ways);
}

static void on_hit(void *state, uint32_t set, uint32_t way)
{
	struct srrip *srrip = state;

	srrip->value[(size_t)set * srrip->ways + way] = NEAR;
}

static void on_fill(void *state, uint32_t set, uint32_t way)
{
	struct srrip *srrip = state;

	srrip->value[(size_t)set * srrip->ways + way] = LONG;
}

static uint32_t victim(void *state, uint32_t set)
{
	struct srrip *srrip = state;
	uint8_t *value = srrip->value + (size_t)set * srrip->ways;

	for (;;) {
		const uint8_t *distant = memchr(value, DISTANT, srrip->ways);

		if (distant)
			return (uint32_t)(distant - value);
		for (uint32_t way = 0; way < srrip->ways; way++)
			value[way]++;
	}
}

const struct repl_ops repl_srrip = {
	.name = "srrip",
	.help = "2-bit re-reference interval prediction; needs raw traces",
	.run_safe = false,
	.state_bytes = state_bytes,
	.init = init,
	.on_hit = on_hit,
	.on_fill = on_fill,
	.victim = victim,
};

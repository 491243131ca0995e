/* SPDX-License-Identifier: BSD-2-Clause */
/* Every descriptor read costs the same: walk cycles are then reads times a constant. */
#include "mem/latency.h"

static size_t state_bytes(const struct latency_config *config)
{
	(void)config;
	return sizeof(uint32_t);
}

static void init(void *state, const struct latency_config *config)
{
	*(uint32_t *)state = config->fixed_cycles;
}

static struct latency_result read_fixed(void *state, pa_t pa, bool cacheable)
{
	(void)pa;
	(void)cacheable;
	return (struct latency_result){ .cycles = *(uint32_t *)state, .found_in = FOUND_DRAM };
}

static uint32_t cycles_of(const struct latency_config *config, enum found_in found)
{
	(void)found;
	return config->fixed_cycles;
}

const struct latency_ops latency_fixed = {
	.name = "fixed",
	.help = "latency.fixed_cycles for each descriptor read",
	.state_bytes = state_bytes,
	.init = init,
	.read = read_fixed,
	.cycles = cycles_of,
};

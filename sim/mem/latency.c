/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/latency.h"

#include <stdlib.h>
#include <string.h>

const struct latency_ops *latency_find(const char *name)
{
	for (const struct latency_ops *const *ops = latency_registry; *ops; ops++)
		if (strcmp((*ops)->name, name) == 0)
			return *ops;
	return NULL;
}

struct latency_config latency_private(const struct latency_config *config)
{
	struct latency_config own = *config;

	own.level[FOUND_LLC].size_bytes = 0;
	return own;
}

struct latency_config latency_shared(const struct latency_config *config)
{
	struct latency_config shared = *config;

	shared.level[FOUND_L1D].size_bytes = 0;
	shared.level[FOUND_L2].size_bytes = 0;
	return shared;
}

void *latency_create(const struct latency_ops *ops, const struct latency_config *config)
{
	void *state = malloc(ops->state_bytes(config));

	if (state)
		ops->init(state, config);
	return state;
}

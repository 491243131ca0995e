/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/latency.h"

#include <string.h>

const struct latency_ops *latency_find(const char *name)
{
	for (const struct latency_ops *const *ops = latency_registry; *ops; ops++)
		if (strcmp((*ops)->name, name) == 0)
			return *ops;
	return NULL;
}

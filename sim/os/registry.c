/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/guest.h"
#include "os/host.h"

#include <string.h>

const struct guest_ops *guest_find(const char *name)
{
	for (const struct guest_ops *const *ops = guest_registry; *ops; ops++)
		if (strcmp((*ops)->name, name) == 0)
			return *ops;
	return NULL;
}

const struct host_ops *host_find(const char *name)
{
	for (const struct host_ops *const *ops = host_registry; *ops; ops++)
		if (strcmp((*ops)->name, name) == 0)
			return *ops;
	return NULL;
}

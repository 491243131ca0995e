/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/repl.h"

#include <string.h>

const struct repl_ops *repl_find(const char *name)
{
	for (const struct repl_ops *const *ops = repl_registry; *ops; ops++)
		if (strcmp((*ops)->name, name) == 0)
			return *ops;
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/input.h"

#include <string.h>

#include "mmu/repl.h"

enum trace_granularity input_granularity(const struct config *config)
{
	const char *const names[] = { config->tlb.l1i.replacement, config->tlb.l1d.replacement,
				      config->tlb.l2.replacement };

	for (size_t i = 0; i < 3; i++) {
		const struct repl_ops *policy = repl_find(names[i]);

		if (!policy || !policy->run_safe)
			return TRACE_RAW;
	}
	if (strcmp(config->tlb.inclusion, "inclusive") == 0 ||
	    strcmp(config->walker.merge, "no") == 0)
		return TRACE_RAW;
	return strcmp(config->cache.data, "simulate") == 0 ? TRACE_LINE_RUNS : TRACE_PAGE_RUNS;
}

const char *input_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

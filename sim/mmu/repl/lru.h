/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * True LRU by time stamps. Inline and apart from its table of functions, because the TLBs keep the
 * stamps themselves on their hot path.
 */
#ifndef TWOSTAGE_MMU_REPL_LRU_H
#define TWOSTAGE_MMU_REPL_LRU_H

#include "mmu/repl.h"

/* The way with the oldest of `ways` stamps; the lowest of several. */
static inline uint32_t lru_oldest(const uint64_t *stamp, uint32_t ways)
{
	uint64_t oldest = stamp[0];
	uint32_t victim = 0;

	for (uint32_t way = 1; way < ways; way++) {
		const bool older = stamp[way] < oldest;

		oldest = older ? stamp[way] : oldest;
		victim = older ? way : victim;
	}
	return victim;
}

#endif

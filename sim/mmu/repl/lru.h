/* SPDX-License-Identifier: BSD-2-Clause */
/* True LRU by time stamps; inline, because the TLBs' hot path calls it without the table. */
#ifndef TWOSTAGE_MMU_REPL_LRU_H
#define TWOSTAGE_MMU_REPL_LRU_H

#include "mmu/repl.h"

struct lru {
	uint32_t ways;
	uint64_t clock;
	uint64_t stamp[]; /* sets x ways: time of last use, 0 never */
};

static inline void lru_touch(struct lru *lru, uint32_t set, uint32_t way)
{
	lru->stamp[(size_t)set * lru->ways + way] = ++lru->clock;
}

static inline uint32_t lru_victim(const struct lru *lru, uint32_t set)
{
	const uint64_t *stamp = lru->stamp + (size_t)set * lru->ways;
	uint64_t oldest = stamp[0];
	uint32_t victim = 0;

	for (uint32_t way = 1; way < lru->ways; way++) {
		const bool older = stamp[way] < oldest;

		oldest = older ? stamp[way] : oldest;
		victim = older ? way : victim;
	}
	return victim;
}

#endif

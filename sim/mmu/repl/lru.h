/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * True LRU by time stamps, for caches that keep the stamps themselves: a new stamp is larger than
 * all before it, and a use of a way is no more than a new stamp.
 */
#ifndef TWOSTAGE_MMU_REPL_LRU_H
#define TWOSTAGE_MMU_REPL_LRU_H

#include <stdbool.h>
#include <stdint.h>

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

/* lru_oldest() as a function that suits the processor; each gives the same. Stamps below 2^63. */
typedef uint32_t lru_find(const uint64_t *stamp, uint32_t ways);
enum lru_width { LRU_PLAIN, LRU_WIDEST };
lru_find *lru_finder(enum lru_width width);

/*
 * Victims of one set of very many ways, without a pass over them for each: the ways sorted by stamp
 * once, then taken in that order. A way whose stamp has changed since is passed over, since it is
 * now younger than all that were sorted; when none is left they are sorted again. Exactly LRU.
 */
struct lru_queue {
	uint32_t ways, at; /* at = ways: to be sorted */
	struct lru_turn {
		uint64_t stamp;
		uint32_t way;
	} turn[];
};

/* Bytes of a queue for so many ways, and its start. */
static inline uint64_t lru_queue_bytes(uint32_t ways)
{
	return sizeof(struct lru_queue) + ways * sizeof(struct lru_turn);
}

static inline void lru_queue_init(struct lru_queue *queue, uint32_t ways)
{
	queue->ways = queue->at = ways;
	for (uint32_t way = 0; way < ways; way++)
		queue->turn[way] = (struct lru_turn){ .way = way };
}

/* The way with the oldest stamp, all ways being in use. */
uint32_t lru_queue_oldest(struct lru_queue *queue, const uint64_t *stamp);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * True LRU by time stamps, for caches that keep the stamps themselves: a new stamp is larger than
 * all before it, and a use of a way is no more than a new stamp.
 */
#ifndef TWOSTAGE_MMU_REPL_LRU_H
#define TWOSTAGE_MMU_REPL_LRU_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t lru_oldest_of(const uint64_t *stamp, uint32_t ways)
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

/* The way with the oldest of `ways` stamps; the lowest of several. The usual numbers unrolled. */
static inline uint32_t lru_oldest(const uint64_t *stamp, uint32_t ways)
{
	return ways == 5   ? lru_oldest_of(stamp, 5)
	       : ways == 4 ? lru_oldest_of(stamp, 4)
	       : ways == 8 ? lru_oldest_of(stamp, 8)
			   : lru_oldest_of(stamp, ways);
}

/* lru_oldest() as a function that suits the processor; each gives the same. Stamps below 2^63. */
typedef uint32_t lru_find(const uint64_t *stamp, uint32_t ways);
enum lru_width {
	LRU_PLAIN,
	LRU_AVX2,
	LRU_WIDEST
}; /* how wide compares may be, where there are such */
lru_find *lru_finder(enum lru_width width);

/*
 * Victims of one set of up to LRU_TURNS_MOST ways, mostly without a pass over their stamps: all
 * ways in a ring, in the order of stamps as they were noted when each got its place. Stamps only
 * grow, so the first whose stamp is still the one noted is the oldest of all; one used meanwhile
 * moves to where it now belongs. Exactly LRU. Stamps below 2^56.
 */
enum { LRU_TURNS_MOST = 255 };

struct lru_turns {
	uint32_t ways, first; /* the ring begins there, and ends before it */
	uint64_t filled;      /* stamp of the last fill */
	uint64_t pace;	      /* how many stamps the last 16 or so fills took */
	lru_find *pass;
	uint64_t turn[]; /* stamp << 8 | way */
};

static inline uint64_t lru_turns_bytes(uint32_t ways)
{
	return sizeof(struct lru_turns) + ways * sizeof(uint64_t);
}

/* Of ways that were never used. */
void lru_turns_init(struct lru_turns *turns, uint32_t ways);

/* The way whose turn is the first, */
static inline uint32_t lru_turns_way(const struct lru_turns *turns)
{
	return turns->turn[turns->first] & 255;
}

/* and whether it is the one with the oldest stamp, all ways being in use. */
static inline bool lru_turns_are_right(const struct lru_turns *turns, const uint64_t *stamp)
{
	return stamp[lru_turns_way(turns)] == turns->turn[turns->first] >> 8;
}

/* The way with the oldest stamp, be it the first of the ring or not; all ways being in use. */
uint32_t lru_turns_settle(struct lru_turns *turns, const uint64_t *stamp);

/* A way was filled. The newest stamp of all is its own; the victim's turn becomes the last. */
static inline void lru_turns_fill(struct lru_turns *turns, uint32_t way, uint64_t stamp)
{
	uint64_t *turn = &turns->turn[turns->first];

	turns->pace += stamp - turns->filled - turns->pace / 16;
	turns->filled = stamp;
	if ((*turn & 255) != way)
		return;
	*turn = stamp << 8 | way;
	turns->first = turns->first + 1 == turns->ways ? 0 : turns->first + 1;
}

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

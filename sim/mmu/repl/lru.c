/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/repl/lru.h"

#include <string.h>

#include "mmu/repl.h"

struct lru {
	uint32_t ways;
	uint64_t clock;
	uint64_t stamp[]; /* sets x ways: time of last use, 0 never */
};

/* With so many stamps to 16 fills or more the ring is seldom right, and its upkeep in vain. */
enum { BUSY_PACE = 16 * 2 };

/* From so many ways on that were used meanwhile a pass over all stamps is cheaper. */
enum { SETTLED_MOST = 4 };

void lru_turns_init(struct lru_turns *turns, uint32_t ways)
{
	turns->ways = ways;
	turns->first = 0;
	turns->filled = 0;
	turns->pace = 0;
	turns->pass = lru_finder(LRU_WIDEST);
	for (uint32_t way = 0; way < ways; way++)
		turns->turn[way] = way;
}

/* The first of the ring gets the place that its stamp of now gives it, behind all older ones. */
static void settle_first(struct lru_turns *turns, uint64_t now)
{
	const uint32_t last = turns->ways - 1, begin = turns->first == last ? 0 : turns->first + 1;
	uint32_t at = turns->first;

	turns->first = begin;
	while (at != begin) {
		const uint32_t before = at ? at - 1 : last;

		if (turns->turn[before] < now)
			break;
		turns->turn[at] = turns->turn[before];
		at = before;
	}
	turns->turn[at] = now;
}

uint32_t lru_turns_settle(struct lru_turns *turns, const uint64_t *stamp)
{
	const uint32_t most = turns->pace < BUSY_PACE ? SETTLED_MOST : 0;

	for (uint32_t settled = 0; settled < most; settled++) {
		const uint64_t turn = turns->turn[turns->first];
		const uint32_t way = turn & 255;

		if (stamp[way] == turn >> 8)
			return way;
		settle_first(turns, stamp[way] << 8 | way);
	}
	return turns->pass(stamp, turns->ways);
}

/*
 * Shell sort: in place, and nearly linear when the order is nearly that of the last time, as it is
 * after a round of misses.
 */
static void sort_turns(struct lru_turn *turn, uint32_t n)
{
	static const uint32_t gaps[] = { 1750, 701, 301, 132, 57, 23, 10, 4, 1 };

	for (unsigned g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
		const uint32_t gap = gaps[g];

		for (uint32_t i = gap; i < n; i++) {
			const struct lru_turn moved = turn[i];
			uint32_t j = i;

			for (; j >= gap && turn[j - gap].stamp > moved.stamp; j -= gap)
				turn[j] = turn[j - gap];
			turn[j] = moved;
		}
	}
}

/* A round of misses without hits leaves the turns sorted, which is cheap to see. */
static bool sorted(const struct lru_turn *turn, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (turn[i - 1].stamp > turn[i].stamp)
			return false;
	return true;
}

uint32_t lru_queue_oldest(struct lru_queue *queue, const uint64_t *stamp)
{
	for (;;) {
		while (queue->at < queue->ways) {
			const struct lru_turn *turn = &queue->turn[queue->at++];

			if (stamp[turn->way] == turn->stamp)
				return turn->way;
		}
		for (uint32_t i = 0; i < queue->ways; i++)
			queue->turn[i].stamp = stamp[queue->turn[i].way];
		if (!sorted(queue->turn, queue->ways))
			sort_turns(queue->turn, queue->ways);
		queue->at = 0;
	}
}

static size_t state_bytes(struct repl_geometry geometry)
{
	return sizeof(struct lru) + (size_t)geometry.sets * geometry.ways * sizeof(uint64_t);
}

static void init(void *state, struct repl_geometry geometry, uint64_t seed)
{
	struct lru *lru = state;

	(void)seed;
	memset(lru, 0, state_bytes(geometry));
	lru->ways = geometry.ways;
}

static void touch(void *state, uint32_t set, uint32_t way)
{
	struct lru *lru = state;

	lru->stamp[(size_t)set * lru->ways + way] = ++lru->clock;
}

static uint32_t victim(void *state, uint32_t set)
{
	const struct lru *lru = state;

	return lru_oldest(lru->stamp + (size_t)set * lru->ways, lru->ways);
}

const struct repl_ops repl_lru = {
	.name = "lru",
	.help = "least recently used",
	.run_safe = true,
	.state_bytes = state_bytes,
	.init = init,
	.on_hit = touch,
	.on_fill = touch,
	.victim = victim,
};

/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/bound.h"

#include <stdlib.h>
#include <string.h>

enum {
	L1_ENTRIES = 48,
	L2_SETS = 256,
	L2_WAYS = 5,
	HINTS = 1024,
	WALK_READS = 4, /* through small walk caches; uncached it would be 24 */
	TABLE_WORDS = 1 << 21,
};

/* Fully associative, LRU by time stamps; a direct-mapped hint says where a page was seen last. */
struct l1 {
	uint64_t page[L1_ENTRIES];
	uint64_t used[L1_ENTRIES];
	uint8_t hint[HINTS];
};

struct l2 {
	uint64_t page[L2_SETS][L2_WAYS];
	uint64_t used[L2_SETS][L2_WAYS];
};

struct bound {
	struct l1 l1[2]; /* by enum trace_stream */
	struct l2 l2;
	uint64_t clock;
	struct bound_counts counts;
	uint64_t *table;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 29;
}

struct bound *bound_create(void)
{
	struct bound *bound = calloc(1, sizeof(*bound));

	if (!bound)
		return NULL;
	bound->table = malloc(TABLE_WORDS * sizeof(*bound->table));
	if (!bound->table) {
		free(bound);
		return NULL;
	}
	for (uint64_t i = 0; i < TABLE_WORDS; i++)
		bound->table[i] = mix(i + 1);
	memset(bound->l1, 0xff, sizeof(bound->l1)); /* no page has this number */
	memset(bound->l1[0].used, 0, sizeof(bound->l1[0].used));
	memset(bound->l1[1].used, 0, sizeof(bound->l1[1].used));
	memset(bound->l1[0].hint, 0, sizeof(bound->l1[0].hint));
	memset(bound->l1[1].hint, 0, sizeof(bound->l1[1].hint));
	memset(bound->l2.page, 0xff, sizeof(bound->l2.page));
	return bound;
}

void bound_free(struct bound *bound)
{
	if (bound)
		free(bound->table);
	free(bound);
}

const struct bound_counts *bound_counts(const struct bound *bound)
{
	return &bound->counts;
}

/* Reads that depend on each other, as a walk's do. */
static void walk(struct bound *bound, uint64_t page)
{
	uint64_t word = page;

	for (int i = 0; i < WALK_READS; i++)
		word = bound->table[mix(word ^ (page >> (9 * (WALK_READS - 1 - i)))) % TABLE_WORDS];
	bound->counts.checksum += word;
}

static void look_up_l2(struct bound *bound, uint64_t page)
{
	uint64_t *pages = bound->l2.page[page % L2_SETS];
	uint64_t *used = bound->l2.used[page % L2_SETS];
	int oldest = 0;

	for (int way = 0; way < L2_WAYS; way++) {
		if (pages[way] == page) {
			used[way] = bound->clock;
			return;
		}
		if (used[way] < used[oldest])
			oldest = way;
	}
	bound->counts.l2_misses++;
	pages[oldest] = page;
	used[oldest] = bound->clock;
	walk(bound, page);
}

static void miss_l1(struct bound *bound, int stream, uint64_t page)
{
	struct l1 *l1 = &bound->l1[stream];
	int oldest = 0;

	for (int i = 0; i < L1_ENTRIES; i++) {
		if (l1->page[i] == page) {
			l1->used[i] = bound->clock;
			l1->hint[mix(page) % HINTS] = (uint8_t)i;
			return;
		}
		if (l1->used[i] < l1->used[oldest])
			oldest = i;
	}
	bound->counts.l1_misses[stream]++;
	l1->page[oldest] = page;
	l1->used[oldest] = bound->clock;
	l1->hint[mix(page) % HINTS] = (uint8_t)oldest;
	look_up_l2(bound, page);
}

void bound_replay(struct bound *bound, const struct trace_block *block)
{
	for (uint32_t r = 0; r < block->n_records; r++) {
		const struct trace_key *key = &block->keys[block->key[r]];
		struct l1 *l1 = &bound->l1[key->stream];
		uint64_t page = key->va >> 12;
		uint8_t slot = l1->hint[mix(page) % HINTS];

		bound->clock++;
		if (l1->page[slot] == page)
			l1->used[slot] = bound->clock;
		else
			miss_l1(bound, key->stream, page);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/bound.h"

#include <stdlib.h>
#include <string.h>

enum {
	L1_ENTRIES = 48,
	L2_SETS = 256,
	L2_WAYS = 5,
	WORD_HINTS = 4096,
	WALK_READS = 4, /* through small walk caches; uncached it would be 24 */
	TABLE_WORDS = 1 << 21,
};

/* Both L1 TLBs in one array each, fetch first: fully associative, LRU by time stamps. */
struct l1 {
	uint64_t page[2 * L1_ENTRIES];
	uint64_t used[2 * L1_ENTRIES];
};

/* What the hot loop needs to know of a key of a block. */
struct hint {
	uint64_t page;
	uint32_t slot;	/* in which it was seen last */
	uint32_t first; /* slot of its TLB */
};

struct l2 {
	uint64_t page[L2_SETS][L2_WAYS];
	uint64_t used[L2_SETS][L2_WAYS];
};

struct bound {
	struct l1 l1;
	struct l2 l2;
	uint64_t clock;
	struct hint hint[TRACE_BLOCK_RECORDS]; /* by key of the block */
	uint64_t last[2]; /* of words: the page of the access before, by stream */
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
	memset(bound->last, 0xff, sizeof(bound->last));
	memset(bound->l1.page, 0xff, sizeof(bound->l1.page)); /* no page has this number */
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

/* Reads that depend on each other, as a walk's do; neighbours share all but the last. */
static void walk(struct bound *bound, uint64_t page)
{
	uint64_t word = 0;

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

/* The slot that now holds the page. Two plain loops, which compilers turn into vector code. */
static uint32_t look_up_l1(struct bound *bound, uint32_t first, uint64_t page)
{
	uint64_t *pages = &bound->l1.page[first];
	const uint64_t *used = &bound->l1.used[first];
	uint32_t found = L1_ENTRIES, oldest = 0;

	for (uint32_t i = 0; i < L1_ENTRIES; i++)
		found = pages[i] == page ? i : found;
	if (found < L1_ENTRIES)
		return first + found;
	for (uint32_t i = 1; i < L1_ENTRIES; i++)
		oldest = used[i] < used[oldest] ? i : oldest;
	bound->counts.l1_misses[first != 0]++;
	pages[oldest] = page;
	look_up_l2(bound, page);
	return first + oldest;
}

void bound_replay(struct bound *bound, const struct trace_block *block)
{
	uint64_t clock = bound->clock;

	for (uint32_t k = 0; k < block->n_keys; k++) {
		uint32_t first = block->keys[k].stream == STREAM_DATA ? L1_ENTRIES : 0;

		bound->hint[k] = (struct hint){ block->keys[k].va >> 12, first, first };
	}
	for (uint32_t r = 0; r < block->n_records; r++) {
		struct hint *hint = &bound->hint[block->key[r]];

		clock++;
		if (bound->l1.page[hint->slot] != hint->page) {
			bound->clock = clock;
			hint->slot = look_up_l1(bound, hint->first, hint->page);
		}
		bound->l1.used[hint->slot] = clock;
	}
	bound->clock = clock;
}

void bound_replay_words(struct bound *bound, const uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned stream = (words[i] >> 49 & 3) ? STREAM_DATA : STREAM_FETCH;
		const uint64_t page = words[i] << 15 >> 27;
		struct hint *hint;

		if (page == bound->last[stream])
			continue;
		bound->last[stream] = page;
		hint = &bound->hint[(mix(page) + stream) % WORD_HINTS];
		bound->clock++;
		if (hint->page != page || bound->l1.page[hint->slot] != page ||
		    hint->first != stream * L1_ENTRIES) {
			hint->page = page;
			hint->first = stream * L1_ENTRIES;
			hint->slot = look_up_l1(bound, hint->first, page);
		}
		bound->l1.used[hint->slot] = bound->clock;
	}
}

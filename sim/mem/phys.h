/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Simulated physical memory: sparse, 52-bit, little-endian 64-bit words. Only pages that were
 * written take host memory (translation tables; data pages have no contents); the rest reads 0.
 * Pages of a memory image may be lent to it.
 */
#ifndef TWOSTAGE_MEM_PHYS_H
#define TWOSTAGE_MEM_PHYS_H

#include <stddef.h>

#include "arch/types.h"

#define PHYS_PAGE_BITS 12

/*
 * Open hash table of 4 KiB pages. Four neighbouring pages share a bucket of one host cache line,
 * since table pages are mostly allocated next to each other. The layout is visible only so that
 * reads can be inlined.
 */
struct phys_slot {
	uint64_t key;	 /* page number + 1; 0: empty */
	uint64_t *words; /* 512 */
};

enum phys_change {
	PHYS_WRITTEN, /* one word */
	PHYS_MAPPED,  /* the page of pa has other contents */
	PHYS_FREED,   /* it has none */
};

/* Told of each change as it is made; changed = NULL: nobody is. */
struct phys_watch {
	void (*changed)(void *ctx, enum phys_change change, pa_t pa, uint64_t value);
	void *ctx;
};

struct phys_mem {
	struct phys_slot *slots; /* a power of two, never full */
	unsigned hash_shift;	 /* 64 - log2 of the number of buckets */
	size_t slot_mask;
	unsigned abort_ranges;
	uint64_t replaced; /* so many times phys_words() of some page became others */
	struct phys_private *private;
	struct phys_watch watch;
	struct near_entries *near; /* mem/near.h */
	uint64_t near_owners;
};

/* Returns NULL when out of memory. */
struct phys_mem *phys_create(void);
void phys_destroy(struct phys_mem *mem);

/* Forget all contents and abort ranges, keep the allocation for reuse. */
void phys_reset(struct phys_mem *mem);

/* Accesses to [first, end) give a synchronous External abort. At most 8 ranges; false if full. */
bool phys_add_abort_range(struct phys_mem *mem, pa_t first, pa_t end);
bool phys_aborts(const struct phys_mem *mem, pa_t pa);

/* First slot to look at for a page number. */
static inline size_t phys_slot_of(const struct phys_mem *mem, uint64_t page)
{
	uint64_t hash = (page >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> mem->hash_shift;

	return (size_t)(hash << 2 | (page & 3));
}

/*
 * The 512 words of the page of pa, NULL if it was never written. They are what phys_read64() and
 * phys_write64() see until the page is freed or mapped elsewhere. To be written by phys_put64().
 */
static inline uint64_t *phys_page(const struct phys_mem *mem, pa_t pa)
{
	uint64_t page = pa.v >> PHYS_PAGE_BITS;
	size_t i = phys_slot_of(mem, page);

	for (;;) {
		const struct phys_slot *slot = &mem->slots[i];

		if (slot->key == page + 1)
			return slot->words;
		if (slot->key == 0)
			return NULL;
		i = (i + 1) & mem->slot_mask;
	}
}

/* The same to be read. */
static inline const uint64_t *phys_words(const struct phys_mem *mem, pa_t pa)
{
	return phys_page(mem, pa);
}

/* 64-bit word at pa, which must be 8-byte aligned. */
static inline uint64_t phys_read64(const struct phys_mem *mem, pa_t pa)
{
	const uint64_t *words = phys_words(mem, pa);

	return words ? words[pa.v >> 3 & 511] : 0;
}

/* False when out of memory. */
bool phys_write64(struct phys_mem *mem, pa_t pa, uint64_t value);

/* phys_write64() to a page whose words are known. */
static inline void phys_put64(const struct phys_mem *mem, uint64_t *words, pa_t pa, uint64_t value)
{
	if (mem->watch.changed)
		mem->watch.changed(mem->watch.ctx, PHYS_WRITTEN, pa, value);
	words[pa.v >> 3 & 511] = value;
}

/*
 * The 4 KiB page of pa has its contents at `words` (512), which stay the caller's and must outlive
 * the memory's use of them; writes go there. What the page held is lost. phys_free_page() and
 * phys_reset() forget it. False when out of memory.
 */
bool phys_map_page(struct phys_mem *mem, pa_t pa, uint64_t *words);

/* Give the 4 KiB page of pa back, contents lost. No effect on a page never written. */
void phys_free_page(struct phys_mem *mem, pa_t pa);

/* All words that are not 0, in any order. */
void phys_visit(const struct phys_mem *mem, void (*visit)(void *ctx, pa_t pa, uint64_t value),
		void *ctx);

#endif

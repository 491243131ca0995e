/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/phys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mem/near.h"

#define PAGE_BYTES	(UINT64_C(1) << PHYS_PAGE_BITS)
#define PAGE_WORDS	(PAGE_BYTES / 8)
#define FIRST_PAGES	16  /* a test case needs no more */
#define CHUNK_PAGES	512 /* 2 MiB: one huge page of the host */
#define FIRST_SLOT_BITS 8
#define ABORT_RANGES	8

/* Host memory of pages, kept until the end. */
struct chunk {
	struct chunk *next;
	uint64_t *words; /* pages x PAGE_WORDS */
	size_t pages;
};

struct phys_private {
	unsigned slot_bits;
	size_t used;	      /* slots */
	size_t lent;	      /* of these, pages whose words are the caller's */
	struct chunk *chunks; /* newest first */
	size_t chunk_used;    /* pages handed out of the newest */
	uint64_t *free_pages; /* list through the first word, which holds a host pointer */
	struct {
		uint64_t first, end;
	} abort[ABORT_RANGES];
};

static void set_slots(struct phys_mem *mem, struct phys_slot *slots, unsigned slot_bits)
{
	mem->slots = slots;
	mem->slot_mask = ((size_t)1 << slot_bits) - 1;
	mem->hash_shift = 64 - (slot_bits - 2);
	mem->private->slot_bits = slot_bits;
}

struct phys_mem *phys_create(void)
{
	struct phys_mem *mem = calloc(1, sizeof(*mem));
	struct phys_private *private = calloc(1, sizeof(*private));
	struct phys_slot *slots = calloc((size_t)1 << FIRST_SLOT_BITS, sizeof(*slots));
	struct near_entries *near = calloc(NEAR_PLACES, sizeof(*near));

	if (!mem || !private || !slots || !near) {
		free(mem);
		free(private);
		free(slots);
		free(near);
		return NULL;
	}
	mem->private = private;
	mem->near = near;
	set_slots(mem, slots, FIRST_SLOT_BITS);
	return mem;
}

void phys_destroy(struct phys_mem *mem)
{
	if (!mem)
		return;
	for (struct chunk *c = mem->private->chunks, *next; c; c = next) {
		next = c->next;
		free(c->words);
		free(c);
	}
	free(mem->slots);
	free(mem->near);
	free(mem->private);
	free(mem);
}

static uint64_t *next_free(const uint64_t *page)
{
	uint64_t *next;

	memcpy(&next, page, sizeof(next));
	return next;
}

/* Is the page out of our chunks? Only asked while pages are lent to us. */
static bool is_own(const struct phys_private *private, const uint64_t *page)
{
	const uintptr_t at = (uintptr_t)page;

	for (const struct chunk *c = private->chunks; c; c = c->next) {
		if (at - (uintptr_t)c->words < c->pages * PAGE_BYTES)
			return true;
	}
	return false;
}

static void release_page(struct phys_private *private, uint64_t *page)
{
	if (private->lent && !is_own(private, page)) {
		private->lent--;
		return;
	}
	memcpy(page, &private->free_pages, sizeof(private->free_pages));
	private->free_pages = page;
}

/*
 * Walks read descriptors all over the tables: huge pages keep the host's own TLB from missing on
 * each read. A kernel without them ignores the advice.
 */
static bool add_chunk(struct phys_private *private)
{
	const size_t pages = private->chunks ? CHUNK_PAGES : FIRST_PAGES;
	struct chunk *chunk = malloc(sizeof(*chunk));

	if (!chunk)
		return false;
	chunk->pages = pages;
	chunk->words = aligned_alloc(pages * PAGE_BYTES, pages * PAGE_BYTES);
	if (!chunk->words) {
		free(chunk);
		return false;
	}
	if (pages == CHUNK_PAGES)
		madvise(chunk->words, pages * PAGE_BYTES, MADV_HUGEPAGE);
	chunk->next = private->chunks;
	private->chunks = chunk;
	private->chunk_used = 0;
	return true;
}

/* A zeroed page, or NULL. */
static uint64_t *take_page(struct phys_private *private)
{
	uint64_t *page = private->free_pages;

	if (page) {
		private->free_pages = next_free(page);
	} else {
		if ((!private->chunks || private->chunk_used == private->chunks->pages) &&
		    !add_chunk(private))
			return NULL;
		page = private->chunks->words + private->chunk_used++ * PAGE_WORDS;
	}
	memset(page, 0, PAGE_BYTES);
	return page;
}

void phys_reset(struct phys_mem *mem)
{
	struct phys_private *private = mem->private;

	/* An empty table needs no pass over its slots; a small case is reset often. */
	for (size_t i = 0; private->used > 0 && i <= mem->slot_mask; i++) {
		if (mem->slots[i].key == 0)
			continue;
		release_page(private, mem->slots[i].words);
		mem->slots[i] = (struct phys_slot){ 0, NULL };
		private->used--;
	}
	mem->abort_ranges = 0;
	mem->replaced++;
}

bool phys_add_abort_range(struct phys_mem *mem, pa_t first, pa_t end)
{
	if (mem->abort_ranges == ABORT_RANGES)
		return false;
	mem->private->abort[mem->abort_ranges].first = first.v;
	mem->private->abort[mem->abort_ranges].end = end.v;
	mem->abort_ranges++;
	return true;
}

bool phys_aborts(const struct phys_mem *mem, pa_t pa)
{
	for (unsigned i = 0; i < mem->abort_ranges; i++) {
		if (pa.v >= mem->private->abort[i].first && pa.v < mem->private->abort[i].end)
			return true;
	}
	return false;
}

/* The slot that holds the page, or the empty one where it would go. */
static struct phys_slot *find_slot(const struct phys_mem *mem, uint64_t page)
{
	size_t i = phys_slot_of(mem, page);

	while (mem->slots[i].key != 0 && mem->slots[i].key != page + 1)
		i = (i + 1) & mem->slot_mask;
	return &mem->slots[i];
}

static bool grow(struct phys_mem *mem)
{
	unsigned slot_bits = mem->private->slot_bits + 1;
	struct phys_slot *old = mem->slots;
	size_t old_count = mem->slot_mask + 1;
	struct phys_slot *slots = calloc((size_t)1 << slot_bits, sizeof(*slots));

	if (!slots)
		return false;
	set_slots(mem, slots, slot_bits);
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].key != 0)
			*find_slot(mem, old[i].key - 1) = old[i];
	}
	free(old);
	return true;
}

/* Puts a page into the empty slot that find_slot() gave for it; false when out of memory. */
static bool fill_slot(struct phys_mem *mem, struct phys_slot *slot, uint64_t page, uint64_t *words)
{
	if (mem->private->used >= mem->slot_mask / 2) {
		if (!grow(mem))
			return false;
		slot = find_slot(mem, page);
	}
	*slot = (struct phys_slot){ page + 1, words };
	mem->private->used++;
	return true;
}

static void tell(const struct phys_mem *mem, enum phys_change change, pa_t pa, uint64_t value)
{
	if (mem->watch.changed)
		mem->watch.changed(mem->watch.ctx, change, pa, value);
}

bool phys_write64(struct phys_mem *mem, pa_t pa, uint64_t value)
{
	uint64_t page = pa.v >> PHYS_PAGE_BITS;
	struct phys_slot *slot = find_slot(mem, page);

	tell(mem, PHYS_WRITTEN, pa, value);

	if (slot->key == 0) {
		uint64_t *words;

		if (value == 0)
			return true;
		words = take_page(mem->private);
		if (!words)
			return false;
		words[pa.v >> 3 & 511] = value;
		if (fill_slot(mem, slot, page, words))
			return true;
		release_page(mem->private, words);
		return false;
	}
	slot->words[pa.v >> 3 & 511] = value;
	return true;
}

bool phys_map_page(struct phys_mem *mem, pa_t pa, uint64_t *words)
{
	const uint64_t page = pa.v >> PHYS_PAGE_BITS;
	struct phys_slot *slot = find_slot(mem, page);

	if (slot->key != 0) {
		release_page(mem->private, slot->words);
		mem->replaced++;
		slot->words = words;
	} else if (!fill_slot(mem, slot, page, words)) {
		return false;
	}
	tell(mem, PHYS_MAPPED, pa, 0);
	mem->private->lent++;
	return true;
}

void phys_free_page(struct phys_mem *mem, pa_t pa)
{
	struct phys_slot *slot = find_slot(mem, pa.v >> PHYS_PAGE_BITS);
	size_t hole, i;

	if (slot->key == 0)
		return;
	tell(mem, PHYS_FREED, pa, 0);
	mem->replaced++;
	release_page(mem->private, slot->words);
	mem->private->used--;
	/* Close the gap: each later page of the run moves back if its own place is not behind it.
	 */
	hole = (size_t)(slot - mem->slots);
	for (i = (hole + 1) & mem->slot_mask; mem->slots[i].key != 0;
	     i = (i + 1) & mem->slot_mask) {
		size_t home = phys_slot_of(mem, mem->slots[i].key - 1);

		if (((i - home) & mem->slot_mask) < ((i - hole) & mem->slot_mask))
			continue;
		mem->slots[hole] = mem->slots[i];
		hole = i;
	}
	mem->slots[hole] = (struct phys_slot){ 0, NULL };
}

void phys_visit(const struct phys_mem *mem, void (*visit)(void *ctx, pa_t pa, uint64_t value),
		void *ctx)
{
	for (size_t i = 0; i <= mem->slot_mask; i++) {
		const struct phys_slot *slot = &mem->slots[i];

		for (uint64_t word = 0; slot->key && word < PAGE_WORDS; word++)
			if (slot->words[word])
				visit(ctx, pa_of((slot->key - 1) << PHYS_PAGE_BITS | word << 3),
				      slot->words[word]);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fully associative LRU TLBs of every size at once: the stack of their pages, most recently used
 * first. A page found at depth d hits in each TLB of d entries or more (Mattson et al., 1970).
 *
 * A page that is invalidated leaves a hole at its depth: an entry free in each TLB that held it. A
 * TLB fills a free entry before it evicts, so the hole nearest the top takes the shift of the next
 * access from below it; the page that came up from there leaves the hole in its place.
 *
 * Each access has a time slot; a bit for each slot that is some page's last or a hole. The depth of
 * a page is the number of bits from its slot on. Time begins anew when the slots are used up.
 */
#ifndef TWOSTAGE_MMU_LRU_STACK_H
#define TWOSTAGE_MMU_LRU_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LRU_STACK_NONE UINT32_MAX

/* Instead of a slot. */
enum { LRU_STACK_NEVER = 0 };	     /* the page was not used yet */
#define LRU_STACK_DROPPED UINT32_MAX /* it was invalidated */

struct lru_stack {
	/* Pages by number, in the order in which they were named. */
	uint32_t pages, max_pages; /* how many; room for them */
	uint64_t *key;
	uint32_t *time;	 /* slot of the last use */
	uint32_t *table; /* hash of the keys: number of the page + 1, or 0; 2 * max_pages */
	/* Slots: 1 to `clock` are used of `slots`. */
	uint32_t clock, slots;
	uint32_t set;	/* bits that are 1: pages in the stack, and holes */
	uint32_t live;	/* pages in the stack */
	uint32_t top;	/* group of `clock`; those before it are in the tree */
	uint32_t last;	/* page on top, or LRU_STACK_NONE */
	uint64_t *bits; /* by slot */
	uint32_t *tree; /* Fenwick tree over the numbers of bits by group of slots, from 1 */
	uint32_t *hole; /* slots of holes, a heap with the latest first */
	uint32_t holes;
	uint64_t *reuses; /* by depth from 1: accesses that found their page there */
	uint64_t first_uses, dropped_uses; /* accesses to pages never used, or invalidated since */
};

/* False: out of memory; fini() is harmless then. */
bool lru_stack_init(struct lru_stack *stack);
void lru_stack_fini(struct lru_stack *stack);

/* Number of the page with this key, which need not have been used; LRU_STACK_NONE: no memory. */
uint32_t lru_stack_name(struct lru_stack *stack, uint64_t key);

/* The same if it has one, else LRU_STACK_NONE. */
uint32_t lru_stack_find(const struct lru_stack *stack, uint64_t key);

/* An access to a page that is not on top. */
void lru_stack_use(struct lru_stack *stack, uint32_t page);

static inline void lru_stack_access(struct lru_stack *stack, uint32_t page)
{
	if (page == stack->last)
		stack->reuses[1]++;
	else
		lru_stack_use(stack, page);
}

/*
 * Fetch into the host's caches what an access to the page will want, in two steps some accesses
 * apart. Of use for stacks that exceed them.
 */
enum lru_stack_step { LRU_STACK_TIME, LRU_STACK_BITS };

static inline void lru_stack_prefetch(const struct lru_stack *stack, uint32_t page,
				      enum lru_stack_step step)
{
	if (step == LRU_STACK_TIME)
		__builtin_prefetch(&stack->time[page], 1);
	else if (stack->time[page] < stack->slots)
		__builtin_prefetch(&stack->bits[stack->time[page] >> 6], 1);
}

/* The same for lru_stack_name() and lru_stack_find(). */
void lru_stack_prefetch_name(const struct lru_stack *stack, uint64_t key);

/* The page is invalidated; nothing happens if it is not in the stack. */
void lru_stack_drop(struct lru_stack *stack, uint32_t page);

/* Bytes of memory that it takes. */
size_t lru_stack_bytes(const struct lru_stack *stack);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/lru_stack.h"

#include <stdlib.h>
#include <string.h>

enum {
	WORD_BITS = 6,	/* log2 of the slots in a word */
	GROUP_BITS = 9, /* of the slots in a group: the bits of a cache line */
	GROUP_WORDS = 1 << (GROUP_BITS - WORD_BITS),
	MIN_PAGES = 512,
	SLOTS_PER_PAGE = 8,   /* time begins anew once in so many accesses a page, or later */
	MAX_PAGES = 1u << 28, /* so that slots have 32 bits */
};

/* Bits that are 1. Not every host that this is built for has an instruction for it. */
static inline uint32_t ones(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

static void toggle(struct lru_stack *stack, uint32_t slot)
{
	stack->bits[slot >> WORD_BITS] ^= UINT64_C(1) << (slot & 63);
}

/* ---- the tree ------------------------------------------------------------------------------ */

static void tree_add(struct lru_stack *stack, uint32_t group, uint32_t n)
{
	const uint32_t groups = stack->slots >> GROUP_BITS;

	for (uint32_t i = group + 1; i <= groups; i += i & -i)
		stack->tree[i] += n;
}

static uint32_t tree_before(const struct lru_stack *stack, uint32_t group)
{
	uint32_t sum = 0;

	for (uint32_t i = group; i; i &= i - 1)
		sum += stack->tree[i];
	return sum;
}

static uint32_t group_ones(const struct lru_stack *stack, uint32_t group)
{
	const uint64_t *word = &stack->bits[(size_t)group * GROUP_WORDS];
	uint32_t sum = 0;

	for (unsigned i = 0; i < GROUP_WORDS; i++)
		sum += ones(word[i]);
	return sum;
}

/* Bits of the group of `slot` that are before it. */
static uint32_t ones_before(const struct lru_stack *stack, uint32_t slot)
{
	const uint32_t word = slot >> WORD_BITS;
	uint32_t sum = ones(stack->bits[word] & ((UINT64_C(1) << (slot & 63)) - 1));

	for (uint32_t i = word & ~(uint32_t)(GROUP_WORDS - 1); i < word; i++)
		sum += ones(stack->bits[i]);
	return sum;
}

/* Bits from `slot` on: near the top word by word, else by the tree. */
static uint32_t depth_of(const struct lru_stack *stack, uint32_t slot)
{
	const uint32_t word = slot >> WORD_BITS, end = stack->clock >> WORD_BITS;
	uint32_t sum;

	if (end - word > GROUP_WORDS)
		return stack->set - tree_before(stack, slot >> GROUP_BITS) -
		       ones_before(stack, slot);
	sum = ones(stack->bits[word] >> (slot & 63));
	for (uint32_t i = word + 1; i <= end; i++)
		sum += ones(stack->bits[i]);
	return sum;
}

static void clear(struct lru_stack *stack, uint32_t slot)
{
	const uint32_t group = slot >> GROUP_BITS;

	toggle(stack, slot);
	if (group < stack->top)
		tree_add(stack, group, UINT32_MAX);
}

/* The next slot, whose bit is set. */
static uint32_t next_slot(struct lru_stack *stack)
{
	const uint32_t slot = ++stack->clock, group = slot >> GROUP_BITS;

	if (group != stack->top) {
		tree_add(stack, stack->top, group_ones(stack, stack->top));
		stack->top = group;
	}
	toggle(stack, slot);
	return slot;
}

/* The bits of slots 1 to `set`, and the tree over them. */
static void fill_slots(struct lru_stack *stack)
{
	const size_t words = stack->slots >> WORD_BITS, groups = stack->slots >> GROUP_BITS;

	memset(stack->bits, 0, words * sizeof(*stack->bits));
	memset(stack->tree, 0, (groups + 1) * sizeof(*stack->tree));
	for (uint32_t slot = 1; slot <= stack->set; slot++)
		toggle(stack, slot);
	stack->clock = stack->set;
	stack->top = stack->clock >> GROUP_BITS;
	for (uint32_t group = 0; group < stack->top; group++)
		tree_add(stack, group, group_ones(stack, group));
}

/* Number the slots in use from 1 on, in their order. */
static void compact(struct lru_stack *stack)
{
	uint32_t sum = 1;

	/* For the while the tree holds plain sums of the groups before. */
	for (uint32_t group = 0; group <= stack->top; group++) {
		stack->tree[group] = sum;
		sum += group_ones(stack, group);
	}
	for (uint32_t page = 0; page < stack->pages; page++) {
		const uint32_t slot = stack->time[page];

		if (slot != LRU_STACK_NEVER && slot != LRU_STACK_DROPPED)
			stack->time[page] =
				stack->tree[slot >> GROUP_BITS] + ones_before(stack, slot);
	}
	for (uint32_t i = 0; i < stack->holes; i++)
		stack->hole[i] = stack->tree[stack->hole[i] >> GROUP_BITS] +
				 ones_before(stack, stack->hole[i]);
	fill_slots(stack);
}

/* ---- holes --------------------------------------------------------------------------------- */

/* Put `slot` where the heap's first was. */
static void hole_sift(struct lru_stack *stack, uint32_t slot)
{
	uint32_t *hole = stack->hole;
	uint32_t at = 0, child;

	for (; (child = 2 * at + 1) < stack->holes; at = child) {
		if (child + 1 < stack->holes && hole[child + 1] > hole[child])
			child++;
		if (hole[child] <= slot)
			break;
		hole[at] = hole[child];
	}
	hole[at] = slot;
}

static void hole_add(struct lru_stack *stack, uint32_t slot)
{
	uint32_t at = stack->holes++;

	for (; at && stack->hole[(at - 1) / 2] < slot; at = (at - 1) / 2)
		stack->hole[at] = stack->hole[(at - 1) / 2];
	stack->hole[at] = slot;
}

/* The latest hole is filled. */
static void hole_take(struct lru_stack *stack)
{
	clear(stack, stack->hole[0]);
	if (--stack->holes)
		hole_sift(stack, stack->hole[stack->holes]);
}

/* ---- pages --------------------------------------------------------------------------------- */

static uint32_t hash_of(const struct lru_stack *stack, uint64_t key)
{
	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (2 * stack->max_pages - 1);
}

static uint32_t *entry_of(const struct lru_stack *stack, uint64_t key)
{
	const uint32_t mask = 2 * stack->max_pages - 1;
	uint32_t at = hash_of(stack, key);

	while (stack->table[at] && stack->key[stack->table[at] - 1] != key)
		at = (at + 1) & mask;
	return &stack->table[at];
}

static bool resize(void *array, size_t n, size_t bytes)
{
	void **old = array;
	void *fresh = reallocarray(*old, n, bytes);

	if (fresh)
		*old = fresh;
	return fresh != NULL;
}

/* Room for `max` pages, a power of two. */
static bool make_room(struct lru_stack *stack, uint32_t max)
{
	const uint32_t slots = max * SLOTS_PER_PAGE;
	const size_t words = slots >> WORD_BITS, groups = slots >> GROUP_BITS;
	const size_t old_words = stack->slots >> WORD_BITS, old_max = stack->max_pages;

	if (max > MAX_PAGES || !resize(&stack->key, max, sizeof(*stack->key)) ||
	    !resize(&stack->time, max, sizeof(*stack->time)) ||
	    !resize(&stack->table, 2 * (size_t)max, sizeof(*stack->table)) ||
	    !resize(&stack->bits, words, sizeof(*stack->bits)) ||
	    !resize(&stack->tree, groups + 1, sizeof(*stack->tree)) ||
	    !resize(&stack->hole, max, sizeof(*stack->hole)) ||
	    !resize(&stack->reuses, (size_t)max + 1, sizeof(*stack->reuses)))
		return false;
	memset(stack->reuses + old_max + (old_max != 0), 0,
	       (max - old_max + (old_max == 0)) * sizeof(*stack->reuses));
	memset(stack->bits + old_words, 0, (words - old_words) * sizeof(*stack->bits));
	stack->max_pages = max;
	stack->slots = slots;
	compact(stack);
	memset(stack->table, 0, 2 * (size_t)max * sizeof(*stack->table));
	for (uint32_t page = 0; page < stack->pages; page++)
		*entry_of(stack, stack->key[page]) = page + 1;
	return true;
}

bool lru_stack_init(struct lru_stack *stack)
{
	memset(stack, 0, sizeof(*stack));
	stack->last = LRU_STACK_NONE;
	return make_room(stack, MIN_PAGES);
}

void lru_stack_fini(struct lru_stack *stack)
{
	free(stack->key);
	free(stack->time);
	free(stack->table);
	free(stack->bits);
	free(stack->tree);
	free(stack->hole);
	free(stack->reuses);
	memset(stack, 0, sizeof(*stack));
}

uint32_t lru_stack_find(const struct lru_stack *stack, uint64_t key)
{
	return *entry_of(stack, key) - 1; /* 0: LRU_STACK_NONE */
}

void lru_stack_prefetch_name(const struct lru_stack *stack, uint64_t key)
{
	__builtin_prefetch(&stack->table[hash_of(stack, key)]);
}

uint32_t lru_stack_name(struct lru_stack *stack, uint64_t key)
{
	uint32_t *entry = entry_of(stack, key);

	if (*entry)
		return *entry - 1;
	if (stack->pages == stack->max_pages) {
		if (!make_room(stack, 2 * stack->max_pages))
			return LRU_STACK_NONE;
		entry = entry_of(stack, key);
	}
	stack->key[stack->pages] = key;
	stack->time[stack->pages] = LRU_STACK_NEVER;
	*entry = ++stack->pages;
	return stack->pages - 1;
}

void lru_stack_use(struct lru_stack *stack, uint32_t page)
{
	uint32_t slot;

	if (stack->clock + 1 == stack->slots)
		compact(stack);
	slot = stack->time[page];
	if (slot != LRU_STACK_NEVER && slot != LRU_STACK_DROPPED) {
		stack->reuses[depth_of(stack, slot)]++;
		if (stack->holes && stack->hole[0] > slot) {
			clear(stack, stack->hole[0]);
			hole_sift(stack, slot);
		} else {
			clear(stack, slot);
		}
	} else {
		*(slot == LRU_STACK_NEVER ? &stack->first_uses : &stack->dropped_uses) += 1;
		stack->live++;
		if (stack->holes)
			hole_take(stack);
		else
			stack->set++;
	}
	stack->time[page] = next_slot(stack);
	stack->last = page;
}

void lru_stack_drop(struct lru_stack *stack, uint32_t page)
{
	const uint32_t slot = stack->time[page];

	if (slot == LRU_STACK_NEVER || slot == LRU_STACK_DROPPED)
		return;
	stack->time[page] = LRU_STACK_DROPPED;
	stack->last = LRU_STACK_NONE;
	hole_add(stack, slot);
	if (--stack->live)
		return;
	/* Holes alone are an empty stack. */
	stack->holes = 0;
	stack->set = 0;
	fill_slots(stack);
}

size_t lru_stack_bytes(const struct lru_stack *stack)
{
	const size_t page = sizeof(*stack->key) + sizeof(*stack->time) + 2 * sizeof(*stack->table) +
			    sizeof(*stack->hole) + sizeof(*stack->reuses) + SLOTS_PER_PAGE / 8;

	return stack->max_pages * page;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LRU stacks against TLBs of every size side by side, each a list that fills a free entry before it
 * evicts the oldest. Long enough for time to begin anew and for all arrays to grow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/lru_stack.h"
#include "tests/conform/gen.h" /* rng_*() */

enum { MAX_ENTRIES = 70, PAGES = 90 };

/* Youngest first. */
struct list {
	unsigned entries, used;
	uint64_t page[MAX_ENTRIES], misses;
};

static unsigned index_of(const struct list *list, uint64_t page)
{
	unsigned i = 0;

	while (i < list->used && list->page[i] != page)
		i++;
	return i;
}

static void list_access(struct list *list, uint64_t page)
{
	unsigned i = index_of(list, page);

	if (i == list->used) {
		list->misses++;
		if (list->used < list->entries)
			list->used++;
		else
			i--;
	}
	memmove(&list->page[1], &list->page[0], i * sizeof(list->page[0]));
	list->page[0] = page;
}

static void list_drop(struct list *list, uint64_t page)
{
	const unsigned i = index_of(list, page);

	if (i == list->used)
		return;
	list->used--;
	memmove(&list->page[i], &list->page[i + 1], (list->used - i) * sizeof(list->page[0]));
}

static uint64_t misses_of(const struct lru_stack *stack, unsigned entries)
{
	uint64_t sum = stack->first_uses + stack->dropped_uses;

	for (size_t d = entries + 1; d <= stack->max_pages; d++)
		sum += stack->reuses[d];
	return sum;
}

/* Neighbours more often than others, so that depths of all kinds occur. */
static uint64_t random_page(struct rng *rng, unsigned pages)
{
	const unsigned near = 1 + (unsigned)rng_below(rng, pages);

	return rng_below(rng, near) * UINT64_C(0x100000001);
}

static void compare(uint64_t seed, unsigned pages, unsigned drop_permille, unsigned n)
{
	static struct list list[MAX_ENTRIES + 1];
	struct lru_stack stack;
	struct rng rng = { seed };

	memset(list, 0, sizeof(list));
	assert_true(lru_stack_init(&stack));
	for (unsigned e = 1; e <= MAX_ENTRIES; e++)
		list[e].entries = e;
	for (unsigned i = 0; i < n; i++) {
		const uint64_t page = random_page(&rng, pages);
		const bool all = rng_below(&rng, 5000) == 0;
		const bool drop = rng_below(&rng, 1000) < drop_permille;
		const uint32_t number = lru_stack_name(&stack, page);

		assert_int_equal(lru_stack_find(&stack, page), number);
		for (uint32_t p = 0; all && p < stack.pages; p++)
			lru_stack_drop(&stack, p);
		if (drop)
			lru_stack_drop(&stack, number);
		else
			lru_stack_access(&stack, number);
		for (unsigned e = 1; e <= MAX_ENTRIES; e++) {
			if (all)
				list[e].used = 0;
			if (drop)
				list_drop(&list[e], page);
			else
				list_access(&list[e], page);
		}
	}
	for (unsigned e = 1; e <= MAX_ENTRIES; e++)
		assert_int_equal(misses_of(&stack, e), list[e].misses);
	lru_stack_fini(&stack);
}

static void every_size(void **state)
{
	(void)state;
	compare(1, PAGES, 0, 20000);
	compare(2, PAGES, 30, 20000);
	compare(3, PAGES, 400, 20000);
	compare(4, 20, 100, 20000);
	compare(5, 1, 500, 100);
}

/* A loop over n pages has depth n and no other, however often the arrays grow. */
static void loops(void **state)
{
	enum { N = 3000, ROUNDS = 40 };
	struct lru_stack stack;

	(void)state;
	assert_true(lru_stack_init(&stack));
	for (unsigned round = 0; round < ROUNDS; round++)
		for (uint64_t page = 0; page < N; page++)
			lru_stack_access(&stack, lru_stack_name(&stack, page));
	assert_int_equal(stack.first_uses, N);
	assert_int_equal(stack.reuses[N], (ROUNDS - 1) * N);
	/* Pages up to the last three leave holes below them: those stay where they are. */
	for (uint32_t page = 0; page < N - 3; page++)
		lru_stack_drop(&stack, page);
	lru_stack_access(&stack, N - 2);
	assert_int_equal(stack.reuses[2], 1);
	lru_stack_access(&stack, 0);
	assert_int_equal(stack.dropped_uses, 1);
	lru_stack_access(&stack, N - 3);
	assert_int_equal(stack.reuses[4], 1);
	lru_stack_fini(&stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size),
		cmocka_unit_test(loops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the walker remembers of where tables lie in the host's memory changes no walk, and no read
 * of one: each is made with hints and without, over tables that grow, vanish and move.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mmu/walk_hints.h"
#include "walk_world.h"

#define VA_BITS	 24 /* of a page's address: 8 tables of the last level, */
#define VA_TWIN	 34 /* and 8 whose hints lie where theirs do */
#define IPA_BASE UINT64_C(0x40000000)
#define PA_BASE	 UINT64_C(0xab0000000)

enum { LENT = 64, STEPS = 20000 };

static struct world w;
static struct walk_hints hints;
static uint64_t lent[LENT][512];
static unsigned lent_used, completed, faulted;
static uint64_t mapped[64]; /* lately */
static unsigned mapped_used;

static uint64_t next(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *x >> 33;
}

static uint64_t random_va(uint64_t *x)
{
	return (next(x) & low_mask(VA_BITS) & ~low_mask(12)) | (next(x) & 1) << VA_TWIN;
}

/* The same walk with hints: the same answer, and the same reads in the same order. */
static void walk_both(uint64_t va, enum access_kind kind)
{
	const struct access access = { .va = va_of(va), .kind = kind };
	const struct translation plain = world_access(&w, &access);
	struct walk_log log = { 0 };
	const struct walk_hooks hooks = { .log = &log, .hints = &hints };
	struct translation hinted;
	struct regime regime;

	regime_init(&regime, &w.cpu, &w.regs, w.kind);
	mmu_walk(&regime, w.mem, &access, &hooks, &hinted);
	*(plain.fault.type == FAULT_NONE ? &completed : &faulted) += 1;
	assert_int_equal(hinted.fault.type, plain.fault.type);
	assert_int_equal(hinted.fault.stage, plain.fault.stage);
	assert_int_equal(hinted.fault.level, plain.fault.level);
	assert_int_equal(hinted.pa.v, plain.pa.v);
	assert_int_equal(hinted.perms, plain.perms);
	assert_int_equal(hinted.s2_bits, plain.s2_bits);
	assert_int_equal(log.reads, w.reads);
	for (unsigned i = 0; i < w.reads; i++) {
		const struct walk_read *read = &w.log[i];

		assert_int_equal(log.query[i].pa.v, read->pa.v);
		assert_int_equal(log.query[i].cacheable, read->cacheable);
		assert_int_equal(log.query[i].row, walk_row(read->stage, read->level));
		assert_int_equal(log.query[i].final,
				 read->stage == 2 && read->for_level == WALK_FOR_FINAL);
	}
}

/* The page of one of the tables that the walk of va reads last. */
static bool some_table(uint64_t va, uint64_t *x, pa_t *page)
{
	const struct access access = { .va = va_of(va), .kind = ACCESS_LOAD };

	world_access(&w, &access);
	if (w.reads < 4)
		return false;
	*page = pa_of(w.log[w.reads - 1 - next(x) % 4].pa.v & ~low_mask(PHYS_PAGE_BITS));
	return true;
}

/* Other words behind the page: what it held, one entry apart. */
static void move(pa_t page, uint64_t *x)
{
	const uint64_t *old = phys_words(w.mem, page);
	uint64_t *words = lent[lent_used++ % LENT];

	if (old && old != words)
		memcpy(words, old, sizeof(lent[0]));
	words[next(x) % 512] ^= UINT64_C(1) << 7;
	assert_true(phys_map_page(w.mem, page, words));
}

static void map(uint64_t va, uint64_t *x)
{
	const uint64_t ipa = IPA_BASE + (next(x) % 64 << 21) + (va & low_mask(21));

	mapped[mapped_used++ % 64] = va;
	world_map1(&w, va, 3, ipa, WORLD_S1_RW);
	world_map2(&w, ipa, 3, PA_BASE + (va & low_mask(VA_BITS)), WORLD_S2_RW);
}

static void start(enum granule g1, enum granule g2)
{
	world_init(&w);
	world_stage1(&w, g1, 48);
	world_stage2(&w, g2, 40, g2 == GRANULE_4K ? 1 : 2);
	memset(&hints, 0, sizeof(hints));
	completed = faulted = 0;
}

static void test_tables_that_change(void **state)
{
	uint64_t x = 5;

	(void)state;
	start(GRANULE_4K, GRANULE_4K);
	for (unsigned step = 0; step < STEPS; step++) {
		const uint64_t action = next(&x) % 400;
		const uint64_t va = action < 100 ? random_va(&x) : mapped[next(&x) % 64];
		pa_t page;

		if (action < 80)
			map(va, &x);
		else if (action > 397 && some_table(va, &x, &page))
			move(page, &x);
		else if (action > 395 && some_table(va, &x, &page))
			phys_free_page(w.mem, page);
		walk_both(va, action & 1 ? ACCESS_LOAD : ACCESS_STORE);
		/* Once in a while everything goes. */
		if (step % 5000 == 4999) {
			phys_reset(w.mem);
			walk_both(va, ACCESS_LOAD);
		}
	}
	assert_true(completed > STEPS / 10 && faulted > STEPS / 10);
	world_free(&w);
}

/* Tables of more than one page of the simulated memory, and big-endian ones. */
static void test_other_granules(void **state)
{
	static const enum granule granules[] = { GRANULE_4K, GRANULE_16K, GRANULE_64K };

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		uint64_t x = i;

		start(granules[i % 3], granules[i / 3]);
		w.cpu.hw_af = w.cpu.hw_dirty = true;
		for (unsigned step = 0; step < 200; step++) {
			const uint64_t va = random_va(&x) & ~low_mask(16);

			if (step % 2)
				map(va, &x);
			w.regs.sctlr_el1 ^= (uint64_t)(next(&x) % 8 == 0) << 25;
			walk_both(va, ACCESS_LOAD);
		}
		assert_true(completed > 10 && faulted > 10);
		world_free(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_that_change),
		cmocka_unit_test(test_other_granules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

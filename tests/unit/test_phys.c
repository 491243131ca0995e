/* SPDX-License-Identifier: BSD-2-Clause */
/* Simulated memory against a plain array, with pages that collide, vanish and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mem/phys.h"

#define PAGES 600

static void test_sparse(void **state)
{
	struct phys_mem *mem = phys_create();
	uint64_t top = UINT64_C(0xffffffffffff8);

	(void)state;
	assert_non_null(mem);
	assert_int_equal(phys_read64(mem, pa_of(top)), 0);
	/* A zero over a page never written takes no memory. */
	assert_true(phys_write64(mem, pa_of(top), 0));
	assert_null(phys_words(mem, pa_of(top)));
	assert_true(phys_write64(mem, pa_of(top), 42));
	assert_int_equal(phys_read64(mem, pa_of(top)), 42);
	assert_int_equal(phys_read64(mem, pa_of(top - 8)), 0);
	assert_non_null(phys_words(mem, pa_of(top)));
	phys_free_page(mem, pa_of(top));
	phys_free_page(mem, pa_of(0x1000));
	assert_int_equal(phys_read64(mem, pa_of(top)), 0);
	assert_null(phys_words(mem, pa_of(top)));
	phys_destroy(mem);
}

static uint64_t next(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *x >> 33;
}

/* Random writes, frees and resets over pages that lie near and far from each other. */
static void test_against_array(void **state)
{
	static uint64_t page[PAGES], model[PAGES][4], lent[PAGES][512];
	struct phys_mem *mem = phys_create();
	uint64_t x = 7;

	(void)state;
	memset(model, 0, sizeof(model));
	for (unsigned i = 0; i < PAGES; i++)
		page[i] = (i % 3 ? i : (uint64_t)i << 20) << 12;
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = (unsigned)(next(&x) % PAGES), word = (unsigned)(next(&x) % 4);
		uint64_t action = next(&x) % 100, value = next(&x);

		if (action < 60) {
			assert_true(phys_write64(mem, pa_of(page[i] + word * 8), value));
			model[i][word] = value;
		} else if (action < 70) {
			/* From now on the page is lent[i], with what that held before. */
			assert_true(phys_map_page(mem, pa_of(page[i]), lent[i]));
			memcpy(model[i], lent[i], sizeof(model[i]));
		} else if (action < 90) {
			phys_free_page(mem, pa_of(page[i] + 8));
			memset(model[i], 0, sizeof(model[i]));
		} else if (step % 1000 == 999) {
			phys_reset(mem);
			memset(model, 0, sizeof(model));
		}
		i = (unsigned)(next(&x) % PAGES);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(phys_read64(mem, pa_of(page[i] + k * 8)), model[i][k]);
	}
	phys_destroy(mem);
}

/* Lent pages are read and written in place, take no memory of ours, and outlive it. */
static void test_lent_pages(void **state)
{
	static uint64_t words[2][512];
	struct phys_mem *mem = phys_create();

	(void)state;
	words[0][3] = 7;
	words[1][3] = 8;
	assert_true(phys_write64(mem, pa_of(0x5000), 1));
	assert_true(phys_map_page(mem, pa_of(0x5000), words[0]));
	assert_true(phys_map_page(mem, pa_of(0x6000), words[0]));
	assert_ptr_equal(phys_words(mem, pa_of(0x5000)), words[0]);
	assert_int_equal(phys_read64(mem, pa_of(0x5000)), 0);
	assert_int_equal(phys_read64(mem, pa_of(0x5018)), 7);
	assert_true(phys_write64(mem, pa_of(0x5020), 9));
	assert_int_equal(words[0][4], 9);
	assert_int_equal(phys_read64(mem, pa_of(0x6020)), 9);
	assert_true(phys_map_page(mem, pa_of(0x6000), words[1]));
	assert_int_equal(phys_read64(mem, pa_of(0x6018)), 8);
	phys_free_page(mem, pa_of(0x5000));
	assert_int_equal(phys_read64(mem, pa_of(0x5018)), 0);
	assert_true(phys_write64(mem, pa_of(0x5018), 10));
	assert_ptr_not_equal(phys_words(mem, pa_of(0x5000)), words[0]);
	phys_reset(mem);
	assert_int_equal(phys_read64(mem, pa_of(0x6018)), 0);
	assert_int_equal(words[0][3], 7);
	assert_int_equal(words[1][3], 8);
	phys_destroy(mem);
}

static void test_abort_ranges(void **state)
{
	struct phys_mem *mem = phys_create();

	(void)state;
	assert_false(phys_aborts(mem, pa_of(0)));
	for (uint64_t i = 0; i < 8; i++)
		assert_true(phys_add_abort_range(mem, pa_of(i << 20), pa_of((i << 20) + 0x1000)));
	assert_false(phys_add_abort_range(mem, pa_of(0), pa_of(1)));
	assert_true(phys_aborts(mem, pa_of(0x700000)));
	assert_true(phys_aborts(mem, pa_of(0x700ff8)));
	assert_false(phys_aborts(mem, pa_of(0x701000)));
	phys_reset(mem);
	assert_false(phys_aborts(mem, pa_of(0x700000)));
	phys_destroy(mem);
	phys_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_lent_pages),
		cmocka_unit_test(test_abort_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What is remembered of last-level entries, against all that was ever kept of them. */
#include "unit.h"

#include "mem/near.h"

enum { OWNERS = 4, PLACES = 3 * NEAR_PLACES, PAGES = 64 };

static pa_t page_of(unsigned page)
{
	return pa_of(UINT64_C(0x4000000000) + ((uint64_t)page << PHYS_PAGE_BITS));
}

/* Whatever is found is the last that this owner kept there, under the name it has now. */
static void only_what_was_kept(void **state)
{
	static uint16_t kept[OWNERS][PLACES]; /* page + 1; 0: nothing */
	struct phys_mem *mem = phys_create();
	struct rng rng = rng_seed(5);
	uint64_t owner[OWNERS];
	unsigned found = 0;

	(void)state;
	assert_non_null(mem);
	for (unsigned i = 0; i < OWNERS; i++)
		owner[i] = near_owner(mem);
	for (unsigned page = 0; page < PAGES; page++)
		assert_true(phys_write64(mem, page_of(page), page + 1));
	for (unsigned i = 0; i < 200000; i++) {
		const unsigned who = pick(&rng, OWNERS), page = pick(&rng, PAGES);
		const unsigned place = pick(&rng, i % 2 ? PLACES : 300);
		const struct near_entries *near = near_find(mem, owner[who], place);

		if (near) {
			assert_int_not_equal(kept[who][place], 0);
			assert_int_equal(near->words[0], kept[who][place]);
			assert_int_equal(near_pa(near, 0).v, page_of(kept[who][place] - 1u).v);
			found++;
		}
		if (chance(&rng, 1, 3)) {
			near_keep(mem, owner[who], place, pa_of(page_of(page).v + 8 * (i % 512)));
			kept[who][place] = (uint16_t)(page + 1);
			assert_non_null(near_find(mem, owner[who], place));
		}
		if (chance(&rng, 1, 5000)) {
			owner[who] = near_owner(mem);
			memset(kept[who], 0, sizeof(kept[who]));
		}
	}
	assert_true(found > 10000);
	phys_destroy(mem);
}

/* A page that was never written has no words to remember. */
static void nothing_of_an_unwritten_page(void **state)
{
	struct phys_mem *mem = phys_create();
	const uint64_t owner = near_owner(mem);

	(void)state;
	assert_non_null(mem);
	near_keep(mem, owner, 7, pa_of(0x5000));
	assert_null(near_find(mem, owner, 7));
	phys_destroy(mem);
}

static void changed(void *ctx, enum phys_change change, pa_t pa, uint64_t value)
{
	uint64_t *seen = ctx;

	assert_int_equal(change, PHYS_WRITTEN);
	seen[0] = pa.v;
	seen[1] = value;
}

/* A write to known words is one like others: read back, and told. */
static void writes_are_seen(void **state)
{
	struct phys_mem *mem = phys_create();
	uint64_t seen[2] = { 0 };

	(void)state;
	assert_non_null(mem);
	assert_true(phys_write64(mem, pa_of(0x7000), 1));
	phys_put64(mem, phys_page(mem, pa_of(0x7000)), pa_of(0x7ff8), 42);
	assert_int_equal(phys_read64(mem, pa_of(0x7ff8)), 42);
	mem->watch = (struct phys_watch){ changed, seen };
	phys_put64(mem, phys_page(mem, pa_of(0x7000)), pa_of(0x7010), 43);
	assert_int_equal(seen[0], 0x7010);
	assert_int_equal(seen[1], 43);
	phys_destroy(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_was_kept),
		cmocka_unit_test(nothing_of_an_unwritten_page),
		cmocka_unit_test(writes_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts of a sweep into slices, against all cuts there are. */
#include "sweep/slice_cut.h"
#include "trace/rng.h"
#include "unit.h"

enum { POINTS_MAX = 10, SLICES_MAX = 12, ROUNDS = 4000 };

static uint64_t cost_between(const struct slice_cost *costs, size_t begin, size_t end)
{
	uint64_t cost = begin < end ? costs[begin].alone : 0;

	for (size_t i = begin + 1; i < end; i++)
		cost += costs[i].shared;
	return cost;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The dearest slice of the best cut of the points from `begin` on, by trying every first slice. */
static uint64_t best(const struct slice_cost *costs, size_t n, size_t begin, unsigned n_slices)
{
	uint64_t least = cost_between(costs, begin, n);

	if (n_slices == 1)
		return least;
	for (size_t end = begin + 1; end < n; end++) {
		const uint64_t dearest =
			larger(cost_between(costs, begin, end), best(costs, n, end, n_slices - 1));

		if (dearest < least)
			least = dearest;
	}
	return least;
}

/* Traces of groups of points that share. */
static size_t draw(struct rng *rng, struct slice_cost *costs)
{
	const size_t n = 1 + rng_below(rng, POINTS_MAX);
	uint64_t alone = 0;

	for (size_t i = 0; i < n; i++) {
		const bool other_trace = i == 0 || rng_below(rng, 5) == 0;

		if (other_trace)
			alone = 1 + rng_below(rng, 1000);
		costs[i].alone = alone;
		costs[i].bond = other_trace ? 0 : 1 + (unsigned)rng_below(rng, 4);
		costs[i].shared = costs[i].bond <= 1 ? alone : alone / (2 * costs[i].bond);
	}
	return n;
}

static void test_no_worse_than_all_cuts(void **state)
{
	struct rng rng = rng_seed(7);

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct slice_cost costs[POINTS_MAX];
		size_t first[SLICES_MAX + 1];
		const size_t n = draw(&rng, costs);
		const unsigned n_slices = 1 + (unsigned)rng_below(&rng, SLICES_MAX);
		uint64_t dearest = 0;

		slice_cut(costs, n, n_slices, first);
		assert_int_equal(first[0], 0);
		assert_int_equal(first[n_slices], n);
		for (unsigned k = 0; k < n_slices; k++) {
			assert_true(first[k] <= first[k + 1]);
			dearest = larger(dearest, cost_between(costs, first[k], first[k + 1]));
		}
		assert_true(4 * dearest <= 5 * best(costs, n, 0, n_slices));
	}
}

/* Two traces of two groups each: any of the three borders can be had without a slice of more. */
static void test_groups_stay_together(void **state)
{
	struct slice_cost costs[16];
	size_t first[5];

	(void)state;
	for (size_t i = 0; i < 16; i++)
		costs[i] = (struct slice_cost){ 1000, i % 4 ? 10 + i % 4 : 1000,
						i % 8 == 0   ? 0
						: i % 4 == 0 ? 1
							     : 2 };
	slice_cut(costs, 16, 2, first);
	assert_int_equal(first[1], 8);
	slice_cut(costs, 16, 4, first);
	for (unsigned k = 0; k < 4; k++)
		assert_int_equal(first[k], 4 * k);
}

/* One point more or less does not matter where it belongs to the others. */
static void test_borders_nearby_are_preferred(void **state)
{
	struct slice_cost costs[20];
	size_t first[3];

	(void)state;
	for (size_t i = 0; i < 20; i++)
		costs[i] = (struct slice_cost){ 100, 100, i == 11 ? 0 : 1 };
	slice_cut(costs, 20, 2, first);
	assert_int_equal(first[1], 11);
}

static void test_nothing_to_cut(void **state)
{
	size_t first[4];

	(void)state;
	slice_cut(NULL, 0, 3, first);
	for (unsigned k = 0; k <= 3; k++)
		assert_int_equal(first[k], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_worse_than_all_cuts),
		cmocka_unit_test(test_groups_stay_together),
		cmocka_unit_test(test_borders_nearby_are_preferred),
		cmocka_unit_test(test_nothing_to_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

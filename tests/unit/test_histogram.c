/* SPDX-License-Identifier: BSD-2-Clause */
/* Quantiles of the histogram against those of the sorted values. */
#include "unit.h"

#include "mmu/histogram.h"

enum { VALUES = 5000 };

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The permille-th smallest of n sorted values: the ceil(n * permille / 1000)-th. */
static uint64_t sorted_quantile(const uint64_t *sorted, uint64_t n, unsigned permille)
{
	uint64_t rank = (n * permille + 999) / 1000;

	return sorted[rank ? rank - 1 : 0];
}

static void check(uint64_t *values, uint64_t n)
{
	struct histogram *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	for (uint64_t i = 0; i < n; i++)
		histogram_add(h, values[i]);
	qsort(values, n, sizeof(*values), by_value);
	assert_int_equal(h->total, n);
	assert_int_equal(h->max, values[n - 1]);
	for (unsigned permille = 0; permille <= 1000; permille++) {
		const uint64_t exact = sorted_quantile(values, n, permille);
		const uint64_t got = histogram_quantile(h, permille);

		assert_true(got <= exact);
		if (exact < 1024)
			assert_int_equal(got, exact);
		else /* at most 1.6 % too low */
			assert_true(exact - got <= exact / 1000 * 16);
	}
	free(h);
}

static void below_1024_is_exact(void **state)
{
	struct rng rng = rng_seed(1);
	uint64_t values[VALUES];

	(void)state;
	for (uint64_t n = 1; n <= VALUES; n = n * 3 + 1) {
		for (uint64_t i = 0; i < n; i++)
			values[i] = rng_below(&rng, 1024);
		check(values, n);
	}
}

static void above_is_close(void **state)
{
	struct rng rng = rng_seed(2);
	uint64_t values[VALUES];

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < VALUES; i++)
			values[i] = rng_next(&rng) >> rng_below(&rng, 64);
		check(values, VALUES);
	}
}

static void edges(void **state)
{
	uint64_t values[] = { 0,	  1023, 1024, 1025, 2047, 2048, UINT64_C(1) << 62,
			      UINT64_MAX, 1,	2,    3 };
	struct histogram *h = calloc(1, sizeof(*h));

	(void)state;
	assert_non_null(h);
	assert_int_equal(histogram_quantile(h, 500), 0);
	free(h);
	check(values, sizeof(values) / sizeof(values[0]));
}

/* Every bucket holds a range: a larger value never falls into an earlier one. */
static void buckets_are_in_order(void **state)
{
	unsigned last = 0;

	(void)state;
	for (uint64_t v = 0; v < 1 << 17; v++) {
		const unsigned bucket = histogram_bucket(v);

		assert_true(bucket == last || bucket == last + 1);
		last = bucket;
	}
	for (unsigned bits = 17; bits < 64; bits++) {
		assert_int_equal(histogram_bucket(UINT64_C(1) << bits),
				 histogram_bucket((UINT64_C(1) << bits) - 1) + 1);
		assert_true(histogram_bucket(UINT64_C(1) << bits) < HISTOGRAM_BUCKETS);
	}
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below_1024_is_exact),
		cmocka_unit_test(above_is_close),
		cmocka_unit_test(edges),
		cmocka_unit_test(buckets_are_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Host frames: aligned, never twice, lowest first of each size, in regions of one size each. */
#include "unit.h"

#include "mem/frames.h"

#define GIB (UINT64_C(1) << 30)

struct frame {
	uint64_t first, bits;
};

static int by_address(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static void no_frame_twice(void **state)
{
	enum { FRAMES = 20000 };
	static const uint8_t sizes[] = { 12, 14, 16, 17, 18, 21, 25, 29, 30, 34 };
	struct frame *all = calloc(FRAMES, sizeof(*all));
	struct rng rng = rng_seed(1);
	uint64_t last[64] = { 0 };
	struct frames frames;

	(void)state;
	assert_non_null(all);
	frames_init(&frames, pa_of(2 * GIB - 5), 52);
	for (size_t i = 0; i < FRAMES; i++) {
		const unsigned bits = sizes[pick(&rng, sizeof(sizes))];
		pa_t pa;

		assert_true(frames_alloc(&frames, bits, &pa));
		assert_int_equal(pa.v & low_mask(bits), 0);
		assert_true(pa.v >= 2 * GIB && pa.v > last[bits]);
		last[bits] = pa.v;
		all[i] = (struct frame){ pa.v, bits };
	}
	qsort(all, FRAMES, sizeof(*all), by_address);
	for (size_t i = 1; i < FRAMES; i++) {
		assert_true(all[i - 1].first + low_mask((unsigned)all[i - 1].bits) < all[i].first);
		/* One size in each region. */
		if (all[i - 1].first / GIB == all[i].first / GIB)
			assert_int_equal(all[i - 1].bits, all[i].bits);
	}
	free(all);
}

/* All of a memory of whole regions is given out, to the last byte. */
static void until_exhausted(void **state)
{
	struct frames frames;
	uint64_t given = 0;
	pa_t pa;

	(void)state;
	frames_init(&frames, pa_of(GIB), 36);
	while (frames_alloc(&frames, 30, &pa)) {
		assert_true(pa.v + GIB <= UINT64_C(1) << 36);
		given += GIB;
	}
	assert_int_equal(given, (UINT64_C(1) << 36) - GIB);
	assert_false(frames_alloc(&frames, 12, &pa));
	assert_false(frames_alloc(&frames, 34, &pa));
}

static void too_small_for_size(void **state)
{
	struct frames frames;
	pa_t pa;

	(void)state;
	frames_init(&frames, pa_of(2 * GIB), 33);
	assert_false(frames_alloc(&frames, 34, &pa));
	assert_true(frames_alloc(&frames, 32, &pa));
	assert_int_equal(pa.v, 4 * GIB);
	assert_false(frames_alloc(&frames, 32, &pa));
}

/* A partly used region still serves its own size after memory has run out for others. */
static void own_region_lasts(void **state)
{
	struct frames frames;
	pa_t pa;

	(void)state;
	frames_init(&frames, pa_of(2 * GIB), 32);
	assert_true(frames_alloc(&frames, 12, &pa));
	assert_true(frames_alloc(&frames, 21, &pa));
	assert_false(frames_alloc(&frames, 30, &pa));
	for (uint64_t i = 1; i < GIB >> 12; i++)
		assert_true(frames_alloc(&frames, 12, &pa));
	assert_false(frames_alloc(&frames, 12, &pa));
	assert_true(frames_alloc(&frames, 21, &pa));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_frame_twice),
		cmocka_unit_test(until_exhausted),
		cmocka_unit_test(too_small_for_size),
		cmocka_unit_test(own_region_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

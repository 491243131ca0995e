/* SPDX-License-Identifier: BSD-2-Clause */
/* The set of numbers against an array of flags. */
#include "unit.h"

#include "mem/bitset.h"

enum { MOST = 70000 };

static uint64_t naive_next(const bool *flags, uint64_t bits, uint64_t from)
{
	for (uint64_t i = from; i < bits; i++)
		if (flags[i])
			return i;
	return BITSET_NONE;
}

static void run(uint64_t bits, uint64_t seed)
{
	struct rng rng = rng_seed(seed);
	bool *flags = calloc(MOST, sizeof(*flags));
	struct bitset set;

	assert_non_null(flags);
	assert_true(bitset_init(&set, bits));
	assert_true(bitset_next(&set, 0) == BITSET_NONE);
	for (unsigned i = 0; i < 4000; i++) {
		const uint64_t at = rng_below(&rng, bits), from = rng_below(&rng, bits + 1);

		/* Nearly empty half of the time, since that is where summaries matter. */
		if (chance(&rng, i / 1000 % 2 ? 9 : 1, 10)) {
			bitset_add(&set, at);
			flags[at] = true;
		} else {
			const uint64_t next = naive_next(flags, bits, at);

			bitset_remove(&set, at);
			flags[at] = false;
			if (next != BITSET_NONE) {
				bitset_remove(&set, next);
				flags[next] = false;
			}
		}
		assert_true(bitset_has(&set, at) == flags[at]);
		assert_true(bitset_next(&set, from) == naive_next(flags, bits, from));
	}
	bitset_fini(&set);
	free(flags);
}

static void like_flags(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 63, 64, 65, 4095, 4096, 4097, MOST };

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		run(sizes[i], i + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(like_flags) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

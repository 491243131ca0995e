/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages behind a VM's memory: one host frame a chunk, the same one for ever. */
#include "unit.h"

#include "os/backing.h"

enum { TOUCHES = 6000 };

struct touch {
	uint64_t chunk, pa; /* of the chunk's first byte */
};

static int by_chunk(const void *a, const void *b)
{
	const struct touch *x = a, *y = b;

	return x->chunk != y->chunk ? (x->chunk > y->chunk) - (x->chunk < y->chunk)
				    : (x->pa > y->pa) - (x->pa < y->pa);
}

static int by_pa(const void *a, const void *b)
{
	const struct touch *x = a, *y = b;

	return (x->pa > y->pa) - (x->pa < y->pa);
}

static void check_touches(struct touch *touches, unsigned bits)
{
	size_t distinct = 1;

	/* A chunk is always in the same place. */
	qsort(touches, TOUCHES, sizeof(*touches), by_chunk);
	for (size_t i = 1; i < TOUCHES; i++) {
		if (touches[i].chunk == touches[distinct - 1].chunk)
			assert_int_equal(touches[i].pa, touches[distinct - 1].pa);
		else
			touches[distinct++] = touches[i];
	}
	/* Chunks do not overlap. */
	qsort(touches, distinct, sizeof(*touches), by_pa);
	for (size_t i = 1; i < distinct; i++)
		assert_true(touches[i].pa - touches[i - 1].pa > low_mask(bits));
}

static void run_random(unsigned bits, uint64_t seed)
{
	struct touch *touches = calloc(TOUCHES, sizeof(*touches));
	struct rng rng = rng_seed(seed);
	struct backing backing;
	struct frames frames;

	assert_non_null(touches);
	frames_init(&frames, pa_of(UINT64_C(1) << 31), 52);
	backing_init(&backing, bits);
	for (size_t i = 0; i < TOUCHES; i++) {
		/* Near each other, or anywhere in 52 bits; IPA 0 and the last one, too. */
		const uint64_t ipa =
			chance(&rng, 1, 500) ? low_mask(52)
			: chance(&rng, 3, 4)
				? rng_below(&rng, UINT64_C(3000) << bits & low_mask(44))
				: (rng_next(&rng) & low_mask(bits < 25 ? 52 : 40));
		const uint64_t inside = ipa & low_mask(bits);
		pa_t pa;

		if (bits >= 30 && ipa >> 40)
			continue;
		assert_true(backing_of(&backing, &frames, ipa_of(ipa), &pa));
		assert_int_equal(pa.v & low_mask(bits), inside);
		touches[i] = (struct touch){ ipa >> bits, pa.v - inside };
	}
	if (bits < 30)
		check_touches(touches, bits);
	backing_fini(&backing);
	free(touches);
}

static void chunks_stay(void **state)
{
	static const uint8_t sizes[] = { 12, 14, 16, 21, 25, 29 };

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes); i++)
		run_random(sizes[i], i + 1);
}

/* Host memory for 3 chunks of 1 GiB: the fourth fails, those given stay. */
static void exhausted(void **state)
{
	struct backing backing;
	struct frames frames;
	uint64_t first[3];
	pa_t pa;

	(void)state;
	frames_init(&frames, pa_of(UINT64_C(1) << 30), 32);
	backing_init(&backing, 30);
	for (uint64_t i = 0; i < 3; i++) {
		assert_true(backing_of(&backing, &frames, ipa_of(i << 33), &pa));
		first[i] = pa.v;
	}
	assert_false(backing_of(&backing, &frames, ipa_of(UINT64_C(3) << 33), &pa));
	assert_false(backing_of(&backing, &frames, ipa_of(UINT64_C(4) << 33), &pa));
	for (uint64_t i = 0; i < 3; i++) {
		assert_true(backing_of(&backing, &frames, ipa_of((i << 33) + 4096), &pa));
		assert_int_equal(pa.v, first[i] + 4096);
	}
	backing_fini(&backing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_stay),
		cmocka_unit_test(exhausted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gups [LOG2_ENTRIES [UPDATES]]: random updates of a table, as the RandomAccess benchmark of the
 * HPC Challenge defines them: a_i = 2 a_(i-1) modulo the primitive polynomial x^63 + x^2 + x + 1
 * over GF(2), table[a_i mod n] ^= a_i.
 */
#include "memory.h"
#include "roi.h"

enum { POLYNOMIAL = 7, PERIOD_START_BITS = 64 };

static uint64_t step(uint64_t a)
{
	return a << 1 ^ ((int64_t)a < 0 ? POLYNOMIAL : 0);
}

/* The sequence some way in: its first 64 terms are single bits, which would hit one page. */
static uint64_t warmed_up(void)
{
	uint64_t a = 1;

	for (int i = 0; i < 100 * PERIOD_START_BITS; i++)
		a = step(a);
	return a;
}

int main(int argc, char **argv)
{
	const uint64_t n = UINT64_C(1) << argument(argc, argv, 1, 29);
	const uint64_t updates = argument(argc, argv, 2, 4 * n);
	uint64_t *table = memory_map(n, sizeof(*table));
	uint64_t a = warmed_up(), sum = 0;

	for (uint64_t i = 0; i < n; i++)
		table[i] = i;
	roi_begin();
	for (uint64_t i = 0; i < updates; i++) {
		a = step(a);
		table[a & (n - 1)] ^= a;
	}
	roi_end();
	for (uint64_t i = 0; i < n; i++)
		sum += table[i];
	printf("%" PRIu64 " updates of %" PRIu64 " entries, sum %016" PRIx64 "\n", updates, n, sum);
	return 0;
}

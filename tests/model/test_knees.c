/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pointer chase over more and more pages gets slower where a TLB is full. The numbers of pages
 * are those of the manuals, or of measurements where no manual says, and not read from the models.
 */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "measure.h"
#include "tests/repro/scratch.h"

enum tlb { L1, L2 };

struct knee {
	const char *model;
	enum tlb tlb;
	unsigned pages, stride; /* one node on each stride-th page */
	unsigned page_kb;
};

/* clang-format off */
static const struct knee knees[] = {
	/* Cortex-A76 TRM 100798 A5.2, N1 TRM chapter 6: 48 and 1280. */
	{ "neoverse-n1", L1, 48, 1, 4 }, { "neoverse-n1", L2, 1280, 1, 4 },
	{ "cortex-a76", L1, 48, 1, 4 }, { "cortex-a76", L2, 1280, 1, 4 },
	/* Chips and Cheese, Arm's Neoverse N2; Arm's Neoverse V2, in AWS's Graviton 4. */
	{ "neoverse-n2", L1, 44, 1, 4 }, { "neoverse-n2", L2, 1280, 1, 4 },
	{ "neoverse-v2", L1, 48, 1, 4 }, { "neoverse-v2", L2, 2048, 1, 4 },
	/* Cortex-A57 TRM DDI0488 5.2, Cortex-A72 TRM 100095 5.2. */
	{ "cortex-a57", L1, 32, 1, 4 }, { "cortex-a57", L2, 1024, 1, 4 },
	{ "cortex-a72", L1, 32, 1, 4 }, { "cortex-a72", L2, 1024, 1, 4 },
	{ "seattle", L1, 32, 1, 4 }, { "seattle", L2, 1024, 1, 4 },
	/* Cortex-A53 TRM DDI0500 5.2; Intel Agilex 5 HPS TRM 814346 3.6.3.4.1. */
	{ "cortex-a53", L1, 10, 1, 4 }, { "cortex-a53", L2, 512, 1, 4 },
	{ "cortex-a55", L1, 16, 1, 4 }, { "cortex-a55", L2, 1024, 1, 4 },
	/* jiegec, Apple M1: every number of pages between the nodes that was measured. */
	{ "apple-m1", L1, 160, 1, 16 }, { "apple-m1", L1, 80, 2, 16 },
	{ "apple-m1", L1, 40, 4, 16 }, { "apple-m1", L1, 20, 8, 16 },
	{ "apple-m1", L1, 10, 16, 16 }, { "apple-m1", L1, 5, 32, 16 },
	{ "apple-m1", L1, 5, 64, 16 },
	{ "apple-m1", L2, 3072, 1, 16 }, { "apple-m1", L2, 96, 32, 16 },
	{ "apple-m1", L2, 48, 64, 16 }, { "apple-m1", L2, 24, 128, 16 },
	{ "apple-m1", L2, 12, 256, 16 }, { "apple-m1", L2, 12, 512, 16 },
};
/* clang-format on */

enum { MISSING_PERCENT = 5 }; /* of all accesses: from there on the curve is seen to rise */

/*
 * Host pages as large as the granule's blocks, so that stage 2 takes as little as it can; one page
 * in each entry: what coalescing adds depends on where the guest's pages lie.
 */
static const char *settings(const struct knee *knee)
{
	return knee->page_kb == 16 ? "host.backing=32M tlb.l2.coalesce=1"
				   : "host.backing=1G tlb.l2.coalesce=1";
}

static bool misses(const struct knee *knee, const struct config *config, uint64_t nodes)
{
	const uint64_t bytes = (uint64_t)knee->page_kb * 1024 * knee->stride;
	const struct measure m = measure_chase(config, nodes, bytes);

	return (knee->tlb == L1 ? m.l1d_misses : m.l2_misses) * 100 >= MISSING_PERCENT;
}

/* How far from the published number of pages a knee may lie: 2 %, or one page. */
static uint64_t tolerance(const struct knee *knee)
{
	return knee->pages < 100 ? 1 : knee->pages / 50;
}

/* The last number of pages before the rise, by bisection within the tolerance. */
static uint64_t find(const struct knee *knee, const struct config *config)
{
	uint64_t low = knee->pages - tolerance(knee), high = knee->pages + tolerance(knee) + 1;

	while (high - low > 1) {
		const uint64_t middle = (low + high) / 2;

		if (misses(knee, config, middle))
			high = middle;
		else
			low = middle;
	}
	return low;
}

static void all_knees(void **state)
{
	const char *is_long = getenv("TWOSTAGE_LONG");

	(void)state;
	for (size_t i = 0; i < sizeof(knees) / sizeof(knees[0]); i++) {
		const struct knee *knee = &knees[i];
		const struct config config = measure_model(knee->model, settings(knee));

		printf("%s L%d TLB, every %u pages: %u", knee->model, knee->tlb == L1 ? 1 : 2,
		       knee->stride, knee->pages);
		assert_false(misses(knee, &config, knee->pages - tolerance(knee)));
		assert_true(misses(knee, &config, knee->pages + tolerance(knee) + 1));
		if (is_long && *is_long)
			printf(", model %lu", (unsigned long)find(knee, &config));
		putchar('\n');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_knees) };

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What loads of a pointer chase take, as published, and what the models make of it: within 20 %, or
 * a miss that docs/validation.md explains. The page has each line that this program prints. The
 * differences between arrays take long: with TWOSTAGE_LONG only.
 */
#include "tests/unit/unit.h"

#include <math.h>
#include <stdio.h>

#include "measure.h"
#include "tests/repro/scratch.h"

enum { IN_L1_TLB = 8, IN_L2_TLB = 400, IN_NO_TLB = 6144 }; /* pages, for every model here */
enum { ARRAY_ACCESSES = 200000 };

/* Who knows the number: a parameter that is this very measurement tells nothing about the model. */
enum kind { GIVEN, FITTED, PREDICTED, MISSED };

static const char *const kind_name[] = { "given", "fitted", "predicted", "predicted, a miss" };

struct step {
	const char *model, *what;
	double published;
	const char *unit;
	enum kind kind;
	double (*simulate)(const struct step *step);
	const char *settings;
};

static uint64_t page_bytes(const struct config *config)
{
	return UINT64_C(1) << config->stage1.granule_bits;
}

static double chase(const struct config *config, uint64_t pages)
{
	return measure_chase(config, pages, page_bytes(config)).translation_cycles;
}

static double l2_tlb_hit(const struct step *step)
{
	const struct config config = measure_model(step->model, step->settings);

	return chase(&config, IN_L2_TLB) - chase(&config, IN_L1_TLB);
}

static double l2_tlb_miss(const struct step *step)
{
	const struct config config = measure_model(step->model, step->settings);

	return chase(&config, IN_NO_TLB) - chase(&config, IN_L2_TLB);
}

/* From address to data in the level-1 cache: its latency contains a hit in the level-1 TLB. */
static double load_to_use(const struct config *config, uint64_t pages)
{
	return (double)(config->cache.l1d.hit_cycles - config->tlb.l1d.hit_cycles) +
	       chase(config, pages);
}

static double load_l1(const struct step *step)
{
	const struct config config = measure_model(step->model, step->settings);

	return load_to_use(&config, IN_L1_TLB);
}

static double load_l2(const struct step *step)
{
	const struct config config = measure_model(step->model, step->settings);

	return load_to_use(&config, IN_L2_TLB);
}

static double load_walk(const struct step *step)
{
	const struct config config = measure_model(step->model, step->settings);

	return load_to_use(&config, IN_NO_TLB);
}

/* Data in the L2 cache, its page in the L2 TLB. */
static double l2_data(const struct step *step)
{
	const struct config config = measure_model(step->model, step->settings);

	return (double)config.cache.l2.hit_cycles + l2_tlb_hit(step);
}

/* Random loads in an array of 1 GiB, all data from DRAM. */
static double array_ns(const struct step *step)
{
	const struct config config = measure_model(step->model, step->settings);
	const struct measure m = measure_uniform(&config, UINT64_C(1) << 30, ARRAY_ACCESSES);
	const double cycles = (double)(config.dram.latency_cycles - config.tlb.l1d.hit_cycles) +
			      m.translation_cycles;

	return cycles * 1000 / (double)config.core.frequency_mhz;
}

/* Random in an array of 1 GiB: pages of 4K less pages of 2M. */
static double array_difference_ns(const struct step *step)
{
	struct step large = *step;
	char settings[256];

	snprintf(settings, sizeof(settings), "%s guest.pages=2M", step->settings);
	large.settings = settings;
	return array_ns(step) - array_ns(&large);
}

#define HOST_1G	 "host.backing=1G"
#define HOST_32M "host.backing=32M"
/* In a chase with a line of data for each line of tables, half of a cache holds tables. */
#define HALF " cache.table_share_permille=500"
/* A stage 2 that costs nothing, as without a hypervisor. */
#define NO_STAGE2 " walk_cache.s2.entries=64 walk_cache.s2.ways=4 walk_cache.s2.hit_cycles=0"

/* clang-format off */
static const struct step steps[] = {
	{ "neoverse-n1", "L2 TLB hit over L1 hit", 5, "cycles", GIVEN, l2_tlb_hit, HOST_1G },
	{ "neoverse-v2", "L2 TLB hit over L1 hit", 5, "cycles", GIVEN, l2_tlb_hit, HOST_1G },
	{ "cortex-a72", "L2 TLB hit over L1 hit", 7, "cycles", GIVEN, l2_tlb_hit, HOST_1G },
	{ "cortex-a57", "L2 TLB hit over L1 hit", 20, "cycles", GIVEN, l2_tlb_hit, HOST_1G },
	{ "cortex-a57", "data in L2, page in L2 TLB", 50, "cycles", PREDICTED, l2_data, HOST_1G },
	{ "cortex-a53", "main TLB hit over uTLB hit", 2, "cycles", GIVEN, l2_tlb_hit, HOST_1G },
	{ "cortex-a53", "main TLB miss over hit", 20, "cycles", PREDICTED, l2_tlb_miss, HOST_1G },
	{ "apple-m1", "load to use, L1 TLB hit", 3, "cycles", GIVEN, load_l1, HOST_32M },
	{ "apple-m1", "load to use, L2 TLB hit", 9, "cycles", GIVEN, load_l2, HOST_32M },
	{ "apple-m1", "load to use, L2 TLB miss", 35, "cycles", FITTED, load_walk, HOST_32M },
	{ "cortex-a72", "DRAM, 2M pages", 92, "ns", GIVEN, array_ns, HOST_1G " guest.pages=2M" },
	{ "cortex-a72", "DRAM, 4K pages; in a VM", 162, "ns", PREDICTED, array_ns, HOST_1G HALF },
	{ "cortex-a72", "4K less 2M pages; in a VM", 70, "ns", PREDICTED, array_difference_ns,
	  HOST_1G HALF },
	{ "cortex-a72", "4K less 2M pages; no stage 2", 70, "ns", PREDICTED, array_difference_ns,
	  HOST_1G HALF NO_STAGE2 },
	{ "cortex-a72", "4K less 2M pages; in a VM, the model's table share", 70, "ns", MISSED,
	  array_difference_ns, HOST_1G },
};
/* clang-format on */

static bool is_long(void)
{
	const char *text = getenv("TWOSTAGE_LONG");

	return text && *text;
}

static bool is_in_page(const char *line)
{
	char text[1024];
	bool found = false;
	FILE *page = fopen("docs/validation.md", "r");

	assert_non_null(page);
	while (!found && fgets(text, sizeof(text), page))
		found = strstr(text, line) != NULL;
	fclose(page);
	return found;
}

static void all_steps(void **state)
{
	unsigned absent = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const struct step *step = &steps[i];
		double simulated, off;
		char line[256];

		if (step->simulate == array_difference_ns && !is_long())
			continue;
		simulated = step->simulate(step);
		off = (simulated - step->published) / step->published;
		snprintf(line, sizeof(line), "| %s | %s | %g | %.1f | %s | %+.0f %% | %s |",
			 step->model, step->what, step->published, simulated, step->unit,
			 round(off * 100) + 0.0, kind_name[step->kind]);
		puts(line);
		assert_true((fabs(off) <= 0.20) == (step->kind != MISSED));
		absent += !is_in_page(line);
	}
	assert_int_equal(absent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_steps) };

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sweep/plan.h"

static char folder[64];

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void write_trace(const char *name)
{
	struct trace_writer_options options = { .granularity = TRACE_RAW };
	struct diag diag = DIAG_INIT;
	struct trace_writer *writer;
	struct trace_run run = {
		.key = { .va = 0x1000, .ipa = TRACE_IPA_UNKNOWN, .stream = STREAM_DATA },
		.reads = 1,
		.store_ordinal = UINT64_MAX
	};
	char path[128];

	/* Different names, different contents. */
	run.key.va += (uint64_t)name[0] << 12;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	writer = trace_create(path, &options, &diag);
	assert_non_null(writer);
	assert_int_equal(trace_put_run(writer, &run, &diag), STATUS_OK);
	assert_int_equal(trace_finish(writer, NULL, &diag), STATUS_OK);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, P_tmpdir "/test_plan.XXXXXX");
	if (!mkdtemp(folder) || setenv("TWOSTAGE_MODELS", folder, 1) != 0)
		return -1;
	write_trace("a.s2t");
	write_trace("b.s2t");
	write_file("m1.yaml", "tlb.l2.entries: 64\ntlb.l2.ways: 4\n");
	write_file("m2.yaml", "tlb.l2.entries: 128\ntlb.l2.ways: 4\n");
	return 0;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct plan *load(const char *text, struct diag *diag)
{
	char path[128];

	write_file("s.yaml", text);
	snprintf(path, sizeof(path), "%s/s.yaml", folder);
	return plan_load(path, diag);
}

static struct plan *expand(const char *text)
{
	struct diag diag = DIAG_INIT;
	struct plan *plan = load(text, &diag);

	if (!plan || plan_open_traces(plan, &diag) != STATUS_OK ||
	    plan_expand(plan, &diag) != STATUS_OK)
		fail_msg("%s: %s", diag.place, diag.text);
	return plan;
}

/* Point `index` is described as `expected`. */
static void describe(const struct plan *plan, size_t index, const char *expected)
{
	char text[512];

	plan_describe(plan, &plan->points[index], text, sizeof(text));
	assert_string_equal(text, expected);
}

static void cross_product(void **state)
{
	struct plan *plan = expand("name: x\n"
				   "models: [m1, m2]\n"
				   "traces: [a.s2t, b.s2t]\n"
				   "set: { seed: 7 }\n"
				   "zip: { stage1.granule: [4K, 64K], stage2.granule: [4K, 64K] }\n"
				   "axes:\n"
				   "  stage2.ipa_bits: [40, 44]\n"
				   "  tlb.l1d.page_sizes: [[4K], [4K, 2M]]\n");
	struct config config;

	(void)state;
	assert_string_equal(plan->name, "x");
	assert_int_equal(plan->n_points, 2 * 2 * 2 * 2 * 2);
	assert_int_equal(plan->n_duplicates, 0);
	describe(plan, 0,
		 "m1, a.s2t, seed=7, stage1.granule=4K, stage2.granule=4K, "
		 "stage2.ipa_bits=40, tlb.l1d.page_sizes=[4K]");
	describe(plan, 1,
		 "m1, a.s2t, seed=7, stage1.granule=4K, stage2.granule=4K, "
		 "stage2.ipa_bits=40, tlb.l1d.page_sizes=[4K, 2M]");
	describe(plan, 31,
		 "m2, b.s2t, seed=7, stage1.granule=64K, stage2.granule=64K, "
		 "stage2.ipa_bits=44, tlb.l1d.page_sizes=[4K, 2M]");
	plan_config(plan, &plan->points[31], &config);
	assert_int_equal(config.tlb.l2.entries, 128);
	assert_int_equal(config.stage2.ipa_bits, 44);
	assert_int_equal(config.stage1.granule_bits, 16);
	assert_int_equal(config.seed, 7);
	plan_free(plan);
}

/* Grids share points and traces: each point once, those of one trace together. */
static void grids(void **state)
{
	struct plan *plan =
		expand("name: x\n"
		       "models: m1\n"
		       "set: { seed: 2 }\n"
		       "grids:\n"
		       "  - { traces: a.s2t, axes: { stage2.ipa_bits: [36, 40] } }\n"
		       "  - { traces: [b.s2t, a.s2t], axes: { stage2.ipa_bits: [40, 44] },"
		       " set: { seed: 2 } }\n"
		       "  - { traces: a.s2t, models: m2 }\n");

	(void)state;
	assert_int_equal(plan->n_points, 6);
	assert_int_equal(plan->n_duplicates, 1);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(plan->points[i].trace, 0);
	assert_int_equal(plan->points[4].trace, 1);
	describe(plan, 3, "m2, a.s2t, seed=2");
	plan_free(plan);
}

/* The spec `text` is refused at LINE:COLUMN with `words`. */
static void refuse(const char *text, const char *line_column, const char *words)
{
	struct diag diag = DIAG_INIT;
	char place[160];

	snprintf(place, sizeof(place), "%s/s.yaml:%s", folder, line_column);
	assert_null(load(text, &diag));
	assert_string_equal(diag.place, place);
	if (!strstr(diag.text, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, words);
}

#define HEAD "name: x\nmodels: m1\ntraces: a.s2t\n"

static void refused(void **state)
{
	(void)state;
	refuse("models: m1\ntraces: a.s2t\n", "1:1", "no 'name:'");
	refuse("name: a/b\nmodels: m1\ntraces: a.s2t\n", "1:7", "letters, digits");
	refuse("name: x\ntraces: a.s2t\n", "1:1", "no 'models:'");
	refuse("name: x\nmodels: []\ntraces: a.s2t\n", "2:9", "no 'models:'");
	refuse("name: x\nmodels: m3\ntraces: a.s2t\n", "2:9", "did you mean 'm1'?");
	refuse("name: x\nmodels: m1\ntraces: c.s2t\n", "3:9", "no such trace");
	refuse(HEAD "axis: { seed: [1] }\n", "4:1", "did you mean 'axes'?");
	refuse(HEAD "axes: { sed: [1] }\n", "4:9", "did you mean 'seed'?");
	refuse(HEAD "axes: { seed: [1, x] }\n", "4:19", "is not a whole number");
	refuse(HEAD "axes: { seed: 1 }\n", "4:15", "a list was expected");
	refuse(HEAD "axes: { seed: [] }\n", "4:15", "the list is empty");
	refuse("name: x\ngrids: []\n", "2:8", "grids: the list is empty");
	refuse(HEAD "axes: [seed]\n", "4:7", "a map was expected");
	refuse(HEAD "set: { seed: 1 }\naxes: { seed: [1] }\n", "5:9", "already set in line 4");
	refuse(HEAD "set: { stage2.ipa_bits: 99 }\n", "4:25", "expected 32 to 52");
	refuse(HEAD "zip: { seed: [1, 2], stage2.ipa_bits: [40] }\n", "4:39",
	       "has 1 values, but seed, which advances with it, has 2");
	refuse(HEAD "zip: [7]\n", "4:7", "a map was expected");
	refuse("name: x\ngrids: { a: b }\n", "2:8", "a list was expected");
	refuse("name: x\nmodels: m1\ngrids:\n  - axes: {}\n", "4:5", "no 'traces:'");
	refuse("name: x\nmodels: m1\ngrids:\n  - trace: a.s2t\n", "4:5", "did you mean 'traces'?");
	refuse("- 1\n", "1:1", "a map was expected");
}

/* 10^8 points are refused before memory is asked for. */
static void too_many(void **state)
{
	char text[4096];
	size_t used = (size_t)snprintf(text, sizeof(text), HEAD "zip:\n");
	static const char *const keys[] = { "seed",
					    "tlb.l1i.entries",
					    "tlb.l1d.entries",
					    "dram.latency_cycles",
					    "core.frequency_mhz",
					    "latency.fixed_cycles" };
	struct diag diag = DIAG_INIT;

	(void)state;
	for (size_t k = 0; k < 6; k++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "  - { %s: [", keys[k]);
		for (int i = 1; i <= 25; i++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%d,", i);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "] }\n");
	}
	assert_null(load(text, &diag));
	assert_non_null(strstr(diag.text, "more than 10000000 points"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cross_product, set_up, tear_down),
		cmocka_unit_test_setup_teardown(grids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_many, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

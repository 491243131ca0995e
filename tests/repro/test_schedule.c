/* SPDX-License-Identifier: BSD-2-Clause */
/* Each point of a sweep is handed out once, to whichever workers ask, and those that share are kept
 * together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "refs.h"
#include "sweep/schedule.h"
#include "scratch.h"
#include "tests/conform/gen.h"

enum { WORKERS_MAX = 9 };

/* A sweep with these axes over a trace of n accesses to so many pages. */
static struct plan *load_plan(size_t n, unsigned pages, const char *axes)
{
	struct refs_options options = {
		.seed = 3, .n = n, .vcpus = 1, .vms = 1, .asids = 1, .pages = pages
	};
	struct refs refs = refs_random(&options);
	struct diag diag = DIAG_INIT;
	struct plan *plan;
	FILE *spec;

	refs_write(&refs, scratch_path("s.s2t"), TRACE_PAGE_RUNS);
	refs_free(&refs);
	spec = fopen(scratch_path("s.yaml"), "w");
	assert_non_null(spec);
	fprintf(spec, "name: s\nmodels: [neoverse-n1]\ntraces: [s.s2t]\naxes:\n%s", axes);
	assert_int_equal(fclose(spec), 0);
	plan = plan_load(scratch_path("s.yaml"), &diag);
	if (!plan || plan_open_traces(plan, &diag) != STATUS_OK ||
	    plan_expand(plan, &diag) != STATUS_OK)
		fail_msg("%s: %s", diag.place, diag.text);
	return plan;
}

/* The axis that decides least varies slowest, so that the plan's order shares nothing. */
static struct plan *load(void)
{
	struct plan *plan = load_plan(400, 20,
				      "  dram.latency_cycles: [100, 200, 300]\n"
				      "  tlb.l2.entries: [640, 1280]\n"
				      "  stage2.ipa_bits: [40, 44]\n  tlb.l1d.entries: [16, 32]\n");

	assert_int_equal(plan->n_points, 24);
	return plan;
}

static enum share_depth depth_of(const struct plan *plan, size_t a, size_t b)
{
	struct config x, y;

	plan_config(plan, &plan->points[a], &x);
	plan_config(plan, &plan->points[b], &y);
	return share_depth(&x, &y);
}

/* The order is that of a tree: 2 L1 TLBs, in each 2 mappings, in each 2 L2 TLBs, in each 3
 * latencies.
 */
static void one_worker(void **state)
{
	struct plan *plan = load();
	unsigned shared[SHARE_DEPTHS] = { 0 };
	struct schedule schedule;
	struct diag diag = DIAG_INIT;

	(void)state;
	assert_int_equal(schedule_init(&schedule, plan, 0, plan->n_points, 1, &diag), STATUS_OK);
	for (size_t i = 0; i < plan->n_points; i++) {
		unsigned wanted = 0;

		assert_int_equal(schedule_next(&schedule, 0), i);
		assert_int_equal(schedule_next(&schedule, 0), i);
		schedule_take(&schedule, 0);
		shared[schedule.places[i].shared]++;
		for (size_t later = i + 1; later < plan->n_points; later++)
			wanted |= 1u << depth_of(plan, schedule.places[i].point,
						 schedule.places[later].point);
		assert_int_equal(schedule_wanted(&schedule, i), wanted);
	}
	assert_int_equal(schedule_next(&schedule, 0), SCHEDULE_NONE);
	assert_int_equal(shared[SHARE_NOTHING], 2);
	assert_int_equal(shared[SHARE_STREAM], 2);
	assert_int_equal(shared[SHARE_MAP], 4);
	assert_int_equal(shared[SHARE_PLACES], 16);
	schedule_fini(&schedule);
	plan_free(plan);
}

/* Workers ask in a random order; one that gets nothing may ask again. */
static void deal(const struct plan *plan, unsigned workers, struct rng *rng)
{
	const size_t first = (size_t)rng_below(rng, plan->n_points);
	const size_t end = first + (size_t)rng_below(rng, plan->n_points - first + 1);
	unsigned seen[24] = { 0 }, idle = 0;
	struct schedule schedule;
	struct diag diag = DIAG_INIT;

	assert_int_equal(schedule_init(&schedule, plan, first, end, workers, &diag), STATUS_OK);
	while (idle < 200) {
		const unsigned worker = (unsigned)rng_below(rng, workers);
		const size_t place = schedule_next(&schedule, worker);

		idle = place == SCHEDULE_NONE ? idle + 1 : 0;
		if (place == SCHEDULE_NONE)
			continue;
		schedule_take(&schedule, worker);
		seen[schedule.places[place].point]++;
	}
	for (size_t i = 0; i < plan->n_points; i++)
		assert_int_equal(seen[i], i >= first && i < end);
	schedule_fini(&schedule);
}

static void many_workers(void **state)
{
	struct plan *plan = load();
	struct rng rng = { 5 };

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		deal(plan, 1 + i % WORKERS_MAX, &rng);
	plan_free(plan);
}

/*
 * Four L2 TLBs. As long as the first worker replays the whole trace, a second one does so, too, and
 * takes half of the points. Of a trace that mostly hits, all but the first point cost little: once
 * that is done, the second worker waits for the recording to be free rather than to make it, too,
 * and takes the last. A short trace is done before a copy is made: nothing is left for it.
 */
static void second_worker(void **state)
{
	static const struct {
		size_t n;
		unsigned pages;
		unsigned n_taken; /* by the first worker */
		size_t place;	  /* of the second */
		unsigned like;
	} cases[] = { { 400, 20, 1, 2, 1 },
		      { 400, 20, 2, SCHEDULE_NONE, 1 },
		      { 4000000, 20, 2, 3, 0 },
		      { 400000, 60000, 1, 2, 1 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan *plan = load_plan(cases[i].n, cases[i].pages,
					      "  tlb.l2.entries: [320, 640, 1280, 2560]\n");
		struct schedule schedule;
		struct diag diag = DIAG_INIT;

		assert_int_equal(schedule_init(&schedule, plan, 0, plan->n_points, 2, &diag),
				 STATUS_OK);
		for (unsigned k = 0; k < cases[i].n_taken; k++) {
			assert_int_equal(schedule_next(&schedule, 0), k);
			schedule_take(&schedule, 0);
			assert_int_equal(schedule_like(&schedule, 0), 0);
		}
		assert_int_equal(schedule_next(&schedule, 1), cases[i].place);
		if (cases[i].place != SCHEDULE_NONE)
			schedule_take(&schedule, 1);
		assert_int_equal(schedule_like(&schedule, 1), cases[i].like);
		assert_int_equal(schedule_like(&schedule, 1), 1);
		schedule_fini(&schedule);
		plan_free(plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(one_worker),
					    cmocka_unit_test(many_workers),
					    cmocka_unit_test(second_worker) };

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walkers side by side in whole points: they change no count but their own, their clock is the
 * same whatever form the trace has, and where every walk takes as long as all others the cycles are
 * known without a simulator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "run/point.h"
#include "sweep/share.h"
#include "tests/repro/refs.h"
#include "tests/repro/scratch.h"

/* Small TLBs, so that there are many walks. */
#define SMALL                                                                                      \
	"guest.memory=4G tlb.l1d.entries=6 tlb.l1i.entries=6 tlb.l2.entries=24 tlb.l2.ways=4 "     \
	"cache.l2.size=16K cache.llc.size=64K walk_cache.s1.entries=8 walk_cache.s2.entries=8"
#define WINDOW SMALL " core.window_instructions=60 core.cpi_permille=700 "

static const enum stat_id own[] = {
	STAT_stall_cycles,	 STAT_stall_walkers_cycles, STAT_walk_active_cycles,
	STAT_walk_queue_cycles,	 STAT_walks_merged,	    STAT_walks_repeated,
	STAT_walk_repeat_cycles,
};

enum { OWN = sizeof(own) / sizeof(own[0]), TIMES = 4 };

static struct stats run(const char *settings, const char *more, const struct trace_reader *trace)
{
	const struct config config = rig_config2(settings, more);
	struct diag diag = DIAG_INIT;
	struct stats stats;

	if (point_run(&config, trace, NULL, &stats, &diag) != STATUS_OK)
		fail_msg("%s %s: %s", settings, more, diag.text);
	return stats;
}

static struct refs_options options(unsigned vcpus)
{
	return (struct refs_options){ .seed = 7,
				      .n = 20000,
				      .vcpus = vcpus,
				      .vms = 1,
				      .asids = 1,
				      .pages = 60,
				      .same_page_percent = 60,
				      .straddle_permille = 10,
				      .store_percent = 30 };
}

static void keep(struct refs *refs, bool (*wanted)(const struct trace_ref *ref, unsigned which),
		 unsigned which)
{
	size_t kept = 0;

	for (size_t i = 0; i < refs->n; i++)
		if (wanted(&refs->item[i].ref, which))
			refs->item[kept++] = refs->item[i];
	refs->n = kept;
}

static bool is_data(const struct trace_ref *ref, unsigned which)
{
	(void)which;
	return ref->kind != ACCESS_FETCH;
}

static bool is_of(const struct trace_ref *ref, unsigned vcpu)
{
	return ref->vcpu == vcpu;
}

/* Its last records hit and are of one access, so that nothing lies behind the first of the last. */
static void end_with_hits(struct refs *refs)
{
	size_t last = refs->n - 1;

	while (refs->item[last].ref.kind == ACCESS_FETCH)
		last--;
	refs->item = realloc(refs->item, (refs->n + 4) * sizeof(*refs->item));
	assert_non_null(refs->item);
	for (unsigned i = 0; i < 4; i++) {
		struct refs_item *item = &refs->item[refs->n++];

		*item = refs->item[last];
		item->ref.va = (item->ref.va & ~(uint64_t)0xfff) + 64 * i;
		item->ref.va ^= i & 1 ? 0x1000 : 0;
		item->ref.size = 1;
	}
}

static void alone_or_side_by_side(void **state)
{
	static const char *const more[] = { "walker.count=1", "walker.count=3 walker.queue=1",
					    "walker.count=2 walker.merge=no" };
	struct refs refs = refs_random(&(struct refs_options){ .seed = 8,
							       .n = 12000,
							       .vcpus = 2,
							       .vms = 2,
							       .asids = 2,
							       .pages = 60,
							       .same_page_percent = 60,
							       .straddle_permille = 10,
							       .store_percent = 30,
							       .switch_permille = 5,
							       .tlbi_permille = 3,
							       .unmap_permille = 2 });
	struct trace_reader *raw = refs_open(&refs, refs.n, scratch_path("raw.s2t"), TRACE_RAW);
	const struct stats plain = run(SMALL, "seed=1", raw);
	const uint64_t *v = plain.v;

	(void)state;
	assert_int_equal(v[STAT_stall_cycles], v[STAT_walk_cycles]);
	assert_int_equal(v[STAT_walk_active_cycles], v[STAT_walk_cycles]);
	for (unsigned i = 0; i < 3; i++) {
		struct stats stats = run(WINDOW, more[i], raw);

		assert_true(stats.v[STAT_stall_cycles] <= stats.v[STAT_walk_active_cycles]);
		assert_true(stats.v[STAT_stall_cycles] < v[STAT_walk_cycles]);
		assert_true(stats.v[i == 2 ? STAT_walks_repeated : STAT_walks_merged]);
		for (unsigned k = 0; k < OWN; k++)
			stats.v[own[k]] = v[own[k]];
		for (unsigned k = 0; k < STAT_COUNT; k++)
			if (stats.v[k] != v[k])
				fail_msg("%s: %s differs", more[i], stat_rows[k].name);
	}
	trace_close(raw);
	refs_free(&refs);
}

static void overlap(void **state)
{
	struct refs refs = refs_random(&(struct refs_options){
		.seed = 9, .n = 3000, .vcpus = 1, .vms = 1, .asids = 1, .pages = 60 });
	struct trace_reader *pages =
		refs_open(&refs, refs.n, scratch_path("pages.s2t"), TRACE_PAGE_RUNS);
	const uint64_t walks = run(SMALL, "seed=1", pages).v[STAT_walk_cycles];

	(void)state;
	for (unsigned permille = 0; permille <= 1000; permille += 37) {
		char set[64];
		struct stats stats;

		snprintf(set, sizeof(set), "core.overlap_permille=%u", permille);
		stats = run(SMALL, set, pages);
		assert_int_equal(stats.v[STAT_walk_cycles], walks);
		assert_int_equal(stats.v[STAT_walk_active_cycles], walks);
		assert_int_equal(stats.v[STAT_stall_cycles], walks - walks * permille / 1000);
	}
	assert_int_equal(run(SMALL, "core.overlap_permille=1000", pages).v[STAT_stall_cycles], 0);
	trace_close(pages);
	refs_free(&refs);
}

/* Where the records of a run begin is known exactly, and nothing else counts. */
static void forms_agree(void **state)
{
	static const char *const more[TIMES] = { "walker.count=1", "walker.count=2 walker.queue=2",
						 "walker.count=4 core.cpi_permille=0",
						 "walker.count=8 core.cpi_permille=3100" };

	(void)state;
	for (unsigned without_fetches = 0; without_fetches < 2; without_fetches++) {
		const struct refs_options wanted = options(1);
		struct refs refs = refs_random(&wanted);
		struct trace_reader *raw, *pages;

		if (without_fetches)
			keep(&refs, is_data, 0);
		end_with_hits(&refs);
		raw = refs_open(&refs, refs.n, scratch_path("raw.s2t"), TRACE_RAW);
		pages = refs_open(&refs, refs.n, scratch_path("pages.s2t"), TRACE_PAGE_RUNS);
		assert_int_equal(trace_info(raw)->totals.instructions == 0, without_fetches);
		for (unsigned i = 0; i < TIMES; i++) {
			const struct stats a = run(WINDOW, more[i], raw);
			const struct stats b = run(WINDOW, more[i], pages);

			for (unsigned k = 0; k < 4; k++)
				if (a.v[own[k]] != b.v[own[k]])
					fail_msg("%s: %s is %llu and %llu", more[i],
						 stat_rows[own[k]].name,
						 (unsigned long long)a.v[own[k]],
						 (unsigned long long)b.v[own[k]]);
			assert_true(a.v[STAT_walks_merged] >= b.v[STAT_walks_merged]);
		}
		trace_close(raw);
		trace_close(pages);
		refs_free(&refs);
	}
}

/* Each vCPU has a clock and walkers of its own: where nothing is shared, two do what each did. */
static void vcpus(void **state)
{
	static const char *const settings =
		WINDOW "latency.model=fixed latency.fixed_cycles=3 walk_cache.s1.entries=none "
		       "walk_cache.s2.entries=none walker.count=2 walker.queue=1";
	uint64_t sum[OWN] = { 0 };
	struct stats both;

	(void)state;
	for (unsigned which = 0; which < 3; which++) {
		const struct refs_options wanted = options(2);
		struct refs refs = refs_random(&wanted);
		struct trace_reader *raw;

		if (which < 2)
			keep(&refs, is_of, which);
		raw = refs_open(&refs, refs.n, scratch_path("raw.s2t"), TRACE_RAW);
		both = run(settings, "seed=1", raw);
		for (unsigned k = 0; which < 2 && k < OWN; k++)
			sum[k] += both.v[own[k]];
		trace_close(raw);
		refs_free(&refs);
	}
	assert_true(sum[0] && sum[1] && sum[2] && sum[3]);
	for (unsigned k = 0; k < OWN; k++)
		assert_int_equal(both.v[own[k]], sum[k]);
}

/* Each walk reads 24 descriptors, 5 cycles each. */
#define SAME_WALKS                                                                                 \
	"latency.model=fixed latency.fixed_cycles=5 stage2.ipa_bits=48 "                           \
	"walk_cache.s1.entries=none walk_cache.s2.entries=none core.window_instructions=100000"
enum { WALK = 24 * 5 };

/*
 * Accesses that all walk for as long, by a core that needs no time: n walkers do n at once, and the
 * core waits from the first to the last.
 */
static void batches(void **state)
{
	enum { ACCESSES = 101 };
	struct refs_item item[ACCESSES];
	const struct refs refs = { item, ACCESSES };
	struct trace_reader *raw;

	(void)state;
	memset(item, 0, sizeof(item));
	for (unsigned i = 0; i < ACCESSES; i++)
		item[i].ref = (struct trace_ref){ .va = UINT64_C(0x7f0000000000) + i * 4096,
						  .kind = ACCESS_LOAD,
						  .size = 8 };
	raw = refs_open(&refs, refs.n, scratch_path("raw.s2t"), TRACE_RAW);
	for (unsigned count = 1; count <= 16; count++) {
		const uint64_t rounds = (ACCESSES + count - 1) / count;
		char set[64];
		struct stats stats;

		snprintf(set, sizeof(set), "walker.count=%u", count);
		stats = run(SAME_WALKS " core.cpi_permille=0", set, raw);
		assert_int_equal(stats.v[STAT_walk_cycles], ACCESSES * WALK);
		assert_int_equal(stats.v[STAT_stall_cycles], rounds * WALK);
		assert_int_equal(stats.v[STAT_walk_active_cycles], rounds * WALK);
		assert_int_equal(stats.v[STAT_stall_walkers_cycles], (rounds - 1) * WALK);
	}
	trace_close(raw);
}

/* An access of ASID 1 or 2; a fetch begins an instruction, and so does a load without any. */
struct step {
	char kind; /* 'f'etch or 'l'oad, small in ASID 1, large in ASID 2 */
	uint64_t va;
};

enum { STEPS = 6 };

static const struct {
	const char *what, *settings;
	struct step step[STEPS];
	uint64_t walks, merged, stall;
} few[] = {
	/* Walks from cycle 0 to 120 and from 3 to 123, the last instruction begins in 3. */
	{ "anywhere in a page, whatever the tag",
	  "walker.count=2",
	  { { 'l', 0x400000 }, { 'l', 0x400ff8 }, { 'l', 0x5a00000000400008 }, { 'l', 0x401000 } },
	  2,
	  2,
	  WALK },
	{ "of another address space",
	  "walker.count=2",
	  { { 'l', 0x400000 }, { 'L', 0x400000 }, { 'l', 0x400000 } },
	  2,
	  0,
	  WALK - 1 },
	/* The load's walk begins when the fetch's is done, and lasts for one instruction. */
	{ "a fetch that hits",
	  "tlb.l2.entries=none",
	  { { 'f', 0x400000 }, { 'l', 0x400000 }, { 'f', 0x400004 } },
	  2,
	  0,
	  2 * WALK - 1 },
	/* The second load's begins when the first one's is done, as the fetch waits for that. */
	{ "a fetch that hits level 2",
	  "walker.count=2",
	  { { 'l', 0x400000 }, { 'f', 0x400000 }, { 'l', 0x500000 } },
	  2,
	  1,
	  2 * WALK - 1 },
};

static void few_accesses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++) {
		struct refs_item item[STEPS];
		struct refs refs = { item, 0 };
		struct trace_reader *raw;
		struct stats stats;

		memset(item, 0, sizeof(item));
		for (const struct step *step = few[i].step; step->kind; step++)
			item[refs.n++].ref = (struct trace_ref){
				.va = step->va,
				.kind = (step->kind | 32) == 'f' ? ACCESS_FETCH : ACCESS_LOAD,
				.instructions = (step->kind | 32) == 'f',
				.asid = step->kind & 32 ? 1 : 2,
				.size = 4,
			};
		raw = refs_open(&refs, refs.n, scratch_path("raw.s2t"), TRACE_RAW);
		stats = run(SAME_WALKS, few[i].settings, raw);
		if (stats.v[STAT_walks] != few[i].walks ||
		    stats.v[STAT_walks_merged] != few[i].merged ||
		    stats.v[STAT_stall_cycles] != few[i].stall)
			fail_msg("%s: %llu walks, %llu merged, %llu cycles", few[i].what,
				 (unsigned long long)stats.v[STAT_walks],
				 (unsigned long long)stats.v[STAT_walks_merged],
				 (unsigned long long)stats.v[STAT_stall_cycles]);
		trace_close(raw);
	}
}

/* Walks under way end with the warm-up, so what is left of the time is that of the walks left. */
static void warmup(void **state)
{
	const struct refs_options wanted = options(1);
	struct refs refs = refs_random(&wanted);
	struct trace_reader *pages =
		refs_open(&refs, refs.n, scratch_path("pages.s2t"), TRACE_PAGE_RUNS);
	const uint64_t instructions = trace_info(pages)->totals.instructions;

	(void)state;
	for (uint64_t n = 100; n < instructions - 100; n += 997) {
		char set[96];
		struct stats stats;
		const uint64_t *v = stats.v;

		snprintf(set, sizeof(set), "walker.count=3 warmup.instructions=%llu",
			 (unsigned long long)n);
		stats = run(WINDOW, set, pages);
		assert_true(v[STAT_stall_cycles] <= v[STAT_walk_active_cycles]);
		assert_true(v[STAT_walk_active_cycles] <= v[STAT_walk_cycles]);
		snprintf(set, sizeof(set), "core.overlap_permille=77 warmup.instructions=%llu",
			 (unsigned long long)n);
		stats = run(SMALL, set, pages);
		assert_int_equal(v[STAT_stall_cycles],
				 v[STAT_walk_cycles] - v[STAT_walk_cycles] * 77 / 1000);
	}
	trace_close(pages);
	refs_free(&refs);
}

/*
 * Time goes on between misses, too: a point with a window is not made from those of another one.
 * What the overlap hides is that of each point.
 */
static void shared(void **state)
{
	static const char *const settings[] = {
		SMALL, WINDOW, WINDOW "dram.latency_cycles=99", SMALL " core.overlap_permille=250",
		SMALL,
	};
	const struct refs_options wanted = options(1);
	struct refs refs = refs_random(&wanted);
	struct trace_reader *pages =
		refs_open(&refs, refs.n, scratch_path("pages.s2t"), TRACE_PAGE_RUNS);
	struct share *share = share_create(64 << 20);

	(void)state;
	assert_non_null(share);
	for (unsigned i = 0; i < 5; i++) {
		const struct config config = rig_config(settings[i]);
		const struct stats alone = run(settings[i], "seed=1", pages);
		struct interval_table intervals;
		struct diag diag = DIAG_INIT;
		struct stats stats;

		assert_int_equal(
			share_run(share, &config, pages, SHARE_ALL, &stats, &intervals, &diag),
			STATUS_OK);
		assert_memory_equal(&stats, &alone, sizeof(stats));
	}
	assert_int_equal(share_counts(share).points[SHARE_NOTHING], 3);
	assert_int_equal(share_counts(share).points[SHARE_PLACES], 2);
	share_free(share);
	trace_close(pages);
	refs_free(&refs);
}

static void refused(const char *settings, const char *why)
{
	const struct config config = rig_config(settings);
	struct diag diag = DIAG_INIT;

	assert_int_equal(point_check(&config, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, why));
}

static void refusals(void **state)
{
	const struct refs_options wanted = options(1);
	struct refs refs = refs_random(&wanted);
	struct trace_reader *lines =
		refs_open(&refs, refs.n, scratch_path("lines.s2t"), TRACE_LINE_RUNS);
	const struct config config = rig_config(WINDOW "walker.merge=no");
	struct diag diag = DIAG_INIT;
	struct stats stats;

	(void)state;
	refused("core.window_instructions=64 core.overlap_permille=1", "one of them must be 0");
	refused("core.window_instructions=64 timing.backend=systemc", "timing.backend: analytic");
	assert_int_equal(point_run(&config, lines, NULL, &stats, &diag), STATUS_BAD_INPUT);
	assert_true(diag.impossible);
	assert_non_null(strstr(diag.text, "needs a raw trace; this one holds line runs"));
	trace_close(lines);
	refs_free(&refs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_or_side_by_side),
		cmocka_unit_test(overlap),
		cmocka_unit_test(forms_agree),
		cmocka_unit_test(vcpus),
		cmocka_unit_test(batches),
		cmocka_unit_test(few_accesses),
		cmocka_unit_test(warmup),
		cmocka_unit_test(shared),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

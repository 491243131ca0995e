/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A point run from the recording of another one gives the statistics of a run alone, every count,
 * whatever differs between the two; and where their L1 TLBs must part, it is run alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_point.h"
#include "refs.h"
#include "sweep/share.h"
#include "scratch.h"
#include "tests/conform/gen.h"

enum { MAX_CHOICES = 5, TRACES = 3 };

/* Behind L1 come first those that decide least. */
static const char *const axes[][MAX_CHOICES] = {
	{ "latency.model=caches", "latency.model=fixed",
	  "latency.model=fixed latency.fixed_cycles=7" },
	{ "cache.l2.size=64K cache.l2.ways=2", "cache.l2.hit_cycles=20", "cache.l1d.size=16K",
	  "cache.llc.size=256K cache.table_share_permille=500" },
	{ "dram.latency_cycles=300", "dram.latency_cycles=500" },
	{ "cost.exit=1", "cost.fault=2 cost.tlbi=3 cost.zero_4k=5",
	  "cost.pte_update=9 cost.dvm=4" },
	{ "tlb.l1d.hit_cycles=1", "tlb.l1d.hit_cycles=3", "tlb.l2.hit_cycles=9",
	  "walk_cache.s1.hit_cycles=4 walk_cache.s2.hit_cycles=2" },
	{ "tlb.l2.entries=none", "tlb.l2.entries=64 tlb.l2.ways=4",
	  "tlb.l2.entries=256 tlb.l2.ways=4", "tlb.l2.replacement=srrip" },
	{ "tlb.l2.probe=parallel", "tlb.l2.probe=serial", "tlb.l2.coalesce=4",
	  "tlb.l2.contiguous=yes", "tlb.l2.index=hashed" },
	{ "tlb.l2.prefetch=none", "tlb.l2.prefetch=next-page" },
	{ "walk_cache.s1.entries=none", "walk_cache.s1.entries=16", "walk_cache.s1.levels=[3]" },
	{ "walk_cache.s2.entries=none", "walk_cache.s2.entries=16",
	  "walk_cache.s2.page_sizes=[2M,1G]", "walk_cache.s2.serves=tables" },
	{ "stage1.walk_cacheability=write-back", "stage1.walk_cacheability=non-cacheable",
	  "stage2.walk_cacheability=non-cacheable" },
	{ "walk_cache.s2.place=own", "walk_cache.s2.place=l2_tlb", "walk_cache.s1.place=l2_tlb",
	  "walk_cache.s2.place=s1" },
	{ "stage2.ipa_bits=40", "stage2.ipa_bits=44", "stage2.ipa_bits=48" },
	{ "stage2.start_level=auto", "stage2.start_level=plain host.va_bits=48" },
	/* What follows decides what gets into L1, too. */
	{ "host.backing=4K", "host.backing=2M", "host.backing=1G", "host.thp=always" },
	{ "host.block_rule=v10", "host.block_rule=upstream" },
	{ "core.dic=1", "core.dic=0" },
	{ "guest.pages=4K", "guest.pages=2M" },
	{ "host.force_broadcast=yes", "host.force_broadcast=no" },
	{ "core.ttl_hint=ignore", "core.ttl_hint=level" },
	{ "tlb.l1d.entries=12", "tlb.l1d.entries=16 tlb.l1d.ways=4", "tlb.l1i.replacement=plru" },
	{ "tlb.l1d.contiguous=no", "tlb.l1d.contiguous=yes", "tlb.l1d.coalesce=4",
	  "tlb.l1d.index=hashed", "tlb.l1d.coalesce=1" },
	{ "tlb.inclusion=none", "tlb.inclusion=none", "tlb.inclusion=exclusive" },
	{ "tlb.l1d.prefetch=none", "tlb.l1d.prefetch=next-page", "tlb.l1d.prefetch=none" },
	{ "guest.dirty_state=preset", "guest.dirty_state=preset", "guest.dirty_state=hardware" },
	{ "host.log_start=0", "host.log_start=0", "host.log_start=0", "host.log_start=900" },
};

enum { AXES = sizeof(axes) / sizeof(axes[0]), AXES_BEHIND = 14 };

static const char *small_trace(unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "s%u.s2t", i);
	return scratch_path(name);
}

static void write_traces(void)
{
	for (unsigned i = 0; i < TRACES; i++) {
		struct refs_options options = { .seed = 500 + i,
						.n = 6000,
						.vcpus = 1 + i,
						.vms = 1 + i / 2,
						.asids = 1 + i,
						.pages = 40 + 60 * i,
						.same_page_percent = 75,
						.straddle_permille = 6,
						.store_percent = 30,
						.switch_permille = i ? 5 : 0,
						.tlbi_permille = i ? 4 : 0,
						.unmap_permille = i == 2 ? 3 : 0 };
		struct refs refs = refs_random(&options);

		refs_write(&refs, small_trace(i), TRACE_PAGE_RUNS);
		refs_free(&refs);
	}
}

/* A random walk over the first axes, so that neighbours have much in common. */
static struct config step(struct rng *rng, unsigned chosen[AXES], unsigned first_axes)
{
	for (unsigned changes = 1 + (unsigned)rng_below(rng, 2); changes-- > 0;) {
		const unsigned axis = (unsigned)rng_below(rng, first_axes);

		do
			chosen[axis] = (unsigned)rng_below(rng, MAX_CHOICES);
		while (!axes[axis][chosen[axis]]);
	}

	struct config config = engine_config("guest.memory=4G");

	for (unsigned a = 0; a < AXES; a++)
		engine_set(&config, axes[a][chosen[a]]);
	return config;
}

static void assert_equal(const struct stats *a, const struct stats *b, unsigned point)
{
	for (unsigned i = 0; i < STAT_COUNT; i++)
		if (a->v[i] != b->v[i])
			fail_msg("point %u: %s is %llu alone and %llu shared", point,
				 stat_rows[i].name, (unsigned long long)a->v[i],
				 (unsigned long long)b->v[i]);
}

/* A sweep over random points whose steps are along the first axes; what was shared. */
static struct share_counts sweep(uint64_t seed, unsigned points, unsigned first_axes)
{
	struct share *share = share_create(64 << 20);
	struct trace_reader *reader[TRACES];
	unsigned chosen[AXES] = { 0 };
	struct share_counts counts;
	struct rng rng = { seed };

	assert_non_null(share);
	for (unsigned i = 0; i < TRACES; i++) {
		struct diag diag = DIAG_INIT;

		reader[i] = trace_open(small_trace(i), false, &diag);
		assert_non_null(reader[i]);
	}
	for (unsigned i = 0; i < points; i++) {
		const unsigned wanted =
			rng_below(&rng, 8) ? SHARE_ALL : (unsigned)rng_below(&rng, SHARE_ALL + 1);
		const unsigned trace = i / 9 % TRACES;

		/* Back to where much can be shared. */
		if (i % 27 == 0)
			memset(chosen, 0, sizeof(chosen));

		const struct config config = step(&rng, chosen, first_axes);
		struct interval_table intervals;
		struct diag diag = DIAG_INIT;
		struct stats alone, shared;

		if (!engine_possible(&config))
			continue;
		alone = engine_run(&config, small_trace(trace));
		assert_int_equal(share_run(share, &config, reader[trace], wanted, &shared,
					   &intervals, &diag),
				 STATUS_OK);
		interval_table_free(&intervals);
		assert_equal(&alone, &shared, i);
	}
	counts = share_counts(share);
	printf("  %d alone, %d from L1's misses, %d over a mapping, %d from reads, %d from times; "
	       "%d diverged\n",
	       (int)counts.points[SHARE_NOTHING], (int)counts.points[SHARE_STREAM],
	       (int)counts.points[SHARE_MAP], (int)counts.points[SHARE_WALKS],
	       (int)counts.points[SHARE_PLACES], (int)counts.diverged);
	for (unsigned i = 0; i < TRACES; i++)
		trace_close(reader[i]);
	share_free(share);
	return counts;
}

static unsigned points_of(unsigned usual)
{
	return getenv("TWOSTAGE_LONG") && *getenv("TWOSTAGE_LONG") ? 40 * usual : usual;
}

static void behind_l1(void **state)
{
	const unsigned points = points_of(150);
	struct share_counts counts;

	(void)state;
	write_traces();
	counts = sweep(31, points, AXES_BEHIND);
	assert_true(counts.points[SHARE_NOTHING] < points / 8);
	assert_true(counts.points[SHARE_STREAM] > points / 20);
	assert_true(counts.points[SHARE_MAP] > points / 5);
	assert_true(counts.points[SHARE_WALKS] > points / 20);
	assert_true(counts.points[SHARE_PLACES] > points / 5);
	assert_int_equal(counts.diverged, 0);
}

static void anything(void **state)
{
	struct share_counts counts;

	(void)state;
	write_traces();
	counts = sweep(32, points_of(220), AXES);
	for (unsigned depth = SHARE_NOTHING; depth < SHARE_DEPTHS; depth++)
		assert_true(counts.points[depth] > 0);
	assert_true(counts.diverged > 10);
}

/* A point, sharing what it can, against itself alone. */
static void assert_shares(struct share *share, const struct trace_reader *reader, unsigned trace,
			  const char *settings, const char *more)
{
	struct config config = engine_config("guest.memory=4G");
	struct interval_table intervals;
	struct diag diag = DIAG_INIT;
	struct stats alone, shared;

	engine_set(&config, settings);
	engine_set(&config, more);
	alone = engine_run(&config, small_trace(trace));
	assert_int_equal(share_run(share, &config, reader, SHARE_ALL, &shared, &intervals, &diag),
			 STATUS_OK);
	interval_table_free(&intervals);
	assert_equal(&alone, &shared, trace);
}

/* What few points have, with each kind of parameter that may differ between points that share. */
static void rare_structures(void **state)
{
	static const char *const settings[] = {
		"tlb.l2.prefetch=next-page",	  "tlb.l1d.prefetch=next-page",
		"walk_cache.pwc.entries=24",	  "tlb.l2.shared_by=2",
		"tlb.l2.shared_by=2 host.cnp=no",
	};
	static const char *const more[] = {
		"seed=1",
		"walk_cache.pwc.hit_cycles=3",
		"cache.l2.size=64K",
		"dram.latency_cycles=500",
		"walk_cache.s1.entries=16",
		"tlb.l2.entries=64 tlb.l2.ways=4",
		"stage2.ipa_bits=44",
		"host.block_rule=v10",
	};

	(void)state;
	write_traces();
	for (unsigned t = 0; t < TRACES; t++) {
		struct share *share = share_create(64 << 20);
		struct diag diag = DIAG_INIT;
		struct trace_reader *reader = trace_open(small_trace(t), false, &diag);

		assert_non_null(share);
		assert_non_null(reader);
		assert_shares(share, reader, t, "seed=1", "seed=1");
		for (unsigned s = 0; s < sizeof(settings) / sizeof(settings[0]); s++)
			for (unsigned m = 0; m < sizeof(more) / sizeof(more[0]); m++)
				assert_shares(share, reader, t, settings[s], more[m]);
		share_free(share);
		trace_close(reader);
	}
}

/* One point after the other, each against itself alone; which share walks and places with another?
 */
static uint64_t count_places(unsigned trace, const char *settings, const char *const *more,
			     unsigned n)
{
	struct share *share = share_create(64 << 20);
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader = trace_open(small_trace(trace), false, &diag);
	uint64_t places;

	assert_non_null(share);
	assert_non_null(reader);
	for (unsigned i = 0; i < n; i++)
		assert_shares(share, reader, trace, settings, more[i]);
	places = share_counts(share).points[SHARE_PLACES];
	share_free(share);
	trace_close(reader);
	return places;
}

/* Where nothing else can be shared, either, points that differ in cycles replay nothing. */
static void times_alone(void **state)
{
	static const char *const settings[] = {
		"tlb.l1d.coalesce=4",	      "tlb.inclusion=exclusive",
		"tlb.l1d.prefetch=next-page", "walk_cache.pwc.entries=8",
		"guest.dirty_state=hardware", "latency.model=fixed",
	};
	static const char *const more[] = {
		"seed=1",
		"dram.latency_cycles=500 cache.l2.hit_cycles=21 cache.llc.hit_cycles=70",
		"latency.fixed_cycles=9 walk_cache.pwc.hit_cycles=3 core.overlap_permille=300",
		"walk_cache.s1.hit_cycles=4 walk_cache.s2.hit_cycles=7 tlb.l2.hit_cycles=9",
		"cost.exit=1 cost.fault=2 cost.tlbi=3 cost.zero_4k=5 tlb.l1i.hit_cycles=2",
	};
	enum { MORE = sizeof(more) / sizeof(more[0]) };

	(void)state;
	write_traces();
	for (unsigned t = 0; t < TRACES; t++)
		for (unsigned s = 0; s < sizeof(settings) / sizeof(settings[0]); s++)
			assert_int_equal(count_places(t, settings[s], more, MORE), MORE - 1);
}

/*
 * A stage-2 cache that holds nothing makes no difference to walks, whatever its size and whomever
 * it serves; one that does makes one.
 */
static void idle_stage2_cache(void **state)
{
	static const char *const more[] = {
		"walk_cache.s2.serves=all",
		"walk_cache.s2.serves=tables",
		"walk_cache.s2.serves=data dram.latency_cycles=500",
		"walk_cache.s2.serves=all",
		"walk_cache.s2.serves=data",
	};
	static const char *const sizes[] = {
		"walk_cache.s2.entries=16",
		"walk_cache.s2.entries=none",
		"walk_cache.s2.entries=32 walk_cache.s2.ways=2 walk_cache.s2.serves=tables",
		"walk_cache.s2.entries=16 cache.l2.hit_cycles=21",
	};
	static const char *const idle[] = {
		"walk_cache.s2.levels=none walk_cache.s2.page_sizes=[2M,1G]",
		"walk_cache.s2.levels=none walk_cache.s2.page_sizes=[2M] "
		"walk_cache.s2.place=l2_tlb",
		"walk_cache.s2.levels=none walk_cache.s2.page_sizes=[1G] "
		"walk_cache.s1.place=l2_tlb",
	};

	(void)state;
	write_traces();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(count_places(i, idle[i], more, 5), 4);
	for (unsigned t = 0; t < TRACES; t++)
		assert_int_equal(count_places(t, idle[0], sizes, 4), 3);
	/* It served few: that it held nothing says nothing of others. */
	assert_int_equal(count_places(0, idle[0], more + 1, 2), 0);
	/* Those for all, and for the data alone, come twice with the same walks. */
	assert_int_equal(count_places(0, "walk_cache.s2.page_sizes=[4K,2M]", more, 5), 2);
	assert_int_equal(count_places(1, "walk_cache.s2.levels=[3]", sizes, 4), 1);
}

/* Where most misses walk, descriptors of those to come are fetched ahead: no result depends on it.
 */
static void far_walks(void **state)
{
	static const char *const more[] = { "seed=1",
					    "stage2.ipa_bits=44",
					    "tlb.l2.entries=64 tlb.l2.ways=4",
					    "tlb.l2.entries=none",
					    "host.backing=2M",
					    "walk_cache.s1.entries=16 stage2.ipa_bits=44" };
	struct refs_options options = { .seed = 77,
					.n = 9000,
					.vcpus = 2,
					.vms = 1,
					.asids = 2,
					.pages = 7000,
					.same_page_percent = 10,
					.store_percent = 30,
					.tlbi_permille = 2 };
	struct share *share = share_create(64 << 20);
	struct refs refs = refs_random(&options);
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;

	(void)state;
	refs_write(&refs, small_trace(0), TRACE_PAGE_RUNS);
	refs_free(&refs);
	reader = trace_open(small_trace(0), false, &diag);
	assert_non_null(share);
	assert_non_null(reader);
	for (unsigned i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		assert_shares(share, reader, 0, "tlb.l2.entries=128 tlb.l2.ways=4", more[i]);
	assert_true(share_counts(share).points[SHARE_STREAM] &&
		    share_counts(share).points[SHARE_MAP]);
	share_free(share);
	trace_close(reader);
}

/* No room to record: all points run alone. */
static void no_room(void **state)
{
	struct share *share = share_create(1000);
	struct config config = engine_config("guest.memory=4G tlb.l1d.entries=4");
	struct interval_table intervals;
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;
	struct stats alone, shared;

	(void)state;
	write_traces();
	reader = trace_open(small_trace(0), false, &diag);
	assert_non_null(reader);
	alone = engine_run(&config, small_trace(0));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			share_run(share, &config, reader, SHARE_ALL, &shared, &intervals, &diag),
			STATUS_OK);
		interval_table_free(&intervals);
		assert_equal(&alone, &shared, i);
	}
	assert_int_equal(share_counts(share).points[SHARE_NOTHING], 3);
	trace_close(reader);
	share_free(share);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(behind_l1),
					    cmocka_unit_test(anything),
					    cmocka_unit_test(rare_structures),
					    cmocka_unit_test(times_alone),
					    cmocka_unit_test(idle_stage2_cache),
					    cmocka_unit_test(far_walks),
					    cmocka_unit_test(no_room) };

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

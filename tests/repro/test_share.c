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
#include "run/share.h"
#include "scratch.h"
#include "tests/conform/gen.h"

enum { MAX_CHOICES = 5, TRACES = 3 };

/* The last rows decide what gets into L1, too. */
static const char *const axes[][MAX_CHOICES] = {
	{ "stage2.ipa_bits=40", "stage2.ipa_bits=44", "stage2.ipa_bits=48" },
	{ "stage2.start_level=auto", "stage2.start_level=plain host.va_bits=48" },
	{ "tlb.l2.entries=none", "tlb.l2.entries=64 tlb.l2.ways=4",
	  "tlb.l2.entries=256 tlb.l2.ways=4", "tlb.l2.replacement=srrip" },
	{ "walk_cache.s1.entries=none", "walk_cache.s1.entries=16" },
	{ "walk_cache.s2.entries=none", "walk_cache.s2.entries=16" },
	{ "latency.model=fixed", "cache.l2.size=64K", "dram.latency_cycles=500", "cost.exit=1" },
	{ "tlb.l1d.hit_cycles=1", "tlb.l1d.hit_cycles=3" },
	{ "host.backing=4K", "host.backing=2M", "host.backing=1G", "host.thp=always" },
	{ "host.block_rule=v10", "host.block_rule=upstream" },
	{ "core.dic=1", "core.dic=0" },
	{ "guest.pages=4K", "guest.pages=2M" },
	{ "tlb.l1d.entries=12", "tlb.l1d.entries=16 tlb.l1d.ways=4", "tlb.l1i.replacement=plru" },
	{ "tlb.l1d.contiguous=no", "tlb.l1d.contiguous=yes", "tlb.l1d.coalesce=4",
	  "tlb.l1d.index=hashed", "tlb.l1d.coalesce=1" },
	{ "tlb.inclusion=none", "tlb.inclusion=none", "tlb.inclusion=exclusive" },
	{ "tlb.l2.prefetch=none", "tlb.l2.prefetch=next-page", "tlb.l1d.prefetch=next-page",
	  "tlb.l1d.prefetch=none" },
	{ "walk_cache.s2.place=own", "walk_cache.s2.place=l2_tlb" },
	{ "guest.dirty_state=preset", "guest.dirty_state=preset", "guest.dirty_state=hardware" },
	{ "host.log_start=0", "host.log_start=0", "host.log_start=0", "host.log_start=900" },
};

enum { AXES = sizeof(axes) / sizeof(axes[0]) };

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

/* A random walk over the axes, so that neighbours have much in common. */
static struct config step(struct rng *rng, unsigned chosen[AXES])
{
	for (unsigned changes = (unsigned)rng_below(rng, 3); changes-- > 0;) {
		const unsigned axis = (unsigned)rng_below(rng, AXES);

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

static void as_alone(void **state)
{
	const unsigned points = getenv("TWOSTAGE_LONG") && *getenv("TWOSTAGE_LONG") ? 20000 : 500;
	struct share *share = share_create(64 << 20);
	struct trace_reader *reader[TRACES];
	unsigned chosen[AXES] = { 0 };
	struct share_counts counts;
	struct rng rng = { 31 };

	(void)state;
	write_traces();
	assert_non_null(share);
	for (unsigned i = 0; i < TRACES; i++) {
		struct diag diag = DIAG_INIT;

		reader[i] = trace_open(small_trace(i), false, &diag);
		assert_non_null(reader[i]);
	}
	for (unsigned i = 0; i < points; i++) {
		const unsigned trace = i / 7 % TRACES;
		const struct config config = step(&rng, chosen);
		struct interval_table intervals;
		struct diag diag = DIAG_INIT;
		struct stats alone, shared;

		if (!engine_possible(&config))
			continue;
		alone = engine_run(&config, small_trace(trace));
		assert_int_equal(
			share_run(share, &config, reader[trace], &shared, &intervals, &diag),
			STATUS_OK);
		interval_table_free(&intervals);
		assert_equal(&alone, &shared, i);
	}
	counts = share_counts(share);
	printf("  %d followed, %d alone, %d diverged\n", (int)counts.followed, (int)counts.alone,
	       (int)counts.diverged);
	assert_true(counts.followed > points / 12);
	assert_true(counts.alone > 10);
	assert_true(counts.diverged > 10);
	for (unsigned i = 0; i < TRACES; i++)
		trace_close(reader[i]);
	share_free(share);
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
		assert_int_equal(share_run(share, &config, reader, &shared, &intervals, &diag),
				 STATUS_OK);
		interval_table_free(&intervals);
		assert_equal(&alone, &shared, i);
	}
	assert_int_equal(share_counts(share).alone, 3);
	assert_int_equal(share_counts(share).followed, 0);
	trace_close(reader);
	share_free(share);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_alone), cmocka_unit_test(no_room) };

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

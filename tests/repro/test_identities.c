/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The identities between statistics, over a matrix of configurations and several small traces:
 * every pair of granules, IPA sizes, backings, rules, page sizes, TLB shapes and policies, caches
 * on and off, several vCPUs and VMs. Configurations that cannot exist are left out by
 * point_check().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine_point.h"
#include "identities.h"
#include "refs.h"
#include "scratch.h"
#include "tests/conform/gen.h"

enum { TRACES = 4, MAX_CHOICES = 6 };

static const char *const axes[][MAX_CHOICES] = {
	{ "stage1.granule=4K stage1.va_bits=48", "stage1.granule=16K stage1.va_bits=48",
	  "stage1.granule=64K stage1.va_bits=48", "stage1.granule=4K stage1.va_bits=52" },
	{ "stage2.granule=4K", "stage2.granule=16K", "stage2.granule=64K" },
	{ "stage2.ipa_bits=36", "stage2.ipa_bits=40", "stage2.ipa_bits=44", "stage2.ipa_bits=48",
	  "stage2.ipa_bits=52" },
	{ "stage2.start_level=auto", "stage2.start_level=auto", "stage2.start_level=1",
	  "stage2.start_level=0" },
	{ "host.backing=base", "host.backing=pmd", "host.backing=pud" },
	{ "host.block_rule=v10", "host.block_rule=relaxed", "host.block_rule=size",
	  "host.block_rule=upstream" },
	{ "guest.pages=base", "guest.pages=pmd", "guest.pages=base" },
	{ "guest.dirty_state=preset", "guest.dirty_state=hardware" },
	{ "core.dic=1", "core.dic=0" },
	{ "host.kernel=6.1", "host.kernel=6.6", "host.kernel=6.12" },
	{ "host.thp=never", "host.thp=always" },
	{ "host.log_start=0", "host.log_start=700 host.log_sync=300 host.log_stop=2500",
	  "host.log_start=1000 host.split_chunk=2M", "host.log_start=100 host.log_sync=900" },
	{ "host.age_period=0", "host.age_period=400 host.age_flush=yes",
	  "host.age_period=333 host.age_flush=no" },
	{ "host.scan_period=0", "host.scan_period=500 host.scan_size=2M" },
	{ "host.vms=0", "host.vms=3 host.timeslice=150",
	  "host.vms=9 host.timeslice=60 host.vmid_bits=3",
	  "host.vms=2 host.timeslice=1 vm_b.every=2 vm_b.ipa_bits=42" },
	{ "tlb.l1i.entries=16 tlb.l1d.entries=16", "tlb.l1i.entries=8 tlb.l1i.ways=2",
	  "tlb.l1d.entries=12 tlb.l1d.ways=4 tlb.l1d.page_sizes=[4K,64K]",
	  "tlb.l1i.replacement=fifo tlb.l1d.replacement=plru", "tlb.l1d.replacement=random" },
	{ "tlb.l2.entries=none", "tlb.l2.entries=64 tlb.l2.ways=4",
	  "tlb.l2.entries=60 tlb.l2.ways=5 tlb.l2.page_sizes=[4K,2M]",
	  "tlb.l2.entries=128 tlb.l2.ways=8 tlb.l2.replacement=srrip" },
	{ "host.force_broadcast=yes", "host.force_broadcast=no core.ttl_hint=level" },
	{ "tlb.inclusion=none", "tlb.inclusion=exclusive" },
	{ "core.overlap_permille=0", "core.overlap_permille=333",
	  "core.window_instructions=40 walker.count=3 walker.queue=2",
	  "core.window_instructions=5 core.cpi_permille=2500" },
	{ "tlb.l2.probe=parallel",
	  "tlb.l1d.index=hashed tlb.l2.index=hashed tlb.l2.probe=serial tlb.l2.rehash_cycles=3" },
	{ "tlb.l1d.coalesce=1", "tlb.l1i.coalesce=4 tlb.l1d.coalesce=2 tlb.l2.coalesce=4" },
	{ "tlb.l2.shared_by=1", "tlb.l2.shared_by=2", "tlb.l2.shared_by=3 host.cnp=no" },
	{ "tlb.l2.prefetch=none", "tlb.l2.prefetch=next-page",
	  "tlb.l1i.prefetch=next-page tlb.l1d.prefetch=next-page" },
	{ "tlb.l2.contiguous=no",
	  "tlb.l1i.contiguous=yes tlb.l1d.contiguous=yes tlb.l2.contiguous=yes guest.policy=linux "
	  "guest.contiguous_permille=700" },
	{ "walk_cache.s1.entries=none", "walk_cache.s1.entries=16",
	  "walk_cache.s1.entries=8 walk_cache.s1.ways=full walk_cache.s1.hit_cycles=3",
	  "walk_cache.s1.entries=8 walk_cache.s1.levels=[3]",
	  "walk_cache.s1.entries=1 walk_cache.s1.ways=1 walk_cache.s1.place=l2_tlb" },
	{ "walk_cache.s2.entries=none", "walk_cache.s2.entries=16",
	  "walk_cache.s2.entries=8 walk_cache.s2.ways=full walk_cache.s2.hit_cycles=2",
	  "walk_cache.s2.entries=1 walk_cache.s2.place=l2_tlb walk_cache.s2.page_sizes=[2M,1G]",
	  "walk_cache.s2.entries=16 walk_cache.s2.place=s1 walk_cache.s2.levels=[2,3]",
	  "walk_cache.s2.entries=16 walk_cache.s2.levels=none "
	  "walk_cache.s2.page_sizes=[4K,2M,32M]" },
	{ "walk_cache.pwc.entries=none", "walk_cache.pwc.entries=none",
	  "walk_cache.pwc.entries=24 walk_cache.pwc.hit_cycles=2",
	  "walk_cache.pwc.entries=16 walk_cache.pwc.ways=2 walk_cache.pwc.s1_levels=[2,3] "
	  "walk_cache.pwc.s2_levels=[0,1,2,3]" },
	{ "stage1.walk_cacheability=write-back", "stage1.walk_cacheability=non-cacheable",
	  "stage2.walk_cacheability=non-cacheable" },
	{ "latency.model=fixed latency.fixed_cycles=7", "latency.model=caches",
	  "latency.model=caches cache.l1d.size=8K cache.l2.size=64K cache.llc.size=0" },
};

enum { AXES = sizeof(axes) / sizeof(axes[0]) };

static struct trace_totals totals[TRACES];

static const char *small_trace(unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "t%u.s2t", i);
	return scratch_path(name);
}

static void write_traces(void)
{
	for (unsigned i = 0; i < TRACES; i++) {
		struct refs_options options = { .seed = 100 + i,
						.n = 4000,
						.vcpus = 1 + i % 3,
						.vms = 1 + i / 2,
						.asids = 1 + i,
						.pages = 30 + 40 * i,
						.same_page_percent = 75,
						.straddle_permille = 6,
						.store_percent = 30,
						.switch_permille = i ? 5 : 0,
						.tlbi_permille = i == 2 ? 4 : 0,
						.unmap_permille = i == 3 ? 4 : 0 };
		struct refs refs = refs_random(&options);
		struct diag diag = DIAG_INIT;
		struct trace_reader *reader;

		refs_write(&refs, small_trace(i), TRACE_PAGE_RUNS);
		reader = trace_open(small_trace(i), false, &diag);
		assert_non_null(reader);
		totals[i] = trace_info(reader)->totals;
		trace_close(reader);
		refs_free(&refs);
	}
}

static void matrix(void **state)
{
	unsigned wanted = getenv("TWOSTAGE_LONG") && *getenv("TWOSTAGE_LONG") ? 20000 : 500;
	unsigned possible = 0, drawn = 0, used[AXES][MAX_CHOICES] = { { 0 } };
	struct rng rng = { 2024 };

	(void)state;
	write_traces();
	while (possible < wanted) {
		struct config config = engine_config("guest.memory=32G");
		unsigned chosen[AXES], trace = drawn++ % TRACES;
		struct stats stats;
		const char *why;

		for (unsigned a = 0; a < AXES; a++) {
			do
				chosen[a] = (unsigned)rng_below(&rng, MAX_CHOICES);
			while (!axes[a][chosen[a]]);
			engine_set(&config, axes[a][chosen[a]]);
		}
		if (!engine_possible(&config))
			continue;
		possible++;
		stats = engine_run(&config, small_trace(trace));
		why = identities_broken(&config, &totals[trace], &stats);
		for (unsigned a = 0; a < AXES; a++)
			used[a][chosen[a]]++;
		if (!why)
			continue;
		for (unsigned a = 0; a < AXES; a++)
			printf("  %s\n", axes[a][chosen[a]]);
		fail_msg("trace %u: does not hold: %s", trace, why);
	}
	/* Nothing in the matrix was refused each time. */
	for (unsigned a = 0; a < AXES; a++)
		for (unsigned c = 0; c < MAX_CHOICES && axes[a][c]; c++)
			if (!used[a][c])
				fail_msg("never possible: %s", axes[a][c]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(matrix) };

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

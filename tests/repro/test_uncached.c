/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor reads without walk caches: m * (n_pt + 1) + n_data for each walk, where m and n are
 * the levels of stage 1 and stage 2 down to their leaves. The expected numbers are typed in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine_point.h"
#include "refs.h"
#include "scratch.h"

#define UNCACHED                                                                                   \
	"walk_cache.s1.entries=none walk_cache.s2.entries=none tlb.l1i.entries=4 "                 \
	"tlb.l1d.entries=4 tlb.l2.entries=8 tlb.l2.ways=4 latency.model=fixed "                    \
	"latency.fixed_cycles=3 host.block_rule=relaxed "

struct row {
	unsigned m, n_pt, n_data, reads;
	const char *settings;
};

static void check_row(const struct row *row, const char *trace)
{
	struct config config = engine_config(UNCACHED);
	struct stats stats;
	const uint64_t *v = stats.v;
	uint64_t walks;

	engine_set(&config, row->settings);
	stats = engine_run(&config, trace);
	walks = v[STAT_walks];
	if (walks == 0 || v[STAT_walk_reads] != walks * row->reads)
		fail_msg("%s: %g reads a walk, expected %u", row->settings,
			 (double)v[STAT_walk_reads] / (double)walks, row->reads);
	assert_int_equal(v[STAT_walk_reads_s1], walks * row->m);
	assert_int_equal(v[STAT_walk_reads_s2_final], walks * row->n_data);
	assert_int_equal(v[STAT_walk_cycles_s2_final], 3 * walks * row->n_data);
	assert_int_equal(v[STAT_walk_reads_s2], walks * (row->m * row->n_pt + row->n_data));
	assert_int_equal(v[STAT_walk_cycles], 3 * v[STAT_walk_reads]);
	assert_int_equal(v[STAT_walk_cycles_p50], 3 * row->reads);
	assert_int_equal(v[STAT_walk_cycles_max], 3 * row->reads);
}

#define S1_4K(pages) "stage1.granule=4K stage1.va_bits=48 guest.pages=" pages " stage2.granule=4K "
#define N1	     "stage2.ipa_bits=40 host.backing=1G"
#define N2	     "stage2.ipa_bits=40 host.backing=2M"
#define N3	     "stage2.ipa_bits=40 host.backing=4K"
#define N4	     "stage2.ipa_bits=48 host.backing=4K"

static const struct row rows[] = {
	/* 4K at both stages, all pages behind blocks of one size. */
	{ 2, 1, 1, 5, S1_4K("pud") N1 },
	{ 2, 2, 2, 8, S1_4K("pud") N2 },
	{ 2, 3, 3, 11, S1_4K("pud") N3 },
	{ 2, 4, 4, 14, S1_4K("pud") N4 },
	{ 3, 1, 1, 7, S1_4K("pmd") N1 },
	{ 3, 2, 2, 11, S1_4K("pmd") N2 },
	{ 3, 3, 3, 15, S1_4K("pmd") N3 },
	{ 3, 4, 4, 19, S1_4K("pmd") N4 },
	{ 4, 1, 1, 9, S1_4K("base") N1 },
	{ 4, 2, 2, 14, S1_4K("base") N2 },
	{ 4, 3, 3, 19, S1_4K("base") N3 },
	{ 4, 4, 4, 24, S1_4K("base") N4 },
	/* The headline: a guest on 1G hugetlbfs under the rule of v10, by IPA size. */
	{ 4, 3, 3, 19, S1_4K("base") "stage2.ipa_bits=40 host.backing=1G host.block_rule=v10" },
	{ 4, 2, 2, 14, S1_4K("base") "stage2.ipa_bits=44 host.backing=1G host.block_rule=v10" },
	{ 4, 1, 1, 9, S1_4K("base") "stage2.ipa_bits=40 host.backing=1G host.block_rule=relaxed" },
	/* 16K and 64K, three levels of stage 1. */
	{ 3, 2, 2, 11,
	  "stage1.granule=16K stage1.va_bits=47 stage2.granule=16K stage2.ipa_bits=40 "
	  "host.backing=16K" },
	{ 3, 1, 1, 7,
	  "stage1.granule=16K stage1.va_bits=47 stage2.granule=16K stage2.ipa_bits=40 "
	  "host.backing=32M" },
	{ 3, 3, 3, 15,
	  "stage1.granule=16K stage1.va_bits=47 stage2.granule=16K stage2.ipa_bits=44 "
	  "host.backing=16K" },
	{ 3, 2, 2, 11,
	  "stage1.granule=16K stage1.va_bits=47 stage2.granule=16K stage2.ipa_bits=48 "
	  "host.backing=32M" },
	{ 3, 2, 2, 11,
	  "stage1.granule=64K stage1.va_bits=48 stage2.granule=64K stage2.ipa_bits=44 "
	  "host.backing=64K" },
	{ 3, 1, 1, 7,
	  "stage1.granule=64K stage1.va_bits=48 stage2.granule=64K stage2.ipa_bits=44 "
	  "host.backing=512M" },
	{ 3, 3, 3, 15,
	  "stage1.granule=64K stage1.va_bits=48 stage2.granule=64K stage2.ipa_bits=48 "
	  "host.backing=64K" },
	{ 3, 2, 2, 11,
	  "stage1.granule=64K stage1.va_bits=48 stage2.granule=64K stage2.ipa_bits=52 "
	  "host.backing=512M" },
	/* Other granules on each side, and an explicit start level. */
	{ 4, 2, 2, 14,
	  "stage1.granule=4K stage1.va_bits=48 stage2.granule=64K stage2.ipa_bits=40 "
	  "host.backing=64K" },
	{ 3, 3, 3, 15,
	  "stage1.granule=64K stage1.va_bits=48 stage2.granule=4K stage2.ipa_bits=40 "
	  "host.backing=4K" },
	{ 4, 4, 4, 24, S1_4K("base") "stage2.ipa_bits=42 stage2.start_level=0 host.backing=4K" },
	{ 3, 3, 3, 15,
	  "stage1.granule=4K stage1.va_bits=39 stage2.granule=4K stage2.ipa_bits=40 "
	  "host.backing=4K" },
};

static void all_rows(void **state)
{
	/* Few pages in the lower 2^38 bytes, so that every size of VA space and of page works. */
	struct refs_options options = { .seed = 5,
					.n = 20000,
					.vcpus = 2,
					.vms = 1,
					.asids = 1,
					.pages = 60,
					.same_page_percent = 50,
					.store_percent = 30,
					.low = true };
	struct refs refs = refs_random(&options);

	(void)state;
	refs_write(&refs, scratch_path("trace.s2t"), TRACE_PAGE_RUNS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i], scratch_path("trace.s2t"));
	refs_free(&refs);
}

/* The formula itself, against the typed numbers. */
static void formula(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(rows[i].m * (rows[i].n_pt + 1) + rows[i].n_data, rows[i].reads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formula),
		cmocka_unit_test(all_rows),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

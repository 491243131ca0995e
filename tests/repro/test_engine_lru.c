/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * L1 misses of the program against the naive LRU: 64 entries, fully associative, 4 KiB pages
 * throughout. L2 misses as well, with an L2 TLB of plain LRU sets. And the identities between
 * counters.
 *
 * test_engine_lru [TRACE...]: on the addresses of the first records of these (TWOSTAGE_LONG: all);
 * else on random streams.
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
#include "naive_lru.h"
#include "refs.h"
#include "scratch.h"

/* 4 KiB entries only: pages of the guest are 4 KiB, whatever stands behind them. */
#define SMALL                                                                                      \
	"tlb.l1i.entries=64 tlb.l1i.ways=full tlb.l1i.page_sizes=4K "                              \
	"tlb.l1d.entries=64 tlb.l1d.ways=full tlb.l1d.page_sizes=4K "                              \
	"tlb.l2.page_sizes=4K guest.pages=base stage2.ipa_bits=48 "

static void assert_equal(const struct naive_lru_counts *naive, const struct stats *stats)
{
	const uint64_t *v = stats->v;

	assert_int_equal(naive->l1i_misses, v[STAT_l1i_tlb_misses]);
	assert_int_equal(naive->l1d_misses, v[STAT_l1d_tlb_misses]);
	assert_int_equal(naive->l1i_lookups, v[STAT_l1i_tlb_hits] + v[STAT_l1i_tlb_misses]);
	assert_int_equal(naive->l1d_lookups, v[STAT_l1d_tlb_hits] + v[STAT_l1d_tlb_misses]);
	assert_int_equal(naive->l2_misses, v[STAT_l2_tlb_misses]);
}

static struct trace_totals totals_of(const char *path)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader = trace_open(path, false, &diag);
	struct trace_totals totals;

	assert_non_null(reader);
	totals = trace_info(reader)->totals;
	trace_close(reader);
	return totals;
}

static void compare(const char *path)
{
	static const struct {
		const char *settings;
		struct naive_lru_config config;
	} shapes[] = {
		{ SMALL "tlb.l2.entries=none", { .l1_entries = 64 } },
		{ SMALL "tlb.l2.entries=256 tlb.l2.ways=4 host.backing=2M",
		  { .l1_entries = 64, .l2_sets = 64, .l2_ways = 4 } },
		{ SMALL "tlb.l2.entries=1280 tlb.l2.ways=5 host.backing=1G host.block_rule=relaxed",
		  { .l1_entries = 64, .l2_sets = 256, .l2_ways = 5 } },
	};

	const struct trace_totals totals = totals_of(path);

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct config config = engine_config(shapes[i].settings);
		struct naive_lru_counts naive = naive_lru_run(path, &shapes[i].config);
		struct stats stats = engine_run(&config, path);

		const char *broken = identities_broken(&config, &totals, &stats);

		assert_equal(&naive, &stats);
		if (broken)
			fail_msg("%s does not hold", broken);
	}
}

static void random_streams(void **state)
{
	static const enum trace_granularity forms[] = { TRACE_RAW, TRACE_LINE_RUNS,
							TRACE_PAGE_RUNS };

	(void)state;
	for (uint64_t seed = 1; seed <= 9; seed++) {
		struct refs_options options = { .seed = seed,
						.n = 30000,
						.vcpus = 1 + (unsigned)(seed % 3),
						.vms = 1 + (unsigned)(seed % 2),
						.asids = 1 + (unsigned)(seed % 4),
						.pages = 60 + (unsigned)seed * 40,
						.same_page_percent = 70,
						.straddle_permille = 5,
						.store_percent = 30,
						.switch_permille = seed % 2 ? 4 : 0 };
		struct refs refs = refs_random(&options);

		refs_write(&refs, scratch_path("random.s2t"), forms[seed % 3]);
		compare(scratch_path("random.s2t"));
		refs_free(&refs);
	}
}

static void named_traces(void **state)
{
	uint64_t records =
		getenv("TWOSTAGE_LONG") && *getenv("TWOSTAGE_LONG") ? UINT64_MAX : 400000;

	(void)state;
	for (char **file = scratch_files; *file; file++) {
		printf("%s\n", *file);
		engine_addresses(*file, scratch_path("prefix.s2t"), records);
		compare(scratch_path("prefix.s2t"));
	}
}

int main(int argc, char **argv)
{
	return scratch_main(argc, argv, random_streams, named_traces);
}

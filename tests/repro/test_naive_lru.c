/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The naive LRU counts by itself: known sequences, equal counts for raw, line and page runs, and
 * that breaking what exact page runs rest on does change the counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "naive_lru.h"
#include "refs.h"
#include "scratch.h"

static struct refs loads_of(const uint64_t *pages, size_t n)
{
	struct refs refs = { calloc(n, sizeof(*refs.item)), n };

	for (size_t i = 0; i < n; i++)
		refs.item[i].ref = (struct trace_ref){ .va = pages[i] << 12,
						       .ipa = TRACE_IPA_UNKNOWN,
						       .kind = ACCESS_LOAD,
						       .size = 8 };
	return refs;
}

static void known_sequence(void **state)
{
	/* Three entries: 4 evicts 1, 1 evicts 2, 3 and 4 stay. */
	static const uint64_t pages[] = { 1, 2, 3, 3, 4, 3, 1, 4, 2 };
	struct naive_lru_config config = { .l1_entries = 3 };
	struct refs refs = loads_of(pages, sizeof(pages) / sizeof(pages[0]));
	struct naive_lru_counts counts;

	(void)state;
	refs_write(&refs, scratch_path("raw.s2t"), TRACE_RAW);
	counts = naive_lru_run(scratch_path("raw.s2t"), &config);
	assert_int_equal(counts.l1d_lookups, 9);
	assert_int_equal(counts.l1d_misses, 6);
	assert_int_equal(counts.l1i_lookups, 0);
	refs_free(&refs);
}

static void cyclic_sweep(void **state)
{
	uint64_t pages[65 * 4];
	struct naive_lru_config config = { .l1_entries = 64 };
	struct refs refs;

	(void)state;
	for (size_t i = 0; i < 65 * 4; i++)
		pages[i] = i % 65;
	refs = loads_of(pages, 65 * 4);
	refs_write(&refs, scratch_path("raw.s2t"), TRACE_RAW);
	/* One page too many for LRU: each access misses. One entry more: only the first round. */
	assert_int_equal(naive_lru_run(scratch_path("raw.s2t"), &config).l1d_misses, 65 * 4);
	config.l1_entries = 65;
	assert_int_equal(naive_lru_run(scratch_path("raw.s2t"), &config).l1d_misses, 65);
	refs_free(&refs);
}

static struct refs random_refs(uint64_t seed)
{
	struct refs_options options = { .seed = seed,
					.n = 20000,
					.vcpus = 1 + (unsigned)(seed % 4),
					.vms = 1 + (unsigned)(seed % 3),
					.asids = 1 + (unsigned)(seed % 2),
					.pages = 40 + (unsigned)(seed % 7) * 40,
					.same_page_percent = 85,
					.straddle_permille = 10,
					.store_percent = 30,
					.switch_permille = seed % 2 ? 5 : 0,
					.tlbi_permille = 0 };

	return refs_random(&options);
}

static bool same(const struct naive_lru_counts *a, const struct naive_lru_counts *b)
{
	return a->l1i_lookups == b->l1i_lookups && a->l1i_misses == b->l1i_misses &&
	       a->l1d_lookups == b->l1d_lookups && a->l1d_misses == b->l1d_misses &&
	       a->l2_misses == b->l2_misses;
}

static void forms_agree(void **state)
{
	struct naive_lru_config config = { .l1_entries = 16, .l2_sets = 16, .l2_ways = 4 };

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct refs refs = random_refs(seed);
		struct naive_lru_counts raw, line, page, plain;

		refs_write(&refs, scratch_path("raw.s2t"), TRACE_RAW);
		refs_write(&refs, scratch_path("line.s2t"), TRACE_LINE_RUNS);
		refs_write(&refs, scratch_path("page.s2t"), TRACE_PAGE_RUNS);
		refs_write_broken(&refs, scratch_path("other.s2t"), REFS_EXACT);
		raw = naive_lru_run(scratch_path("raw.s2t"), &config);
		line = naive_lru_run(scratch_path("line.s2t"), &config);
		page = naive_lru_run(scratch_path("page.s2t"), &config);
		plain = naive_lru_run(scratch_path("other.s2t"), &config);
		assert_true(same(&raw, &line));
		assert_true(same(&raw, &page));
		assert_true(same(&raw, &plain));
		refs_free(&refs);
	}
}

/* How many of 12 random traces count differently as page runs than raw. */
static int differ(const struct naive_lru_config *config, enum refs_break how)
{
	int n = 0;

	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct refs refs = random_refs(seed);
		struct naive_lru_counts raw, page;

		refs_write(&refs, scratch_path("raw.s2t"), TRACE_RAW);
		refs_write_broken(&refs, scratch_path("other.s2t"), how);
		raw = naive_lru_run(scratch_path("raw.s2t"), config);
		page = naive_lru_run(scratch_path("other.s2t"), config);
		n += !same(&raw, &page);
		refs_free(&refs);
	}
	return n;
}

static void conditions_matter(void **state)
{
	struct naive_lru_config plain = { .l1_entries = 16, .l2_sets = 16, .l2_ways = 4 };
	struct naive_lru_config unified = plain, reaching = plain;

	(void)state;
	unified.unified_l1 = true;
	reaching.l1_hits_reach_l2 = true;
	assert_int_equal(differ(&plain, REFS_EXACT), 0);
	assert_true(differ(&unified, REFS_EXACT) > 0);	       /* (a) */
	assert_true(differ(&reaching, REFS_EXACT) > 0);	       /* (b) */
	assert_true(differ(&plain, REFS_ORDER_BY_END) > 0);    /* (d) */
	assert_true(differ(&plain, REFS_ACROSS_SWITCHES) > 0); /* (e) */
	assert_true(differ(&plain, REFS_NO_SPLITS) > 0);       /* (h) */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sequence),
		cmocka_unit_test(cyclic_sweep),
		cmocka_unit_test(forms_agree),
		cmocka_unit_test(conditions_matter),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

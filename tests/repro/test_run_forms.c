/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw = line runs = page runs, every count, for every replacement policy that promises it; and for
 * each condition that this rests on (docs/model.md), what happens when it is broken: a refusal, or
 * different counts. (a), (b), (d), (e) and (h) are shown on the naive LRU in test_naive_lru.c too.
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
#include "mmu/repl.h"
#include "refs.h"
#include "scratch.h"

/* Small TLBs, so that everything is replaced often. */
#define SMALL                                                                                      \
	"tlb.l1i.entries=8 tlb.l1i.ways=%s tlb.l1d.entries=8 tlb.l1d.ways=%s "                     \
	"tlb.l2.entries=32 tlb.l2.ways=4 walk_cache.s1.entries=8 walk_cache.s2.entries=8 "         \
	"stage2.ipa_bits=40 guest.dirty_state=%s tlb.l1i.replacement=%s "                          \
	"tlb.l1d.replacement=%s tlb.l2.replacement=%s"

static struct config config_of(const char *ways, const char *dirty, const char *l1, const char *l2)
{
	char settings[600];

	snprintf(settings, sizeof(settings), SMALL, ways, ways, dirty, l1, l1, l2);
	return engine_config(settings);
}

static struct refs random_refs(uint64_t seed, size_t n)
{
	struct refs_options options = { .seed = seed,
					.n = n,
					.vcpus = 1 + (unsigned)(seed % 4),
					.vms = 1 + (unsigned)(seed % 2),
					.asids = 1 + (unsigned)(seed % 3),
					.pages = 20 + (unsigned)(seed % 5) * 30,
					.same_page_percent = 80,
					.straddle_permille = seed % 3 ? 8 : 0,
					.store_percent = 30,
					.switch_permille = seed % 2 ? 6 : 0,
					.tlbi_permille = seed % 4 > 1 ? 4 : 0,
					.unmap_permille = seed % 5 == 0 ? 3 : 0 };

	return refs_random(&options);
}

static void write_forms(const struct refs *refs)
{
	refs_write(refs, scratch_path("raw.s2t"), TRACE_RAW);
	refs_write(refs, scratch_path("line.s2t"), TRACE_LINE_RUNS);
	refs_write(refs, scratch_path("page.s2t"), TRACE_PAGE_RUNS);
}

/* The first statistic that differs; NULL if none does. How often runs are looked up again is not
 * compared: raw traces have none. */
static const char *difference(const struct stats *a, const struct stats *b)
{
	for (int i = 0; i < STAT_COUNT; i++)
		if (i != STAT_run_relookups && a->v[i] != b->v[i])
			return stat_rows[i].name;
	return NULL;
}

static void assert_forms_agree(const struct config *config, uint64_t seed)
{
	static const char *const forms[] = { "line.s2t", "page.s2t" };
	struct stats raw = engine_run(config, scratch_path("raw.s2t"));

	for (size_t i = 0; i < 2; i++) {
		struct stats run = engine_run(config, scratch_path(forms[i]));
		const char *name = difference(&raw, &run);

		if (name)
			fail_msg("seed %d, %s, %s: %s differs", (int)seed,
				 config->tlb.l1d.replacement, forms[i], name);
	}
}

/* So many seeds in long tests, half of them otherwise. */
static uint64_t seeds(uint64_t n)
{
	const char *more = getenv("TWOSTAGE_LONG");

	return more && *more ? n : n / 2;
}

static void safe_policies(void **state)
{
	static const char *const ways[] = { "full", "2" };
	static const char *const dirty[] = { "preset", "hardware" };

	(void)state;
	for (uint64_t seed = 1; seed <= seeds(20); seed++) {
		struct refs refs = random_refs(seed, 8000);

		write_forms(&refs);
		for (const struct repl_ops *const *p = repl_registry; *p; p++) {
			struct config config = config_of(ways[seed % 2], dirty[seed / 2 % 2],
							 (*p)->name, (*p)->name);

			if ((*p)->run_safe)
				assert_forms_agree(&config, seed);
		}
		refs_free(&refs);
	}
}

static uint64_t apart(const struct stats *a, const struct stats *b, enum stat_id id)
{
	return a->v[id] > b->v[id] ? a->v[id] - b->v[id] : b->v[id] - a->v[id];
}

/* What TLBs hold beyond a page, and what lies below L1, is of no account to (a) to (h). */
static void run_safe_structures(void **state)
{
	static const char *const structures[] = {
		"host.force_broadcast=no",
		"tlb.inclusion=exclusive",
		"tlb.inclusion=exclusive tlb.l1d.page_sizes=[4K] host.backing=2M guest.pages=2M",
		"tlb.l1i.index=hashed tlb.l1d.index=hashed tlb.l2.index=hashed tlb.l2.probe=serial "
		"guest.policy=linux guest.thp_permille=500 host.backing=2M",
		"tlb.l1i.coalesce=4 tlb.l1d.coalesce=4 tlb.l2.coalesce=4",
		"tlb.l2.shared_by=2",
		"tlb.l2.shared_by=4 guest.cnp=no walk_cache.s1.place=l2_tlb",
		"tlb.l2.prefetch=next-page",
		"walk_cache.pwc.entries=24 walk_cache.pwc.s2_levels=[0,1,2,3]",
		"tlb.l1i.prefetch=next-page tlb.l1d.prefetch=next-page",
		"tlb.l1d.prefetch=next-page tlb.l2.prefetch=next-page tlb.l1d.coalesce=4",
		"tlb.l1d.contiguous=yes tlb.l2.contiguous=yes guest.policy=linux "
		"guest.contiguous_permille=700 host.backing=2M",
		"walk_cache.s1.place=l2_tlb walk_cache.s2.place=l2_tlb "
		"walk_cache.s2.page_sizes=[2M,1G] walk_cache.s2.levels=none",
	};
	enum { N = sizeof(structures) / sizeof(structures[0]) };

	(void)state;
	for (uint64_t seed = 1; seed <= seeds(8 * N); seed++) {
		struct refs refs = random_refs(seed, 6000);
		struct config config =
			config_of(seed % 2 ? "full" : "2", seed % 4 < 2 ? "preset" : "hardware",
				  "lru", "lru");

		engine_set(&config, structures[seed % N]);
		write_forms(&refs);
		assert_forms_agree(&config, seed);
		refs_free(&refs);
	}
}

/*
 * (g): what the host does in the middle of runs. Raw traces say when a run goes on, runs do not, so
 * each run that was open then may miss by one; with no run open, nothing differs.
 */
static void host_among_runs(void **state)
{
	static const char *const hosts[] = {
		"core.dic=0",
		"host.scan_period=500 host.scan_size=1T",
		"host.age_period=300 host.age_flush=yes",
		"host.log_start=1000 host.log_sync=700 host.log_stop=6000 host.backing=2M",
		"host.vms=3 host.timeslice=97",
	};
	static const enum stat_id counts[] = {
		STAT_l1i_tlb_misses, STAT_l1d_tlb_misses, STAT_l2_tlb_misses, STAT_walks,
		STAT_s1_faults,	     STAT_s2_faults,	  STAT_dirty_pages,
	};
	static const char *const forms[] = { "line.s2t", "page.s2t" };
	uint64_t relookups = 0, exact = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds(20); seed++) {
		struct refs refs = random_refs(seed, 8000);
		struct config config = config_of("full", "preset", "lru", "lru");
		struct stats raw;

		engine_set(&config, hosts[seed % 5]);
		write_forms(&refs);
		raw = engine_run(&config, scratch_path("raw.s2t"));
		assert_int_equal(raw.v[STAT_run_relookups], 0);
		for (size_t f = 0; f < 2; f++) {
			struct stats run = engine_run(&config, scratch_path(forms[f]));

			relookups += run.v[STAT_run_relookups];
			for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
				const uint64_t off = apart(&raw, &run, counts[i]);
				exact += off == 0;
				if (off > run.v[STAT_run_relookups])
					fail_msg("seed %d, %s, %s: %s is %d off, %d look-ups",
						 (int)seed, hosts[seed % 5], forms[f],
						 stat_rows[counts[i]].name, (int)off,
						 (int)run.v[STAT_run_relookups]);
			}
		}
		refs_free(&refs);
	}
	assert_true(relookups > 0 && exact > 0);
}

/* (f), (g): stores within runs take copy-on-write faults, which send TLBIs. Runs of other vCPUs in
 * the same address space would be looked up again a little late. */
static void forks(void **state)
{
	static const char *const guests[] = {
		"guest.policy=linux",
		"guest.policy=linux guest.thp_permille=600",
		"guest.policy=linux guest.contiguous_permille=600 guest.dirty_state=hardware",
		"guest.policy=first_touch guest.dirty_state=hardware",
	};

	(void)state;
	for (uint64_t seed = 1; seed <= seeds(24); seed++) {
		const struct refs_options options = { .seed = seed,
						      .n = 8000,
						      .vcpus = 1,
						      .vms = 1 + (unsigned)(seed % 2),
						      .asids = 3,
						      .pages = 40,
						      .same_page_percent = 80,
						      .straddle_permille = 8,
						      .store_percent = 30,
						      .switch_permille = 6,
						      .tlbi_permille = 2,
						      .unmap_permille = 3,
						      .fork_permille = 4 };
		struct refs refs = refs_random(&options);
		struct config config = config_of("full", "preset", "lru", "lru");
		struct stats stats;

		engine_set(&config, guests[seed % 4]);
		write_forms(&refs);
		assert_forms_agree(&config, seed);
		stats = engine_run(&config, scratch_path("page.s2t"));
		assert_true(stats.v[STAT_s1_cow_copies] > 0);
		assert_true(stats.v[STAT_s1_cow_faults] > stats.v[STAT_s1_cow_copies]);
		refs_free(&refs);
	}
}

/* (c): such a policy in L1 wants raw traces, and says so; behind L1 it does no harm, by (b). */
static void unsafe_policies(void **state)
{
	struct refs refs = random_refs(3, 8000);
	int unsafe = 0;

	(void)state;
	write_forms(&refs);
	for (const struct repl_ops *const *p = repl_registry; *p; p++) {
		struct config in_l1 = config_of("full", "preset", (*p)->name, "lru");
		struct config in_l2 = config_of("full", "hardware", "lru", (*p)->name);
		static const char *const forms[] = { "page.s2t", "line.s2t" };

		if ((*p)->run_safe)
			continue;
		unsafe++;
		for (size_t i = 0; i < 2; i++) {
			struct diag diag = DIAG_INIT;

			assert_int_equal(engine_refusal(&in_l1, scratch_path(forms[i]), &diag),
					 STATUS_BAD_INPUT);
			assert_non_null(strstr(diag.text, (*p)->name));
			assert_non_null(strstr(diag.text, "raw"));
		}
		engine_run(&in_l1, scratch_path("raw.s2t"));
		assert_forms_agree(&in_l2, 3);
	}
	{
		struct config inclusive = config_of("full", "preset", "lru", "lru");
		struct diag diag = DIAG_INIT;

		engine_set(&inclusive, "tlb.inclusion=inclusive");
		assert_int_equal(engine_refusal(&inclusive, scratch_path("page.s2t"), &diag),
				 STATUS_BAD_INPUT);
		assert_non_null(strstr(diag.text, "M1 (b)"));
		assert_true(
			engine_run(&inclusive, scratch_path("raw.s2t")).v[STAT_back_invalidations] >
			0);
	}
	assert_true(unsafe > 0);
	refs_free(&refs);
}

/* A policy that claims run_safe keeps its promise: a repeated hit changes no later choice. */
static void promises_are_kept(void **state)
{
	struct repl_geometry geometry = { .sets = 2, .ways = 8 };

	(void)state;
	for (const struct repl_ops *const *p = repl_registry; *p; p++) {
		size_t bytes = (*p)->state_bytes(geometry);
		void *once = calloc(1, bytes ? bytes : 1), *twice = calloc(1, bytes ? bytes : 1);
		bool equal = true;
		uint64_t draw = 1;

		(*p)->init(once, geometry, 9);
		(*p)->init(twice, geometry, 9);
		for (uint32_t w = 0; w < 16; w++) {
			(*p)->on_fill(once, w % 2, w / 2);
			(*p)->on_fill(twice, w % 2, w / 2);
			(*p)->on_hit(twice, w % 2, w / 2);
		}
		for (int i = 0; i < 3000; i++) {
			uint32_t set, way;

			draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407U;
			set = (uint32_t)(draw >> 40) % 2;
			if ((draw >> 50) % 4 == 0) {
				way = (*p)->victim(once, set);
				equal = equal && way == (*p)->victim(twice, set);
				(*p)->on_fill(once, set, way);
				(*p)->on_fill(twice, set, way);
			} else {
				way = (uint32_t)(draw >> 33) % 8;
				(*p)->on_hit(once, set, way);
				(*p)->on_hit(twice, set, way);
			}
			(*p)->on_hit(twice, set, way);
		}
		if ((*p)->run_safe && !equal)
			fail_msg("%s claims run_safe, but repeated hits change its choices",
				 (*p)->name);
		free(once);
		free(twice);
	}
}

/* How many of 12 random traces, collapsed in this way, count differently than raw. */
static int broken(enum refs_break how)
{
	struct config config = config_of("full", "hardware", "lru", "lru");
	int n = 0;

	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct refs refs = random_refs(seed, 8000);
		struct stats raw, page;

		refs_write(&refs, scratch_path("raw.s2t"), TRACE_RAW);
		refs_write_broken(&refs, scratch_path("page.s2t"), how);
		raw = engine_run(&config, scratch_path("raw.s2t"));
		page = engine_run(&config, scratch_path("page.s2t"));
		n += difference(&raw, &page) != NULL;
		refs_free(&refs);
	}
	return n;
}

static void conditions_matter(void **state)
{
	(void)state;
	assert_int_equal(broken(REFS_EXACT), 0);
	assert_true(broken(REFS_ORDER_BY_END) > 0);    /* (d) */
	assert_true(broken(REFS_ACROSS_SWITCHES) > 0); /* (e) */
	assert_true(broken(REFS_NO_FIRST_KIND) > 0);   /* (f) */
	assert_true(broken(REFS_NO_ORDINALS) > 0);     /* (g) */
	assert_true(broken(REFS_NO_SPLITS) > 0);       /* (h) */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promises_are_kept),
		cmocka_unit_test(safe_policies),
		cmocka_unit_test(run_safe_structures),
		cmocka_unit_test(host_among_runs),
		cmocka_unit_test(forks),
		cmocka_unit_test(unsafe_policies),
		cmocka_unit_test(conditions_matter),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

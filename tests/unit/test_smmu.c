/* SPDX-License-Identifier: BSD-2-Clause */
/* The SMMU against a flat map and a naive LRU list, over stage-2 tables made by hand. */
#include "unit.h"

#include <stdio.h>

#include "walk_world.h"

#include "mmu/smmu.h"

enum { WAYS = 8, STREAMS = 3 };

#define KIB UINT64_C(1024)

/* ---- a stage 2 and its flat map ----------------------------------------------------------------
 */

/* 4K pages with holes between them, four 2M blocks, one 1G block, one read-only page. */
static const struct area {
	uint64_t ipa, bytes, pa;
	unsigned leaf_bits;
	unsigned reads; /* of a walk from level 1 */
	bool writable;
} areas[] = {
	{ UINT64_C(0x40000000), 16 * KIB, UINT64_C(0x80000000), 12, 3, true },
	{ UINT64_C(0x40010000), 16 * KIB, UINT64_C(0x80020000), 12, 3, true },
	{ UINT64_C(0x40020000), 4 * KIB, UINT64_C(0x80040000), 12, 3, false },
	{ UINT64_C(0x50000000), 8 * MIB, UINT64_C(0x90000000), 21, 2, true },
	{ UINT64_C(0x80000000), GIB, UINT64_C(0x140000000), 30, 1, true },
};

enum { AREAS = sizeof(areas) / sizeof(areas[0]) };

static void map_area(struct world *w, const struct area *area)
{
	const uint64_t attributes = area->writable ? WORLD_S2_RW : WORLD_S2_RW & ~(uint64_t)S2_AP_W;
	const int level = 3 - (int)(area->leaf_bits - 12) / 9;

	if (level < w->g2.start_level)
		return;
	for (uint64_t at = 0; at < area->bytes; at += UINT64_C(1) << area->leaf_bits)
		world_map2(w, area->ipa + at, level, area->pa + at, attributes);
}

static void open_world(struct world *w, struct regime *regime, unsigned ipa_bits, int start_level)
{
	world_init(w);
	world_stage2(w, GRANULE_4K, ipa_bits, start_level);
	for (int i = 0; i < AREAS; i++)
		map_area(w, &areas[i]);
	regime_init(regime, &w->cpu, &w->regs, w->kind);
}

static const struct area *area_of(uint64_t ipa)
{
	for (int i = 0; i < AREAS; i++)
		if (ipa >= areas[i].ipa && ipa - areas[i].ipa < areas[i].bytes)
			return &areas[i];
	return NULL;
}

static struct smmu_shape shape_of(unsigned levels, uint32_t walk_cache_entries)
{
	return (struct smmu_shape){
		.tlb = { .sets = 1,
			 .ways = WAYS,
			 .page_sizes = UINT64_C(1) << 12 | UINT64_C(1) << 21,
			 .hit_cycles = 7,
			 .repl = repl_find("lru") },
		.walk_cache_entries = walk_cache_entries,
		.granule = GRANULE_4K,
		.levels = levels,
		.streams = STREAMS,
		.latency = latency_find("fixed"),
		.latency_config = { .fixed_cycles = 100 },
	};
}

/* ---- the naive TLB ------------------------------------------------------------------------------
 */

struct entry {
	unsigned stream, bits, leaf_bits;
	uint64_t first;
};

/* Youngest first. */
struct model {
	struct entry entry[WAYS];
	unsigned used;
	uint64_t accesses, hits, reads, faults;
};

static const uint16_t vmid_of[STREAMS] = { 5, 5, 9 };

static bool model_find(const struct model *m, unsigned stream, uint64_t ipa, unsigned *at)
{
	for (*at = 0; *at < m->used; ++*at) {
		const struct entry *e = &m->entry[*at];

		if (e->stream == stream && ipa >> e->bits == e->first >> e->bits)
			return true;
	}
	return false;
}

static void model_remove(struct model *m, unsigned at)
{
	memmove(&m->entry[at], &m->entry[at + 1], (m->used - at - 1) * sizeof(struct entry));
	m->used--;
}

static void model_insert(struct model *m, struct entry e)
{
	if (m->used == WAYS)
		m->used--;
	memmove(&m->entry[1], &m->entry[0], m->used * sizeof(e));
	m->entry[0] = e;
	m->used++;
}

/* Returns the PA; UINT64_MAX: a fault. */
static uint64_t model_access(struct model *m, unsigned stream, uint64_t ipa, bool store)
{
	const struct area *area = area_of(ipa);
	unsigned at;
	struct entry e;

	m->accesses++;
	if (model_find(m, stream, ipa, &at)) {
		e = m->entry[at];
		m->hits++;
		model_remove(m, at);
	} else {
		/* Holes lie beside pages, so their level 3 table is there. */
		m->reads += area ? area->reads : 3;
		if (!area || (store && !area->writable)) {
			m->faults++;
			return UINT64_MAX;
		}
		e = (struct entry){ .stream = stream,
				    .bits = area->leaf_bits == 12 ? 12 : 21,
				    .leaf_bits = area->leaf_bits,
				    .first = ipa };
	}
	model_insert(m, e);
	if (store && !area->writable) {
		m->faults++;
		return UINT64_MAX;
	}
	return area->pa + (ipa - area->ipa);
}

/* Whole leaves that [first, last] touches; SMMU_SCOPE_VMID ignores the range. */
static void model_invalidate(struct model *m, const struct smmu_tlbi *tlbi)
{
	for (unsigned at = 0; at < m->used;) {
		const struct entry *e = &m->entry[at];
		const uint64_t first = e->first & ~low_mask(e->leaf_bits);
		const bool overlaps =
			first <= tlbi->last && (first | low_mask(e->leaf_bits)) >= tlbi->first;

		if (tlbi->scope == SMMU_SCOPE_ALL || (vmid_of[e->stream] == tlbi->vmid &&
						      (tlbi->scope == SMMU_SCOPE_VMID || overlaps)))
			model_remove(m, at);
		else
			at++;
	}
}

static unsigned model_reset(struct model *m, unsigned stream)
{
	unsigned dropped = 0;

	for (unsigned at = 0; at < m->used;) {
		if (m->entry[at].stream != stream) {
			at++;
			continue;
		}
		model_remove(m, at);
		dropped++;
	}
	return dropped;
}

/* ---- random transactions ------------------------------------------------------------------------
 */

/* Few pages of each area, and now and then a hole beside the 4K pages. */
static uint64_t random_ipa(struct rng *rng)
{
	const struct area *area = &areas[pick(rng, AREAS)];

	if (chance(rng, 1, 20))
		return UINT64_C(0x40008000) + pick(rng, 0x8000);
	return area->ipa + rng_below(rng, area->bytes > 16 * MIB ? 16 * MIB : area->bytes);
}

static void one_access(struct smmu *smmu, struct model *m, struct rng *rng)
{
	const uint16_t stream = (uint16_t)pick(rng, STREAMS);
	const uint64_t ipa = random_ipa(rng);
	const bool store = chance(rng, 1, 2);
	const uint64_t pa = model_access(m, stream, ipa, store);
	struct smmu_result result;
	const enum smmu_outcome outcome =
		smmu_access(smmu, stream, ipa_of(ipa), store ? ACCESS_STORE : ACCESS_LOAD, &result);

	assert_int_equal(outcome, pa == UINT64_MAX ? SMMU_FAULT : SMMU_TRANSLATED);
	if (outcome == SMMU_TRANSLATED)
		assert_int_equal(result.pa.v, pa);
	else
		assert_int_equal(result.fault.type,
				 area_of(ipa) ? FAULT_PERMISSION : FAULT_TRANSLATION);
}

static void one_tlbi(struct smmu *smmu, struct model *m, struct rng *rng)
{
	struct smmu_tlbi tlbi = { .scope = SMMU_SCOPE_IPA, .vmid = vmid_of[pick(rng, STREAMS)] };

	if (chance(rng, 1, 8))
		tlbi.scope = chance(rng, 1, 2) ? SMMU_SCOPE_ALL : SMMU_SCOPE_VMID;
	tlbi.first = random_ipa(rng) & ~low_mask(12);
	tlbi.last = tlbi.first + (chance(rng, 1, 2) ? 4 * KIB : 2 * MIB) - 1;
	model_invalidate(m, &tlbi);
	smmu_invalidate(smmu, &tlbi);
}

static void check_counts(const struct smmu *smmu, const struct model *m)
{
	struct stats stats = { 0 };
	const uint64_t *v = stats.v;

	smmu_count(smmu, &stats);
	assert_int_equal(v[STAT_smmu_accesses], m->accesses);
	assert_int_equal(v[STAT_smmu_tlb_hits], m->hits);
	assert_int_equal(v[STAT_smmu_tlb_hits] + v[STAT_smmu_tlb_misses], m->accesses);
	assert_int_equal(v[STAT_smmu_faults], m->faults);
	assert_int_equal(smmu->tlb.used, m->used);
}

static void like_a_naive_lru(void **state)
{
	struct rng rng = rng_seed(11);
	struct regime regime;
	struct smmu smmu;
	struct world w;

	(void)state;
	open_world(&w, &regime, 40, 1);
	for (uint32_t cache = 0; cache <= 8; cache += 8) {
		const struct smmu_shape shape = shape_of(4, cache);
		struct model m = { 0 };

		assert_true(smmu_init(&smmu, &shape, w.mem));
		for (uint16_t s = 0; s < STREAMS; s++)
			assert_int_equal(smmu_attach(&smmu, s, &regime, vmid_of[s], NULL),
					 STATUS_OK);
		for (unsigned i = 0; i < 40000; i++) {
			if (chance(&rng, 1, 20))
				one_tlbi(&smmu, &m, &rng);
			else if (chance(&rng, 1, 40))
				assert_int_equal(smmu_reset_stream(&smmu, (uint16_t)(i % STREAMS)),
						 model_reset(&m, i % STREAMS));
			else
				one_access(&smmu, &m, &rng);
		}
		check_counts(&smmu, &m);
		assert_true(m.hits > m.accesses / 8 && m.faults > 0);
		if (cache == 0) {
			assert_int_equal(smmu.walk_reads, m.reads);
			assert_int_equal(smmu.walk_cycles, 100 * m.reads);
		} else {
			assert_true(smmu.walk_reads < m.reads);
		}
		smmu_fini(&smmu);
	}
	world_free(&w);
}

/* ---- single rules -------------------------------------------------------------------------------
 */

static enum smmu_outcome load(struct smmu *smmu, uint16_t stream, uint64_t ipa)
{
	struct smmu_result result;

	return smmu_access(smmu, stream, ipa_of(ipa), ACCESS_LOAD, &result);
}

/* A reset takes one stream's entries, of the TLB and of the walk cache, and no more. */
static void reset_of_one_stream(void **state)
{
	const struct smmu_shape shape = shape_of(4, 16);
	struct regime regime;
	struct smmu smmu;
	struct world w;
	uint64_t reads;

	(void)state;
	open_world(&w, &regime, 40, 1);
	assert_true(smmu_init(&smmu, &shape, w.mem));
	for (uint16_t s = 0; s < 2; s++) {
		smmu_attach(&smmu, s, &regime, 5, NULL);
		for (uint64_t page = 0; page < 3; page++)
			load(&smmu, s, areas[0].ipa + page * 4096);
	}
	/* The first page in full, the others from the level 3 table. */
	assert_int_equal(smmu.walk_reads, 2 * (3 + 1 + 1));
	assert_int_equal(smmu_reset_stream(&smmu, 0), 3);
	assert_int_equal(smmu_reset_stream(&smmu, 0), 0);
	reads = smmu.walk_reads;
	load(&smmu, 1, areas[0].ipa);
	assert_int_equal(smmu.walk_reads, reads);
	load(&smmu, 1, areas[0].ipa + 3 * 4096);
	assert_int_equal(smmu.walk_reads, reads + 1);
	load(&smmu, 0, areas[0].ipa);
	assert_int_equal(smmu.walk_reads, reads + 1 + 3);
	smmu_fini(&smmu);
	world_free(&w);
}

/* What is unmapped stays reachable until the TLBI comes: KVM must send it. */
static void unmapped_needs_a_tlbi(void **state)
{
	const struct smmu_shape shape = shape_of(4, 16);
	struct smmu_tlbi tlbi = { .scope = SMMU_SCOPE_IPA, .vmid = 6 };
	struct regime regime;
	struct smmu smmu;
	struct world w;
	uint64_t entry;

	(void)state;
	open_world(&w, &regime, 40, 1);
	entry = world_map2(&w, areas[4].ipa, 1, areas[4].pa, WORLD_S2_RW);
	assert_true(smmu_init(&smmu, &shape, w.mem));
	smmu_attach(&smmu, 0, &regime, 5, NULL);
	/* Two 2M pieces of one 1G block. */
	load(&smmu, 0, areas[4].ipa);
	load(&smmu, 0, areas[4].ipa + 64 * MIB);
	phys_write64(w.mem, pa_of(entry), 0);
	assert_int_equal(load(&smmu, 0, areas[4].ipa), SMMU_TRANSLATED);
	tlbi.first = areas[4].ipa;
	tlbi.last = tlbi.first + 4095;
	smmu_invalidate(&smmu, &tlbi); /* of another VMID */
	assert_int_equal(load(&smmu, 0, areas[4].ipa), SMMU_TRANSLATED);
	tlbi.vmid = 5;
	smmu_invalidate(&smmu, &tlbi);
	assert_int_equal(load(&smmu, 0, areas[4].ipa), SMMU_FAULT);
	assert_int_equal(load(&smmu, 0, areas[4].ipa + 64 * MIB), SMMU_FAULT);
	smmu_fini(&smmu);
	world_free(&w);
}

/* Nine pages of one level 3 table in turn, one more than the TLB holds: only level 3 is read. */
static void walk_cache_holds_tables(void **state)
{
	const struct smmu_shape shape = shape_of(4, 16);
	struct regime regime;
	struct smmu smmu;
	struct world w;

	(void)state;
	open_world(&w, &regime, 40, 1);
	assert_true(smmu_init(&smmu, &shape, w.mem));
	smmu_attach(&smmu, 0, &regime, 5, NULL);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned area = 0; area < 3; area++)
			for (uint64_t at = 0; at < areas[area].bytes; at += 4096)
				assert_int_equal(load(&smmu, 0, areas[area].ipa + at),
						 SMMU_TRANSLATED);
	assert_int_equal(smmu.hits, 0);
	assert_int_equal(smmu.walk_reads, 2 + 3 * 9);
	smmu_fini(&smmu);
	world_free(&w);
}

/* Which TLBIs take pointers to tables along: reads of the next page of a known level 3 table. */
static void tlbis_of_tables(void **state)
{
	static const struct {
		struct smmu_tlbi tlbi;
		uint64_t reads;
	} cases[] = {
		{ { .scope = SMMU_SCOPE_IPA, .vmid = 5, .points = WALK_POINTS_ALL }, 3 },
		{ { .scope = SMMU_SCOPE_IPA, .vmid = 5, .points = WALK_POINTS_LEAVES }, 1 },
		{ { .scope = SMMU_SCOPE_IPA, .vmid = 6 }, 1 },
		{ { .scope = SMMU_SCOPE_VMID, .vmid = 5 }, 3 },
		{ { .scope = SMMU_SCOPE_VMID, .vmid = 6 }, 1 },
		{ { .scope = SMMU_SCOPE_ALL }, 3 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct smmu_shape shape = shape_of(4, 16);
		struct smmu_tlbi tlbi = cases[i].tlbi;
		struct regime regime;
		struct smmu smmu;
		struct world w;

		open_world(&w, &regime, 40, 1);
		assert_true(smmu_init(&smmu, &shape, w.mem));
		smmu_attach(&smmu, 0, &regime, 5, NULL);
		load(&smmu, 0, areas[0].ipa);
		assert_int_equal(smmu.walk_reads, 3);
		tlbi.first = areas[0].ipa;
		tlbi.last = tlbi.first + 4095;
		smmu_invalidate(&smmu, &tlbi);
		load(&smmu, 0, areas[0].ipa + 4096);
		assert_int_equal(smmu.walk_reads, 3 + cases[i].reads);
		smmu_fini(&smmu);
		world_free(&w);
	}
}

static void levels(void **state)
{
	static const struct {
		unsigned ipa_bits;
		int start_level;
		unsigned levels, smmu_levels;
	} cases[] = { { 40, 1, 3, 3 }, { 40, 1, 3, 2 }, { 48, 0, 4, 4 },
		      { 48, 0, 4, 3 }, { 40, 0, 4, 3 }, { 34, 2, 2, 2 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct smmu_shape shape = shape_of(cases[i].smmu_levels, 0);
		const bool fits = cases[i].levels <= cases[i].smmu_levels;
		struct diag diag = DIAG_INIT;
		struct regime regime;
		struct smmu smmu;
		struct world w;
		char expected[64];

		open_world(&w, &regime, cases[i].ipa_bits, cases[i].start_level);
		assert_true(smmu_init(&smmu, &shape, w.mem));
		assert_int_equal(smmu_attach(&smmu, 1, &regime, 5, &diag),
				 fits ? STATUS_OK : STATUS_BAD_INPUT);
		assert_int_equal(load(&smmu, 1, areas[3].ipa),
				 fits ? SMMU_TRANSLATED : SMMU_NO_STREAM);
		snprintf(expected, sizeof(expected), "stage 2 has %u levels (%u-bit IPAs, 4K",
			 cases[i].levels, cases[i].ipa_bits);
		if (!fits)
			assert_non_null(strstr(diag.text, expected));
		smmu_fini(&smmu);
		world_free(&w);
	}
}

/* A stream with nothing behind it translates nothing, before and after. */
static void detached(void **state)
{
	const struct smmu_shape shape = shape_of(4, 8);
	struct diag diag = DIAG_INIT;
	struct regime regime;
	struct smmu smmu;
	struct world w;

	(void)state;
	open_world(&w, &regime, 40, 1);
	assert_true(smmu_init(&smmu, &shape, w.mem));
	assert_int_equal(load(&smmu, 2, areas[0].ipa), SMMU_NO_STREAM);
	smmu_attach(&smmu, 2, &regime, 5, NULL);
	assert_int_equal(load(&smmu, 2, areas[0].ipa), SMMU_TRANSLATED);
	smmu_detach(&smmu, 2);
	assert_int_equal(smmu.tlb.used, 0);
	assert_int_equal(load(&smmu, 2, areas[0].ipa), SMMU_NO_STREAM);
	/* Faults before the first read: an IPA that is too large, no stage 2 at all. */
	smmu_attach(&smmu, 2, &regime, 5, NULL);
	assert_int_equal(load(&smmu, 2, UINT64_C(1) << 40), SMMU_FAULT);
	regime.s2_on = false;
	assert_int_equal(smmu_attach(&smmu, 2, &regime, 5, &diag), STATUS_BAD_INPUT);
	assert_int_equal(load(&smmu, 2, areas[0].ipa), SMMU_NO_STREAM);
	smmu_fini(&smmu);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_a_naive_lru),
		cmocka_unit_test(reset_of_one_stream),
		cmocka_unit_test(unmapped_needs_a_tlbi),
		cmocka_unit_test(walk_cache_holds_tables),
		cmocka_unit_test(tlbis_of_tables),
		cmocka_unit_test(levels),
		cmocka_unit_test(detached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

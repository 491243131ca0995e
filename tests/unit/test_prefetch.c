/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next-page prefetch against lists of pages, youngest first, and against what it must come to on
 * streams that can be counted by hand.
 */
#include "rig.h"

enum { L1_ROOM = 6, L2_ROOM = 16, PAGES = 60, FIRST = 512 };

struct entry {
	unsigned page; /* 0: none */
	bool ahead;
};

struct list {
	unsigned room, used;
	struct entry entry[L2_ROOM];
};

/* Two L1 TLBs and one L2 (room 0: none), fully associative, LRU. */
struct model {
	struct list l1[2], l2;
	bool l1_prefetches[2], l2_prefetches;
	bool mapped[PAGES + 2];
	uint64_t l1_misses, l2_misses, walks, drops, fills, hits;
};

static struct entry *find(struct list *l, unsigned page)
{
	for (unsigned i = 0; i < l->used; i++)
		if (l->entry[i].page == page)
			return &l->entry[i];
	return NULL;
}

static void leave(struct list *l, struct entry *e)
{
	memmove(e, e + 1, (size_t)(&l->entry[--l->used] - e) * sizeof(*e));
}

static void enter(struct list *l, unsigned page, bool ahead)
{
	if (!l->room)
		return;
	if (l->used == l->room)
		l->used--;
	memmove(l->entry + 1, l->entry, l->used++ * sizeof(*l->entry));
	l->entry[0] = (struct entry){ page, ahead };
}

/* A hit; false: none. */
static bool use(struct model *m, struct list *l, unsigned page)
{
	struct entry *e = find(l, page);

	if (!e)
		return false;
	m->hits += e->ahead;
	leave(l, e);
	enter(l, page, false);
	return true;
}

static bool walk_ahead(struct model *m, unsigned page)
{
	m->walks++;
	m->drops += !m->mapped[page];
	return m->mapped[page];
}

static void fill_ahead(struct model *m, struct list *l, unsigned page)
{
	m->fills += l->room != 0;
	enter(l, page, true);
}

static void prefetch_l1(struct model *m, struct list *l1, unsigned page)
{
	if (find(l1, page))
		return;
	if (!find(&m->l2, page)) {
		if (!walk_ahead(m, page))
			return;
		fill_ahead(m, &m->l2, page);
	}
	fill_ahead(m, l1, page);
}

static void model_access(struct model *m, unsigned data, unsigned page)
{
	struct list *l1 = &m->l1[data];

	if (use(m, l1, page))
		return;
	m->l1_misses++;
	if (use(m, &m->l2, page)) {
		if (m->l1_prefetches[data])
			prefetch_l1(m, l1, page + 1);
		enter(l1, page, false);
		return;
	}
	m->l2_misses++;
	m->mapped[page] = true;
	if (m->l2_prefetches && !find(&m->l2, page + 1) && walk_ahead(m, page + 1))
		fill_ahead(m, &m->l2, page + 1);
	if (m->l1_prefetches[data])
		prefetch_l1(m, l1, page + 1);
	enter(&m->l2, page, false);
	enter(l1, page, false);
}

static void model_forget(struct model *m, unsigned page)
{
	struct list *lists[] = { &m->l1[0], &m->l1[1], &m->l2 };

	for (unsigned i = 0; i < 3; i++) {
		struct entry *e = find(lists[i], page);

		if (e)
			leave(lists[i], e);
	}
}

static void invalidate(struct rig *rig, unsigned page)
{
	const uint64_t va = (uint64_t)(FIRST + page) << 12;
	const struct tlb_match match = {
		.scope = TLB_SCOPE_VAA,
		.context = { .vmid = rig->machine.vms[0] ? vm_vmid(rig->machine.vms[0]) : 0 },
		.first = va,
		.last = va + 4095,
	};

	mmu_invalidate(&rig->machine.mmu, MMU_ALL_VCPUS, &match, WALK_CACHE_KEEP);
}

static void assert_counts(struct rig *rig, const struct model *m)
{
	const struct stats s = rig_stats(rig);

	assert_int_equal(s.v[STAT_l1i_tlb_misses] + s.v[STAT_l1d_tlb_misses], m->l1_misses);
	assert_int_equal(s.v[STAT_l2_tlb_misses], m->l2_misses);
	assert_int_equal(s.v[STAT_prefetch_walks], m->walks);
	assert_int_equal(s.v[STAT_prefetch_drops], m->drops);
	assert_int_equal(s.v[STAT_prefetch_fills], m->fills);
	assert_int_equal(s.v[STAT_prefetch_hits], m->hits);
	/* Prefetches touch nothing: each page was mapped by a miss of its own. */
	assert_int_equal(s.v[STAT_walks], m->l2_misses);
}

#define TLBS                                                                                       \
	"tlb.l1i.entries=6 tlb.l1i.ways=full tlb.l1d.entries=6 tlb.l1d.ways=full "                 \
	"tlb.l2.ways=full "
#define ON "prefetch=next-page "

static void against_lists(const char *settings, struct model m, uint64_t seed)
{
	struct config config = rig_config2(TLBS, settings);
	struct rig *rig = rig_try(&config, 1, 1, NULL);
	struct rng rng = rng_seed(seed);
	unsigned page = 1;

	assert_non_null(rig);
	m.l1[0].room = m.l1[1].room = L1_ROOM;
	m.l2.room = config.tlb.l2.entries ? L2_ROOM : 0;
	for (unsigned i = 0; i < 20000; i++) {
		const bool data = chance(&rng, 2, 3);

		/* Forwards, again, or anywhere. */
		if (chance(&rng, 1, 2))
			page = page % PAGES + 1;
		else if (chance(&rng, 1, 2))
			page = 1 + pick(&rng, PAGES);
		if (chance(&rng, 1, 50)) {
			const unsigned gone = 1 + pick(&rng, PAGES);

			invalidate(rig, gone);
			model_forget(&m, gone);
		}
		rig_access(rig, (struct rig_access){ 0, 0, 1, (uint64_t)(FIRST + page) << 12,
						     data ? ACCESS_LOAD : ACCESS_FETCH });
		model_access(&m, data, page);
	}
	assert_counts(rig, &m);
	assert_true(m.hits > 100 || !m.walks);
	rig_destroy(rig);
}

static void like_lists(void **state)
{
	(void)state;
	against_lists("tlb.l2.entries=16", (struct model){ 0 }, 1);
	against_lists("tlb.l2.entries=16 tlb.l2." ON, (struct model){ .l2_prefetches = true }, 2);
	against_lists("tlb.l2.entries=16 tlb.l1d." ON,
		      (struct model){ .l1_prefetches = { false, true } }, 3);
	against_lists("tlb.l2.entries=none tlb.l1i." ON "tlb.l1d." ON,
		      (struct model){ .l1_prefetches = { true, true } }, 4);
	against_lists("tlb.l2.entries=16 tlb.l2." ON "tlb.l1i." ON "tlb.l1d." ON,
		      (struct model){ .l1_prefetches = { true, true }, .l2_prefetches = true }, 5);
}

/* Pages 0, step, 2 step, ... of mapped memory, once; the walks that it takes. */
static struct stats stream(const char *settings, unsigned step)
{
	struct config config = rig_config2("tlb.l2.entries=16 tlb.l2.ways=full ", settings);
	struct rig *rig = rig_try(&config, 1, 1, NULL);
	struct stats before, after;

	assert_non_null(rig);
	for (unsigned i = 0; i < 256; i++)
		rig_load(rig, GIB + (uint64_t)i * 4096);
	rig_flush(rig);
	before = rig_stats(rig);
	for (unsigned i = 0; i < 256; i += step)
		rig_load(rig, GIB + (uint64_t)i * 4096);
	after = rig_stats(rig);
	for (unsigned i = 0; i < STAT_COUNT; i++)
		after.v[i] -= before.v[i];
	rig_destroy(rig);
	return after;
}

static void counted_by_hand(void **state)
{
	struct stats s = stream("tlb.l2." ON, 1);

	(void)state;
	/* Every other page is there when it is wanted. */
	assert_int_equal(s.v[STAT_walks], 128);
	assert_int_equal(s.v[STAT_prefetch_hits], 128);
	/* Both L1 and L2: hits in L1 bring nothing in, so the page behind them misses. */
	s = stream("tlb.l1d." ON, 1);
	assert_int_equal(s.v[STAT_l1d_tlb_misses], 128);
	/* Nothing is wanted twice, and no neighbour ever. */
	s = stream("tlb.l2." ON, 2);
	assert_int_equal(s.v[STAT_walks], 128);
	assert_int_equal(s.v[STAT_prefetch_fills], 128);
	assert_int_equal(s.v[STAT_prefetch_hits], 0);
	/* The page behind is the next entry's: of a 2 MiB block, that of the next block. */
	s = stream("tlb.l2." ON "guest.pages=2M host.backing=2M", 1);
	assert_int_equal(s.v[STAT_walks], 1);
	assert_int_equal(s.v[STAT_prefetch_walks], 1);
	/* Pages in one entry each have their own first hit. */
	s = stream("tlb.l2.coalesce=4 tlb.l2." ON, 1);
	assert_int_equal(s.v[STAT_walks], 128);
	assert_int_equal(s.v[STAT_prefetch_hits], 128);
}

/* A prefetch costs no cycle, but its reads bring lines into the caches. */
static void costs(void **state)
{
	const struct stats without = stream("walk_cache.s1.entries=none", 2);
	const struct stats with = stream("walk_cache.s1.entries=none tlb.l2." ON, 2);

	(void)state;
	assert_int_equal(with.v[STAT_walk_reads], without.v[STAT_walk_reads]);
	assert_true(with.v[STAT_prefetch_reads] > 0);
	assert_true(with.v[STAT_walk_cycles] <= without.v[STAT_walk_cycles]);
}

static void ends_with_its_half(void **state)
{
	struct rig *rig = rig_make("tlb.l2." ON, 1, 1);

	(void)state;
	rig_load(rig, ~UINT64_C(0xfff));
	assert_int_equal(rig_stats(rig).v[STAT_prefetch_walks], 0);
	rig_load(rig, (UINT64_C(1) << 48) - 4096);
	assert_int_equal(rig_stats(rig).v[STAT_prefetch_walks], 1);
	assert_int_equal(rig_stats(rig).v[STAT_prefetch_drops], 1);
	rig_destroy(rig);
}

static void refused(void **state)
{
	static const char *const settings[] = {
		"tlb.l2." ON "tlb.inclusion=inclusive",
		"tlb.l1d." ON "tlb.inclusion=exclusive",
		"tlb.l1i." ON "timing.backend=systemc",
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct config config = rig_config(settings[i]);
		struct diag diag = DIAG_INIT;

		assert_null(rig_try(&config, 1, 1, &diag));
		assert_non_null(strstr(diag.text, "prefetch: next-page wants"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_lists), cmocka_unit_test(counted_by_hand),
		cmocka_unit_test(costs),      cmocka_unit_test(ends_with_its_half),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

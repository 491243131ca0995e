/* SPDX-License-Identifier: BSD-2-Clause */
/* Inclusive and exclusive levels against lists of pages, youngest first. */
#include "rig.h"

enum { L1_ROOM = 6, L2_ROOM = 16 };

struct list {
	unsigned room, used;
	uint64_t page[L2_ROOM];
};

static bool list_take(struct list *l, uint64_t page)
{
	for (unsigned i = 0; i < l->used; i++) {
		if (l->page[i] != page)
			continue;
		memmove(l->page + i, l->page + i + 1, (--l->used - i) * sizeof(*l->page));
		return true;
	}
	return false;
}

/* As the youngest. Returns the page that made room, or 0. */
static uint64_t list_put(struct list *l, uint64_t page)
{
	const uint64_t evicted = l->used == l->room ? l->page[--l->used] : 0;

	memmove(l->page + 1, l->page, l->used++ * sizeof(*l->page));
	l->page[0] = page;
	return evicted;
}

struct levels {
	struct list l1[2], l2;
	uint64_t l1_misses, l2_misses, back;
};

static void inclusive(struct levels *m, unsigned data, uint64_t page)
{
	uint64_t evicted = 0;

	if (list_take(&m->l1[data], page)) {
		list_put(&m->l1[data], page);
		return;
	}
	m->l1_misses++;
	if (list_take(&m->l2, page)) {
		list_put(&m->l2, page);
	} else {
		m->l2_misses++;
		evicted = list_put(&m->l2, page);
	}
	for (unsigned i = 0; i < 2 && evicted; i++)
		m->back += list_take(&m->l1[i], evicted);
	list_put(&m->l1[data], page);
}

static void exclusive(struct levels *m, unsigned data, uint64_t page)
{
	uint64_t evicted;

	if (list_take(&m->l1[data], page)) {
		list_put(&m->l1[data], page);
		return;
	}
	m->l1_misses++;
	m->l2_misses += !list_take(&m->l2, page);
	evicted = list_put(&m->l1[data], page);
	/* The other stream may have put it there already, which does not make it younger. */
	for (unsigned i = 0; i < m->l2.used; i++)
		if (m->l2.page[i] == evicted)
			return;
	if (evicted)
		list_put(&m->l2, evicted);
}

static void run(const char *kind, void (*access)(struct levels *, unsigned, uint64_t))
{
	char settings[200] = "tlb.l1i.entries=6 tlb.l1i.ways=full tlb.l1d.entries=6 "
			     "tlb.l1d.ways=full tlb.l2.entries=16 tlb.l2.ways=full tlb.inclusion=";
	struct levels m = {
		{ { .room = L1_ROOM }, { .room = L1_ROOM } }, { .room = L2_ROOM }, 0, 0, 0
	};
	struct rig *rig = rig_make(strcat(settings, kind), 1, 1);
	struct rng rng = rng_seed(7);
	struct stats s;

	for (unsigned i = 0; i < 20000; i++) {
		const uint64_t page = 1 + pick(&rng, chance(&rng, 1, 2) ? 8 : 30);
		const enum access_kind kind_of = chance(&rng, 1, 3) ? ACCESS_FETCH : ACCESS_LOAD;

		rig_access(rig, (struct rig_access){ 0, 0, 1, page << 12, kind_of });
		access(&m, kind_of != ACCESS_FETCH, page);
	}
	rig_finish(rig);
	s = rig_stats(rig);
	assert_int_equal(s.v[STAT_l1i_tlb_misses] + s.v[STAT_l1d_tlb_misses], m.l1_misses);
	assert_int_equal(s.v[STAT_l2_tlb_misses], m.l2_misses);
	assert_int_equal(s.v[STAT_back_invalidations], m.back);
	rig_destroy(rig);
}

static void inclusive_levels(void **state)
{
	(void)state;
	run("inclusive", inclusive);
}

static void exclusive_levels(void **state)
{
	(void)state;
	run("exclusive", exclusive);
}

/* 2 MiB leaves of which L1 holds pages: level 2 keeps them whole. */
static void pieces_stay_below(void **state)
{
	struct rig *rig = rig_make("tlb.inclusion=exclusive guest.pages=2M host.backing=2M "
				   "tlb.l1d.page_sizes=[4K] tlb.l1d.entries=4 tlb.l1d.ways=full",
				   1, 1);

	(void)state;
	for (uint64_t i = 0; i < 64; i++)
		rig_load(rig, GIB + i % 32 * 4096);
	assert_int_equal(rig->machine.mmu.stats.v[STAT_l2_tlb_misses], 1);
	assert_int_equal(rig->machine.mmu.stats.v[STAT_l2_tlb_hits], 63);
	assert_int_equal(rig->machine.mmu.vcpu[0].l2->used, 1);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inclusive_levels),
		cmocka_unit_test(exclusive_levels),
		cmocka_unit_test(pieces_stay_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

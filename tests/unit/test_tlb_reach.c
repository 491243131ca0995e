/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries that reach beyond a page: groups of neighbouring pages against a naive model (lists of
 * groups, youngest first), and sets of leaves with the Contiguous bit by hand.
 */
#include "rig.h"

enum { MAX_WAYS = 64, MAX_SETS = 16, PAGES = 8 };

#define PAGE UINT64_C(4096)

/* ---- groups: the naive model ---------------------------------------------------------------- */

struct group {
	struct tlb_context context;
	uint64_t first; /* VA of its first page */
	uint64_t pa;	/* of the first page, if all could be held */
	bool open;	/* other pages may join */
	bool has[PAGES];
	struct tlb_leaf leaf;
};

struct model {
	unsigned sets, ways, pages, used[MAX_SETS];
	struct group entry[MAX_SETS][MAX_WAYS];
};

static bool is_of(const struct group *g, struct tlb_context context)
{
	return g->context.vmid == context.vmid &&
	       (g->leaf.global || g->context.asid == context.asid);
}

static unsigned set_of(const struct model *m, uint64_t va)
{
	return (unsigned)(va / PAGE / m->pages % m->sets);
}

static struct group *model_find(struct model *m, struct tlb_context context, uint64_t va)
{
	const unsigned set = set_of(m, va), page = (unsigned)(va / PAGE % m->pages);

	for (unsigned i = 0; i < m->used[set]; i++) {
		struct group *g = &m->entry[set][i];

		if (is_of(g, context) && g->first == va - va % (PAGE * m->pages) && g->has[page])
			return g;
	}
	return NULL;
}

static struct group *make_youngest(struct model *m, struct group *g)
{
	const unsigned set = set_of(m, g->first);
	const struct group copy = *g;

	memmove(&m->entry[set][1], &m->entry[set][0],
		(size_t)(g - m->entry[set]) * sizeof(struct group));
	m->entry[set][0] = copy;
	return &m->entry[set][0];
}

static bool same_attributes(const struct tlb_leaf *a, const struct tlb_leaf *b)
{
	return a->perms == b->perms && a->global == b->global && a->dirty_clear == b->dirty_clear &&
	       a->s1_bits == b->s1_bits;
}

static void model_fill(struct model *m, struct tlb_context context, uint64_t va,
		       const struct tlb_leaf *leaf)
{
	const unsigned set = set_of(m, va), page = (unsigned)(va / PAGE % m->pages);
	const uint64_t first = va - va % (PAGE * m->pages), pa = leaf->pa.v - page * PAGE;
	const bool aligned = leaf->pa.v / PAGE % m->pages == page;
	struct group new = { context, first, pa, aligned, { false }, *leaf };

	new.has[page] = true;
	for (unsigned i = 0; i < m->used[set]; i++) {
		struct group *g = &m->entry[set][i];

		if (g->context.vmid != context.vmid || g->first != first || !g->open || !aligned ||
		    g->pa != pa || !same_attributes(&g->leaf, leaf) ||
		    (!leaf->global && g->context.asid != context.asid))
			continue;
		g->has[page] = true;
		make_youngest(m, g);
		return;
	}
	if (m->used[set] < m->ways)
		m->used[set]++;
	m->entry[set][m->used[set] - 1] = new;
	make_youngest(m, &m->entry[set][m->used[set] - 1]);
}

static void model_remove_page(struct model *m, struct group *g, unsigned page)
{
	const unsigned set = set_of(m, g->first);

	g->has[page] = false;
	for (unsigned p = 0; p < m->pages; p++)
		if (g->has[p])
			return;
	memmove(g, g + 1, (size_t)(&m->entry[set][--m->used[set]] - g) * sizeof(struct group));
}

static void model_invalidate(struct model *m, const struct tlb_match *match)
{
	for (unsigned set = 0; set < m->sets; set++)
		for (unsigned i = m->used[set]; i-- > 0;)
			for (unsigned p = 0; p < m->pages; p++) {
				struct group *g = &m->entry[set][i];
				const unsigned used = m->used[set];
				const uint64_t reach = UINT64_C(1) << g->leaf.s1_bits;
				const uint64_t va = (g->first + p * PAGE) / reach * reach;
				const bool asid = g->context.asid == match->context.asid;

				if (!g->has[p] || g->context.vmid != match->context.vmid ||
				    va > match->last || va + reach - 1 < match->first)
					continue;
				if (match->scope == TLB_SCOPE_VA && !g->leaf.global && !asid)
					continue;
				model_remove_page(m, g, p);
				if (m->used[set] != used)
					break;
			}
}

/* ---- groups: the world ---------------------------------------------------------------------- */

/* The group's number says how its pages lie. `version` counts changes of a page. */
static struct tlb_leaf leaf_of(struct tlb_context context, uint64_t va, unsigned pages,
			       unsigned version)
{
	const uint64_t group = va / PAGE / pages, page = va / PAGE % pages;
	const unsigned kind = (unsigned)(group % 5);
	const uint64_t frame = kind == 1   ? page * 37
			       : kind == 2 ? page + 1
			       : kind == 3 ? page / 2 * 64 + page
					   : page;

	return (struct tlb_leaf){
		.pa = pa_of((group * 4096 + context.asid * 1024 + frame) * PAGE),
		.size_bits = 12,
		.leaf_bits = 12,
		.s1_bits = kind == 4 ? 13 : 12,
		.s2_bits = 12,
		.perms = (uint8_t)(group % 7 == 0 && page == 2 ? 3 : 63),
		.global = false,
		.dirty_clear = (version & 1) == 0,
	};
}

static void check_page(const struct tlb *tlb, uint32_t slot, uint64_t va,
		       const struct tlb_leaf *want)
{
	const struct tlb_leaf *entry = &tlb->leaf[slot];
	const struct tlb_leaf page = tlb_leaf_for(tlb, slot, va_of(va));

	assert_int_equal(entry->pa.v | (va & low_mask(entry->size_bits)), want->pa.v | va % PAGE);
	assert_int_equal(page.pa.v, want->pa.v);
	assert_int_equal(page.size_bits, 12);
	assert_int_equal(entry->perms, want->perms);
	assert_int_equal(entry->dirty_clear, want->dirty_clear);
}

enum { VAS = 512 };

static void run_groups(unsigned sets, unsigned ways, unsigned pages)
{
	const struct tlb_shape shape = { .sets = sets,
					 .ways = ways,
					 .page_sizes = PAGE,
					 .repl = repl_find("lru"),
					 .group_bits = (uint8_t)__builtin_ctz(pages),
					 .page_bits = 12 };
	struct model *m = calloc(1, sizeof(*m));
	unsigned version[2][VAS] = { { 0 } };
	struct rng rng = rng_seed(sets * 100 + ways + pages);
	struct tlb tlb;

	assert_non_null(m);
	m->sets = sets;
	m->ways = ways;
	m->pages = pages;
	assert_true(tlb_init(&tlb, &shape));
	for (unsigned step = 0; step < 30000; step++) {
		const struct tlb_context context = { .vmid = 1, .asid = (uint16_t)pick(&rng, 2) };
		const uint64_t index = chance(&rng, 1, 2) ? pick(&rng, 64) : pick(&rng, VAS);
		const uint64_t va = (UINT64_C(0xffff800000000000) + index * PAGE) | 8;
		unsigned *v = &version[context.asid][index];
		struct tlb_leaf leaf = leaf_of(context, va, pages, *v);
		uint32_t slot = tlb_find(&tlb, context, va_of(va));
		struct group *g = model_find(m, context, va);

		assert_int_equal(slot != TLB_NONE, g != NULL);
		if (chance(&rng, 1, 40)) {
			const struct tlb_match match = {
				.scope = chance(&rng, 1, 2) ? TLB_SCOPE_VA : TLB_SCOPE_VAA,
				.context = context,
				.first = va & ~(PAGE - 1),
				.last = va | (PAGE - 1),
			};

			tlb_invalidate(&tlb, &match);
			model_invalidate(m, &match);
		} else if (g && chance(&rng, 1, 8)) {
			/* A store sets the page dirty, or (odd versions) it is cleaned. */
			const unsigned page = (unsigned)(va / PAGE % pages);

			++*v;
			leaf = leaf_of(context, va, pages, *v);
			slot = tlb_renew(&tlb, slot, context, va_of(va), &leaf);
			model_remove_page(m, g, page);
			model_fill(m, context, va, &leaf);
			assert_int_equal(slot, tlb_find(&tlb, context, va_of(va)));
			check_page(&tlb, slot, va, &leaf);
		} else if (g) {
			check_page(&tlb, slot, va, &leaf);
			tlb_touch(&tlb, slot);
			make_youngest(m, g);
		} else {
			slot = tlb_fill(&tlb, context, va_of(va), &leaf);
			model_fill(m, context, va, &leaf);
			check_page(&tlb, slot, va, &leaf);
		}
	}
	assert_true(tlb.coalesced > 100);
	tlb_fini(&tlb);
	free(m);
}

static void groups_against_lists(void **state)
{
	(void)state;
	run_groups(1, 8, 4);
	run_groups(1, 48, 4); /* indexed */
	run_groups(16, 5, 4);
	run_groups(3, 4, 2);
	run_groups(4, 4, 8);
}

/* ---- groups in the hierarchy ---------------------------------------------------------------- */

#define SMALL_L1 "tlb.l1d.entries=4 tlb.l1d.ways=full tlb.l1d.page_sizes=[4K] tlb.l2.entries=none "

/* Pages that follow each other, twice. Returns L1 misses. */
static uint64_t misses_of(const char *settings, uint64_t pages, uint64_t bytes)
{
	struct rig *rig = rig_make(settings, 1, 1);
	struct stats s;

	for (uint64_t i = 0; i < 2 * pages; i++)
		rig_load(rig, GIB + i % pages * bytes);
	rig_finish(rig);
	s = rig_stats(rig);
	rig_destroy(rig);
	return s.v[STAT_l1d_tlb_misses];
}

static void four_pages_an_entry(void **state)
{
	(void)state;
	assert_int_equal(misses_of(SMALL_L1 "host.backing=2M", 16, PAGE), 32);
	/* Each page is walked once and joins its neighbours: four entries hold sixteen. */
	assert_int_equal(misses_of(SMALL_L1 "host.backing=2M tlb.l1d.coalesce=4", 16, PAGE), 16);
	/* With LRU a seventeenth page turns four groups out in turn: the first page of each misses,
	 * and makes a new entry of its own that the next ones join, each by a miss. */
	assert_int_equal(misses_of(SMALL_L1 "host.backing=2M tlb.l1d.coalesce=4", 17, PAGE), 34);
}

/* ---- the index, and looking up several sizes ------------------------------------------------ */

/* Exclusive or of the page number's digits to the base of the sets, by hand. */
static void hashed_index(void **state)
{
	const struct tlb_shape shape = {
		.sets = 16, .ways = 1, .page_sizes = PAGE, .repl = repl_find("lru"), .hashed = true
	};
	const struct tlb_leaf leaf = { .size_bits = 12, .leaf_bits = 12 };
	const struct tlb_context context = { .vmid = 1, .asid = 1 };
	struct tlb tlb;

	(void)state;
	assert_true(tlb_init(&tlb, &shape));
	for (uint64_t i = 0; i < 16; i++) /* one below the other modulo 16, apart when folded */
		assert_int_equal(tlb_fill(&tlb, context, va_of((i << 4 | 5) * PAGE), &leaf), i ^ 5);
	assert_int_equal(tlb.used, 16);
	for (uint64_t i = 0; i < 16; i++)
		assert_int_equal(tlb_find(&tlb, context, va_of((i << 4 | 5) * PAGE)), i ^ 5);
	assert_int_equal(tlb_fill(&tlb, context, va_of(UINT64_C(0x123456) * PAGE), &leaf),
			 1 ^ 2 ^ 3 ^ 4 ^ 5 ^ 6);
	tlb_fini(&tlb);
}

/* Sizes with entries, the smallest first. */
static void serial_lookups(void **state)
{
	struct rig *rig = rig_make("guest.policy=linux guest.thp_permille=0 host.backing=2M "
				   "tlb.l1d.entries=1 tlb.l1d.ways=full tlb.l2.probe=serial",
				   1, 1);
	struct tlb *l2 = rig->machine.mmu.vcpu[0].l2;
	const uint64_t *v = rig->machine.mmu.stats.v;
	const struct tlb_context context = { .vmid = 1, .asid = 1 };
	const struct tlb_leaf block = { .size_bits = 21, .leaf_bits = 21 };
	uint32_t slot;

	(void)state;
	rig_load(rig, 0x1000); /* nothing there: one look-up finds that out */
	rig_load(rig, 0x2000); /* one size, which misses */
	rig_load(rig, 0x1000); /* and hits */
	assert_int_equal(v[STAT_l2_rehashes], 0);
	slot = tlb_fill(l2, context, va_of(GIB), &block);
	assert_int_equal(tlb_rehashes(l2, slot), 1);
	assert_int_equal(tlb_rehashes(l2, TLB_NONE), 1);
	rig_load(rig, 0x2000); /* pages first: no more than before */
	assert_int_equal(v[STAT_l2_rehashes], 0);
	rig_load(rig, 0x3000); /* a miss of both */
	assert_int_equal(v[STAT_l2_rehashes], 1);
	rig_destroy(rig);
}

/* ---- the Contiguous bit --------------------------------------------------------------------- */

static struct tlb_leaf leaf_with(unsigned bits, unsigned span, uint64_t pa)
{
	return (struct tlb_leaf){ .pa = pa_of(pa),
				  .size_bits = (uint8_t)bits,
				  .span_bits = (uint8_t)span,
				  .leaf_bits = (uint8_t)bits,
				  .s1_bits = (uint8_t)bits,
				  .s2_bits = 21 };
}

static void one_entry_for_a_set(void **state)
{
	struct tlb_shape shape = { .sets = 2,
				   .ways = 4,
				   .page_sizes = PAGE | 16 * PAGE | 512 * PAGE,
				   .repl = repl_find("lru"),
				   .contiguous = true };
	const struct tlb_context context = { .vmid = 1, .asid = 1 };
	const uint64_t va = UINT64_C(0x7f00012000);
	const struct tlb_leaf leaf = leaf_with(12, 16, UINT64_C(0x8000a2000));
	const struct tlb_leaf wide = leaf_with(12, 17, UINT64_C(0x8000a2000));
	struct tlb_match match = { .scope = TLB_SCOPE_VA,
				   .context = context,
				   .first = va + 5 * PAGE,
				   .last = va + 6 * PAGE - 1 };
	struct tlb tlb;
	uint32_t slot;

	(void)state;
	assert_true(tlb_init(&tlb, &shape));
	slot = tlb_fill(&tlb, context, va_of(va), &leaf);
	assert_int_equal(tlb.leaf[slot].size_bits, 16);
	assert_int_equal(tlb.leaf[slot].pa.v, UINT64_C(0x8000a0000));
	assert_int_equal(tlb_find(&tlb, context, va_of(va + 13 * PAGE)), slot);
	assert_int_equal(tlb_find(&tlb, context, va_of(va + 14 * PAGE)), TLB_NONE);
	assert_int_equal(tlb.contiguous, 1);
	assert_int_equal(tlb.splintered, 0);
	/* The set goes by any of its pages. */
	assert_int_equal(tlb_invalidate(&tlb, &match), 1);
	/* Of a span larger than the TLB's size the part that was asked for. */
	slot = tlb_fill(&tlb, context, va_of(va), &wide);
	assert_int_equal(tlb.leaf[slot].size_bits, 16);
	tlb_fini(&tlb);
	shape.contiguous = false;
	assert_true(tlb_init(&tlb, &shape));
	slot = tlb_fill(&tlb, context, va_of(va), &leaf);
	assert_int_equal(tlb.leaf[slot].size_bits, 12);
	assert_int_equal(tlb.leaf[slot].pa.v, UINT64_C(0x8000a2000));
	assert_int_equal(tlb.contiguous, 0);
	tlb_fini(&tlb);
}

#define SETS                                                                                       \
	"guest.policy=linux guest.contiguous_permille=1000 tlb.l1d.contiguous=yes "                \
	"tlb.l1d.entries=4 tlb.l1d.ways=full tlb.l1d.page_sizes=[4K,64K] tlb.l2.entries=none "

/* 32 pages in two sets of 16; stage 2 must reach as far. */
static void smaller_of_both_stages(void **state)
{
	(void)state;
	assert_int_equal(misses_of(SETS "host.backing=2M", 32, PAGE), 2);
	assert_int_equal(misses_of(SETS "host.backing=4K", 32, PAGE), 64);
	assert_int_equal(misses_of(SETS "host.backing=2M tlb.l1d.contiguous=no", 32, PAGE), 64);
	assert_int_equal(misses_of(SETS "host.backing=2M tlb.l1d.page_sizes=[4K]", 32, PAGE), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_against_lists), cmocka_unit_test(four_pages_an_entry),
		cmocka_unit_test(hashed_index),		cmocka_unit_test(serial_lookups),
		cmocka_unit_test(one_entry_for_a_set),	cmocka_unit_test(smaller_of_both_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's page tables against a naive flat model, page by page, over random operations: the same
 * mappings, no table lost or freed twice, as many tables as the leaves need, and no TLB entry that
 * the tables do not grant any more.
 */
#include "unit.h"

#include "os/kvm_pgtable.h"

enum { TLB_ENTRIES = 64, MAX_TABLES = 4096 };

#define TABLES_AT UINT64_C(0x10000000000)

/* What the model holds for each page: the leaf that maps it. */
struct page {
	bool valid, af;
	uint8_t level, prot;
	uint64_t pa; /* of this page */
};

struct cached {
	bool valid;
	uint8_t level, prot;
	uint64_t ipa, pa; /* of the leaf */
};

struct world {
	struct kvm_pgtable pgt;
	struct phys_mem *mem;
	struct rng rng;
	enum granule granule;
	uint64_t base; /* IPA of page 0 */
	uint64_t pages;
	struct page *page;
	struct cached tlb[TLB_ENTRIES];
	bool in_use[MAX_TABLES];
	uint64_t used;
};

/* ---- tables and TLB ----------------------------------------------------------------------- */

static bool take(void *ctx, unsigned count, pa_t *out)
{
	struct world *w = ctx;

	for (unsigned first = 0; first + count <= MAX_TABLES; first += count) {
		bool is_free = true;

		for (unsigned i = 0; i < count; i++)
			is_free = is_free && !w->in_use[first + i];
		if (!is_free)
			continue;
		for (unsigned i = 0; i < count; i++)
			w->in_use[first + i] = true;
		w->used += count;
		*out = pa_of(TABLES_AT + ((uint64_t)first << w->granule));
		return true;
	}
	return false;
}

static void give(void *ctx, unsigned count, pa_t tables)
{
	struct world *w = ctx;
	const uint64_t first = (tables.v - TABLES_AT) >> w->granule;

	for (unsigned i = 0; i < count; i++) {
		assert_true(w->in_use[first + i]);
		w->in_use[first + i] = false;
	}
	w->used -= count;
}

static bool covers(const struct world *w, const struct cached *entry, uint64_t first, uint64_t last)
{
	return entry->ipa <= last &&
	       (entry->ipa | low_mask(level_shift(w->granule, entry->level))) >= first;
}

/* A level hint reaches entries of that level only. */
static void on_tlbi(void *ctx, const struct kvm_tlbi *tlbi)
{
	struct world *w = ctx;

	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		struct cached *entry = &w->tlb[i];
		bool hit = true;

		if (tlbi->kind == KVM_TLBI_RANGE)
			hit = covers(w, entry, tlbi->ipa, tlbi->ipa + tlbi->bytes - 1);
		else if (tlbi->kind != KVM_TLBI_VMID)
			hit = covers(w, entry, tlbi->ipa, tlbi->ipa) &&
			      (tlbi->level == KVM_TTL_UNKNOWN || tlbi->level == entry->level);
		if (hit)
			entry->valid = false;
	}
}

static const struct kvm_pgtable_ops ops = { .alloc = take, .free = give, .tlbi = on_tlbi };

/* The guest touches a page: a leaf with AF may enter the TLB. */
static void touch(struct world *w)
{
	const uint64_t at = rng_below(&w->rng, w->pages);
	const struct page *page = &w->page[at];
	struct cached *entry = &w->tlb[pick(&w->rng, TLB_ENTRIES)];
	const uint64_t ipa = w->base + (at << w->granule);
	uint64_t mask;

	if (!page->valid || !page->af)
		return;
	mask = low_mask(level_shift(w->granule, page->level));
	*entry = (struct cached){ .valid = true,
				  .level = page->level,
				  .prot = page->prot,
				  .ipa = ipa & ~mask,
				  .pa = page->pa & ~mask };
}

static void check_tlb(const struct world *w)
{
	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		const struct cached *entry = &w->tlb[i];
		const struct page *page;

		if (!entry->valid)
			continue;
		page = &w->page[(entry->ipa - w->base) >> w->granule];
		assert_true(page->valid);
		assert_int_equal(page->pa, entry->pa);
		assert_int_equal(page->level, entry->level);
		assert_int_equal(entry->prot & ~page->prot, 0);
	}
}

/* ---- the model ---------------------------------------------------------------------------- */

static uint64_t leaf_pages(const struct world *w, int level)
{
	return UINT64_C(1) << (level_shift(w->granule, level) - w->granule);
}

/* The pages of the leaf that maps page `at`. */
static uint64_t leaf_first(const struct world *w, uint64_t at)
{
	return at & ~(leaf_pages(w, w->page[at].level) - 1);
}

static void model_drop(struct world *w, uint64_t first, uint64_t count)
{
	for (uint64_t at = first; at < first + count; at++) {
		if (!w->page[at].valid)
			continue;
		const uint64_t from = leaf_first(w, at), n = leaf_pages(w, w->page[at].level);

		for (uint64_t i = from; i < from + n; i++)
			w->page[i].valid = false;
	}
}

/* Level of the largest leaves that a mapping of 2^size_bits bytes to pa is made of. */
static int model_level(const struct world *w, unsigned size_bits, uint64_t pa)
{
	for (int level = w->granule == GRANULE_4K ? 1 : 2; level < 3; level++) {
		const unsigned n = level_shift(w->granule, level);

		if (level >= w->pgt.start_level && n <= size_bits && (pa & low_mask(n)) == 0)
			return level;
	}
	return 3;
}

static void model_map(struct world *w, uint64_t first, unsigned size_bits, uint64_t pa,
		      uint8_t prot)
{
	const int level = model_level(w, size_bits, pa);
	const uint64_t n = leaf_pages(w, level);
	const uint64_t count = UINT64_C(1) << (size_bits - w->granule);

	for (uint64_t at = first; at < first + count; at += n) {
		const uint64_t to = pa + ((at - first) << w->granule);
		const struct page *old = &w->page[at];

		/* Only permissions would change: KVM stops here. */
		if (old->valid && old->level == level && old->pa == to && old->af)
			return;
		model_drop(w, at, n);
		for (uint64_t i = 0; i < n; i++)
			w->page[at + i] = (struct page){ .valid = true,
							 .af = true,
							 .level = (uint8_t)level,
							 .prot = prot,
							 .pa = to + (i << w->granule) };
	}
}

/* Changes all pages of all leaves that the range touches. */
static void model_change(struct world *w, uint64_t first, uint64_t count,
			 void (*change)(struct page *page))
{
	for (uint64_t at = first; at < first + count;) {
		if (!w->page[at].valid) {
			at++;
			continue;
		}
		const uint64_t from = leaf_first(w, at), n = leaf_pages(w, w->page[at].level);

		for (uint64_t i = from; i < from + n; i++)
			change(&w->page[i]);
		at = from + n;
	}
}

static void no_write(struct page *page)
{
	page->prot &= (uint8_t)~KVM_PROT_W;
}

static void no_af(struct page *page)
{
	page->af = false;
}

static void with_af(struct page *page)
{
	page->af = true;
}

/* New leaves have AF, whatever the block had. */
static void divide(struct world *w, uint64_t at, uint8_t level)
{
	const uint64_t from = leaf_first(w, at), n = leaf_pages(w, w->page[at].level);

	for (uint64_t i = from; i < from + n; i++) {
		w->page[i].level = level;
		w->page[i].af = true;
	}
}

/*
 * A 1G block becomes pages with tables for all of it, else 2M blocks with one more table, of which
 * those in the range are divided in turn. False: tables ran out.
 */
static bool model_split(struct world *w, uint64_t first, uint64_t count, uint64_t tables)
{
	for (uint64_t at = first; at < first + count;) {
		const struct page *page = &w->page[at];
		const uint64_t whole = page->level == 1 ? 513 : 1;

		if (!page->valid || page->level == 3) {
			at++;
			continue;
		}
		if (tables == 0)
			return false;
		if (tables >= whole) {
			divide(w, at, 3);
			tables -= whole;
		} else {
			divide(w, at, 2);
			tables--;
		}
	}
	return true;
}

static void add_all(struct page *page)
{
	page->prot = KVM_PROT_R | KVM_PROT_W | KVM_PROT_X;
}

/* ---- comparison --------------------------------------------------------------------------- */

struct comparison {
	struct world *w;
	uint64_t pages;
};

static enum kvm_result compare_leaf(const struct kvm_visit *visit, enum kvm_walk_flags kind)
{
	struct comparison *c = visit->arg;
	struct world *w = c->w;
	const unsigned leaf_bits = level_shift(w->granule, visit->level);
	const uint64_t first = (visit->addr - w->base) >> w->granule;
	uint8_t prot = 0;

	(void)kind;
	if (!(visit->old & DESC_VALID))
		return KVM_OK;
	prot |= visit->old & S2_AP_R ? KVM_PROT_R : 0;
	prot |= visit->old & S2_AP_W ? KVM_PROT_W : 0;
	prot |= visit->old >> 54 & 1 ? 0 : KVM_PROT_X;
	for (uint64_t i = 0; i < leaf_pages(w, visit->level); i++, c->pages++) {
		const struct page *page = &w->page[first + i];

		assert_true(page->valid);
		assert_int_equal(page->level, visit->level);
		assert_int_equal(page->prot, prot);
		assert_int_equal(page->af, (visit->old & DESC_AF) != 0);
		assert_int_equal(page->pa,
				 desc_leaf_address(&w->pgt.format, visit->old, leaf_bits) +
					 (i << w->granule));
	}
	return KVM_OK;
}

/* Tables of `level` that some leaf of the model needs. */
static uint64_t needed_tables(const struct world *w, int level)
{
	const uint64_t span = leaf_pages(w, level - 1);
	uint64_t tables = 0, last = UINT64_MAX;

	for (uint64_t at = 0; at < w->pages; at++) {
		const uint64_t table = (w->base >> w->granule) + at;

		if (w->page[at].valid && w->page[at].level >= level && table / span != last) {
			last = table / span;
			tables++;
		}
	}
	return tables;
}

static void compare(struct world *w)
{
	struct comparison c = { .w = w };
	const struct kvm_walker walker = { .visit = compare_leaf,
					   .arg = &c,
					   .flags = KVM_WALK_LEAF };
	uint64_t pages = 0, tables = 0;

	assert_int_equal(kvm_pgtable_walk(&w->pgt, w->base, w->pages << w->granule, &walker),
			 KVM_OK);
	for (uint64_t at = 0; at < w->pages; at++)
		pages += w->page[at].valid;
	assert_int_equal(c.pages, pages);
	for (int level = w->pgt.start_level + 1; level <= 3; level++)
		tables += needed_tables(w, level);
	assert_int_equal(w->pgt.tables, tables);
	assert_int_equal(w->used, tables + w->pgt.root_tables);
}

/* ---- random operations -------------------------------------------------------------------- */

static unsigned random_size_bits(struct world *w)
{
	const unsigned n = pick(&w->rng, 20);

	if (n == 0 && w->granule == GRANULE_4K)
		return level_shift(w->granule, 1);
	return n < 7 ? level_shift(w->granule, 2) : (unsigned)w->granule;
}

/* Few places, so that operations meet each other. */
static uint64_t random_page(struct world *w, unsigned size_bits)
{
	const uint64_t pmd = leaf_pages(w, 2);
	const uint64_t at = rng_below(&w->rng, w->pages / pmd) * pmd +
			    (chance(&w->rng, 1, 2) ? pick(&w->rng, 3) : rng_below(&w->rng, pmd));

	return at & ~low_mask(size_bits - w->granule);
}

static void do_map(struct world *w)
{
	const unsigned size_bits = random_size_bits(w);
	const uint64_t first = random_page(w, size_bits);
	const uint64_t ipa = w->base + (first << w->granule);
	const uint8_t prot = (uint8_t)(KVM_PROT_R | pick(&w->rng, 4) << 1);
	struct kvm_table_cache cache = KVM_CACHE_FULL;
	uint64_t pa = UINT64_C(0x4000000000) + (first << w->granule);

	if (chance(&w->rng, 1, 4))
		pa += UINT64_C(0x40000000);
	if (size_bits > w->granule && chance(&w->rng, 1, 6))
		pa += UINT64_C(1) << w->granule; /* too little aligned for a block */
	assert_in_range(kvm_pgtable_map(&w->pgt, ipa, UINT64_C(1) << size_bits, pa_of(pa), prot,
					&cache, KVM_WALK_HANDLE_FAULT),
			KVM_OK, KVM_AGAIN);
	model_map(w, first, size_bits, pa, prot);
}

static void do_change(struct world *w, unsigned what)
{
	const unsigned size_bits =
		chance(&w->rng, 1, 2) ? (unsigned)w->granule : random_size_bits(w);
	const uint64_t first = random_page(w, size_bits);
	const uint64_t ipa = w->base + (first << w->granule);
	const uint64_t bytes = UINT64_C(1) << size_bits, count = bytes >> w->granule;
	struct kvm_table_cache cache = KVM_CACHE_FULL;
	bool young = false;

	switch (what) {
	case 0:
		kvm_pgtable_unmap(&w->pgt, ipa, bytes);
		model_drop(w, first, count);
		break;
	case 1:
		kvm_pgtable_wrprotect(&w->pgt, ipa, bytes);
		/* A leaf that the range only touches is protected altogether. */
		if (chance(&w->rng, 1, 2))
			kvm_pgtable_flush_range(&w->pgt, ipa, bytes);
		else
			kvm_pgtable_flush_all(&w->pgt);
		model_change(w, first, count, no_write);
		break;
	case 2:
		kvm_pgtable_relax_perms(&w->pgt, ipa, KVM_PROT_R | KVM_PROT_W | KVM_PROT_X);
		model_change(w, first, 1, add_all);
		break;
	case 3:
		for (uint64_t i = first; i < first + count; i++)
			young = young || (w->page[i].valid && w->page[i].af);
		assert_int_equal(kvm_pgtable_clear_young(&w->pgt, ipa, bytes), young);
		model_change(w, first, count, no_af);
		break;
	case 4:
		kvm_pgtable_mkyoung(&w->pgt, ipa);
		model_change(w, first, 1, with_af);
		break;
	case 5:
		kvm_pgtable_hw_access(&w->pgt, ipa);
		model_change(w, first, 1, with_af);
		break;
	default:
		if (chance(&w->rng, 1, 2))
			cache.pages = pick(&w->rng, 4) * (1 + pick(&w->rng, 300));
		assert_int_equal(model_split(w, first, count, cache.pages) ? KVM_OK : KVM_NO_MEMORY,
				 kvm_pgtable_split(&w->pgt, ipa, bytes, &cache));
		break;
	}
}

static void run_random(enum granule granule, unsigned ia_bits, unsigned kernel, unsigned features,
		       unsigned operations)
{
	const struct kvm_pgtable_setup setup = { .granule = granule,
						 .ia_bits = ia_bits,
						 .kernel = kernel,
						 .fwb = features & 1,
						 .lpa2 = features & 2,
						 .tlbi_range = features & 4 };
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->granule = granule;
	w->rng = rng_seed(ia_bits * 8 + features);
	w->mem = phys_create();
	w->base = granule == GRANULE_4K ? UINT64_C(0x40000000) : UINT64_C(0x2000000);
	w->pages = granule == GRANULE_4K ? UINT64_C(2) << 18 : leaf_pages(w, 2) * 6;
	w->page = calloc(w->pages, sizeof(*w->page));
	assert_non_null(w->mem);
	assert_non_null(w->page);
	assert_int_equal(kvm_pgtable_init(&w->pgt, &setup, w->mem, &ops, w), KVM_OK);
	for (unsigned i = 0; i < operations; i++) {
		const unsigned what = pick(&w->rng, 13);

		if (what < 6)
			do_map(w);
		else
			do_change(w, what - 6);
		check_tlb(w);
		for (unsigned n = 0; n < 8; n++)
			touch(w);
		if (i % 64 == 0)
			compare(w);
	}
	compare(w);
	kvm_pgtable_unmap(&w->pgt, w->base, w->pages << granule);
	assert_int_equal(w->pgt.tables, 0);
	kvm_pgtable_fini(&w->pgt);
	assert_int_equal(w->used, 0);
	phys_destroy(w->mem);
	free(w->page);
	free(w);
}

static void random_operations(void **state)
{
	(void)state;
	run_random(GRANULE_4K, 40, KVM_KERNEL(6, 1), 0, 600);
	run_random(GRANULE_4K, 33, KVM_KERNEL(6, 12), 5, 600);
	run_random(GRANULE_4K, 52, KVM_KERNEL(6, 12), 7, 600);
	for (unsigned features = 0; features < 8; features++) {
		run_random(GRANULE_16K, 40, KVM_KERNEL(6, 1), features, 1000);
		run_random(GRANULE_16K, 47, KVM_KERNEL(6, 12), features, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_operations) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole VMs under random accesses, dirty logging, ageing, MMU notifiers, discards and khugepaged.
 * At all times: no frame is lost, used twice or mapped where it does not belong; a page that may be
 * written while its slot logs is in the log; no TLB entry grants what the tables do not.
 */
#include "frames_view.h"
#include "unit.h"

#include "os/kvm_mmu.h"

enum { TLB_ENTRIES = 48, MAX_PLACED = 1 << 14, MAX_RANGES = MAX_PLACED + 4096 };

#define BASE UINT64_C(0x40000000)
#define USER UINT64_C(0x7f0040000000)

struct range {
	uint64_t first, bytes;
};

struct cached {
	bool valid;
	int level;
	uint64_t ipa, desc;
};

struct world {
	struct phys_mem *mem;
	struct frames frames;
	uint64_t all_free; /* bytes, before the VM */
	struct kvm_mmu mmu;
	struct kvm_slot *slot;
	struct rng rng;
	uint64_t pages;
	uint64_t *pa; /* of each page, plus 1: from the callback; 0: none of its own */
	struct range placed[MAX_PLACED];
	unsigned placed_count;
	struct cached tlb[TLB_ENTRIES];
	struct range range[MAX_RANGES]; /* for one check */
	unsigned ranges;
};

static enum granule page_of(const struct world *w)
{
	return w->mmu.host.page;
}

static void placed(void *ctx, uint64_t user, unsigned size_bits, pa_t pa)
{
	struct world *w = ctx;

	assert_in_range(w->placed_count, 0, MAX_PLACED - 1);
	w->placed[w->placed_count++] = (struct range){ pa.v, UINT64_C(1) << size_bits };
	for (uint64_t at = 0; at < UINT64_C(1) << size_bits; at += UINT64_C(1) << page_of(w)) {
		const uint64_t page = (user + at - w->slot->setup.user) >> page_of(w);

		if (user + at < w->slot->setup.user || page >= w->pages)
			continue;
		assert_int_equal(w->pa[page], 0);
		w->pa[page] = pa.v + at + 1;
	}
}

/* The rest of a frame of which a part is given back, in pieces of that size. */
static void dropped(void *ctx, uint64_t user, unsigned size_bits, pa_t pa)
{
	struct world *w = ctx;
	const uint64_t bytes = UINT64_C(1) << size_bits;
	unsigned i = 0;
	struct range whole;

	while (i < w->placed_count && pa.v - w->placed[i].first >= w->placed[i].bytes)
		i++;
	assert_in_range(i, 0, w->placed_count - 1);
	whole = w->placed[i];
	w->placed[i] = w->placed[--w->placed_count];
	for (uint64_t at = whole.first; at < whole.first + whole.bytes; at += bytes) {
		assert_in_range(w->placed_count, 0, MAX_PLACED - 1);
		if (at != pa.v)
			w->placed[w->placed_count++] = (struct range){ at, bytes };
	}
	for (uint64_t at = 0; at < bytes; at += UINT64_C(1) << page_of(w)) {
		const uint64_t page = (user + at - w->slot->setup.user) >> page_of(w);

		if (user + at < w->slot->setup.user || page >= w->pages)
			continue;
		assert_int_equal(w->pa[page], pa.v + at + 1);
		w->pa[page] = 0;
	}
}

/* ---- TLB ---------------------------------------------------------------------------------- */

static void on_tlbi(void *ctx, const struct kvm_tlbi *tlbi)
{
	struct world *w = ctx;
	const uint64_t bytes = tlbi->kind == KVM_TLBI_RANGE ? tlbi->bytes : 1;

	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		struct cached *entry = &w->tlb[i];
		const uint64_t last = entry->ipa | low_mask(level_shift(page_of(w), entry->level));
		const bool has_level =
			tlbi->kind == KVM_TLBI_IPA || tlbi->kind == KVM_TLBI_IPA_LOCAL;

		if (tlbi->kind != KVM_TLBI_VMID &&
		    (entry->ipa > tlbi->ipa + bytes - 1 || last < tlbi->ipa))
			continue;
		if (has_level && tlbi->level != KVM_TTL_UNKNOWN && tlbi->level != entry->level)
			continue;
		entry->valid = false;
	}
}

static void load_tlb(struct world *w, uint64_t ipa)
{
	struct cached *entry = &w->tlb[pick(&w->rng, TLB_ENTRIES)];

	entry->desc = kvm_pgtable_get_leaf(&w->mmu.pgt, ipa, &entry->level);
	entry->valid = (entry->desc & DESC_VALID) && (entry->desc & DESC_AF);
	entry->ipa = ipa & ~low_mask(level_shift(page_of(w), entry->level));
}

/* The same leaf is still there and allows as much; the access flag may be gone. */
static void check_tlb(const struct world *w)
{
	const uint64_t xn = UINT64_C(1) << (S2_XN_SHIFT + 1), perms = S2_AP_R | S2_AP_W | xn;

	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		const struct cached *entry = &w->tlb[i];
		uint64_t desc;
		int level;

		if (!entry->valid)
			continue;
		desc = kvm_pgtable_get_leaf(&w->mmu.pgt, entry->ipa, &level);
		assert_true(desc & DESC_VALID);
		assert_int_equal(level, entry->level);
		assert_int_equal((desc ^ entry->desc) & ~(perms | DESC_AF), 0);
		assert_int_equal(entry->desc & ~desc & (S2_AP_R | S2_AP_W), 0);
		assert_int_equal(desc & ~entry->desc & xn, 0);
	}
}

/* ---- frames and leaves -------------------------------------------------------------------- */

static void add_range(struct world *w, uint64_t first, uint64_t bytes)
{
	assert_in_range(w->ranges, 0, MAX_RANGES - 1);
	w->range[w->ranges++] = (struct range){ first, bytes };
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static bool in_log(const struct world *w, uint64_t page)
{
	return w->slot->dirty[page / 64] >> page % 64 & 1;
}

static void check_page(const struct world *w, uint64_t page, uint64_t pa, uint64_t desc)
{
	const struct kvm_memory *memory = &w->slot->memory;
	const uint64_t huge_zero = memory->huge_zero_page - 1;

	if (w->pa[page] && pa == w->pa[page] - 1) {
		if ((desc & S2_AP_W) && w->slot->dirty)
			assert_true(in_log(w, page));
		return;
	}
	/* A zero page, which the page has left if it has one of its own now. */
	assert_int_equal(w->pa[page], 0);
	assert_false(desc & S2_AP_W);
	if (memory->zero_page && pa == memory->zero_page - 1)
		return;
	assert_true(memory->huge_zero_page && pa >= huge_zero &&
		    pa <= (huge_zero | low_mask(memory->chunk_bits)));
}

static enum kvm_result visit(const struct kvm_visit *visit, enum kvm_walk_flags kind)
{
	struct world *w = visit->arg;
	const unsigned leaf_bits = level_shift(page_of(w), visit->level);
	uint64_t pa;

	if (kind == KVM_WALK_TABLE_PRE) {
		add_range(w, desc_address(&visit->pgt->format, visit->old),
			  UINT64_C(1) << page_of(w));
		return KVM_OK;
	}
	if (!(visit->old & DESC_VALID))
		return KVM_OK;
	pa = desc_leaf_address(&visit->pgt->format, visit->old, leaf_bits);
	for (uint64_t at = 0; at < UINT64_C(1) << leaf_bits; at += UINT64_C(1) << page_of(w)) {
		const uint64_t page = (visit->addr + at - w->slot->setup.base) >> page_of(w);

		if (visit->addr + at >= w->slot->setup.base && page < w->pages)
			check_page(w, page, pa + at, visit->old);
	}
	return KVM_OK;
}

/* Frames that the VM holds, one by one, are those that are not free. */
static void check_tables(struct world *w)
{
	uint64_t held = 0;
	const struct kvm_walker walker = { .visit = visit,
					   .arg = w,
					   .flags = KVM_WALK_TABLE_PRE | KVM_WALK_LEAF };
	struct kvm_pgtable *pgt = &w->mmu.pgt;
	const struct kvm_pgtable_counts *counts = &pgt->counts;

	w->ranges = 0;
	assert_int_equal(kvm_pgtable_walk(pgt, 0, UINT64_C(1) << pgt->setup.ia_bits, &walker),
			 KVM_OK);
	assert_int_equal(w->ranges, pgt->tables);
	assert_int_equal(counts->tables_allocated - counts->tables_freed, pgt->tables);
	assert_int_equal(w->mmu.table_frames, pgt->tables + w->mmu.spare_count);
	for (size_t i = 0; i < w->mmu.spare_count; i++)
		add_range(w, w->mmu.spare[i].v, UINT64_C(1) << page_of(w));
	add_range(w, pgt->root.v, (uint64_t)pgt->root_tables << page_of(w));
	if (w->slot->memory.zero_page)
		add_range(w, w->slot->memory.zero_page - 1, UINT64_C(1) << page_of(w));
	if (w->slot->memory.huge_zero_page)
		add_range(w, w->slot->memory.huge_zero_page - 1,
			  UINT64_C(1) << w->slot->memory.chunk_bits);
	for (unsigned i = 0; i < w->placed_count; i++)
		add_range(w, w->placed[i].first, w->placed[i].bytes);
	qsort(w->range, w->ranges, sizeof(w->range[0]), by_first);
	for (unsigned i = 0; i < w->ranges; i++)
		held += w->range[i].bytes;
	assert_int_equal(w->all_free - free_bytes_of(&w->frames), held);
	for (unsigned i = 1; i < w->ranges; i++)
		assert_true(w->range[i - 1].first + w->range[i - 1].bytes <= w->range[i].first);
}

/* ---- random operations -------------------------------------------------------------------- */

/* Few places, so that operations meet each other. */
static uint64_t random_offset(struct world *w)
{
	const uint64_t page = chance(&w->rng, 3, 4)
				      ? pick(&w->rng, 8) * (w->pages / 8) + pick(&w->rng, 5)
				      : rng_below(&w->rng, w->pages);

	return (page < w->pages ? page : w->pages - 1) << page_of(w);
}

static void operate(struct world *w)
{
	const uint64_t offset = random_offset(w), bytes = UINT64_C(1) << page_of(w);
	const uint64_t count = chance(&w->rng, 1, 8) ? w->pages : 1 + pick(&w->rng, 700);
	const uint64_t user = w->slot->setup.user + offset, ipa = w->slot->setup.base + offset;
	const unsigned what = pick(&w->rng, 42);

	if (what < 30)
		assert_int_equal(kvm_mmu_access(&w->mmu, ipa, pick(&w->rng, 3)), KVM_ACCESS_OK);
	else if (what < 32)
		kvm_mmu_set_logging(w->slot, what == 30);
	else if (what == 32)
		kvm_mmu_get_log(w->slot);
	else if (what == 33)
		kvm_mmu_clear_log(w->slot, offset & ~(64 * bytes - 1),
				  (1 + pick(&w->rng, 8)) * 64 * bytes);
	else if (what < 36)
		kvm_mmu_unmap_user(w->slot, user, user + count * bytes);
	else if (what < 38)
		kvm_mmu_clear_young(w->slot, user, user + count * bytes, what == 36);
	else if (what < 41)
		assert_int_equal(kvm_mmu_discard(w->slot, user, user + count * bytes), KVM_E_NONE);
	else /* without a free huge frame nothing happens */
		kvm_mmu_collapse(w->slot, user);
}

static const struct {
	enum granule page;
	unsigned ipa_bits;
	enum kvm_backing backing;
	unsigned hugetlb_bits;
	unsigned pages, skew_pages;
} rows[] = {
	{ GRANULE_4K, 40, KVM_BACKING_ANON, 0, 4096, 0 },
	{ GRANULE_4K, 40, KVM_BACKING_THP, 0, 8 * 512 + 100, 0 },
	{ GRANULE_4K, 44, KVM_BACKING_THP, 0, 3000, 7 },
	{ GRANULE_4K, 33, KVM_BACKING_HUGETLB, 21, 5000, 0 },
	{ GRANULE_4K, 48, KVM_BACKING_HUGETLB, 16, 3000, 0 },
	{ GRANULE_4K, 40, KVM_BACKING_HUGETLB, 25, 3 * 8192, 0 },
	{ GRANULE_4K, 40, KVM_BACKING_HUGETLB, 30, 262144 + 700, 0 },
	{ GRANULE_16K, 36, KVM_BACKING_THP, 0, 4 * 2048, 0 },
	{ GRANULE_16K, 47, KVM_BACKING_HUGETLB, 25, 4 * 2048, 0 },
	{ GRANULE_64K, 42, KVM_BACKING_THP, 0, 2 * 8192, 0 },
};

static void run(struct world *w, unsigned row, unsigned variant, unsigned operations)
{
	static const char *const rules[] = { "upstream", "v10", "relaxed", "size" };
	const struct kvm_host host = {
		.kernel = variant & 1 ? KVM_KERNEL(6, 1) : KVM_KERNEL(6, 12),
		.page = rows[row].page,
		.ipa_limit_bits = 48,
		.dic = variant & 2,
		.fwb = variant & 4,
		.tlbi_range = variant & 4,
		.hw_af = variant & 8,
		.rule = host_find(rules[pick(&w->rng, 4)]),
	};
	const struct kvm_vm_setup setup = {
		.ipa_bits = rows[row].ipa_bits,
		.start = variant & 2 ? KVM_START_PLAIN : KVM_START_AUTO,
		.manual_protect = chance(&w->rng, 1, 3),
		.initially_set = chance(&w->rng, 1, 2),
		.split_chunk_bytes =
			chance(&w->rng, 1, 2) ? UINT64_C(1) << level_shift(rows[row].page, 2) : 0,
	};
	const struct kvm_slot_setup slot = { .base = BASE,
					     .bytes = (uint64_t)rows[row].pages << rows[row].page,
					     .user = USER + ((uint64_t)rows[row].skew_pages
							     << rows[row].page),
					     .backing = rows[row].backing,
					     .hugetlb_bits = rows[row].hugetlb_bits };
	const struct frames_setup memory = {
		.base = pa_of(UINT64_C(1) << 34),
		.pa_bits = 40,
		.page_bits = rows[row].page,
		.fragmentation_permille =
			slot.backing == KVM_BACKING_HUGETLB ? 0 : pick(&w->rng, 2) * 1000,
		.seed = rng_next(&w->rng),
	};

	w->pages = rows[row].pages;
	w->pa = calloc(w->pages, sizeof(*w->pa));
	assert_non_null(w->pa);
	w->placed_count = 0;
	memset(w->tlb, 0, sizeof(w->tlb));
	assert_true(frames_init(&w->frames, &memory));
	w->all_free = free_bytes_of(&w->frames);
	phys_reset(w->mem);
	assert_int_equal(kvm_mmu_init(&w->mmu, &host, &setup, w->mem, &w->frames), KVM_E_NONE);
	w->mmu.tlbi = on_tlbi;
	w->mmu.tlbi_ctx = w;
	assert_int_equal(kvm_mmu_add_slot(&w->mmu, &slot, &w->slot), KVM_E_NONE);
	w->slot->memory.placed = placed;
	w->slot->memory.dropped = dropped;
	w->slot->memory.placed_ctx = w;
	for (unsigned i = 0; i < operations; i++) {
		operate(w);
		check_tlb(w);
		for (unsigned n = 0; n < 4; n++)
			load_tlb(w, BASE + random_offset(w));
		if (i % 64 == 0)
			check_tables(w);
	}
	check_tables(w);
	/* All that was taken for tables can be used again. */
	kvm_mmu_unmap_user(w->slot, slot.user, slot.user + slot.bytes);
	check_tables(w);
	kvm_mmu_fini(&w->mmu);
	assert_int_equal(free_bytes_of(&w->frames), w->all_free);
	frames_fini(&w->frames);
	free(w->pa);
}

static void whole_vms(void **state)
{
	const char *more = getenv("TWOSTAGE_LONG");
	const unsigned rounds = more && *more ? 200 : 2;
	struct world *w = calloc(1, sizeof(*w));

	(void)state;
	assert_non_null(w);
	w->mem = phys_create();
	assert_non_null(w->mem);
	w->rng = rng_seed(12);
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
			run(w, row, pick(&w->rng, 16), 500);
	phys_destroy(w->mem);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_vms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

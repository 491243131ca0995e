/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's memory under a memslot: random touches against a flat list of pages, huge frames that
 * cannot be had, pools of hugetlb pages.
 */
#include "frames_view.h"
#include "kvm_rig.h"

enum { MAX_PAGES = 1 << 14 };

/* What is known of each page of the memory. */
struct flat {
	struct kvm_memory memory;
	struct frames frames;
	uint64_t user;
	uint64_t pages;
	uint64_t pa[MAX_PAGES]; /* plus 1, from the callback; 0: none of its own */
	bool touched[MAX_PAGES];
	uint64_t zeroed_4k;
};

static uint64_t pages_of(const struct flat *f, unsigned size_bits)
{
	return UINT64_C(1) << (size_bits - f->memory.page);
}

static void placed(void *ctx, uint64_t user, unsigned size_bits, pa_t pa)
{
	struct flat *f = ctx;

	assert_int_equal((user | pa.v) & low_mask(size_bits), 0);
	for (uint64_t i = 0; i < pages_of(f, size_bits); i++) {
		const uint64_t at = user + (i << f->memory.page);
		const uint64_t page = (at - f->user) >> f->memory.page;

		if (at < f->user || page >= f->pages)
			continue;
		assert_int_equal(f->pa[page], 0);
		f->pa[page] = pa.v + (i << f->memory.page) + 1;
	}
	f->zeroed_4k += UINT64_C(1) << (size_bits - 12);
}

/* No two pages share memory. */
static void check_apart(const struct flat *f)
{
	for (uint64_t i = 0; i < f->pages; i++)
		for (uint64_t n = 0; f->pa[i] && n < i; n += 7)
			assert_true(f->pa[i] != f->pa[n]);
}

/* log2 of what one touch of untouched memory brings in. */
static unsigned extent_bits(const struct flat *f)
{
	return f->memory.backing == KVM_BACKING_THP ? level_shift(f->memory.page, 2)
						    : f->memory.unit_bits;
}

static void touch(struct flat *f, uint64_t page, enum access_kind kind)
{
	const uint64_t user = f->user + (page << f->memory.page);
	const uint64_t first = user & ~low_mask(extent_bits(f));
	const bool huge_zero_made = f->memory.huge_zero_page != 0;
	const uint64_t zeroed_4k = f->zeroed_4k;
	struct kvm_pin pin;

	assert_int_equal(kvm_memory_touched(&f->memory, user), f->touched[page]);
	/* A write to a split zero page comes again, as KVM would. */
	do
		assert_int_equal(kvm_memory_pin(&f->memory, user, kind, &pin), KVM_MEMORY_OK);
	while (pin.invalidated && !pin.copied);
	for (uint64_t i = 0; i < pages_of(f, extent_bits(f)); i++) {
		const uint64_t at = first + (i << f->memory.page);

		if (at >= f->user && (at - f->user) >> f->memory.page < f->pages)
			f->touched[(at - f->user) >> f->memory.page] = true;
	}
	assert_true(kvm_memory_touched(&f->memory, user));
	if (kind == ACCESS_STORE)
		assert_true(pin.writable);
	if (pin.writable || f->memory.backing == KVM_BACKING_HUGETLB)
		assert_int_equal(pin.pa.v + 1, f->pa[page]);
	else
		assert_int_equal(f->pa[page], 0);
	if (f->memory.huge_zero_page && !huge_zero_made)
		f->zeroed_4k += UINT64_C(1) << (f->memory.chunk_bits - 12);
	assert_true(f->zeroed_4k - zeroed_4k >= pin.zeroed_4k);
}

static void random_touches(void **state)
{
	static const struct {
		enum granule page;
		enum kvm_backing backing;
		unsigned hugetlb_bits;
	} rows[] = {
		{ GRANULE_4K, KVM_BACKING_ANON, 0 },	 { GRANULE_4K, KVM_BACKING_THP, 0 },
		{ GRANULE_4K, KVM_BACKING_HUGETLB, 16 }, { GRANULE_4K, KVM_BACKING_HUGETLB, 21 },
		{ GRANULE_4K, KVM_BACKING_HUGETLB, 25 }, { GRANULE_16K, KVM_BACKING_THP, 0 },
		{ GRANULE_64K, KVM_BACKING_ANON, 0 },	 { GRANULE_16K, KVM_BACKING_HUGETLB, 21 },
	};
	const struct frames_setup memory = { .base = pa_of(GIB), .pa_bits = 48 };
	struct flat *f = malloc(sizeof(*f));
	struct rng rng = rng_seed(9);
	uint64_t free_bytes;

	(void)state;
	assert_non_null(f);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(f, 0, sizeof(*f));
		f->user = GIB + (pick(&rng, 4096) << rows[i].page);
		f->pages = 6000;
		assert_true(frames_init(&f->frames, &memory));
		free_bytes = free_bytes_of(&f->frames);
		assert_true(kvm_memory_init(&f->memory, rows[i].backing, rows[i].hugetlb_bits,
					    rows[i].page, f->user, f->pages << rows[i].page,
					    &f->frames));
		f->memory.placed = placed;
		f->memory.placed_ctx = f;
		for (unsigned n = 0; n < 4000; n++)
			touch(f, rng_below(&rng, f->pages), pick(&rng, 3));
		check_apart(f);
		kvm_memory_fini(&f->memory);
		assert_int_equal(free_bytes_of(&f->frames), free_bytes);
		frames_fini(&f->frames);
	}
	free(f);
}

static struct kvm_rig *start(unsigned pa_bits, const struct kvm_slot_setup *slot)
{
	const struct kvm_host host = { .kernel = KVM_KERNEL(6, 12),
				       .page = GRANULE_4K,
				       .ipa_limit_bits = 48,
				       .rule = host_find("upstream") };
	const struct kvm_vm_setup setup = { 0 };

	return kvm_rig_make(&host, &setup, pa_bits, slot);
}

/* Without a huge frame: the chunk is made of pages; without pages: exhausted. */
static void thp_falls_back(void **state)
{
	const struct kvm_slot_setup setup = {
		.base = GIB, .bytes = 64 * MIB, .user = GIB, .backing = KVM_BACKING_THP
	};
	struct kvm_rig *vm = start(33, &setup);
	enum kvm_access_result result = KVM_ACCESS_OK;
	int level;
	pa_t pa;

	(void)state;
	assert_int_equal(kvm_mmu_access(&vm->mmu, GIB, ACCESS_STORE), KVM_ACCESS_OK);
	kvm_pgtable_get_leaf(&vm->mmu.pgt, GIB, &level);
	assert_int_equal(level, 2);
	for (unsigned size_bits = 30; size_bits >= 21; size_bits--)
		while (frames_alloc(&vm->frames, size_bits, &pa))
			continue;
	assert_false(kvm_mmu_touched(&vm->mmu, GIB + 2 * MIB));
	assert_int_equal(kvm_mmu_access(&vm->mmu, GIB + 2 * MIB, ACCESS_STORE), KVM_ACCESS_OK);
	kvm_pgtable_get_leaf(&vm->mmu.pgt, GIB + 2 * MIB, &level);
	assert_int_equal(level, 3);
	assert_int_equal(vm->slot->memory.huge_fallbacks, 1);
	assert_true(kvm_mmu_touched(&vm->mmu, GIB + 2 * MIB));
	assert_false(kvm_mmu_touched(&vm->mmu, GIB + 2 * MIB + 4096));
	assert_false(kvm_mmu_touched(&vm->mmu, 0));
	assert_int_equal(kvm_mmu_access(&vm->mmu, GIB + 4 * MIB, ACCESS_LOAD), KVM_ACCESS_OK);
	kvm_pgtable_get_leaf(&vm->mmu.pgt, GIB + 4 * MIB, &level);
	assert_int_equal(level, 3);
	while (frames_alloc(&vm->frames, 12, &pa))
		continue;
	for (unsigned i = 0; i < 512 && result == KVM_ACCESS_OK; i++)
		result = kvm_mmu_access(&vm->mmu, GIB + 8 * MIB + i * 4096, ACCESS_STORE);
	assert_true(result == KVM_ACCESS_NO_FRAMES || result == KVM_ACCESS_NO_MEMORY);
	kvm_rig_destroy(vm);
}

/* All pages of the slot or none; a slot that begins and ends within pages takes these too. */
static void reserved_pool(void **state)
{
	struct kvm_slot_setup setup = { .base = GIB,
					.bytes = 8 * MIB,
					.user = GIB + MIB,
					.backing = KVM_BACKING_HUGETLB,
					.hugetlb_bits = 21,
					.pool = KVM_POOL_RESERVED };
	struct kvm_rig *vm = start(36, &setup);
	struct kvm_slot *slot;
	pa_t pa;

	(void)state;
	assert_int_equal(vm->mmu.pool_asked, 5);
	assert_int_equal(vm->mmu.pool_had, 5);
	assert_int_equal(kvm_mmu_access(&vm->mmu, GIB, ACCESS_STORE), KVM_ACCESS_OK);
	for (unsigned size_bits = 30; size_bits >= 21; size_bits--)
		while (frames_alloc(&vm->frames, size_bits, &pa))
			continue;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(kvm_mmu_access(&vm->mmu, GIB + i * MIB, ACCESS_STORE),
				 KVM_ACCESS_OK);
	setup.base += GIB;
	assert_int_equal(kvm_mmu_add_slot(&vm->mmu, &setup, &slot), KVM_E_NOMEM);
	assert_int_equal(vm->mmu.pool_asked, 5);
	assert_in_range(vm->mmu.pool_had, 0, 4);
	kvm_rig_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_touches),
		cmocka_unit_test(thp_falls_back),
		cmocka_unit_test(reserved_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's page tables, one rule at a time: attributes, roots, TLB maintenance, splitting, refusals.
 */
#include "unit.h"

#include "os/kvm_pgtable.h"

struct world {
	struct kvm_pgtable pgt;
	struct phys_mem *mem;
	uint64_t next, used; /* tables: address of the next one, in use */
};

static bool take(void *ctx, unsigned count, pa_t *out)
{
	struct world *w = ctx;

	*out = pa_of(UINT64_C(0x10000000000) + w->next * 4096);
	w->next += count;
	w->used += count;
	return true;
}

static void give(void *ctx, unsigned count, pa_t tables)
{
	(void)tables;
	((struct world *)ctx)->used -= count;
}

static const struct kvm_pgtable_ops ops = { .alloc = take, .free = give };

static struct world *small_world(unsigned kernel, bool tlbi_range)
{
	const struct kvm_pgtable_setup setup = {
		.granule = GRANULE_4K, .ia_bits = 40, .kernel = kernel, .tlbi_range = tlbi_range
	};
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->mem = phys_create();
	assert_non_null(w->mem);
	assert_int_equal(kvm_pgtable_init(&w->pgt, &setup, w->mem, &ops, w), KVM_OK);
	return w;
}

static void end_world(struct world *w)
{
	kvm_pgtable_fini(&w->pgt);
	assert_int_equal(w->used, 0);
	phys_destroy(w->mem);
	free(w);
}

static enum kvm_result map(struct world *w, uint64_t ipa, unsigned size_bits, unsigned prot)
{
	struct kvm_table_cache cache = KVM_CACHE_FULL;

	return kvm_pgtable_map(&w->pgt, ipa, UINT64_C(1) << size_bits, pa_of(ipa), prot, &cache,
			       KVM_WALK_HANDLE_FAULT);
}

/* [IPA, range, VMID], after an operation of which nothing is left to be said. */
static void assert_sent(struct world *w, unsigned ipa, unsigned local, unsigned range,
			unsigned vmid)
{
	assert_int_equal(w->pgt.sent[KVM_TLBI_IPA], ipa);
	assert_int_equal(w->pgt.sent[KVM_TLBI_IPA_LOCAL], local);
	assert_int_equal(w->pgt.sent[KVM_TLBI_RANGE], range);
	assert_int_equal(w->pgt.sent[KVM_TLBI_VMID], vmid);
	memset(w->pgt.sent, 0, sizeof(w->pgt.sent));
}

/* The TLB maintenance of each operation, as the kernels' helpers send it. */
static void tlbi_counts(void **state)
{
	static const struct {
		unsigned kernel;
		bool range;
	} hosts[] = { { KVM_KERNEL(6, 1), false },
		      { KVM_KERNEL(6, 1), true },
		      { KVM_KERNEL(6, 12), false },
		      { KVM_KERNEL(6, 12), true } };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct world *w = small_world(hosts[i].kernel, hosts[i].range);
		const bool new = hosts[i].kernel > KVM_KERNEL(6, 1);
		const unsigned range = new &&hosts[i].range;

		map(w, 0, 12, KVM_PROT_R); /* invalid to valid: none */
		assert_sent(w, 0, 0, 0, 0);
		assert_int_equal(map(w, 0, 12, KVM_PROT_R | KVM_PROT_W), KVM_AGAIN);
		assert_sent(w, 0, 0, 0, 0);
		kvm_pgtable_relax_perms(&w->pgt, 0, KVM_PROT_R | KVM_PROT_W);
		assert_sent(w, !new, new, 0, 0);
		map(w, 0, 21, KVM_PROT_R); /* a table becomes a block */
		assert_sent(w, 0, 0, range, !range);
		map(w, 0x3000, 12, KVM_PROT_R); /* a block becomes a table */
		assert_sent(w, 1, 0, 0, 0);
		kvm_pgtable_wrprotect(&w->pgt, 0, 1 << 21);
		kvm_pgtable_clear_young(&w->pgt, 0, 1 << 21);
		kvm_pgtable_mkyoung(&w->pgt, 0x3000);
		assert_sent(w, 0, 0, 0, 0);
		kvm_pgtable_unmap(&w->pgt, 0, 1 << 21); /* a page, and two tables */
		assert_sent(w, 3, 0, 0, 0);
		kvm_pgtable_flush_range(&w->pgt, 0, UINT64_C(20) << 30);
		assert_sent(w, 0, 0, range ? 3 : 0, !range);
		end_world(w);
	}
}

/* Of 1G in chunks, with too few tables at a time: everything ends as pages all the same. */
static void split_in_chunks(void **state)
{
	struct world *w = small_world(KVM_KERNEL(6, 12), false);
	struct kvm_table_cache cache = { 0 };
	int level;

	(void)state;
	assert_int_equal(map(w, UINT64_C(1) << 30, 30, KVM_PROT_R), KVM_OK);
	assert_int_equal(w->pgt.tables, 0);
	assert_int_equal(kvm_pgtable_split(&w->pgt, UINT64_C(1) << 30, 4096, &cache),
			 KVM_NO_MEMORY);
	cache.pages = 2;
	assert_int_equal(kvm_pgtable_split(&w->pgt, UINT64_C(1) << 30, 4096, &cache), KVM_OK);
	assert_int_equal(w->pgt.tables, 2);
	kvm_pgtable_get_leaf(&w->pgt, UINT64_C(1) << 30, &level);
	assert_int_equal(level, 3);
	kvm_pgtable_get_leaf(&w->pgt, (UINT64_C(1) << 30) + (1 << 21), &level);
	assert_int_equal(level, 2);
	cache = KVM_CACHE_FULL;
	assert_int_equal(kvm_pgtable_split(&w->pgt, UINT64_C(1) << 30, 1 << 30, &cache), KVM_OK);
	assert_int_equal(w->pgt.tables, 513);
	assert_int_equal(map(w, UINT64_C(1) << 30, 30, KVM_PROT_R), KVM_OK);
	assert_int_equal(w->pgt.tables, 0);
	end_world(w);
}

static void refusals(void **state)
{
	struct world *w = small_world(KVM_KERNEL(6, 12), false);
	const uint64_t limit = UINT64_C(1) << 40;

	(void)state;
	assert_int_equal(map(w, limit, 12, KVM_PROT_R), KVM_BAD_RANGE);
	assert_int_equal(map(w, limit - 4096, 13, KVM_PROT_R), KVM_BAD_RANGE);
	assert_int_equal(map(w, limit - 4096, 12, KVM_PROT_R), KVM_OK);
	assert_int_equal(kvm_pgtable_map(&w->pgt, 0, 4096, pa_of(0), KVM_PROT_R, NULL, 0),
			 KVM_NO_MEMORY);
	end_world(w);
}

/* Attributes of a leaf, bit for bit: S2AP, XN, AF, MemAttr with and without FWB, SH unless DS. */
static void attributes(void **state)
{
	struct world *w = small_world(KVM_KERNEL(6, 12), false);
	int level;

	(void)state;
	map(w, 0x1000, 12, KVM_PROT_R);
	assert_int_equal(kvm_pgtable_get_leaf(&w->pgt, 0x1000, &level), 0x4000000000177f);
	map(w, 0x200000, 21, KVM_PROT_R | KVM_PROT_W | KVM_PROT_X);
	assert_int_equal(kvm_pgtable_get_leaf(&w->pgt, 0x200000, &level), 0x2007fd);
	map(w, 0x3000, 12, KVM_PROT_R | KVM_PROT_DEVICE);
	assert_int_equal(kvm_pgtable_get_leaf(&w->pgt, 0x3000, &level), 0x40000000003747);
	w->pgt.setup.fwb = true;
	w->pgt.setup.lpa2 = true;
	map(w, 0x4000, 12, KVM_PROT_R | KVM_PROT_X);
	assert_int_equal(kvm_pgtable_get_leaf(&w->pgt, 0x4000, &level), 0x445b);
	end_world(w);
}

struct root {
	enum granule granule;
	unsigned ipa_first, ipa_last;
	int start_level;
	unsigned tables; /* of ipa_first; doubles with each bit */
};

static void roots(void **state)
{
	struct phys_mem *mem = phys_create();
	static const struct root rows[] = {
		{ GRANULE_4K, 32, 34, 2, 4 },  { GRANULE_4K, 35, 39, 1, 1 },
		{ GRANULE_4K, 40, 43, 1, 2 },  { GRANULE_4K, 44, 48, 0, 1 },
		{ GRANULE_4K, 49, 52, 0, 2 },  { GRANULE_16K, 32, 36, 2, 1 },
		{ GRANULE_16K, 37, 40, 2, 2 }, { GRANULE_16K, 41, 47, 1, 1 },
		{ GRANULE_16K, 48, 51, 1, 2 }, { GRANULE_16K, 52, 52, 0, 1 },
		{ GRANULE_64K, 32, 42, 2, 1 }, { GRANULE_64K, 43, 46, 2, 2 },
		{ GRANULE_64K, 47, 52, 1, 1 },
	};

	(void)state;
	assert_non_null(mem);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned tables = rows[i].tables;

		for (unsigned ipa = rows[i].ipa_first; ipa <= rows[i].ipa_last; ipa++) {
			const struct kvm_pgtable_setup setup = { .granule = rows[i].granule,
								 .ia_bits = ipa };
			struct world w = { 0 };

			assert_int_equal(kvm_pgtable_init(&w.pgt, &setup, mem, &ops, &w), KVM_OK);
			assert_int_equal(w.pgt.start_level, rows[i].start_level);
			assert_int_equal(w.pgt.root_tables, tables);
			assert_int_equal(w.used, tables);
			kvm_pgtable_fini(&w.pgt);
			tables *= rows[i].tables > 1 ? 2 : 1;
		}
	}
	phys_destroy(mem);
}

/* The start level: KVM's, one root table where the host has the levels for it, or a given one. */
static void start_levels(void **state)
{
	static const struct {
		enum granule granule;
		unsigned ipa_bits, host_levels;
		enum kvm_start start;
		bool ok;
		int level;
	} rows[] = {
		{ GRANULE_4K, 40, 0, KVM_START_AUTO, true, 1 },
		{ GRANULE_4K, 40, 3, KVM_START_AUTO, true, 1 },
		{ GRANULE_4K, 40, 2, KVM_START_AUTO, false, 0 },
		{ GRANULE_4K, 44, 3, KVM_START_AUTO, false, 0 }, /* host.va_bits 39 */
		{ GRANULE_4K, 43, 3, KVM_START_AUTO, true, 1 },
		{ GRANULE_4K, 40, 0, KVM_START_PLAIN, true, 0 },
		{ GRANULE_4K, 40, 4, KVM_START_PLAIN, true, 0 },
		{ GRANULE_4K, 40, 3, KVM_START_PLAIN, true, 1 },
		{ GRANULE_4K, 39, 3, KVM_START_PLAIN, true, 1 },
		{ GRANULE_4K, 32, 4, KVM_START_PLAIN, true, 1 },
		{ GRANULE_4K, 32, 2, KVM_START_PLAIN, true, 2 },
		{ GRANULE_4K, 49, 0, KVM_START_PLAIN, true, -1 },
		{ GRANULE_4K, 49, 4, KVM_START_PLAIN, true, 0 },
		{ GRANULE_16K, 36, 0, KVM_START_PLAIN, true, 2 },
		{ GRANULE_16K, 40, 0, KVM_START_PLAIN, true, 1 },
		{ GRANULE_16K, 40, 2, KVM_START_PLAIN, true, 2 },
		{ GRANULE_64K, 32, 0, KVM_START_AUTO, true, 2 }, /* at least 2 levels */
		{ GRANULE_64K, 32, 1, KVM_START_AUTO, false, 2 },
		{ GRANULE_64K, 42, 2, KVM_START_PLAIN, true, 2 },
		{ GRANULE_64K, 43, 3, KVM_START_PLAIN, true, 1 },
		{ GRANULE_4K, 43, 0, KVM_START_LEVEL, true, 1 },
		{ GRANULE_4K, 43, 0, KVM_START_LEVEL, true, 0 },
		{ GRANULE_4K, 43, 3, KVM_START_LEVEL, false, 0 },
		{ GRANULE_4K, 43, 0, KVM_START_LEVEL, false, 2 }, /* 8192 tables */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct kvm_pgtable_setup setup = { .granule = rows[i].granule,
							 .ia_bits = rows[i].ipa_bits,
							 .host_levels = rows[i].host_levels,
							 .start = rows[i].start,
							 .start_level = rows[i].level };
		int level;

		assert_int_equal(kvm_pgtable_start_level(&setup, &level), rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(level, rows[i].level);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots),       cmocka_unit_test(attributes),
		cmocka_unit_test(tlbi_counts), cmocka_unit_test(split_in_chunks),
		cmocka_unit_test(refusals),    cmocka_unit_test(start_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

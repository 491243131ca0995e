/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's faults, dirty logging, ageing and refusals, one rule at a time. */
#include "kvm_rig.h"
#include "os/kvm_snapshot.h"

#define BASE UINT64_C(0x40000000)

enum { RO = 1, RW = 3 };

static const struct kvm_host old_host = {
	.kernel = KVM_KERNEL(6, 1), .page = GRANULE_4K, .ipa_limit_bits = 48, .hw_af = true
};
static const struct kvm_host new_host = { .kernel = KVM_KERNEL(6, 12),
					  .page = GRANULE_4K,
					  .ipa_limit_bits = 48,
					  .tlbi_range = true,
					  .fwb = true };

static const struct kvm_slot_setup huge_1g = {
	.base = BASE, .bytes = GIB, .user = GIB, .backing = KVM_BACKING_HUGETLB, .hugetlb_bits = 30
};
static const struct kvm_slot_setup thp = {
	.base = BASE, .bytes = 64 * MIB, .user = GIB, .backing = KVM_BACKING_THP
};
static const struct kvm_slot_setup anon = { .base = BASE, .bytes = 64 * MIB, .user = GIB };

static struct kvm_rig *start(const struct kvm_host *host, const struct kvm_vm_setup *setup,
			     const struct kvm_slot_setup *slot)
{
	return kvm_rig_make(host, setup, 48, slot);
}

/* An access that succeeds after so many faults. */
static void access_faults(struct kvm_rig *vm, uint64_t offset, enum access_kind kind,
			  uint64_t faults)
{
	const uint64_t before = vm->slot->faults;

	assert_int_equal(kvm_mmu_access(&vm->mmu, BASE + offset, kind), KVM_ACCESS_OK);
	assert_int_equal(vm->slot->faults - before, faults);
}

/* The leaf at an offset: level, S2AP and XN[1:0]. */
static void leaf_is(struct kvm_rig *vm, uint64_t offset, int level, unsigned s2ap, unsigned xn)
{
	int found;
	const uint64_t desc = kvm_pgtable_get_leaf(&vm->mmu.pgt, BASE + offset, &found);

	assert_true(desc & DESC_VALID);
	assert_int_equal(found, level);
	assert_int_equal(bits(desc, 7, 6), s2ap);
	assert_int_equal(bits(desc, 54, 53), xn);
}

static bool leaf_is_young(struct kvm_rig *vm, uint64_t offset)
{
	int level;

	return kvm_pgtable_get_leaf(&vm->mmu.pgt, BASE + offset, &level) & DESC_AF;
}

static void leaf_is_none(struct kvm_rig *vm, uint64_t offset)
{
	int level;

	assert_int_equal(kvm_pgtable_get_leaf(&vm->mmu.pgt, BASE + offset, &level), 0);
}

static uint64_t leaves(struct kvm_rig *vm, int level)
{
	struct kvm_snapshot snapshot;

	kvm_snapshot_take(&snapshot, &vm->mmu.pgt, vm->slot->setup.base, vm->slot->setup.bytes);
	return snapshot.leaves[level];
}

static const struct kvm_vm_setup plain = { 0 };

static void refused_vms(void **state)
{
	static const struct {
		unsigned ipa_bits, limit_bits;
		enum kvm_errno error;
	} rows[] = { { 31, 48, KVM_E_INVAL }, { 32, 48, KVM_E_NONE },  { 48, 48, KVM_E_NONE },
		     { 49, 48, KVM_E_INVAL }, { 0, 40, KVM_E_NONE },   { 41, 40, KVM_E_INVAL },
		     { 0, 36, KVM_E_INVAL },  { 255, 52, KVM_E_INVAL } };
	const struct frames_setup memory = { .base = pa_of(GIB), .pa_bits = 48 };
	struct phys_mem *mem = phys_create();
	struct frames frames;

	(void)state;
	assert_non_null(mem);
	assert_true(frames_init(&frames, &memory));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kvm_host host = old_host;
		const struct kvm_vm_setup setup = { .ipa_bits = rows[i].ipa_bits };
		struct kvm_mmu mmu;

		host.ipa_limit_bits = rows[i].limit_bits;
		assert_int_equal(kvm_mmu_init(&mmu, &host, &setup, mem, &frames), rows[i].error);
		if (rows[i].error == KVM_E_NONE)
			kvm_mmu_fini(&mmu);
	}
	frames_fini(&frames);
	phys_destroy(mem);
}

static void refused_slots(void **state)
{
	static const struct {
		struct kvm_slot_setup slot;
		enum kvm_errno error;
	} rows[] = {
		{ { .base = UINT64_C(1) << 40, .bytes = MIB }, KVM_E_FAULT },
		{ { .base = (UINT64_C(1) << 40) - MIB, .bytes = 2 * MIB }, KVM_E_FAULT },
		{ { .base = (UINT64_C(1) << 40) - MIB, .bytes = MIB }, KVM_E_NONE },
		{ { .base = BASE + MIB, .bytes = 4096 }, KVM_E_EXIST },
		{ { .base = BASE - 4096, .bytes = 8192 }, KVM_E_EXIST },
		{ { .base = 2048, .bytes = 4096 }, KVM_E_INVAL },
		{ { .base = 0, .bytes = 4096, .user = 512 }, KVM_E_INVAL },
		{ { .base = 0, .bytes = 0 }, KVM_E_INVAL },
		{ { .base = 0, .bytes = UINT64_C(1) << 43 }, KVM_E_INVAL },
	};
	struct kvm_rig *vm = start(&old_host, &plain, &anon);
	struct kvm_slot *slot;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(kvm_mmu_add_slot(&vm->mmu, &rows[i].slot, &slot), rows[i].error);
	assert_int_equal(kvm_mmu_access(&vm->mmu, UINT64_C(1) << 40, ACCESS_LOAD),
			 KVM_ACCESS_ABORT);
	assert_int_equal(kvm_mmu_access(&vm->mmu, 0, ACCESS_LOAD), KVM_ACCESS_MMIO);
	kvm_rig_destroy(vm);
}

/* Without DIC: not executable until a fetch, then for good, and the block stays a block. */
static void executable(void **state)
{
	struct kvm_rig *vm = start(&old_host, &plain, &huge_1g);

	(void)state;
	access_faults(vm, 0, ACCESS_LOAD, 1);
	leaf_is(vm, 0, 1, RO, 2);
	access_faults(vm, 4 * MIB, ACCESS_FETCH, 1);
	leaf_is(vm, 0, 1, RO, 0);
	access_faults(vm, 8 * MIB, ACCESS_STORE, 1);
	leaf_is(vm, 0, 1, RW, 0);
	access_faults(vm, 9 * MIB, ACCESS_FETCH, 0);
	assert_int_equal(vm->mmu.pgt.tables, 0);
	/* Each relaxed permission is one invalidation by IPA, to all CPUs before v6.5. */
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_IPA], 2);
	kvm_rig_destroy(vm);
}

/* The zero pages: a write after a read takes two faults, and splits the huge one for good. */
static void zero_pages(void **state)
{
	const struct kvm_host *hosts[] = { &old_host, &new_host };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct kvm_rig *vm = start(hosts[i], &plain, &thp);

		access_faults(vm, 0, ACCESS_LOAD, 1);
		leaf_is(vm, 0, 2, RO, 2);
		access_faults(vm, 0x5000, ACCESS_STORE, 2);
		leaf_is(vm, 0x5000, 3, RW, 2);
		leaf_is_none(vm, 0);
		access_faults(vm, 0, ACCESS_LOAD, 1);
		leaf_is(vm, 0, 3, RO, 2);
		access_faults(vm, 0, ACCESS_STORE, 2);
		leaf_is(vm, 0, 3, RW, 2);
		access_faults(vm, 2 * MIB, ACCESS_STORE, 1);
		leaf_is(vm, 2 * MIB, 2, RW, 2);
		kvm_rig_destroy(vm);
		vm = start(hosts[i], &plain, &anon);
		access_faults(vm, 0, ACCESS_LOAD, 1);
		access_faults(vm, 0, ACCESS_STORE, 2);
		leaf_is(vm, 0, 3, RW, 2);
		kvm_rig_destroy(vm);
	}
}

/*
 * The copy of a zero page: taken away, mapped read-only by change_pte() if its table is still
 * there, then relaxed. Since v6.10 it is mapped by a second translation fault.
 */
static void copied_page(void **state)
{
	struct kvm_rig *vm = start(&old_host, &plain, &anon);

	(void)state;
	access_faults(vm, 0, ACCESS_LOAD, 1);
	access_faults(vm, 4096, ACCESS_LOAD, 1);
	access_faults(vm, 0, ACCESS_STORE, 2);
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_IPA], 2);
	kvm_rig_destroy(vm);
	vm = start(&old_host, &plain, &anon);
	access_faults(vm, 0, ACCESS_LOAD, 1);
	access_faults(vm, 0, ACCESS_STORE, 2);
	/* The page and the two tables that went with it, nothing to relax. */
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_IPA], 3);
	kvm_rig_destroy(vm);
	vm = start(&new_host, &plain, &anon);
	access_faults(vm, 0, ACCESS_LOAD, 1);
	access_faults(vm, 4096, ACCESS_LOAD, 1);
	access_faults(vm, 0, ACCESS_STORE, 2);
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_RANGE], 1);
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_IPA_LOCAL], 0);
	kvm_rig_destroy(vm);
}

/* Logging on: protected in place; a write drops the block and maps a page; off: it comes back. */
static void dirty_log(void **state)
{
	struct kvm_rig *vm = start(&old_host, &plain, &huge_1g);

	(void)state;
	access_faults(vm, 0, ACCESS_STORE, 1);
	kvm_mmu_set_logging(vm->slot, true);
	leaf_is(vm, 0, 1, RO, 2);
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_VMID], 1);
	access_faults(vm, MIB, ACCESS_LOAD, 0);
	assert_int_equal(kvm_mmu_get_log(vm->slot), 0);
	access_faults(vm, MIB, ACCESS_STORE, 1);
	leaf_is(vm, MIB, 3, RW, 2);
	leaf_is_none(vm, 0);
	assert_int_equal(vm->mmu.pgt.tables, 2);
	access_faults(vm, 5 * MIB, ACCESS_LOAD, 1);
	leaf_is(vm, 5 * MIB, 3, RO, 2);
	assert_int_equal(kvm_mmu_get_log(vm->slot), 1);
	leaf_is(vm, MIB, 3, RO, 2);
	assert_int_equal(kvm_mmu_get_log(vm->slot), 0);
	access_faults(vm, MIB, ACCESS_STORE, 1);
	kvm_mmu_set_logging(vm->slot, false);
	access_faults(vm, MIB, ACCESS_STORE, 0);
	leaf_is(vm, MIB, 3, RW, 2);
	access_faults(vm, 5 * MIB, ACCESS_STORE, 1);
	leaf_is(vm, 0, 1, RW, 2);
	assert_int_equal(vm->mmu.pgt.tables, 0);
	kvm_rig_destroy(vm);
}

/* Manual protection: get-log leaves everything as it is, clear-log protects. */
static void manual_protect(void **state)
{
	const struct kvm_vm_setup manual = { .manual_protect = true };
	const struct kvm_vm_setup all_set = { .manual_protect = true, .initially_set = true };
	struct kvm_rig *vm = start(&new_host, &manual, &thp);

	(void)state;
	kvm_mmu_set_logging(vm->slot, true);
	access_faults(vm, 0x3000, ACCESS_STORE, 1);
	assert_int_equal(kvm_mmu_get_log(vm->slot), 1);
	assert_int_equal(kvm_mmu_get_log(vm->slot), 1);
	leaf_is(vm, 0x3000, 3, RW, 2);
	assert_int_equal(kvm_mmu_clear_log(vm->slot, 0x1000, 64 * 4096), KVM_E_INVAL);
	assert_int_equal(kvm_mmu_clear_log(vm->slot, 0, 32 * 4096), KVM_E_INVAL);
	assert_int_equal(kvm_mmu_clear_log(vm->slot, 0, 65 * MIB), KVM_E_INVAL);
	assert_int_equal(kvm_mmu_clear_log(vm->slot, 64 * 4096, 64 * 4096), KVM_E_NONE);
	leaf_is(vm, 0x3000, 3, RW, 2);
	assert_int_equal(kvm_mmu_clear_log(vm->slot, 0, 64 * 4096), KVM_E_NONE);
	leaf_is(vm, 0x3000, 3, RO, 2);
	assert_int_equal(kvm_mmu_get_log(vm->slot), 0);
	kvm_rig_destroy(vm);

	vm = start(&new_host, &all_set, &thp);
	access_faults(vm, 0, ACCESS_STORE, 1);
	kvm_mmu_set_logging(vm->slot, true);
	leaf_is(vm, 0, 2, RW, 2);
	assert_int_equal(kvm_mmu_get_log(vm->slot), 64 * MIB >> 12);
	assert_int_equal(kvm_mmu_clear_log(vm->slot, 0, 64 * 4096), KVM_E_NONE);
	leaf_is(vm, 0, 2, RO, 2);
	kvm_rig_destroy(vm);
}

static void eager_split(void **state)
{
	static const uint64_t chunks[] = { 4096, 2 * MIB, GIB };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const struct kvm_vm_setup setup = { .split_chunk_bytes = chunks[i] };
		struct kvm_rig *vm = start(&new_host, &setup, &huge_1g);

		access_faults(vm, 0, ACCESS_STORE, 1);
		kvm_mmu_set_logging(vm->slot, true);
		assert_int_equal(leaves(vm, 3), 262144);
		leaf_is(vm, GIB - 4096, 3, RO, 2);
		assert_int_equal(vm->mmu.pgt.tables, 513);
		access_faults(vm, 2 * MIB, ACCESS_STORE, 1);
		kvm_mmu_set_logging(vm->slot, false);
		access_faults(vm, 4 * MIB, ACCESS_STORE, 1);
		assert_int_equal(leaves(vm, 1), 1);
		assert_int_equal(vm->mmu.pgt.tables, 0);
		kvm_rig_destroy(vm);
		/* v6.1 has no such thing. */
		vm = start(&old_host, &setup, &huge_1g);
		access_faults(vm, 0, ACCESS_STORE, 1);
		kvm_mmu_set_logging(vm->slot, true);
		leaf_is(vm, 0, 1, RO, 2);
		kvm_rig_destroy(vm);
	}
}

/* Hardware sets AF without a fault; without FEAT_HAFDBS an access flag fault does. */
static void ageing(void **state)
{
	struct kvm_rig *vm = start(&new_host, &plain, &thp);

	(void)state;
	access_faults(vm, 0, ACCESS_STORE, 1);
	assert_true(leaf_is_young(vm, 0));
	assert_true(kvm_mmu_clear_young(vm->slot, GIB, GIB + 2 * MIB, false));
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_VMID], 0);
	assert_false(leaf_is_young(vm, 0));
	access_faults(vm, 4096, ACCESS_LOAD, 1);
	leaf_is(vm, 0, 2, RW, 2);
	assert_true(kvm_mmu_clear_young(vm->slot, GIB, GIB + 2 * MIB, true));
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_VMID], 1);
	vm->mmu.host.hw_af = true;
	access_faults(vm, 4096, ACCESS_LOAD, 0);
	assert_true(leaf_is_young(vm, 4096));
	assert_false(kvm_mmu_clear_young(vm->slot, 0, GIB, true));
	kvm_rig_destroy(vm);
}

/* A notifier for one page of a block takes the block away, and its tables when they are empty. */
static void unmapping(void **state)
{
	struct kvm_rig *vm = start(&old_host, &plain, &thp);

	(void)state;
	access_faults(vm, 0, ACCESS_STORE, 1);
	assert_int_equal(vm->mmu.pgt.tables, 1);
	kvm_mmu_unmap_user(vm->slot, GIB + 0x7000, GIB + 0x8000);
	leaf_is_none(vm, 0);
	assert_int_equal(vm->mmu.pgt.tables, 0);
	/* The block, and the table that it left empty. */
	assert_int_equal(vm->mmu.pgt.sent[KVM_TLBI_IPA], 2);
	access_faults(vm, 0, ACCESS_LOAD, 1);
	leaf_is(vm, 0, 2, RW, 2);
	kvm_mmu_unmap_user(vm->slot, 0, GIB);
	leaf_is(vm, 0, 2, RW, 2);
	kvm_rig_destroy(vm);
}

static void read_only_slot(void **state)
{
	struct kvm_slot_setup setup = huge_1g;
	struct kvm_rig *vm;

	(void)state;
	setup.flags = KVM_SLOT_READ_ONLY;
	vm = start(&old_host, &plain, &setup);
	access_faults(vm, 0, ACCESS_LOAD, 1);
	leaf_is(vm, 0, 1, RO, 2);
	assert_int_equal(kvm_mmu_access(&vm->mmu, BASE, ACCESS_STORE), KVM_ACCESS_MMIO);
	leaf_is(vm, 0, 1, RO, 2);
	kvm_rig_destroy(vm);
}

/*
 * 1G pages on a stage 2 of two levels: one fault fills 512 entries. A permission fault on one of
 * them asks for 1G again, finds the first entry as it wants it but for permissions, and so for
 * ever.
 */
static void gigabyte_on_two_levels(void **state)
{
	const struct kvm_vm_setup setup = { .ipa_bits = 32 };
	struct kvm_rig *vm = start(&old_host, &setup, &huge_1g);

	(void)state;
	access_faults(vm, 0, ACCESS_LOAD, 1);
	assert_int_equal(leaves(vm, 2), 512);
	assert_int_equal(kvm_mmu_access(&vm->mmu, BASE, ACCESS_STORE), KVM_ACCESS_STUCK);
	kvm_rig_destroy(vm);
}

/* What costs are counted from: a block, its 512 pages by a split, a collapse, an unmap. */
static void counts(void **state)
{
	const struct kvm_vm_setup setup = { .split_chunk_bytes = 2 * MIB };
	struct kvm_rig *vm = start(&new_host, &setup, &thp);
	const struct kvm_pgtable_counts *tables = &vm->mmu.pgt.counts;
	const struct kvm_counts *count = &vm->mmu.counts;

	(void)state;
	access_faults(vm, 0, ACCESS_STORE, 1);
	assert_int_equal(count->zeroed_4k, 512);
	assert_int_equal(tables->mapped[2], 1);
	assert_int_equal(tables->tables_allocated, 1);
	kvm_mmu_set_logging(vm->slot, true); /* protects the block, then splits it */
	assert_int_equal(tables->pte_updates, 513);
	assert_int_equal(tables->splits, 1);
	assert_int_equal(tables->tables_allocated, 2);
	access_faults(vm, 4096, ACCESS_STORE, 1);
	assert_int_equal(tables->pte_updates, 514);
	assert_int_equal(count->permission_faults, 1);
	kvm_mmu_set_logging(vm->slot, false);
	access_faults(vm, 8192, ACCESS_STORE, 1);
	assert_int_equal(tables->collapses, 1);
	assert_int_equal(tables->mapped[2], 2);
	assert_int_equal(tables->mapped[3], 0);
	assert_int_equal(tables->tables_freed, 1);
	kvm_mmu_clear_young(vm->slot, GIB, GIB + MIB, false);
	access_faults(vm, 0, ACCESS_LOAD, 1);
	assert_int_equal(count->access_flag_faults, 1);
	assert_int_equal(tables->pte_updates, 516);
	kvm_mmu_unmap_user(vm->slot, GIB, GIB + MIB);
	assert_int_equal(tables->unmapped_leaves, 1);
	assert_int_equal(tables->tables_freed, 2);
	assert_int_equal(kvm_mmu_access(&vm->mmu, 0, ACCESS_LOAD), KVM_ACCESS_MMIO);
	assert_int_equal(count->mmio_exits, 1);
	assert_int_equal(count->faults, 4);
	assert_int_equal(count->zeroed_4k, 512);
	kvm_rig_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_vms),	  cmocka_unit_test(refused_slots),
		cmocka_unit_test(executable),	  cmocka_unit_test(zero_pages),
		cmocka_unit_test(copied_page),	  cmocka_unit_test(dirty_log),
		cmocka_unit_test(manual_protect), cmocka_unit_test(eager_split),
		cmocka_unit_test(ageing),	  cmocka_unit_test(unmapping),
		cmocka_unit_test(read_only_slot), cmocka_unit_test(gigabyte_on_two_levels),
		cmocka_unit_test(counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of devices in a memslot, and memslots that a device is assigned to. */
#include "kvm_rig.h"
#include "os/kvm_snapshot.h"

#define BASE UINT64_C(0x40000000)

static struct kvm_rig *start(unsigned kernel, const char *rule, const struct kvm_slot_setup *slot)
{
	const struct kvm_host host = { .kernel = kernel,
				       .page = GRANULE_4K,
				       .ipa_limit_bits = 48,
				       .hw_af = true,
				       .rule = host_find(rule) };
	const struct kvm_vm_setup setup = { 0 };

	return kvm_rig_make(&host, &setup, 48, slot);
}

static void leaves_are(struct kvm_rig *vm, uint64_t level1, uint64_t level2, uint64_t level3)
{
	struct kvm_snapshot snapshot;

	kvm_snapshot_take(&snapshot, &vm->mmu.pgt, vm->slot->setup.base, vm->slot->setup.bytes);
	assert_int_equal(snapshot.leaves[1], level1);
	assert_int_equal(snapshot.leaves[2], level2);
	assert_int_equal(snapshot.leaves[3], level3);
}

/* Pages up to v6.1 and with the rules before; later blocks, if user address and device agree. */
static void device_sizes(void **state)
{
	static const struct {
		unsigned kernel;
		const char *rule;
		uint64_t base, bytes, user, device;
		int level;
	} rows[] = {
		{ KVM_KERNEL(6, 1), "upstream", BASE, GIB, GIB, GIB, 3 },
		{ KVM_KERNEL(6, 12), "upstream", BASE, GIB, GIB, GIB, 1 },
		{ KVM_KERNEL(6, 12), "upstream", BASE, GIB, GIB, GIB + 2 * MIB, 2 },
		{ KVM_KERNEL(6, 12), "upstream", BASE, GIB, GIB, GIB + 4096, 3 },
		{ KVM_KERNEL(6, 12), "upstream", BASE, GIB, GIB + 2 * MIB, GIB + 2 * MIB, 2 },
		{ KVM_KERNEL(6, 12), "upstream", BASE, 64 * MIB, GIB, GIB, 2 },
		{ KVM_KERNEL(6, 12), "upstream", BASE, MIB, GIB, GIB, 3 },
		{ KVM_KERNEL(6, 12), "upstream", BASE + MIB, GIB, GIB, GIB, 3 },
		{ KVM_KERNEL(6, 12), "v10", BASE, GIB, GIB, GIB, 3 },
		{ KVM_KERNEL(6, 12), "relaxed", BASE, GIB, GIB, GIB, 3 },
		{ KVM_KERNEL(6, 12), "size", BASE, GIB, GIB, GIB, 3 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct kvm_slot_setup setup = { .base = rows[i].base,
						      .bytes = rows[i].bytes,
						      .user = rows[i].user,
						      .backing = KVM_BACKING_DEVICE,
						      .device = pa_of(rows[i].device) };
		struct kvm_rig *vm = start(rows[i].kernel, rows[i].rule, &setup);
		const uint64_t at = 0x23000;
		int level;
		uint64_t desc;

		assert_true(kvm_mmu_touched(&vm->mmu, setup.base + at));
		assert_int_equal(kvm_mmu_access(&vm->mmu, setup.base + at, ACCESS_LOAD),
				 KVM_ACCESS_OK);
		desc = kvm_pgtable_get_leaf(&vm->mmu.pgt, setup.base + at, &level);
		assert_int_equal(level, rows[i].level);
		/* Writable from the first read, never executable, nGnRE. */
		assert_int_equal(bits(desc, 7, 6), 3);
		assert_int_equal(bits(desc, 54, 53), 2);
		assert_int_equal(bits(desc, 5, 2), 1);
		assert_int_equal(bits(desc, 47, 12) << 12,
				 (rows[i].device + at) & ~low_mask(level_shift(GRANULE_4K, level)));
		assert_int_equal(kvm_mmu_access(&vm->mmu, setup.base + at, ACCESS_STORE),
				 KVM_ACCESS_OK);
		assert_int_equal(vm->slot->faults, 1);
		assert_int_equal(kvm_mmu_access(&vm->mmu, setup.base + at, ACCESS_FETCH),
				 KVM_ACCESS_ABORT);
		assert_int_equal(vm->mmu.counts.zeroed_4k, 0);
		kvm_rig_destroy(vm);
	}
}

/* Read-only and logged slots: pages that may be written stay so while the slot logs. */
static void device_flags(void **state)
{
	struct kvm_slot_setup setup = { .base = BASE,
					.bytes = 4 * MIB,
					.user = GIB,
					.backing = KVM_BACKING_DEVICE,
					.flags = KVM_SLOT_READ_ONLY };
	struct kvm_rig *vm = start(KVM_KERNEL(6, 12), "upstream", &setup);

	(void)state;
	assert_int_equal(kvm_mmu_access(&vm->mmu, BASE, ACCESS_LOAD), KVM_ACCESS_OK);
	leaves_are(vm, 0, 1, 0);
	assert_int_equal(kvm_mmu_access(&vm->mmu, BASE, ACCESS_STORE), KVM_ACCESS_MMIO);
	kvm_rig_destroy(vm);
	setup.flags = KVM_SLOT_LOG;
	vm = start(KVM_KERNEL(6, 12), "upstream", &setup);
	assert_int_equal(kvm_mmu_access(&vm->mmu, BASE, ACCESS_LOAD), KVM_ACCESS_OK);
	assert_int_equal(kvm_mmu_access(&vm->mmu, BASE, ACCESS_STORE), KVM_ACCESS_OK);
	leaves_are(vm, 0, 0, 1);
	assert_int_equal(vm->slot->faults, 1);
	assert_int_equal(kvm_mmu_get_log(vm->slot), 1);
	kvm_rig_destroy(vm);
}

/* All of the slot at once, and nothing takes it away or protects it. */
static void pinned(void **state)
{
	static const struct {
		enum kvm_backing backing;
		unsigned hugetlb_bits;
		uint64_t bytes, leaves[3]; /* at levels 1, 2, 3 */
	} rows[] = {
		{ KVM_BACKING_ANON, 0, 4 * MIB, { 0, 0, 1024 } },
		{ KVM_BACKING_THP, 0, 5 * MIB, { 0, 2, 256 } },
		{ KVM_BACKING_HUGETLB, 16, 2 * MIB, { 0, 0, 512 } },
		{ KVM_BACKING_HUGETLB, 25, 64 * MIB, { 0, 32, 0 } },
		{ KVM_BACKING_HUGETLB, 30, GIB + 3 * MIB, { 1, 1, 256 } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct kvm_slot_setup setup = { .base = BASE,
						      .bytes = rows[i].bytes,
						      .user = GIB,
						      .backing = rows[i].backing,
						      .hugetlb_bits = rows[i].hugetlb_bits };
		struct kvm_rig *vm = start(KVM_KERNEL(6, 12), "upstream", &setup);
		uint64_t desc;
		int level;

		/* What was only read before does not stay read-only, or the zero page. */
		assert_int_equal(kvm_mmu_access(&vm->mmu, BASE + MIB, ACCESS_LOAD), KVM_ACCESS_OK);
		assert_int_equal(kvm_mmu_map_all(vm->slot), KVM_E_NONE);
		assert_int_equal(vm->slot->faults, 1);
		assert_int_equal(vm->mmu.counts.faults, 1);
		if (rows[i].backing == KVM_BACKING_THP) /* the huge zero page was split */
			leaves_are(vm, 0, 1, 512 + 256);
		else
			leaves_are(vm, rows[i].leaves[0], rows[i].leaves[1], rows[i].leaves[2]);
		for (uint64_t at = BASE; at < BASE + rows[i].bytes; at += MIB / 4) {
			desc = kvm_pgtable_get_leaf(&vm->mmu.pgt, at, &level);
			assert_int_equal(bits(desc, 7, 6), 3);
		}
		kvm_mmu_unmap_user(vm->slot, GIB, GIB + rows[i].bytes);
		assert_false(kvm_mmu_clear_young(vm->slot, GIB, GIB + rows[i].bytes, true));
		kvm_mmu_set_logging(vm->slot, true);
		assert_int_equal(kvm_mmu_access(&vm->mmu, BASE, ACCESS_STORE), KVM_ACCESS_OK);
		kvm_mmu_get_log(vm->slot);
		desc = kvm_pgtable_get_leaf(&vm->mmu.pgt, BASE, &level);
		assert_int_equal(bits(desc, 7, 6), 3);
		assert_int_equal(bits(desc, 10, 10), 1);
		assert_int_equal(vm->slot->faults, 1);
		kvm_rig_destroy(vm);
	}
}

static void not_pinned(void **state)
{
	const struct kvm_slot_setup read_only = {
		.base = BASE, .bytes = MIB, .user = GIB, .flags = KVM_SLOT_READ_ONLY
	};
	const struct kvm_slot_setup thp = {
		.base = BASE, .bytes = 64 * MIB, .user = GIB, .backing = KVM_BACKING_THP
	};
	struct kvm_rig *vm = start(KVM_KERNEL(6, 12), "upstream", &read_only);
	pa_t pa;

	(void)state;
	assert_int_equal(kvm_mmu_map_all(vm->slot), KVM_E_INVAL);
	kvm_rig_destroy(vm);
	vm = start(KVM_KERNEL(6, 12), "upstream", &thp);
	for (unsigned size_bits = 47; size_bits >= 12; size_bits--)
		while (frames_alloc(&vm->frames, size_bits, &pa))
			continue;
	assert_int_equal(kvm_mmu_map_all(vm->slot), KVM_E_NOMEM);
	kvm_mmu_unmap_user(vm->slot, GIB, GIB + MIB);
	kvm_rig_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_sizes),
		cmocka_unit_test(device_flags),
		cmocka_unit_test(pinned),
		cmocka_unit_test(not_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

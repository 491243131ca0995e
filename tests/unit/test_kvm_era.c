/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM of 2014: what it refuses, and the levels it kept for software, by the kernel's own macros. */
#include "unit.h"

#include "arch/geometry.h"
#include "os/kvm_mmu.h"

/* Commit 38f791a4e499: PTRS_PER_S2_PGD and KVM_PREALLOC_LEVEL with KVM_PHYS_SHIFT 40. */
static unsigned ptrs_per_s2_pgd(unsigned pgdir_shift)
{
	return pgdir_shift > 40 ? 1 : 1u << (40 - pgdir_shift);
}

static int prealloc_level(unsigned pgdir_shift, unsigned host_levels)
{
	return ptrs_per_s2_pgd(pgdir_shift) <= 16 ? 4 - (int)host_levels + 1 : 0;
}

/* The host configurations that Linux had then; 16K was for hosts without KVM. */
static const struct {
	enum granule page;
	unsigned va_bits, levels, pgdir_shift;
} hosts[] = {
	{ GRANULE_4K, 39, 3, 30 },
	{ GRANULE_4K, 48, 4, 39 },
	{ GRANULE_64K, 42, 2, 29 },
	{ GRANULE_64K, 48, 3, 42 },
};

static void fake_levels(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		for (enum kvm_table_walker walker = 0; walker <= KVM_WALKER_FAKE_PGD; walker++) {
			const bool fake = prealloc_level(hosts[i].pgdir_shift, hosts[i].levels) &&
					  walker == KVM_WALKER_FAKE_PGD;
			const struct kvm_host host = {
				.kernel = KVM_KERNEL(6, 1),
				.page = hosts[i].page,
				.ipa_limit_bits = 40,
				.walker = walker,
				.host_levels =
					geometry_host_levels(hosts[i].page, hosts[i].va_bits),
				.rule = host_find("v10"),
			};
			const struct kvm_vm_setup setup = { 0 };
			const struct frames_setup memory = { .base = pa_of(UINT64_C(1) << 30),
							     .pa_bits = 44 };
			struct phys_mem *mem = phys_create();
			struct frames frames;
			struct kvm_mmu mmu;
			uint64_t steps;

			assert_non_null(mem);
			assert_int_equal(host.host_levels, hosts[i].levels);
			assert_true(frames_init(&frames, &memory));
			assert_int_equal(kvm_mmu_init(&mmu, &host, &setup, mem, &frames),
					 KVM_E_NONE);
			assert_int_equal(mmu.pgt.fake_levels, fake);
			assert_int_equal(kvm_mmu_fake_bytes(&mmu),
					 fake ? ptrs_per_s2_pgd(hosts[i].pgdir_shift) * 8 : 0);
			/* The first level that hardware sees is the one filled in advance. */
			if (fake)
				assert_int_equal(
					mmu.pgt.start_level,
					prealloc_level(hosts[i].pgdir_shift, hosts[i].levels));
			/* An entry of each level that is there, all invalid below the root. */
			steps = mmu.pgt.software_steps;
			kvm_pgtable_unmap(&mmu.pgt, 0, 1);
			assert_int_equal(mmu.pgt.software_steps - steps, 1 + fake);
			assert_int_equal(mmu.pgt.fake_steps, fake);
			kvm_mmu_fini(&mmu);
			frames_fini(&frames);
			phys_destroy(mem);
		}
	}
}

static void refusals(void **state)
{
	static const struct {
		struct kvm_era_vm vm;
		const char *why; /* part of it; NULL: not refused */
	} rows[] = {
		{ { KVM_ERA_2014, 0, GRANULE_4K, 40, 40, 1, 3 }, NULL },
		{ { KVM_ERA_2014, 0, GRANULE_4K, 40, 48, 1, 4 }, NULL },
		{ { KVM_ERA_2014, 0, GRANULE_64K, 40, 48, 2, 2 }, NULL },
		{ { KVM_ERA_2014, 0, GRANULE_64K, 40, 48, 2, 3 }, NULL },
		{ { KVM_ERA_2014, 0, GRANULE_4K, 40, 48, 1, 0 }, NULL },
		{ { KVM_ERA_2014, 0, GRANULE_4K, 48, 48, 0, 4 }, "40 bits" },
		{ { KVM_ERA_2014, 0, GRANULE_4K, 36, 36, 1, 4 }, "40 bits" },
		{ { KVM_ERA_2014, 0, GRANULE_4K, 40, 36, 1, 4 }, "fewer than 40" },
		{ { KVM_ERA_2014, 0, GRANULE_4K, 40, 48, 0, 4 }, "SL0" },
		{ { KVM_ERA_2014, 0, GRANULE_64K, 40, 48, 1, 3 }, "SL0" },
		{ { KVM_ERA_2014, 0, GRANULE_16K, 40, 48, 2, 3 }, "16K" },
		{ { KVM_ERA_2014, 0, GRANULE_4K, 40, 48, 1, 2 }, "more levels" },
		{ { KVM_ERA_NOW, 0, GRANULE_16K, 52, 52, 0, 4 }, NULL },
		{ { KVM_ERA_NOW, KVM_WALKER_FAKE_PGD, GRANULE_16K, 40, 48, 2, 4 }, "16K" },
		{ { KVM_ERA_NOW, KVM_WALKER_FAKE_PGD, GRANULE_4K, 44, 48, 0, 4 }, "40 bits" },
		{ { KVM_ERA_NOW, KVM_WALKER_FAKE_PGD, GRANULE_4K, 40, 48, 1, 4 }, NULL },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = kvm_era_refusal(&rows[i].vm);

		if (!rows[i].why) {
			assert_null(why);
			continue;
		}
		assert_non_null(why);
		assert_non_null(strstr(why, rows[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fake_levels),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

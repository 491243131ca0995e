/* SPDX-License-Identifier: BSD-2-Clause */
/* TLBI by VA with hints of the leaf's level (FEAT_TTL): what it may keep where they are used. */
#include "mmu/regime.h"
#include "mmu/tlbi.h"
#include "rig.h"

#define VA UINT64_C(0x7f12340000)

/*
 * The Arm ARM's table of TTL<3:0>: 4, 8 and 12 upwards name levels of 4K, 16K and 64K. -1: any;
 * 0b0100 and 0b1001 name a level with 52-bit addresses alone.
 */
static int hinted_level(unsigned ttl, bool ds)
{
	static const int levels[16] = { -1, -1, -1, -1, -1, 1, 2, 3, -1, -1, 2, 3, -1, 1, 2, 3 };

	if (ds && ttl == 4)
		return 0;
	return ds && ttl == 9 ? 1 : levels[ttl];
}

struct form {
	enum granule granule;
	bool ds; /* 52-bit addresses */
};

static void level_hints(void **state)
{
	static const enum granule granule_of[] = { 0, GRANULE_4K, GRANULE_16K, GRANULE_64K };
	static const struct form all[] = { { GRANULE_4K, false },
					   { GRANULE_4K, true },
					   { GRANULE_16K, false },
					   { GRANULE_16K, true },
					   { GRANULE_64K, false } };

	struct rig *rig = rig_make("", 1, 1);
	struct mmu *mmu = &rig->machine.mmu;

	(void)state;
	for (unsigned c = 0; c < 5 * 16 * 3 * 2 * 2; c++) {
		const struct form f = all[c % 5];
		const unsigned ttl = c / 5 % 16;
		const int level = 1 + (int)(c / 80 % 3), hint = hinted_level(ttl, f.ds);
		const bool used = c / 240 % 2, last = c / 480 % 2;
		const struct tlb_leaf leaf = { .size_bits = (uint8_t)f.granule,
					       .leaf_bits = (uint8_t)f.granule,
					       .s1_bits = (uint8_t)level_shift(f.granule, level) };
		struct regime regime = { .ttl_hints = used };
		/* VALE1IS and VAE1IS, as assembled. */
		const struct tlbi tlbi = { last ? 0x41d : 0x419,
					   UINT64_C(5) << 48 | (uint64_t)ttl << 44 |
						   bits(VA, 55, 12),
					   1, 0, &regime };
		const bool kept =
			used && hint >= 0 && (granule_of[ttl >> 2] != f.granule || hint != level);

		const struct tlb_context context = { .vmid = 1, .asid = 5 };
		struct tlb *l1;

		regime.s1[0].granule_bits = (uint8_t)f.granule;
		regime.s1[0].sh_from_regs = f.ds;
		l1 = mmu_l1(mmu, 0, MMU_DATA);
		tlb_fill(l1, context, va_of(VA), &leaf);
		assert_true(mmu_tlbi(mmu, &tlbi));
		assert_int_equal(tlb_find(l1, context, va_of(VA)) != TLB_NONE, kept);
		rig_flush(rig);
	}
	rig_destroy(rig);
}

/* A local TLBI of the guest: on the vCPU that sends it, or by KVM's HCR_EL2.FB on both. */
static void who_flushes(void **state)
{
	static const char *const settings[] = { "", "host.force_broadcast=no" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rig *rig = rig_make(settings[i], 2, 1);
		struct mmu *mmu = &rig->machine.mmu;
		const struct mmu_space *space;
		struct tlbi vmalle1;

		for (uint32_t vcpu = 0; vcpu < 2; vcpu++)
			rig_access(rig, (struct rig_access){ vcpu, 0, 1, VA, ACCESS_LOAD });
		space = vm_space(rig->machine.vms[0], 1, &rig->diag);
		vmalle1 = (struct tlbi){ 0x438, 0, space->context.vmid, 1, space->regime };
		assert_true(mmu_tlbi(mmu, &vmalle1));
		assert_int_equal(mmu_l1(mmu, 0, MMU_DATA)->used, i);
		assert_int_equal(mmu_l1(mmu, 1, MMU_DATA)->used, 0);
		rig_destroy(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(level_hints),
		cmocka_unit_test(who_flushes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

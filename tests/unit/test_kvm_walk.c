/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hardware walker over the tables that KVM built: for every geometry, concatenated roots and
 * 52-bit forms included, VTCR_EL2 and VTTBR_EL2 as KVM sets them lead to the leaf that KVM's own
 * walker finds, with its permissions.
 */
#include "unit.h"
#include "walk_world.h"

#include "os/kvm_mmu.h"

enum { ACCESSES = 60 };

struct vm {
	struct world world;
	struct frames frames;
	struct kvm_mmu mmu;
	struct kvm_slot *slot;
};

/* `level` GEOMETRY_START_AUTO: KVM's choice. */
static void start(struct vm *vm, struct rng *rng, enum granule page, unsigned ipa_bits, bool lpa2,
		  int level)
{
	const unsigned pmd_bits = level_shift(page, 2);
	const struct kvm_host host = { .kernel = chance(rng, 1, 2) ? KVM_KERNEL(6, 1)
								   : KVM_KERNEL(6, 12),
				       .page = page,
				       .ipa_limit_bits = 52,
				       .dic = chance(rng, 1, 2),
				       .lpa2 = lpa2,
				       .rule = host_find("upstream") };
	const struct kvm_vm_setup setup = { .ipa_bits = ipa_bits,
					    .start = level == GEOMETRY_START_AUTO ? KVM_START_AUTO
										  : KVM_START_LEVEL,
					    .start_level = level };
	struct kvm_slot_setup slot = { .bytes = UINT64_C(4) << pmd_bits,
				       .user = UINT64_C(1) << 40,
				       .backing = pick(rng, 3),
				       .hugetlb_bits = pmd_bits };
	const struct frames_setup memory = { .base = pa_of(UINT64_C(1) << (lpa2 ? 50 : 40)),
					     .pa_bits = lpa2 ? 52 : 48 };
	struct world *w = &vm->world;

	world_init(w);
	/* At the bottom, at the top, or anywhere. */
	if (chance(rng, 1, 2))
		slot.base = (UINT64_C(1) << ipa_bits) - slot.bytes;
	else if (chance(rng, 1, 2))
		slot.base = rng_next(rng) & low_mask(ipa_bits) & ~(slot.bytes - 1);
	assert_true(frames_init(&vm->frames, &memory));
	assert_int_equal(kvm_mmu_init(&vm->mmu, &host, &setup, w->mem, &vm->frames), KVM_E_NONE);
	assert_int_equal(kvm_mmu_add_slot(&vm->mmu, &slot, &vm->slot), KVM_E_NONE);
	assert_int_equal(geometry_s2(&w->cpu, page, ipa_bits, level, &w->g2), GEOMETRY_OK);
	assert_int_equal(w->g2.start_level, vm->mmu.pgt.start_level);
	assert_int_equal(w->g2.root_tables, vm->mmu.pgt.root_tables);
	w->g2.ds = lpa2; /* an LPA2 kernel sets it for every IPA size */
	w->regs.hcr_el2 |= 1;
	w->regs.vtcr_el2 = geometry_vtcr(&w->cpu, &w->g2);
	w->regs.vttbr_el2 = geometry_vttbr(&w->cpu, &w->g2, vm->mmu.pgt.root, 1);
}

static void check_walk(struct vm *vm, uint64_t ipa, enum access_kind kind)
{
	const struct kvm_pgtable *pgt = &vm->mmu.pgt;
	const struct translation t = world_walk(&vm->world, ipa, kind, 1);
	int level;
	const uint64_t desc = kvm_pgtable_get_leaf(pgt, ipa, &level);
	const unsigned leaf_bits = level_shift(pgt->setup.granule, level);
	const bool allowed = kind == ACCESS_FETCH   ? !(desc >> 54 & 1)
			     : kind == ACCESS_STORE ? desc & S2_AP_W
						    : desc & S2_AP_R;

	if (!(desc & DESC_VALID)) {
		assert_int_equal(t.fault.type, FAULT_TRANSLATION);
		assert_int_equal(t.fault.level, level);
	} else if (!allowed) {
		assert_int_equal(t.fault.type, FAULT_PERMISSION);
		assert_int_equal(t.fault.level, level);
	} else {
		assert_int_equal(t.fault.type, FAULT_NONE);
		assert_int_equal(t.pa.v, desc_leaf_address(&pgt->format, desc, leaf_bits) |
						 (ipa & low_mask(leaf_bits)));
	}
}

static void run(struct rng *rng, enum granule page, unsigned ipa_bits, bool lpa2, int level)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	assert_non_null(vm);
	start(vm, rng, page, ipa_bits, lpa2, level);
	for (unsigned i = 0; i < ACCESSES; i++) {
		const uint64_t ipa = vm->slot->setup.base + rng_below(rng, vm->slot->setup.bytes);
		const uint64_t other = vm->slot->setup.base + rng_below(rng, vm->slot->setup.bytes);
		const enum access_kind kind = pick(rng, 3);

		if (i == ACCESSES / 3)
			kvm_mmu_set_logging(vm->slot, true);
		if (i == ACCESSES / 3 * 2)
			kvm_mmu_set_logging(vm->slot, false);
		assert_int_equal(kvm_mmu_access(&vm->mmu, ipa, kind), KVM_ACCESS_OK);
		check_walk(vm, ipa, kind);
		check_walk(vm, ipa, pick(rng, 3));
		check_walk(vm, other, pick(rng, 3));
		check_walk(vm, rng_next(rng) & low_mask(ipa_bits), ACCESS_LOAD);
	}
	kvm_mmu_fini(&vm->mmu);
	frames_fini(&vm->frames);
	world_free(&vm->world);
	free(vm);
}

static void all_geometries(void **state)
{
	struct rng rng = rng_seed(6);

	(void)state;
	for (unsigned ipa_bits = 32; ipa_bits <= 48; ipa_bits++) {
		run(&rng, GRANULE_4K, ipa_bits, false, GEOMETRY_START_AUTO);
		run(&rng, GRANULE_16K, ipa_bits, false, GEOMETRY_START_AUTO);
		run(&rng, GRANULE_64K, ipa_bits, false, GEOMETRY_START_AUTO);
	}
	for (unsigned ipa_bits = 32; ipa_bits <= 52; ipa_bits++) {
		run(&rng, GRANULE_4K, ipa_bits, true, GEOMETRY_START_AUTO);
		run(&rng, GRANULE_16K, ipa_bits, true, GEOMETRY_START_AUTO);
	}
}

/* Each start level that the architecture has for an IPA size. */
static void all_start_levels(void **state)
{
	static const enum granule pages[] = { GRANULE_4K, GRANULE_16K, GRANULE_64K };
	struct rng rng = rng_seed(7);
	unsigned runs = 0;
	struct world w;

	(void)state;
	world_init(&w);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned ipa_bits = 32; ipa_bits <= 52; ipa_bits++) {
			for (int level = -1; level <= 3; level++) {
				struct s2_geometry g;

				if (geometry_s2(&w.cpu, pages[i], ipa_bits, level, &g) !=
					    GEOMETRY_OK ||
				    (pages[i] == GRANULE_64K && ipa_bits > 48))
					continue;
				run(&rng, pages[i], ipa_bits, g.ds, level);
				runs++;
			}
		}
	}
	/* 4K: 3 + 12 + 13 + 4, 16K: 9 + 15 + 5, 64K: 2 + 15 + 6 sizes at their levels. */
	assert_int_equal(runs, 84);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_geometries),
		cmocka_unit_test(all_start_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The walker on hand-made tables: counts of reads, sizes, set-up faults, address sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "walk_world.h"

#define VA  UINT64_C(0x123456789abc)
#define IPA UINT64_C(0x9876543000)
#define PA  UINT64_C(0xabc0de000)

static void assert_fault(const struct translation *t, enum fault_type type, int stage, int level)
{
	assert_int_equal(t->fault.type, type);
	assert_int_equal(t->fault.stage, stage);
	assert_int_equal(t->fault.level, level);
}

/* m * (n_pt + 1) + n_data reads, in the architected order; 24 for four levels at both stages. */
static void test_read_counts(void **state)
{
	(void)state;
	for (int s1_leaf = 1; s1_leaf <= 3; s1_leaf++) {
		for (int s2_start = 0; s2_start <= 1; s2_start++) {
			for (int s2_leaf = 1; s2_leaf <= 3; s2_leaf++) {
				unsigned m = (unsigned)s1_leaf + 1, n_pt = 4 - (unsigned)s2_start;
				unsigned n_data = (unsigned)(s2_leaf - s2_start) + 1;
				uint64_t offset = VA & low_mask(level_shift(GRANULE_4K, s1_leaf));
				uint64_t ipa = IPA & ~low_mask(level_shift(GRANULE_4K, s1_leaf));
				uint64_t pa = PA & ~low_mask(level_shift(GRANULE_4K, s2_leaf));
				uint64_t final = ipa | offset;
				struct translation t;
				struct world w;

				world_init(&w);
				world_stage1(&w, GRANULE_4K, 48);
				world_stage2(&w, GRANULE_4K, 40 + (s2_start ? 0 : 4), s2_start);
				world_map1(&w, VA, s1_leaf, ipa, WORLD_S1_RW);
				world_map2(&w, final, s2_leaf, pa, WORLD_S2_RW);
				t = world_walk(&w, VA, ACCESS_LOAD, 0);
				assert_int_equal(t.fault.type, FAULT_NONE);
				assert_int_equal(w.reads, m * (n_pt + 1) + n_data);
				assert_int_equal(t.ipa.v, final);
				assert_int_equal(
					t.pa.v,
					pa | (final & low_mask(level_shift(GRANULE_4K, s2_leaf))));
				assert_int_equal(t.s1_bits, level_shift(GRANULE_4K, s1_leaf));
				assert_int_equal(t.s2_bits, level_shift(GRANULE_4K, s2_leaf));
				/* Stage 2 of the root, then the root itself. */
				assert_int_equal(w.log[0].stage, 2);
				assert_int_equal(w.log[0].for_level, 0);
				assert_int_equal(w.log[n_pt].stage, 1);
				assert_int_equal(w.log[n_pt].level, 0);
				assert_int_equal(w.log[w.reads - 1].for_level, 4);
				world_free(&w);
			}
		}
	}
}

/* The same through hooks == NULL. */
static void test_no_hooks(void **state)
{
	struct translation with, without;
	struct access access = { .va = va_of(VA), .kind = ACCESS_LOAD };
	struct regime regime;
	struct world w;

	(void)state;
	world_init(&w);
	world_stage1(&w, GRANULE_4K, 48);
	world_stage2(&w, GRANULE_4K, 40, 1);
	world_map1(&w, VA, 3, IPA, WORLD_S1_RW);
	world_map2(&w, IPA, 3, PA, WORLD_S2_RW);
	with = world_walk(&w, VA, ACCESS_LOAD, 0);
	regime_init(&regime, &w.cpu, &w.regs, REGIME_EL10);
	mmu_walk(&regime, w.mem, &access, NULL, &without);
	assert_int_equal(without.pa.v, with.pa.v);
	assert_int_equal(without.pa.v, PA | (VA & 0xfff));
	world_free(&w);
}

/* 512 GiB blocks need DS = 1 with 4K, 64 GiB blocks DS = 1 with 16K, 4 TiB blocks 52 PA bits. */
static void test_large_blocks(void **state)
{
	static const struct {
		enum granule granule;
		unsigned ipa_bits;
		int start, level;
		bool legal;
	} rows[] = {
		{ GRANULE_4K, 48, 0, 0, false },   { GRANULE_4K, 52, 0, 0, true },
		{ GRANULE_16K, 48, 1, 1, false },  { GRANULE_16K, 52, 0, 1, true },
		{ GRANULE_64K, 48, 1, 1, true },   { GRANULE_4K, 52, -1, 0, true },
		{ GRANULE_4K, 52, -1, -1, false }, { GRANULE_16K, 52, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned leaf_bits = level_shift(rows[i].granule, rows[i].level);
		uint64_t ipa = UINT64_C(0x7fedcba98768) & low_mask(rows[i].ipa_bits);
		struct translation t;
		struct world w;

		world_init(&w);
		world_stage2(&w, rows[i].granule, rows[i].ipa_bits, rows[i].start);
		world_map2(&w, ipa, rows[i].level, 0, WORLD_S2_RW);
		t = world_walk(&w, ipa, ACCESS_LOAD, 1);
		if (rows[i].legal) {
			assert_int_equal(t.fault.type, FAULT_NONE);
			assert_int_equal(t.pa.v, ipa & low_mask(leaf_bits));
			assert_int_equal(t.s2_bits, leaf_bits);
		} else {
			assert_fault(&t, FAULT_TRANSLATION, 2, rows[i].level);
		}
		world_free(&w);
	}
	/* 4 TiB blocks on a PE with 48 PA bits. */
	struct world w;
	struct translation t;

	world_init(&w);
	w.cpu.pa_bits = 48;
	w.cpu.lpa = false;
	world_stage2(&w, GRANULE_64K, 48, 1);
	world_map2(&w, 0x1000, 1, 0, WORLD_S2_RW);
	t = world_walk(&w, 0x1000, ACCESS_LOAD, 1);
	assert_fault(&t, FAULT_TRANSLATION, 2, 1);
	world_free(&w);
}

/* Concatenated roots: each of the 16 tables is reached, and addresses beyond them are not. */
static void test_concatenation(void **state)
{
	struct translation t;
	struct world w;

	(void)state;
	world_init(&w);
	world_stage2(&w, GRANULE_4K, 43, 1);
	assert_int_equal(w.g2.root_tables, 16);
	for (uint64_t i = 0; i < 16; i++) {
		uint64_t ipa = i << 39 | 0x1008;

		world_map2(&w, ipa, 1, i << 30, WORLD_S2_RW);
		t = world_walk(&w, ipa, ACCESS_LOAD, 1);
		assert_int_equal(t.fault.type, FAULT_NONE);
		assert_int_equal(t.pa.v, i << 30 | 0x1008);
		assert_int_equal(w.reads, 1);
		assert_int_equal(w.log[0].pa.v, WORLD_S2_ROOT + i * 4096);
	}
	t = world_walk(&w, UINT64_C(1) << 43, ACCESS_LOAD, 1);
	assert_fault(&t, FAULT_TRANSLATION, 2, 0);
	world_free(&w);
}

/* Minimum T0SZ of stage 2 by PAMax; the granule's own cap of 48 bits without DS. */
static void test_minimum_t0sz(void **state)
{
	static const unsigned pa[] = { 32, 36, 40, 42, 44, 48, 52 };

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		for (unsigned t0sz = 12; t0sz <= 39; t0sz++) {
			unsigned limit = pa[i] > 48 ? 48 : pa[i];
			struct regime regime;
			struct mmu_regs regs = { .hcr_el2 = 1 };
			struct world w;
			unsigned ia = 64 - t0sz;
			int level = ia >= 44 ? 0 : ia >= 35 ? 1 : 2;

			world_init(&w);
			w.cpu.pa_bits = (uint8_t)pa[i];
			w.cpu.lpa = pa[i] == 52;
			regs.vtcr_el2 = t0sz | (uint64_t)geometry_s2_sl(GRANULE_4K, level) << 6 |
					UINT64_C(6) << 16;
			regime_init(&regime, &w.cpu, &regs, REGIME_EL10);
			assert_int_equal(regime.s2.setup_fault,
					 ia > limit ? FAULT_TRANSLATION : FAULT_NONE);
			if (ia <= limit)
				assert_int_equal(regime.s2.oa_bits, pa[i]);
			world_free(&w);
		}
	}
}

/* SL0 = 3 of 16K (level 0) needs DS; so does SL2 of 4K count only with it. */
static void test_start_level_ds(void **state)
{
	struct mmu_regs regs = { .hcr_el2 = 1 };
	struct regime regime;
	struct world w;

	(void)state;
	world_init(&w);
	regs.vtcr_el2 = 16 | 3 << 6 | 2 << 14 | 6 << 16; /* 16K, 48 bits, SL0 = 3 */
	regime_init(&regime, &w.cpu, &regs, REGIME_EL10);
	assert_int_equal(regime.s2.setup_fault, FAULT_TRANSLATION);
	regs.vtcr_el2 |= UINT64_C(1) << 32;
	regime_init(&regime, &w.cpu, &regs, REGIME_EL10);
	assert_int_equal(regime.s2.setup_fault, FAULT_NONE);
	assert_int_equal(regime.s2.start_level, 0);
	regs.vtcr_el2 = 24 | 1 << 6 | 6 << 16 | UINT64_C(1) << 33; /* 4K, SL2 without DS */
	regime_init(&regime, &w.cpu, &regs, REGIME_EL10);
	assert_int_equal(regime.s2.setup_fault, FAULT_NONE);
	assert_int_equal(regime.s2.start_level, 1);
	world_free(&w);
}

/* The base in its 52-bit form is aligned to 64 bytes at least; bits [5:2] are address bits. */
static void test_base_alignment(void **state)
{
	struct mmu_regs regs = { .hcr_el2 = 1 };
	struct regime regime;
	struct world w;

	(void)state;
	world_init(&w);
	/* 64K, 32 bits, level 2: eight entries. PS = 52 bits. */
	regs.vtcr_el2 = 32 | 1 << 6 | 1 << 14 | 6 << 16;
	regs.vttbr_el2 = 0x12345678 | 0xf << 2;
	regime_init(&regime, &w.cpu, &regs, REGIME_EL10);
	assert_int_equal(regime.s2.base, UINT64_C(0xf) << 48 | 0x12345640);
	/* One bit less: four entries, still 64 bytes. */
	regs.vtcr_el2 = 33 | 1 << 6 | 1 << 14 | 6 << 16;
	regime_init(&regime, &w.cpu, &regs, REGIME_EL10);
	assert_int_equal(regime.s2.base, UINT64_C(0xf) << 48 | 0x12345640);
	/* PS = 48 bits: [5:2] are address bits of their own place; 32 bytes. */
	regs.vtcr_el2 = 33 | 1 << 6 | 1 << 14 | 5 << 16;
	regime_init(&regime, &w.cpu, &regs, REGIME_EL10);
	assert_int_equal(regime.s2.base, 0x12345660);
	world_free(&w);
}

/* A base beyond the output size: address size fault at level 0, of either stage. */
static void test_base_out_of_range(void **state)
{
	struct translation t;
	struct world w;

	(void)state;
	world_init(&w);
	world_stage2(&w, GRANULE_4K, 40, 1);
	w.regs.vtcr_el2 &= ~(UINT64_C(7) << 16); /* PS = 32 bits */
	w.regs.vttbr_el2 = UINT64_C(1) << 32;
	t = world_walk(&w, IPA, ACCESS_LOAD, 1);
	assert_fault(&t, FAULT_ADDRESS_SIZE, 2, 0);
	/* IPA out of range comes first. */
	t = world_walk(&w, UINT64_C(1) << 40, ACCESS_LOAD, 1);
	assert_fault(&t, FAULT_TRANSLATION, 2, 0);
	world_free(&w);

	world_init(&w);
	world_stage1(&w, GRANULE_4K, 48);
	w.regs.tcr_el1 &= ~(UINT64_C(7) << 32); /* IPS = 32 bits */
	w.regs.ttbr0_el1 = UINT64_C(1) << 32;
	t = world_walk(&w, VA, ACCESS_LOAD, 1);
	assert_fault(&t, FAULT_ADDRESS_SIZE, 1, 0);
	world_free(&w);
}

/* Table and leaf addresses against PS: at the level of the descriptor. 64K keeps [15:12]. */
static void test_output_size(void **state)
{
	struct translation t;
	struct world w;
	uint64_t entry;

	(void)state;
	world_init(&w);
	world_stage2(&w, GRANULE_64K, 48, 1);
	w.regs.vtcr_el2 = (w.regs.vtcr_el2 & ~(UINT64_C(7) << 16)) | UINT64_C(5)
									     << 16; /* 48 bits */
	entry = world_map2(&w, 0x10000, 3, 0x50000, WORLD_S2_RW);
	t = world_walk(&w, 0x10000, ACCESS_LOAD, 1);
	assert_int_equal(t.pa.v, 0x50000);
	phys_write64(w.mem, pa_of(entry), phys_read64(w.mem, pa_of(entry)) | 0x1000);
	t = world_walk(&w, 0x10000, ACCESS_LOAD, 1);
	assert_fault(&t, FAULT_ADDRESS_SIZE, 2, 3);
	/* The level-1 table descriptor likewise. */
	entry = WORLD_S2_ROOT;
	phys_write64(w.mem, pa_of(entry), phys_read64(w.mem, pa_of(entry)) | 0x8000);
	t = world_walk(&w, 0x10000, ACCESS_LOAD, 1);
	assert_fault(&t, FAULT_ADDRESS_SIZE, 2, 1);
	world_free(&w);
}

/* Faults of a 52-bit IPA keep all bits in HPFAR_EL2. */
static void test_hpfar_52(void **state)
{
	struct translation t;
	struct world w;

	(void)state;
	world_init(&w);
	world_stage2(&w, GRANULE_64K, 52, 1);
	t = world_walk(&w, UINT64_C(0xfedcba9876543), ACCESS_LOAD, 1);
	assert_fault(&t, FAULT_TRANSLATION, 2, 1);
	assert_int_equal(fault_hpfar(&t.fault), UINT64_C(0xfedcba98760));
	world_free(&w);
}

static void test_external_abort(void **state)
{
	struct translation t;
	struct world w;

	(void)state;
	world_init(&w);
	world_stage1(&w, GRANULE_4K, 39);
	world_stage2(&w, GRANULE_4K, 40, 1);
	world_map1(&w, 0x4000, 3, IPA, WORLD_S1_RW);
	world_map2(&w, IPA, 3, PA, WORLD_S2_RW);
	phys_add_abort_range(w.mem, pa_of(WORLD_S1_ROOT), pa_of(WORLD_S1_ROOT + 0x1000));
	t = world_walk(&w, 0x4000, ACCESS_LOAD, 0);
	assert_fault(&t, FAULT_EXTERNAL_WALK, 1, 1);
	assert_false(t.fault.s1ptw);
	phys_add_abort_range(w.mem, pa_of(WORLD_S2_ROOT), pa_of(WORLD_S2_ROOT + 0x1000));
	t = world_walk(&w, 0x4000, ACCESS_LOAD, 0);
	assert_fault(&t, FAULT_EXTERNAL_WALK, 2, 1);
	assert_true(t.fault.s1ptw);
	assert_int_equal(t.fault.ipa, WORLD_S1_ROOT);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_counts),    cmocka_unit_test(test_no_hooks),
		cmocka_unit_test(test_large_blocks),   cmocka_unit_test(test_concatenation),
		cmocka_unit_test(test_minimum_t0sz),   cmocka_unit_test(test_start_level_ds),
		cmocka_unit_test(test_base_alignment), cmocka_unit_test(test_base_out_of_range),
		cmocka_unit_test(test_output_size),    cmocka_unit_test(test_hpfar_52),
		cmocka_unit_test(test_external_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

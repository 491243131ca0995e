/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 1: permissions, hardware updates, set-ups, one rule at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "walk_world.h"

#define VA     UINT64_C(0x2345678000)
#define IPA    UINT64_C(0x9876543000)
#define PA     UINT64_C(0xabc0de000)
#define BIT(n) (UINT64_C(1) << (n))

static struct world w;

static int setup_one_stage(void **state)
{
	(void)state;
	world_init(&w);
	world_stage1(&w, GRANULE_4K, 48);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

static uint8_t perms1(uint64_t attributes)
{
	world_map1(&w, VA, 3, IPA, attributes);
	/* A load by EL1 is always allowed, PAN apart. */
	return world_walk(&w, VA, ACCESS_LOAD, 1).perms;
}

static void test_s1_permissions(void **state)
{
	static const uint8_t by_ap[] = { PERM_R1 | PERM_W1, PERM_R1 | PERM_W1 | PERM_R0 | PERM_W0,
					 PERM_R1, PERM_R1 | PERM_R0 };

	(void)state;
	for (uint64_t ap = 0; ap < 4; ap++) {
		for (uint64_t xn = 0; xn < 4; xn++) {
			uint8_t want = by_ap[ap];

			if (!(xn & 1) &&
			    !(want & PERM_W0)) /* writable by EL0: not executable by EL1 */
				want |= PERM_X1;
			if (!(xn & 2))
				want |= PERM_X0;
			w.regs.sctlr_el1 &= ~BIT(19);
			assert_int_equal(perms1(DESC_AF | ap << 6 | xn << 53), want);
			w.regs.sctlr_el1 |= BIT(19); /* WXN */
			if (want & PERM_W1)
				want &= (uint8_t)~PERM_X1;
			if (want & PERM_W0)
				want &= (uint8_t)~PERM_X0;
			assert_int_equal(perms1(DESC_AF | ap << 6 | xn << 53), want);
		}
	}
}

/* APTable, UXNTable and PXNTable restrict; HPD switches them off. */
static void test_hierarchy(void **state)
{
	static const struct {
		uint64_t bit;
		uint8_t lost;
	} rows[] = {
		{ S1_TABLE_RO, PERM_W1 | PERM_W0 },
		{ S1_TABLE_NO_EL0, PERM_R0 | PERM_W0 },
		{ S1_TABLE_UXN, PERM_X0 },
		{ S1_TABLE_PXN, PERM_X1 },
	};
	uint64_t root = WORLD_S1_ROOT + (VA >> 39) * 8, table;
	uint8_t all;

	(void)state;
	all = perms1(DESC_AF | S1_AP_EL0);
	assert_int_equal(all, PERM_R1 | PERM_W1 | PERM_R0 | PERM_W0 | PERM_X0);
	table = world_word(&w, root);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t want = all & (uint8_t)~rows[i].lost;

		if (!(want & PERM_W0) && rows[i].bit != S1_TABLE_PXN)
			want |= PERM_X1;
		phys_write64(w.mem, pa_of(root), table | rows[i].bit);
		w.regs.tcr_el1 &= ~BIT(41);
		assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 1).perms, want);
		w.regs.tcr_el1 |= BIT(41); /* HPD0 */
		assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 1).perms, all);
		w.cpu.hpds = false;
		assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 1).perms, want);
		w.cpu.hpds = true;
	}
}

static void test_pan(void **state)
{
	struct access at = { .va = va_of(VA), .kind = ACCESS_LOAD, .el = 1, .at = true };

	(void)state;
	w.regs.pan = true;
	world_map1(&w, VA, 3, IPA, DESC_AF | S1_AP_EL0);
	world_expect(&w, VA, ACCESS_LOAD, 1, FAULT_PERMISSION, 1, 3);
	world_expect(&w, VA, ACCESS_STORE, 1, FAULT_PERMISSION, 1, 3);
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	assert_int_equal(world_access(&w, &at).fault.type, FAULT_NONE);
	/* Not accessible to EL0: PAN does not care. */
	world_map1(&w, VA, 3, IPA, DESC_AF);
	world_expect(&w, VA, ACCESS_STORE, 1, FAULT_NONE, 0, 0);
	/* A page that EL0 may only execute: with EPAN (FEAT_PAN3) PAN does. */
	w.cpu.epan = true;
	w.regs.sctlr_el1 |= BIT(57);
	world_expect(&w, VA, ACCESS_LOAD, 1, FAULT_PERMISSION, 1, 3);
	world_map1(&w, VA, 3, IPA, DESC_AF | S1_UXN);
	world_expect(&w, VA, ACCESS_LOAD, 1, FAULT_NONE, 0, 0);
	w.cpu.pan = false;
	world_map1(&w, VA, 3, IPA, DESC_AF | S1_AP_EL0);
	w.regs.sctlr_el1 &= ~BIT(57);
	world_expect(&w, VA, ACCESS_LOAD, 1, FAULT_NONE, 0, 0);
}

static void test_e0pd_epd(void **state)
{
	uint64_t high = ~low_mask(48) | VA;

	(void)state;
	world_map1(&w, VA, 3, IPA, WORLD_S1_RW);
	world_map1(&w, high, 3, IPA, WORLD_S1_RW);
	w.regs.tcr_el1 |= BIT(55); /* E0PD0 */
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_TRANSLATION, 1, 0);
	world_expect(&w, VA, ACCESS_LOAD, 1, FAULT_NONE, 0, 0);
	world_expect(&w, high, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	w.cpu.e0pd = false;
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	w.regs.tcr_el1 |= BIT(23); /* EPD1 */
	world_expect(&w, high, ACCESS_LOAD, 1, FAULT_TRANSLATION, 1, 0);
	world_expect(&w, VA, ACCESS_LOAD, 1, FAULT_NONE, 0, 0);
	w.regs.tcr_el1 |= BIT(7); /* EPD0 */
	world_expect(&w, VA, ACCESS_LOAD, 1, FAULT_TRANSLATION, 1, 0);
}

static void test_top_byte(void **state)
{
	uint64_t tagged = VA | UINT64_C(0xa5) << 56;

	(void)state;
	world_map1(&w, VA, 3, IPA, WORLD_S1_RW);
	world_expect(&w, tagged, ACCESS_LOAD, 0, FAULT_TRANSLATION, 1, 0);
	w.regs.tcr_el1 |= BIT(37); /* TBI0 */
	world_expect(&w, tagged, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	world_expect(&w, tagged, ACCESS_FETCH, 0, FAULT_NONE, 0, 0);
	world_expect(&w, tagged | BIT(55), ACCESS_LOAD, 0, FAULT_TRANSLATION, 1, 0);
	world_expect(&w, tagged | BIT(50), ACCESS_LOAD, 0, FAULT_TRANSLATION, 1, 0);
	w.regs.tcr_el1 |= BIT(51); /* TBID0: data only */
	world_expect(&w, tagged, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	world_expect(&w, tagged, ACCESS_FETCH, 0, FAULT_TRANSLATION, 1, 0);
	w.cpu.pauth = false;
	world_expect(&w, tagged, ACCESS_FETCH, 0, FAULT_NONE, 0, 0);
}

static void test_txsz_bounds(void **state)
{
	static const struct {
		enum granule granule;
		bool ttst;
		unsigned last;
	} rows[] = {
		{ GRANULE_4K, false, 39 }, { GRANULE_16K, false, 39 }, { GRANULE_64K, false, 39 },
		{ GRANULE_4K, true, 48 },  { GRANULE_16K, true, 48 },  { GRANULE_64K, true, 47 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t tg0 = rows[i].granule == GRANULE_4K	? 0
			       : rows[i].granule == GRANULE_64K ? 1
								: 2;

		w.cpu.ttst = rows[i].ttst;
		for (unsigned txsz = 0; txsz < 64; txsz++) {
			unsigned first = rows[i].granule == GRANULE_64K ? 12 : 16;
			bool ok = txsz >= first && txsz <= rows[i].last;
			struct regime regime;

			w.regs.tcr_el1 = txsz | tg0 << 14 | UINT64_C(6) << 32;
			regime_init(&regime, &w.cpu, &w.regs, REGIME_EL10);
			assert_int_equal(regime.s1[0].setup_fault == FAULT_NONE, ok);
			/* The other choice clamps, but not below the minimum with FEAT_LVA. */
			w.cpu.txsz_out_of_range = TXSZ_CLAMP;
			regime_init(&regime, &w.cpu, &w.regs, REGIME_EL10);
			assert_int_equal(regime.s1[0].setup_fault == FAULT_NONE, txsz >= first);
			if (txsz > rows[i].last)
				assert_int_equal(regime.s1[0].ia_bits, 64 - rows[i].last);
			w.cpu.txsz_out_of_range = TXSZ_FAULT;
		}
	}
}

/* Level -1 of the 4K granule, with its own status codes. */
static void test_level_minus_1(void **state)
{
	uint64_t va = UINT64_C(0x5234567890123);
	struct translation t;

	(void)state;
	world_stage1(&w, GRANULE_4K, 52);
	world_map1(&w, va, 3, PA, DESC_AF | S1_AP_EL0);
	t = world_walk(&w, va, ACCESS_LOAD, 0);
	assert_int_equal(t.fault.type, FAULT_NONE);
	assert_int_equal(w.reads, 5);
	assert_int_equal(w.log[0].level, -1);
	assert_int_equal(t.pa.v, PA | 0x123);
	world_expect(&w, va ^ BIT(51), ACCESS_LOAD, 0, FAULT_TRANSLATION, 1, -1);
	t = world_walk(&w, va ^ BIT(51), ACCESS_LOAD, 0);
	assert_int_equal(fault_fsc(&t.fault), 0x2b);
}

static void test_s1_access_flag_and_dirty(void **state)
{
	struct access at = { .va = va_of(VA), .kind = ACCESS_STORE, .el = 0, .at = true };
	struct access ahead = { .va = va_of(VA), .kind = ACCESS_LOAD, .speculative = true };
	uint64_t clean = S1_AP_EL0 | S1_AP_RO | DESC_DBM, entry;

	(void)state;
	entry = world_map1(&w, VA, 3, IPA, clean);
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_ACCESS_FLAG, 1, 3);
	w.regs.tcr_el1 |= BIT(39); /* HA */
	world_expect(&w, VA, ACCESS_STORE, 0, FAULT_PERMISSION, 1, 3);
	assert_int_equal(world_access(&w, &ahead).fault.type, FAULT_ACCESS_FLAG);
	assert_false(world_word(&w, entry) & DESC_AF); /* no update with a fault */
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	assert_true(world_word(&w, entry) & DESC_AF);
	assert_int_equal(world_access(&w, &ahead).fault.type, FAULT_NONE);
	w.regs.tcr_el1 |= BIT(40); /* HD */
	assert_int_equal(world_access(&w, &at).fault.type, FAULT_NONE);
	assert_true(world_word(&w, entry) & S1_AP_RO); /* AT never sets dirty state */
	world_expect(&w, VA, ACCESS_STORE, 0, FAULT_NONE, 0, 0);
	assert_false(world_word(&w, entry) & S1_AP_RO);
	/* Without DBM nothing is made writable. */
	world_map1(&w, VA, 3, IPA, DESC_AF | S1_AP_EL0 | S1_AP_RO);
	world_expect(&w, VA, ACCESS_STORE, 0, FAULT_PERMISSION, 1, 3);
	/* HD without HA, and a PE without either. */
	world_map1(&w, VA, 3, IPA, DESC_AF | clean);
	w.regs.tcr_el1 &= ~BIT(39);
	world_expect(&w, VA, ACCESS_STORE, 0, FAULT_PERMISSION, 1, 3);
	w.regs.tcr_el1 |= BIT(39);
	w.cpu.hw_dirty = false;
	world_expect(&w, VA, ACCESS_STORE, 0, FAULT_PERMISSION, 1, 3);
	w.cpu.hw_af = false;
	world_map1(&w, VA, 3, IPA, clean);
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_ACCESS_FLAG, 1, 3);
}

/* Order at a leaf: address size, access flag, alignment, permission. */
static void test_leaf_order(void **state)
{
	struct access store = {
		.va = va_of(VA | 1), .kind = ACCESS_STORE, .el = 0, .size_log2 = 3
	};
	uint64_t device = UINT64_C(1) << S1_ATTR_SHIFT;

	(void)state;
	w.regs.tcr_el1 &= ~(UINT64_C(7) << 32); /* IPS: 32 bits */
	world_map1(&w, VA, 3, UINT64_C(1) << 40, device | S1_AP_RO);
	assert_int_equal(world_access(&w, &store).fault.type, FAULT_ADDRESS_SIZE);
	world_map1(&w, VA, 3, UINT64_C(1) << 20, device | S1_AP_RO);
	assert_int_equal(world_access(&w, &store).fault.type, FAULT_ACCESS_FLAG);
	world_map1(&w, VA, 3, UINT64_C(1) << 20, DESC_AF | device | S1_AP_RO);
	assert_int_equal(world_access(&w, &store).fault.type, FAULT_ALIGNMENT);
	store.va = va_of(VA);
	assert_int_equal(world_access(&w, &store).fault.type, FAULT_PERMISSION);
}

static void test_contiguous_and_nt(void **state)
{
	struct translation t;

	(void)state;
	/* Address and place in the span agree: the span may be used. */
	world_map1(&w, VA, 3, VA, WORLD_S1_RW | DESC_CONTIGUOUS);
	t = world_walk(&w, VA, ACCESS_LOAD, 0);
	assert_int_equal(t.s1_bits, 12);
	assert_int_equal(t.s1_span_bits, 16);
	world_map1(&w, VA, 3, VA ^ 0x4000, WORLD_S1_RW | DESC_CONTIGUOUS);
	t = world_walk(&w, VA, ACCESS_LOAD, 0);
	assert_int_equal(t.pa.v, VA ^ 0x4000);
	assert_int_equal(t.s1_span_bits, 12);
	/* A span larger than the input range: ignored, or a fault, as the PE chooses. */
	w.regs.tcr_el1 = (w.regs.tcr_el1 & ~UINT64_C(63)) | 33; /* 31 bits, level 1 */
	phys_write64(w.mem, pa_of(WORLD_S1_ROOT),
		     UINT64_C(0x40000000) | WORLD_S1_RW | DESC_CONTIGUOUS | DESC_VALID);
	t = world_walk(&w, 0x1000, ACCESS_LOAD, 0);
	assert_int_equal(t.pa.v, 0x40001000);
	assert_int_equal(t.s1_span_bits, 30);
	w.cpu.contiguous_misprogrammed = CONTIGUOUS_FAULT;
	world_expect(&w, 0x1000, ACCESS_LOAD, 0, FAULT_TRANSLATION, 1, 1);
	w.cpu.contiguous_misprogrammed = CONTIGUOUS_IGNORE;
	/* nT = 1 in a block. */
	phys_write64(w.mem, pa_of(WORLD_S1_ROOT),
		     UINT64_C(0x40000000) | WORLD_S1_RW | DESC_NT | DESC_VALID);
	world_expect(&w, 0x1000, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	w.cpu.nt_block = NT_FAULT;
	world_expect(&w, 0x1000, ACCESS_LOAD, 0, FAULT_TRANSLATION, 1, 1);
}

/* EL2&0 with E2H: its own registers, no stage 2. */
static void test_host_regime(void **state)
{
	uint64_t high = ~low_mask(48) | (VA + 0x1000); /* both halves share their tables here */
	struct translation t;

	(void)state;
	w.kind = REGIME_EL20;
	w.regs.sctlr_el2 = w.regs.sctlr_el1;
	w.regs.tcr_el2 = w.regs.tcr_el1;
	w.regs.ttbr0_el2 = w.regs.ttbr0_el1;
	w.regs.ttbr1_el2 = w.regs.ttbr1_el1;
	w.regs.mair_el2 = w.regs.mair_el1;
	w.regs.ttbr0_el1 = w.regs.ttbr1_el1 = w.regs.sctlr_el1 = w.regs.tcr_el1 = 0;
	world_map1(&w, VA, 3, PA, DESC_AF);
	world_map1(&w, high, 3, PA, DESC_AF | S1_AP_EL0);
	w.regs.hcr_el2 |= BIT(34) | BIT(27) | 1; /* E2H, TGE, VM */
	t = world_walk(&w, VA, ACCESS_STORE, 2);
	assert_int_equal(t.fault.type, FAULT_NONE);
	assert_int_equal(t.pa.v, PA);
	assert_int_equal(w.reads, 4);
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_PERMISSION, 1, 3);
	world_expect(&w, high, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	w.regs.pan = true;
	world_expect(&w, high, ACCESS_LOAD, 2, FAULT_PERMISSION, 1, 3);
}

static void test_big_endian_tables(void **state)
{
	uint64_t root = WORLD_S1_ROOT + (VA >> 39) * 8;

	(void)state;
	phys_write64(w.mem, pa_of(root), __builtin_bswap64(0x40000000 | DESC_TABLE | DESC_VALID));
	w.regs.sctlr_el1 |= BIT(25);
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_TRANSLATION, 1, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_one_stage, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_s1_permissions),
		TEST(test_hierarchy),
		TEST(test_pan),
		TEST(test_e0pd_epd),
		TEST(test_top_byte),
		TEST(test_txsz_bounds),
		TEST(test_level_minus_1),
		TEST(test_s1_access_flag_and_dirty),
		TEST(test_leaf_order),
		TEST(test_contiguous_and_nt),
		TEST(test_host_regime),
		TEST(test_big_endian_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

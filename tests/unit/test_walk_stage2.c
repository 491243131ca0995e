/* SPDX-License-Identifier: BSD-2-Clause */
/* Both stages: permissions, hardware updates and attributes, one rule at a time. */
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

static int setup_two_stages(void **state)
{
	setup_one_stage(state);
	world_stage2(&w, GRANULE_4K, 40, 1);
	world_map1(&w, VA, 3, IPA, WORLD_S1_RW);
	world_map2(&w, IPA, 3, PA, WORLD_S2_RW);
	return 0;
}

static void test_s2_permissions(void **state)
{
	static const uint8_t execute[] = { PERM_X1 | PERM_X0, PERM_X0, 0, PERM_X1 };

	(void)state;
	for (uint64_t xn = 0; xn < 4; xn++) {
		for (uint64_t ap = 1; ap < 4; ap += 2) {
			uint8_t rw = PERM_R1 | PERM_R0;

			if (ap & 2)
				rw |= PERM_W1 | PERM_W0;
			world_map1(&w, VA, 3, IPA, DESC_AF | S1_AP_EL0 | S1_AP_RO);
			rw &= (uint8_t) ~(PERM_W1 | PERM_W0);
			world_map2(&w, IPA, 3, PA,
				   DESC_AF | 0xf << S2_ATTR_SHIFT | ap << 6 | xn << S2_XN_SHIFT);
			assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 0).perms,
					 rw | execute[xn]);
			w.cpu.xnx = false;
			assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 0).perms,
					 rw | (xn & 2 ? 0 : PERM_X1 | PERM_X0));
			w.cpu.xnx = true;
		}
	}
	/* Execute-only: a fetch does not need S2AP[0]. */
	world_map2(&w, IPA, 3, PA, DESC_AF | 0xf << S2_ATTR_SHIFT);
	world_expect(&w, VA, ACCESS_FETCH, 1, FAULT_NONE, 0, 0);
	world_expect(&w, VA, ACCESS_LOAD, 1, FAULT_PERMISSION, 2, 3);
}

/* HCR_EL2.PTW: a stage-1 walk through stage-2 Device memory. */
static void test_protected_table_walk(void **state)
{
	struct translation t;

	(void)state;
	world_map2(&w, WORLD_S1_ROOT, 3, WORLD_S1_ROOT, DESC_AF | S2_AP_R | S2_AP_W);
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	w.regs.hcr_el2 |= BIT(2);
	t = world_walk(&w, VA, ACCESS_LOAD, 0);
	assert_int_equal(t.fault.type, FAULT_PERMISSION);
	assert_int_equal(t.fault.stage, 2);
	assert_int_equal(t.fault.level, 3);
	assert_true(t.fault.s1ptw);
	assert_int_equal(t.fault.ipa, WORLD_S1_ROOT + (VA >> 39) * 8);
	assert_true(fault_hpfar_valid(&t.fault));
}

static void test_s2_access_flag_and_dirty(void **state)
{
	uint64_t clean = (WORLD_S2_RW & ~S2_AP_W) | DESC_DBM, entry;
	struct access at = { .va = va_of(VA), .kind = ACCESS_STORE, .el = 0, .at = true };

	(void)state;
	entry = world_map2(&w, IPA, 3, PA, clean & ~DESC_AF);
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_ACCESS_FLAG, 2, 3);
	w.regs.vtcr_el2 |= BIT(21); /* HA */
	world_expect(&w, VA, ACCESS_STORE, 0, FAULT_PERMISSION, 2, 3);
	assert_false(world_word(&w, entry) & DESC_AF);
	world_expect(&w, VA, ACCESS_LOAD, 0, FAULT_NONE, 0, 0);
	assert_true(world_word(&w, entry) & DESC_AF);
	w.regs.vtcr_el2 |= BIT(22); /* HD */
	assert_int_equal(world_access(&w, &at).fault.type, FAULT_NONE);
	assert_false(world_word(&w, entry) & S2_AP_W);
	world_expect(&w, VA, ACCESS_STORE, 0, FAULT_NONE, 0, 0);
	assert_true(world_word(&w, entry) & S2_AP_W);
}

/* A hardware update of a stage-1 descriptor is a write through stage 2, dirty state included. */
static void test_s1_update_through_stage2(void **state)
{
	uint64_t entry = world_map1(&w, VA, 3, IPA, WORLD_S1_RW & ~DESC_AF);
	uint64_t page = entry & ~low_mask(12), s2_entry;
	struct translation t;

	(void)state;
	w.regs.tcr_el1 |= BIT(39); /* HA of stage 1 */
	s2_entry = world_map2(&w, page, 3, page, WORLD_S2_RW & ~S2_AP_W);
	t = world_walk(&w, VA, ACCESS_LOAD, 0);
	assert_int_equal(t.fault.type, FAULT_PERMISSION);
	assert_int_equal(t.fault.stage, 2);
	assert_true(t.fault.s1ptw);
	assert_int_equal(t.fault.ipa, entry);
	assert_false(world_word(&w, entry) & DESC_AF);
	/* With HD and DBM the page of the table becomes dirty on the way, even for an AT. */
	world_map2(&w, page, 3, page, (WORLD_S2_RW & ~S2_AP_W) | DESC_DBM);
	w.regs.vtcr_el2 |= BIT(21) | BIT(22);
	t = world_access(&w, &(struct access){ .va = va_of(VA), .kind = ACCESS_LOAD, .at = true });
	assert_int_equal(t.fault.type, FAULT_NONE);
	assert_true(world_word(&w, entry) & DESC_AF);
	assert_true(world_word(&w, s2_entry) & S2_AP_W);
}

/*
 * A stage-1 table that is a stage-2 table too, stage 1 big-endian: the word that is the stage-1
 * leaf is also the stage-2 leaf of its own page. Setting its access flag for stage 1 first makes
 * it dirty for stage 2, so the swap finds another word and must start again.
 */
static void test_lost_update(void **state)
{
	uint64_t va = UINT64_C(0x2345620000), entry, page, s2_table, s2_l2, want;
	struct translation t;
	unsigned updates = 0;

	(void)state;
	teardown(NULL);
	setup_one_stage(NULL);
	world_stage2(&w, GRANULE_4K, 40, 1);
	entry = world_map1(&w, va, 3, 0, 0);
	page = entry & ~low_mask(12);
	s2_table = world_map2(&w, page, 3, page, WORLD_S2_RW) & ~low_mask(12);
	/* The stage-1 tables above it, big-endian. */
	for (uint64_t a = WORLD_S1_ROOT; a < page;
	     a = a == WORLD_S1_ROOT ? page - 0x20000 : a + 0x10000) {
		for (uint64_t i = 0; i < 4096; i += 8)
			phys_write64(w.mem, pa_of(a + i), __builtin_bswap64(world_word(&w, a + i)));
	}
	/* `page` takes the place of the stage-2 table that maps it and its neighbours. */
	for (uint64_t i = 0; i < 4096; i += 8)
		phys_write64(w.mem, pa_of(page + i), world_word(&w, s2_table + i));
	s2_l2 = world_word(&w, WORLD_S2_ROOT + (page >> 30) * 8) & ~low_mask(12);
	phys_write64(w.mem, pa_of(s2_l2 + (page >> 21 & 511) * 8), page | DESC_TABLE | DESC_VALID);
	assert_int_equal(entry, page + (page >> 12 & 511) * 8);
	/* As stage 2 sees it: page, AF, DBM, clean; [57:56] and [62] make it a stage-1 page of EL0.
	 */
	phys_write64(w.mem, pa_of(entry),
		     page | DESC_AF | DESC_DBM | S2_AP_R | UINT64_C(0xf) << S2_ATTR_SHIFT |
			     DESC_TABLE | DESC_VALID | BIT(56) | BIT(57) | BIT(62));
	want = world_word(&w, entry) | S2_AP_W | __builtin_bswap64(DESC_AF);
	w.regs.sctlr_el1 |= BIT(25); /* EE */
	w.regs.tcr_el1 |= BIT(39);
	w.regs.vtcr_el2 |= BIT(21) | BIT(22);
	t = world_walk(&w, va, ACCESS_LOAD, 0);
	for (unsigned i = 0; i < w.reads; i++)
		updates += w.log[i].update && w.log[i].stage == 1;
	assert_int_equal(updates, 2);
	assert_int_equal(world_word(&w, entry), want);
	/* Its output address, as stage 1 sees it, is beyond the IPA size. */
	assert_int_equal(t.fault.type, FAULT_TRANSLATION);
	assert_int_equal(t.fault.stage, 2);
	assert_false(t.fault.s1ptw);
}

static void test_s2_fault_on_walk(void **state)
{
	struct translation t;

	(void)state;
	/* Take away the stage-2 page of the root: the level is stage 2's, S1PTW is set. */
	phys_write64(w.mem, pa_of(world_map2(&w, WORLD_S1_ROOT, 3, 0, 0)), 0);
	t = world_walk(&w, VA, ACCESS_STORE, 1);
	assert_int_equal(t.fault.type, FAULT_TRANSLATION);
	assert_int_equal(t.fault.stage, 2);
	assert_int_equal(t.fault.level, 3);
	assert_true(t.fault.s1ptw);
	assert_int_equal(fault_fsc(&t.fault), 0x07);
	assert_int_equal(fault_par(&t.fault), 0x800 | 0x200 | 0x100 | 0x07 << 1 | 1);
}

/* { MAIR byte, MemAttr, combined without FWB, with FWB } */
static void test_attributes(void **state)
{
	static const struct {
		uint8_t s1;
		unsigned s2;
		uint8_t plain, fwb;
	} rows[] = {
		{ 0xff, 0xf, 0xff, 0xff }, { 0xff, 0x5, 0x44, 0x44 }, { 0xff, 0xa, 0xbb, 0x08 },
		{ 0x44, 0xf, 0x44, 0x44 }, { 0x04, 0xf, 0x04, 0x04 }, { 0xff, 0x0, 0x00, 0x00 },
		{ 0x0c, 0x1, 0x04, 0x04 }, { 0x44, 0x6, 0x44, 0xff }, { 0x04, 0x6, 0x04, 0xff },
		{ 0xbb, 0x6, 0x4b, 0xff }, { 0x77, 0xf, 0x77, 0x77 }, { 0x04, 0x5, 0x04, 0x04 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		w.regs.mair_el1 = rows[i].s1;
		world_map2(&w, IPA, 3, PA,
			   DESC_AF | S2_AP_R | (uint64_t)rows[i].s2 << S2_ATTR_SHIFT);
		w.regs.hcr_el2 &= ~BIT(46);
		assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 0).attr, rows[i].plain);
		w.regs.hcr_el2 |= BIT(46);
		assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 0).attr, rows[i].fwb);
	}
}

static void test_shareability(void **state)
{
	/* Stage 1, stage 2, combined: outer wins over inner wins over none. */
	static const uint8_t rows[][3] = { { 0, 0, 0 }, { 0, 3, 3 }, { 3, 0, 3 }, { 3, 3, 3 },
					   { 2, 3, 2 }, { 0, 2, 2 }, { 2, 0, 2 } };

	(void)state;
	w.regs.mair_el1 = 0xff;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_map1(&w, VA, 3, IPA, DESC_AF | S1_AP_EL0 | (uint64_t)rows[i][0] << 8);
		world_map2(&w, IPA, 3, PA,
			   DESC_AF | S2_AP_R | 0xf << S2_ATTR_SHIFT | (uint64_t)rows[i][1] << 8);
		assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 0).sh, rows[i][2]);
	}
	/* Device and Non-cacheable memory is outer shareable whatever the fields say. */
	w.regs.mair_el1 = 0x44;
	assert_int_equal(world_walk(&w, VA, ACCESS_LOAD, 0).sh, SH_OUTER);
}

/* Stage 1 off: Device for data; with HCR_EL2.DC Normal write-back, and stage 2 on. */
static void test_stage1_off(void **state)
{
	struct translation t;

	(void)state;
	w.regs.sctlr_el1 &= ~UINT64_C(1);
	t = world_walk(&w, IPA, ACCESS_LOAD, 0);
	assert_int_equal(t.pa.v, PA);
	assert_int_equal(t.attr, 0x00);
	assert_int_equal(t.s1_bits, 0);
	assert_true(t.global);
	w.regs.hcr_el2 = (w.regs.hcr_el2 & ~UINT64_C(1)) | BIT(12);
	w.regs.sctlr_el1 |= 1;
	t = world_walk(&w, IPA, ACCESS_LOAD, 0);
	assert_int_equal(t.pa.v, PA);
	assert_int_equal(t.attr, 0xff);
	world_expect(&w, BIT(52), ACCESS_LOAD, 1, FAULT_ADDRESS_SIZE, 1, 0);
	world_expect(&w, BIT(40), ACCESS_LOAD, 1, FAULT_TRANSLATION, 2, 0);
}

/* AT S1E1R: the IPA, though stage 2 serves the walk. */
static void test_stage1_only(void **state)
{
	struct access at = { .va = va_of(VA | 0x88),
			     .kind = ACCESS_LOAD,
			     .el = 1,
			     .at = true,
			     .stage1_only = true };
	struct translation t = world_access(&w, &at);

	(void)state;
	assert_int_equal(t.fault.type, FAULT_NONE);
	assert_int_equal(t.pa.v, IPA | 0x88);
	assert_int_equal(t.s2_bits, 0);
	assert_int_equal(w.reads, 4 * 4);
}

/* Descriptor reads are cacheable as IRGN, ORGN, SCTLR.C, HCR_EL2.CD and stage 2 say. */
static void test_walk_cacheability(void **state)
{
	(void)state;
	world_walk(&w, VA, ACCESS_LOAD, 0);
	for (unsigned i = 0; i < w.reads; i++)
		assert_true(w.log[i].cacheable);
	w.regs.tcr_el1 &= ~(UINT64_C(0xf) << 8);
	world_walk(&w, VA, ACCESS_LOAD, 0);
	for (unsigned i = 0; i < w.reads; i++)
		assert_int_equal(w.log[i].cacheable, w.log[i].stage == 2);
	w.regs.hcr_el2 |= BIT(32);
	world_walk(&w, VA, ACCESS_LOAD, 0);
	for (unsigned i = 0; i < w.reads; i++)
		assert_false(w.log[i].cacheable);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_two_stages, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_s2_permissions),
		TEST(test_protected_table_walk),
		TEST(test_s2_access_flag_and_dirty),
		TEST(test_s1_update_through_stage2),
		TEST(test_lost_update),
		TEST(test_s2_fault_on_walk),
		TEST(test_attributes),
		TEST(test_shareability),
		TEST(test_stage1_off),
		TEST(test_stage1_only),
		TEST(test_walk_cacheability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

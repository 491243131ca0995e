/* SPDX-License-Identifier: BSD-2-Clause */
/* What the walker tells walk caches, and how it resumes from what they know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "walk_world.h"

#define VA  UINT64_C(0x123456789000)
#define IPA UINT64_C(0x9876543000)
#define PA  UINT64_C(0xabc0de000)

/* A cache that remembers everything it was told and gives back the deepest point of one kind. */
struct memo {
	unsigned count, reads, updates;
	struct {
		int stage;
		uint64_t ia;
		struct walk_point point;
	} entry[128];
	bool give_leaves, give_tables;
	int stage; /* that it answers for; 0: both */
};

static unsigned span_bits(const struct world *w, int stage, const struct walk_point *point)
{
	enum granule granule = stage == 1 ? w->g1.granule : w->g2.granule;

	return point->leaf ? level_shift(granule, point->level)
			   : level_shift(granule, point->level) + granule_stride(granule);
}

static struct world world;
static struct memo memo;

static bool probe(void *ctx, int stage, uint64_t ia, struct walk_point *out)
{
	bool found = false;

	(void)ctx;
	if (memo.stage && memo.stage != stage)
		return false;
	for (unsigned i = 0; i < memo.count; i++) {
		const struct walk_point *p = &memo.entry[i].point;

		if (memo.entry[i].stage != stage ||
		    !(p->leaf ? memo.give_leaves : memo.give_tables))
			continue;
		if ((memo.entry[i].ia ^ ia) >> span_bits(&world, stage, p))
			continue;
		if (!found || p->level > out->level || p->leaf) {
			*out = *p;
			found = true;
		}
	}
	return found;
}

static void learn(void *ctx, int stage, uint64_t ia, const struct walk_point *point)
{
	(void)ctx;
	assert_true(memo.count < 128);
	memo.entry[memo.count].stage = stage;
	memo.entry[memo.count].ia = ia;
	memo.entry[memo.count].point = *point;
	memo.count++;
}

static void count_read(void *ctx, const struct walk_read *read)
{
	(void)ctx;
	memo.reads++;
	memo.updates += read->update;
}

static struct translation walk(uint64_t va, enum access_kind kind)
{
	struct walk_hooks hooks = { .probe = probe, .learn = learn, .read = count_read };
	struct access access = { .va = va_of(va), .kind = kind, .el = 0 };
	struct translation t;
	struct regime regime;

	memo.reads = memo.updates = 0;
	regime_init(&regime, &world.cpu, &world.regs, REGIME_EL10);
	mmu_walk(&regime, world.mem, &access, &hooks, &t);
	return t;
}

static void start(enum granule g1, enum granule g2)
{
	memset(&memo, 0, sizeof(memo));
	world_init(&world);
	world_stage1(&world, g1, 48);
	world_stage2(&world, g2, 40, g2 == GRANULE_4K ? 1 : 2);
	world_map1(&world, VA, 3, IPA & ~low_mask(g1), WORLD_S1_RW);
	world_map2(&world, IPA, 3, PA & ~low_mask(g2), WORLD_S2_RW);
}

/* A cold walk tells of every table but the roots and of every leaf, in order. */
static void test_learn(void **state)
{
	struct translation t;
	int level = 1;

	(void)state;
	start(GRANULE_4K, GRANULE_4K);
	t = walk(VA, ACCESS_LOAD);
	assert_int_equal(t.fault.type, FAULT_NONE);
	assert_int_equal(memo.reads, 4 * 4 + 3);
	/* Five stage-2 walks of two tables and a leaf, three stage-1 tables and a leaf. */
	assert_int_equal(memo.count, 5 * 3 + 4);
	for (unsigned i = 0; i < memo.count; i++) {
		const struct walk_point *p = &memo.entry[i].point;

		if (memo.entry[i].stage == 2)
			continue;
		assert_int_equal(p->level, p->leaf ? 3 : level++);
		assert_int_equal(memo.entry[i].ia, VA);
		if (!p->leaf) {
			assert_int_equal(p->table, p->table_pa.v); /* mapped one to one */
			assert_int_equal(p->table_s2_bits, 12);
			assert_int_equal(p->table_attr, 0xff);
		}
	}
	world_free(&world);
}

/* Reads that remain when tables, leaves, or both are known, of one stage or of both. */
static void test_resume(void **state)
{
	static const struct {
		bool tables, leaves;
		int stage;
		unsigned reads;
	} rows[] = {
		{ true, false, 1, 1 + 3 }, /* last stage-1 entry, then the data's stage 2 */
		{ true, false, 2, 4 * (1 + 1) + 1 }, /* each stage 2 shrinks to its last entry */
		{ true, false, 0, 1 + 1 },
		{ false, true, 2, 4 },
		{ true, true, 2, 4 },
		{ false, true, 1, 3 },
		{ true, true, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct translation cold, warm;

		start(GRANULE_4K, GRANULE_4K);
		cold = walk(VA | 0x123, ACCESS_LOAD);
		memo.give_tables = rows[i].tables;
		memo.give_leaves = rows[i].leaves;
		memo.stage = rows[i].stage;
		warm = walk(VA | 0x123, ACCESS_LOAD);
		assert_int_equal(memo.reads, rows[i].reads);
		assert_memory_equal(&cold.fault, &warm.fault, sizeof(cold.fault));
		assert_int_equal(warm.pa.v, cold.pa.v);
		assert_int_equal(warm.perms, cold.perms);
		assert_int_equal(warm.attr, cold.attr);
		assert_int_equal(warm.sh, cold.sh);
		assert_int_equal(warm.s1_bits, cold.s1_bits);
		assert_int_equal(warm.s2_bits, cold.s2_bits);
		world_free(&world);
	}
}

/*
 * A 64K stage-1 table lies in 16 stage-2 pages of 4K: its PA says nothing about other entries, so
 * the walk resumes at that table but goes through stage 2.
 */
static void test_table_in_several_pages(void **state)
{
	uint64_t other = VA ^ (UINT64_C(0x1800) << 16), wrong = 0x77000000;
	struct translation t;

	(void)state;
	start(GRANULE_64K, GRANULE_4K);
	world_map1(&world, other, 3, IPA & ~low_mask(16), WORLD_S1_RW);
	world_map2(&world, (IPA & ~low_mask(16)) | (VA & 0xffff), 3, PA, WORLD_S2_RW);
	walk(VA, ACCESS_LOAD);
	for (unsigned i = 0; i < memo.count; i++)
		memo.entry[i].point.table_pa = pa_of(wrong);
	memo.give_tables = true;
	memo.stage = 1;
	t = walk(other, ACCESS_LOAD);
	assert_int_equal(t.fault.type, FAULT_NONE);
	assert_int_equal(t.pa.v, PA | (other & 0xfff));
	assert_int_equal(memo.reads, 1 * (3 + 1) + 3);
	world_free(&world);
}

/* A store through a known clean leaf reads it again and sets its dirty state, at either stage. */
static void test_clean_leaf(void **state)
{
	(void)state;
	for (int stage = 1; stage <= 2; stage++) {
		struct translation t;
		uint64_t entry;

		start(GRANULE_4K, GRANULE_4K);
		world.regs.tcr_el1 |= UINT64_C(3) << 39;
		world.regs.vtcr_el2 |= UINT64_C(3) << 21;
		if (stage == 1)
			entry = world_map1(&world, VA, 3, IPA, WORLD_S1_RW | DESC_DBM | S1_AP_RO);
		else
			entry = world_map2(&world, IPA, 3, PA, (WORLD_S2_RW & ~S2_AP_W) | DESC_DBM);
		t = walk(VA, ACCESS_LOAD);
		assert_true(t.dirty_clear);
		assert_true(t.perms & PERM_W0);
		memo.give_leaves = true;
		t = walk(VA, ACCESS_LOAD);
		assert_int_equal(memo.reads, 0);
		t = walk(VA, ACCESS_STORE);
		assert_int_equal(t.fault.type, FAULT_NONE);
		assert_false(t.dirty_clear);
		assert_int_equal(memo.updates, 1);
		if (stage == 1)
			assert_int_equal(phys_read64(world.mem, pa_of(entry)) & S1_AP_RO, 0);
		else
			assert_true(phys_read64(world.mem, pa_of(entry)) & S2_AP_W);
		world_free(&world);
	}
}

/* A leaf whose access flag is 0 is never told of. */
static void test_access_flag_not_learned(void **state)
{
	struct translation t;

	(void)state;
	start(GRANULE_4K, GRANULE_4K);
	world_map1(&world, VA, 3, IPA, WORLD_S1_RW & ~DESC_AF);
	t = walk(VA, ACCESS_LOAD);
	assert_int_equal(t.fault.type, FAULT_ACCESS_FLAG);
	for (unsigned i = 0; i < memo.count; i++)
		assert_false(memo.entry[i].stage == 1 && memo.entry[i].point.leaf);
	/* With HA it is told of as hardware left it. */
	world.regs.tcr_el1 |= UINT64_C(1) << 39;
	memo.count = 0;
	t = walk(VA, ACCESS_LOAD);
	assert_int_equal(t.fault.type, FAULT_NONE);
	for (unsigned i = 0; i < memo.count; i++) {
		if (memo.entry[i].point.leaf)
			assert_true(memo.entry[i].point.desc & DESC_AF);
	}
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learn),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_table_in_several_pages),
		cmocka_unit_test(test_clean_leaf),
		cmocka_unit_test(test_access_flag_not_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

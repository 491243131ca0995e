/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every combination of the VTCR_EL2 fields that shape stage 2, on several PEs, against the legal
 * ranges as the architecture's tables give them. An illegal set-up gives a stage-2 translation
 * fault at level 0, for every access, and never anything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "walk_world.h"

struct setup {
	unsigned t0sz, sl0, sl2, tg0, ps, ds;
};

/* { start level by SL2:SL0, IA range of each } for one granule; 9: reserved. */
static const struct {
	int level[8];
	unsigned first[5], last[5]; /* by level + 1 */
} granule_rules[3] = {
	{ { 2, 1, 0, 3, -1, 9, 9, 9 }, { 49, 40, 31, 22, 13 }, { 61, 52, 43, 34, 25 } },
	{ { 3, 2, 1, 0, 3, 2, 1, 0 }, { 99, 48, 37, 26, 15 }, { 0, 62, 51, 40, 29 } },
	{ { 3, 2, 1, 9, 3, 2, 1, 9 }, { 99, 99, 43, 30, 17 }, { 0, 0, 59, 46, 33 } },
};

static const enum granule granules[3] = { GRANULE_4K, GRANULE_16K, GRANULE_64K };

/* Is it legal? Written from the tables alone. */
static bool legal(const struct arch_cpu *cpu, const struct setup *s)
{
	static const unsigned by_tg0[] = { 0, 2, 1, 3 };
	unsigned g = by_tg0[s->tg0];
	bool ds, lpa2;
	unsigned ia = 64 - s->t0sz, cap;
	int level;

	if (g == 3 || !cpu_has_granule(cpu, 2, granules[g]))
		g = 0; /* the reserved value and a missing granule: 4K, which all these PEs have */
	lpa2 = g != 2 && cpu_has_lpa2(cpu, 2, granules[g]);
	ds = s->ds && lpa2;
	cap = cpu->lpa && g != 2 && !ds ? 48 : 52;
	if (ia > cap || ia > cpu->pa_bits)
		return false;
	if (s->t0sz > (cpu->ttst ? (g == 2 ? 47u : 48u) : 39u))
		return false;
	level = granule_rules[g].level[s->sl0 | (s->sl2 && ds && g == 0 ? 4 : 0)];
	if (level == 9)
		return false;
	if (g == 0 && ((level == 0 && cpu->pa_bits < 44) || (level == 3 && !cpu->ttst)))
		return false;
	if (g == 1 && ((level == 0 && !ds) || (level == 1 && cpu->pa_bits < 42)))
		return false;
	if (g == 2 && level == 1 && cpu->pa_bits < 44)
		return false;
	return ia >= granule_rules[g].first[level + 1] && ia <= granule_rules[g].last[level + 1];
}

/* Walk a few addresses through memory that is empty but for words of garbage at the root. */
static void check_setup(struct world *w, const struct setup *s)
{
	static const uint64_t addresses[] = { 0, UINT64_C(0x123456789), UINT64_C(0xfffffffff) };
	bool ok = legal(&w->cpu, s);

	w->regs.vtcr_el2 = s->t0sz | s->sl0 << 6 | s->tg0 << 14 | s->ps << 16 |
			   (uint64_t)s->ds << 32 | (uint64_t)s->sl2 << 33;
	for (unsigned i = 0; i < 3; i++) {
		struct access access = { .va = va_of(addresses[i]), .kind = ACCESS_LOAD, .el = 1 };
		struct translation t = world_access(w, &access);
		struct regime regime;

		regime_init(&regime, &w->cpu, &w->regs, REGIME_EL10);
		assert_int_equal(regime.s2.setup_fault == FAULT_TRANSLATION, !ok);
		assert_true(w->reads <= 5);
		if (ok)
			continue;
		assert_int_equal(t.fault.type, FAULT_TRANSLATION);
		assert_int_equal(t.fault.stage, 2);
		assert_int_equal(t.fault.level, 0);
		assert_int_equal(w->reads, 0);
	}
}

static void test_every_vtcr(void **state)
{
	static const struct arch_id ids[] = {
		{ 0x32310201126, 0x11010211122, 0x1021011010011011, 0 }, /* all there is */
		{ 0x22200101126, 0x11010211122, 0x1021011010011011, 0 }, /* no LPA2 */
		{ 0x101125, 0x10212122, 0x1011, 0 },			 /* 48-bit PA, no TTST */
		{ 0x1124, 0, 0, 0 },					 /* 44-bit PA, no 16K */
		{ 0x101122, 0, 0, 0 },					 /* 40-bit PA */
	};
	struct world w;

	(void)state;
	world_init(&w);
	w.regs.hcr_el2 |= 1;
	w.regs.vttbr_el2 = UINT64_C(0xffff000020000000);
	for (uint64_t a = 0x20000000; a < 0x20010000; a += 8)
		phys_write64(w.mem, pa_of(a), a * UINT64_C(0x9e3779b97f4a7c15));
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		cpu_init(&w.cpu, &ids[i]);
		for (unsigned n = 0; n < 1U << 15; n++) {
			struct setup s = { .t0sz = n & 63,
					   .sl0 = n >> 6 & 3,
					   .sl2 = n >> 8 & 1,
					   .tg0 = n >> 9 & 3,
					   .ps = n >> 11 & 7,
					   .ds = n >> 14 & 1 };

			check_setup(&w, &s);
		}
	}
	world_free(&w);
}

/* Any registers and any memory: an answer, within the bound of reads. */
static void test_random_registers(void **state)
{
	uint64_t x = 1;
	struct world w;

	(void)state;
	world_init(&w);
	for (unsigned round = 0; round < 20000; round++) {
		uint64_t *fields[] = { &w.regs.tcr_el1,	  &w.regs.ttbr0_el1, &w.regs.ttbr1_el1,
				       &w.regs.vtcr_el2,  &w.regs.vttbr_el2, &w.regs.sctlr_el1,
				       &w.regs.hcr_el2,	  &w.regs.tcr_el2,   &w.regs.ttbr0_el2,
				       &w.regs.sctlr_el2, &w.regs.mair_el1 };
		struct access access;

		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
			*fields[i] = x ^ x >> 29;
		}
		/* Roots near each other, so that descriptors are found and change one another. */
		w.regs.ttbr0_el1 &= 0xfff8;
		w.regs.vttbr_el2 &= 0xfff8;
		phys_reset(w.mem);
		for (uint64_t a = 0; a < 0x10000; a += 0x40 + (x & 0x38)) {
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
			phys_write64(w.mem, pa_of(a), (x ^ x >> 31) & ~UINT64_C(0xffffffff0000));
		}
		w.kind = round & 1 ? REGIME_EL20 : REGIME_EL10;
		access = (struct access){ .va = va_of(round & 2 ? x & 0xffffff : x),
					  .kind = (enum access_kind)(round % 3),
					  .el = (uint8_t)(round & 4   ? 0
							  : round & 1 ? 2
								      : 1),
					  .size_log2 = 3 };
		world_access(&w, &access);
		assert_true(w.reads <= 200);
	}
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_vtcr),
		cmocka_unit_test(test_random_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

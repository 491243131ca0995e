/* SPDX-License-Identifier: BSD-2-Clause */
/* Table geometry against the published tables of KVM and of the architecture, typed in by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/geometry.h"
#include "mmu/regime.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define K	 UINT64_C(1024)

/* A PE with every granule and size: as QEMU's "max". */
static struct arch_cpu widest(void)
{
	struct arch_id id = { .mmfr0 = 0x32310201126,
			      .mmfr1 = 0x11010211122,
			      .mmfr2 = 0x1021011010011011 };
	struct arch_cpu cpu;

	cpu_init(&cpu, &id);
	return cpu;
}

/* KVM's geometry for the usual IPA sizes. */
static const struct {
	enum granule granule;
	unsigned ipa_bits, levels;
	int start;
	unsigned sl0;
	unsigned maps_bits;
	uint64_t entries;
	unsigned tables;
	uint64_t bytes;
	unsigned x;
	bool ds;
} kvm_rows[] = {
	{ GRANULE_4K, 32, 2, 2, 0, 21, 2048, 4, 16 * K, 14, false },
	{ GRANULE_4K, 36, 3, 1, 1, 30, 64, 1, 512, 9, false },
	{ GRANULE_4K, 40, 3, 1, 1, 30, 1024, 2, 8 * K, 13, false },
	{ GRANULE_4K, 42, 3, 1, 1, 30, 4096, 8, 32 * K, 15, false },
	{ GRANULE_4K, 44, 4, 0, 2, 39, 32, 1, 256, 8, false },
	{ GRANULE_4K, 48, 4, 0, 2, 39, 512, 1, 4 * K, 12, false },
	{ GRANULE_4K, 52, 4, 0, 2, 39, 8192, 16, 64 * K, 16, true },
	{ GRANULE_16K, 32, 2, 2, 1, 25, 128, 1, 1 * K, 10, false },
	{ GRANULE_16K, 36, 2, 2, 1, 25, 2048, 1, 16 * K, 14, false },
	{ GRANULE_16K, 40, 2, 2, 1, 25, 32768, 16, 256 * K, 18, false },
	{ GRANULE_16K, 42, 3, 1, 2, 36, 64, 1, 512, 9, false },
	{ GRANULE_16K, 44, 3, 1, 2, 36, 256, 1, 2 * K, 11, false },
	{ GRANULE_16K, 48, 3, 1, 2, 36, 4096, 2, 32 * K, 15, false },
	{ GRANULE_16K, 52, 4, 0, 3, 47, 32, 1, 256, 8, true },
	{ GRANULE_64K, 32, 2, 2, 1, 29, 8, 1, 64, 6, false },
	{ GRANULE_64K, 36, 2, 2, 1, 29, 128, 1, 1 * K, 10, false },
	{ GRANULE_64K, 40, 2, 2, 1, 29, 2048, 1, 16 * K, 14, false },
	{ GRANULE_64K, 42, 2, 2, 1, 29, 8192, 1, 64 * K, 16, false },
	{ GRANULE_64K, 44, 2, 2, 1, 29, 32768, 4, 256 * K, 18, false },
	{ GRANULE_64K, 48, 3, 1, 2, 42, 64, 1, 512, 9, false },
	{ GRANULE_64K, 52, 3, 1, 2, 42, 1024, 1, 8 * K, 13, false },
};

static void test_kvm_table(void **state)
{
	struct arch_cpu cpu = widest();

	(void)state;
	for (size_t i = 0; i < COUNT(kvm_rows); i++) {
		struct s2_geometry g;

		assert_int_equal(geometry_s2(&cpu, kvm_rows[i].granule, kvm_rows[i].ipa_bits,
					     GEOMETRY_START_AUTO, &g),
				 GEOMETRY_OK);
		assert_int_equal(g.levels, kvm_rows[i].levels);
		assert_int_equal(g.start_level, kvm_rows[i].start);
		assert_int_equal(geometry_s2_sl(g.granule, g.start_level), kvm_rows[i].sl0);
		assert_int_equal(g.pgdir_bits, kvm_rows[i].maps_bits);
		assert_int_equal(g.root_entries, kvm_rows[i].entries);
		assert_int_equal(g.root_tables, kvm_rows[i].tables);
		assert_int_equal(g.root_bytes, kvm_rows[i].bytes);
		assert_int_equal(g.root_align_bits, kvm_rows[i].x);
		assert_int_equal(g.ds, kvm_rows[i].ds);
		assert_int_equal(g.root_alloc_bytes, kvm_rows[i].bytes > UINT64_C(1) << g.granule
							     ? kvm_rows[i].bytes
							     : UINT64_C(1) << g.granule);
	}
}

/* Roots that real KVM was seen to build: { granule, first IPA, last IPA, start, tables of the last
 * }. */
static void test_observed_roots(void **state)
{
	static const struct {
		enum granule granule;
		unsigned first, last;
		int start;
		unsigned first_tables;
	} rows[] = {
		{ GRANULE_4K, 32, 34, 2, 4 },  { GRANULE_4K, 35, 39, 1, 1 },
		{ GRANULE_4K, 40, 43, 1, 2 },  { GRANULE_4K, 44, 48, 0, 1 },
		{ GRANULE_4K, 49, 52, 0, 2 },  { GRANULE_16K, 32, 36, 2, 1 },
		{ GRANULE_16K, 37, 40, 2, 2 }, { GRANULE_16K, 41, 47, 1, 1 },
		{ GRANULE_16K, 48, 51, 1, 2 }, { GRANULE_16K, 52, 52, 0, 1 },
	};
	struct arch_cpu cpu = widest();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (unsigned ipa = rows[i].first; ipa <= rows[i].last; ipa++) {
			unsigned tables = rows[i].first_tables;
			struct s2_geometry g;

			if (tables > 1)
				tables <<= ipa - rows[i].first;
			assert_int_equal(
				geometry_s2(&cpu, rows[i].granule, ipa, GEOMETRY_START_AUTO, &g),
				GEOMETRY_OK);
			assert_int_equal(g.start_level, rows[i].start);
			assert_int_equal(g.root_tables, tables);
		}
	}
}

/* "Dynamic IPA and 52bit IPA": y, n, or not applicable. */
static void test_support_matrix(void **state)
{
	static const unsigned ipa[] = { 40, 42, 44, 48, 52 };
	static const struct {
		enum granule granule;
		unsigned va_bits;
		const char *support;
	} rows[] = {
		{ GRANULE_4K, 39, "yynn-" },  { GRANULE_4K, 48, "yyyy-" },
		{ GRANULE_16K, 36, "ynnn-" }, { GRANULE_16K, 47, "yyyy-" },
		{ GRANULE_64K, 42, "yyynn" }, { GRANULE_64K, 48, "yyyyy" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t j = 0; j < COUNT(ipa); j++) {
			enum geometry_support s =
				geometry_host_support(rows[i].granule, rows[i].va_bits, ipa[j]);

			assert_int_equal("-ny"[s], rows[i].support[j]);
		}
	}
}

/* Legal input sizes of each start level, up to 16 concatenated tables. */
static const struct {
	enum granule granule;
	int level;
	unsigned first, last;
} legal[] = {
	{ GRANULE_4K, 3, 16, 25 },  { GRANULE_4K, 2, 22, 34 },	{ GRANULE_4K, 1, 31, 43 },
	{ GRANULE_4K, 0, 40, 52 },  { GRANULE_4K, -1, 49, 52 }, { GRANULE_16K, 3, 16, 29 },
	{ GRANULE_16K, 2, 26, 40 }, { GRANULE_16K, 1, 37, 51 }, { GRANULE_16K, 0, 48, 52 },
	{ GRANULE_64K, 3, 17, 33 }, { GRANULE_64K, 2, 30, 46 }, { GRANULE_64K, 1, 43, 52 },
};

static bool is_legal(enum granule granule, int level, unsigned ipa_bits)
{
	for (size_t i = 0; i < COUNT(legal); i++) {
		if (legal[i].granule == granule && legal[i].level == level)
			return ipa_bits >= legal[i].first && ipa_bits <= legal[i].last;
	}
	return false;
}

/* Each legal geometry, and no other, gives registers that the walker accepts. */
static void test_every_start_level(void **state)
{
	static const enum granule granules[] = { GRANULE_4K, GRANULE_16K, GRANULE_64K };
	struct arch_cpu cpu = widest();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		for (int level = -2; level <= 4; level++) {
			for (unsigned ipa = 10; ipa <= 60; ipa++) {
				struct mmu_regs regs = { .hcr_el2 = 1 };
				struct s2_geometry g;
				struct regime regime;
				pa_t root;
				bool ok = geometry_s2(&cpu, granules[i], ipa, level, &g) ==
					  GEOMETRY_OK;

				assert_int_equal(ok, is_legal(granules[i], level, ipa));
				if (!ok)
					continue;
				root = pa_of(UINT64_C(0x9) << 44 | UINT64_C(1) << 20);
				if (!g.ds && granules[i] != GRANULE_64K)
					root.v &= low_mask(48);
				regs.vtcr_el2 = geometry_vtcr(&cpu, &g);
				regs.vttbr_el2 = geometry_vttbr(&cpu, &g, root, 0x1234);
				regime_init(&regime, &cpu, &regs, REGIME_EL10);
				assert_int_equal(regime.s2.setup_fault, FAULT_NONE);
				assert_int_equal(regime.s2.start_level, level);
				assert_int_equal(regime.s2.ia_bits, ipa);
				assert_int_equal(regime.s2.base, root.v);
				assert_int_equal(regime.vmid, 0x1234);
			}
		}
	}
}

/* VTCR_EL2 as KVM builds it, worked out by hand. */
static void test_vtcr(void **state)
{
	struct arch_id n1 = { .mmfr0 = 0x101125, .mmfr1 = 0x10212122, .mmfr2 = 0x1011 };
	struct arch_cpu cpu;
	struct s2_geometry g;

	(void)state;
	cpu_init(&cpu, &n1);
	/* RES1 | HA | VS | PS=48 | 4K | SH0=3 ORGN0=IRGN0=1 | SL0=1 | T0SZ=24 */
	assert_int_equal(geometry_s2(&cpu, GRANULE_4K, 40, GEOMETRY_START_AUTO, &g), GEOMETRY_OK);
	assert_int_equal(geometry_vtcr(&cpu, &g), 0x802d3558);
	/* TG0=1 (64K), SL0=2 for level 1, T0SZ=16 */
	assert_int_equal(geometry_s2(&cpu, GRANULE_64K, 48, GEOMETRY_START_AUTO, &g), GEOMETRY_OK);
	assert_int_equal(geometry_vtcr(&cpu, &g), 0x802d7590);
	cpu = widest();
	/* DS, PS=52, SL2 for level -1 */
	assert_int_equal(geometry_s2(&cpu, GRANULE_4K, 52, -1, &g), GEOMETRY_OK);
	assert_int_equal(geometry_vtcr(&cpu, &g), 0x3802e350c);
}

static void test_refusals(void **state)
{
	struct arch_id a57_id = { .mmfr0 = 0x1124 }, a35_id = { .mmfr0 = 0x101122 };
	struct arch_cpu a57, a35;
	struct s2_geometry g;

	(void)state;
	cpu_init(&a57, &a57_id);
	cpu_init(&a35, &a35_id);
	assert_int_equal(geometry_s2(&a57, GRANULE_16K, 40, GEOMETRY_START_AUTO, &g),
			 GEOMETRY_NO_GRANULE);
	assert_int_equal(geometry_s2(&a57, GRANULE_4K, 45, GEOMETRY_START_AUTO, &g),
			 GEOMETRY_IA_TOO_LARGE);
	assert_int_equal(geometry_s2(&a57, GRANULE_4K, 52, GEOMETRY_START_AUTO, &g),
			 GEOMETRY_IA_TOO_LARGE);
	assert_int_equal(geometry_s2(&a57, GRANULE_4K, 24, GEOMETRY_START_AUTO, &g),
			 GEOMETRY_IA_TOO_SMALL);
	assert_int_equal(geometry_s2(&a57, GRANULE_4K, 25, 3, &g), GEOMETRY_NO_START_LEVEL);
	assert_int_equal(geometry_s2(&a57, GRANULE_4K, 40, -1, &g), GEOMETRY_NO_START_LEVEL);
	assert_int_equal(geometry_s2(&a57, GRANULE_4K, 44, 1, &g), GEOMETRY_START_TOO_LOW);
	assert_int_equal(geometry_s2(&a57, GRANULE_4K, 39, 0, &g), GEOMETRY_START_TOO_HIGH);
	/* Level 0 of 4K and level 1 of 64K need 44 PA bits, level 1 of 16K 42. */
	assert_int_equal(geometry_s2(&a35, GRANULE_4K, 40, 0, &g), GEOMETRY_NO_START_LEVEL);
	assert_int_equal(geometry_s2(&a35, GRANULE_16K, 40, 1, &g), GEOMETRY_NO_START_LEVEL);
	assert_int_equal(geometry_s2(&a35, GRANULE_64K, 40, 1, &g), GEOMETRY_NO_START_LEVEL);
}

static void test_stage1(void **state)
{
	static const struct {
		enum granule granule;
		unsigned va_bits;
		int start;
		uint64_t entries;
		bool ds;
	} rows[] = {
		{ GRANULE_4K, 39, 1, 512, false },   { GRANULE_4K, 48, 0, 512, false },
		{ GRANULE_4K, 52, -1, 16, true },    { GRANULE_16K, 36, 2, 2048, false },
		{ GRANULE_16K, 47, 1, 2048, false }, { GRANULE_16K, 48, 0, 2, false },
		{ GRANULE_16K, 52, 0, 32, true },    { GRANULE_64K, 42, 2, 8192, false },
		{ GRANULE_64K, 48, 1, 64, false },   { GRANULE_64K, 52, 1, 1024, false },
	};
	struct arch_cpu cpu = widest();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mmu_regs regs = { .sctlr_el1 = 1 };
		struct s1_geometry g;
		struct regime regime;

		assert_int_equal(geometry_s1(&cpu, rows[i].granule, rows[i].va_bits, &g),
				 GEOMETRY_OK);
		assert_int_equal(g.start_level, rows[i].start);
		assert_int_equal(g.root_entries, rows[i].entries);
		assert_int_equal(g.ds, rows[i].ds);
		regs.tcr_el1 = geometry_tcr(&cpu, &g, 48);
		regs.ttbr0_el1 = geometry_ttbr(&cpu, &g, 48, ipa_of(0x1230000), 0xabcd);
		regime_init(&regime, &cpu, &regs, REGIME_EL10);
		assert_int_equal(regime.s1[0].setup_fault, FAULT_NONE);
		assert_int_equal(regime.s1[0].start_level, rows[i].start);
		assert_int_equal(regime.s1[1].ia_bits, rows[i].va_bits);
		assert_int_equal(regime.s1[1].granule_bits, rows[i].granule);
		assert_int_equal(regime.s1[0].base, 0x1230000);
		assert_int_equal(regime.asid, 0xabcd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kvm_table),      cmocka_unit_test(test_observed_roots),
		cmocka_unit_test(test_support_matrix), cmocka_unit_test(test_every_start_level),
		cmocka_unit_test(test_vtcr),	       cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_stage1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

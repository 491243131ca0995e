/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors: addresses in all their forms, block levels, contiguous spans; ID registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/cpu.h"
#include "arch/desc.h"

static const enum granule granules[] = { GRANULE_4K, GRANULE_16K, GRANULE_64K };

/* What is put into a descriptor comes out again, for every form, with no other bit disturbed. */
static void test_round_trip(void **state)
{
	(void)state;
	for (unsigned form = 0; form < 12; form++) {
		enum granule granule = granules[form % 3];
		bool ds = form / 3 % 2;
		unsigned pa_bits = form / 6 ? 52 : 48;
		struct desc_format f = desc_format_of(granule, ds, pa_bits);
		bool wide = granule == GRANULE_64K ? pa_bits == 52 : ds;
		uint64_t address = UINT64_C(0xdeadbeefcafe5678) & low_mask(wide ? 52 : 48) &
				   ~low_mask(granule);
		uint64_t table = desc_table(&f, address), page = desc_leaf(&f, 3, address, DESC_AF);

		assert_int_equal(desc_address(&f, table), address);
		assert_int_equal(desc_address(&f, page), address);
		assert_int_equal(desc_kind(&f, table, 2), DESC_KIND_TABLE);
		assert_int_equal(desc_kind(&f, page, 3), DESC_KIND_LEAF);
		assert_int_equal(desc_kind(&f, page & ~DESC_TABLE, 3), DESC_KIND_INVALID);
		assert_int_equal(desc_kind(&f, page & ~DESC_VALID, 3), DESC_KIND_INVALID);
		for (int level = 1; level <= 2; level++) {
			unsigned leaf_bits = level_shift(granule, level);
			uint64_t block = desc_leaf(&f, level, address & ~low_mask(leaf_bits),
						   DESC_AF | DESC_NT);

			/* nT and reserved bits below the block's size are no address. */
			assert_int_equal(desc_leaf_address(&f, block, leaf_bits),
					 address & ~low_mask(leaf_bits));
		}
	}
}

/* Where the high bits are: 4K and 16K with DS [49:48] and [9:8], 64K [15:12]. */
static void test_high_bits(void **state)
{
	struct desc_format ds = desc_format_of(GRANULE_4K, true, 52);
	struct desc_format f64 = desc_format_of(GRANULE_64K, false, 52);
	struct desc_format f64_48 = desc_format_of(GRANULE_64K, false, 48);

	(void)state;
	assert_int_equal(desc_put_address(&ds, UINT64_C(0x8) << 48), UINT64_C(2) << 8);
	assert_int_equal(desc_put_address(&ds, UINT64_C(0x3) << 48), UINT64_C(3) << 48);
	assert_int_equal(desc_put_address(&f64, UINT64_C(0xa) << 48), UINT64_C(0xa) << 12);
	assert_int_equal(desc_address(&f64_48, UINT64_C(0xf) << 12), 0);
}

/* Lowest level with blocks: { without DS or with 48-bit PA, with DS and 52-bit PA }. */
static void test_block_levels(void **state)
{
	static const int lowest[3][2] = { { 1, 0 }, { 2, 1 }, { 2, 1 } };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned wide = 0; wide < 2; wide++) {
			struct desc_format f = desc_format_of(granules[i], wide, wide ? 52 : 48);

			for (int level = -1; level < 3; level++) {
				bool block = level >= lowest[i][wide];

				assert_int_equal(desc_kind(&f, DESC_VALID, level),
						 block ? DESC_KIND_LEAF : DESC_KIND_INVALID);
				assert_int_equal(desc_leaf_allowed(&f, level), block);
			}
		}
	}
}

static void test_contiguous(void **state)
{
	/* log2 of the span at levels 0..3: 16G, 32M, 64K; 1G, 2M; 16G, 2M. */
	static const unsigned spans[3][4] = { { 0, 34, 25, 16 },
					      { 0, 0, 30, 21 },
					      { 0, 0, 34, 21 } };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		for (int level = 0; level <= 3; level++)
			assert_int_equal(desc_contiguous_bits(granules[i], level), spans[i][level]);
	}
}

static struct arch_cpu cpu_of(uint64_t mmfr0, uint64_t mmfr1, uint64_t mmfr2)
{
	struct arch_id id = { .mmfr0 = mmfr0, .mmfr1 = mmfr1, .mmfr2 = mmfr2 };
	struct arch_cpu cpu;

	cpu_init(&cpu, &id);
	return cpu;
}

static void test_id_max(void **state)
{
	struct arch_cpu max = cpu_of(0x32310201126, 0x11010211122, 0x1021011010011011);
	struct arch_cpu no_lpa2 = cpu_of(0x22200101126, 0x11010211122, 0x1021011010011011);

	(void)state;
	assert_int_equal(max.pa_bits, 52);
	assert_true(max.hw_af && max.hw_dirty && max.hpds && max.vhe && max.pan && max.xnx);
	assert_true(max.ttst && max.fwb && max.ttl && max.e0pd && max.lva && max.lpa && max.lpa2);
	assert_int_equal(max.bbm, 2);
	assert_int_equal(max.vmid_bits, 16);
	for (int stage = 1; stage <= 2; stage++) {
		for (unsigned i = 0; i < 3; i++) {
			assert_true(cpu_has_granule(&max, stage, granules[i]));
			assert_int_equal(cpu_has_lpa2(&max, stage, granules[i]), i < 2);
			assert_true(cpu_has_granule(&no_lpa2, stage, granules[i]));
			assert_false(cpu_has_lpa2(&no_lpa2, stage, granules[i]));
		}
	}
	assert_false(no_lpa2.lpa2);
	assert_true(no_lpa2.lpa);
}

static void test_id_cores(void **state)
{
	struct arch_cpu n1 = cpu_of(0x101125, 0x10212122, 0x1011);
	struct arch_cpu a57 = cpu_of(0x1124, 0, 0), a35 = cpu_of(0x101122, 0, 0);

	(void)state;
	assert_int_equal(n1.pa_bits, 48);
	assert_true(n1.hw_dirty && n1.xnx && n1.pan && n1.hpds);
	assert_false(n1.ttst || n1.fwb || n1.lva || n1.lpa || n1.e0pd || n1.pauth);
	assert_int_equal(a57.pa_bits, 44);
	assert_false(a57.hw_af || a57.xnx || a57.pan || a57.hpds);
	assert_false(cpu_has_granule(&a57, 1, GRANULE_16K));
	assert_false(cpu_has_granule(&a57, 2, GRANULE_16K));
	/* A granule that is missing or reserved counts as the smallest there is. */
	assert_int_equal(cpu_granule_or_default(&a57, 2, GRANULE_16K), GRANULE_4K);
	assert_int_equal(cpu_granule_or_default(&a57, 2, 0), GRANULE_4K);
	assert_int_equal(cpu_granule_or_default(&a57, 2, GRANULE_64K), GRANULE_64K);
	assert_int_equal(a57.vmid_bits, 8);
	assert_int_equal(a35.pa_bits, 40);
	assert_true(cpu_has_granule(&a35, 2, GRANULE_16K));
}

static void test_pa_size_fields(void **state)
{
	static const unsigned sizes[] = { 32, 36, 40, 42, 44, 48, 52 };

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(cpu_pa_size_bits(i), sizes[i]);
		assert_int_equal(cpu_pa_size_field(sizes[i]), i);
	}
	assert_int_equal(cpu_pa_size_bits(7), 52);
	assert_int_equal(cpu_pa_size_field(33), 1);
	assert_int_equal(cpu_pa_size_field(64), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_high_bits),
		cmocka_unit_test(test_block_levels),   cmocka_unit_test(test_contiguous),
		cmocka_unit_test(test_id_max),	       cmocka_unit_test(test_id_cores),
		cmocka_unit_test(test_pa_size_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

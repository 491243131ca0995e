/* SPDX-License-Identifier: BSD-2-Clause */
/* Status codes and register values of faults (EncodeLDFSC, PAR_EL1, ESR_ELx, HPFAR_EL2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/fault.h"

static void test_fsc(void **state)
{
	static const struct {
		enum fault_type type;
		uint8_t fsc[5]; /* levels -1..3; 0xff: cannot happen */
	} rows[] = {
		{ FAULT_ADDRESS_SIZE, { 0x29, 0x00, 0x01, 0x02, 0x03 } },
		{ FAULT_TRANSLATION, { 0x2b, 0x04, 0x05, 0x06, 0x07 } },
		{ FAULT_ACCESS_FLAG, { 0xff, 0x08, 0x09, 0x0a, 0x0b } },
		{ FAULT_PERMISSION, { 0xff, 0x0c, 0x0d, 0x0e, 0x0f } },
		{ FAULT_EXTERNAL_WALK, { 0x13, 0x14, 0x15, 0x16, 0x17 } },
		{ FAULT_ALIGNMENT, { 0x21, 0x21, 0x21, 0x21, 0x21 } },
		{ FAULT_EXTERNAL, { 0x10, 0x10, 0x10, 0x10, 0x10 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int level = -1; level <= 3; level++) {
			struct fault f = { .type = rows[i].type,
					   .stage = 1,
					   .level = (int8_t)level };

			if (rows[i].fsc[level + 1] != 0xff)
				assert_int_equal(fault_fsc(&f), rows[i].fsc[level + 1]);
		}
	}
}

/* HPFAR_EL2[43:4] holds all of a 52-bit IPA. */
static void test_hpfar(void **state)
{
	struct fault f = {
		.type = FAULT_TRANSLATION, .stage = 2, .level = 3, .ipa = UINT64_C(0xfedcba9876543)
	};

	(void)state;
	assert_int_equal(fault_hpfar(&f), UINT64_C(0xfedcba98760));
	assert_true(fault_hpfar_valid(&f));
	f.type = FAULT_PERMISSION;
	assert_false(fault_hpfar_valid(&f));
	f.s1ptw = true;
	assert_true(fault_hpfar_valid(&f));
	f.type = FAULT_EXTERNAL_WALK;
	assert_false(fault_hpfar_valid(&f));
	f = (struct fault){ .type = FAULT_TRANSLATION, .stage = 1 };
	assert_false(fault_hpfar_valid(&f));
}

static void test_par(void **state)
{
	struct fault f = { .type = FAULT_PERMISSION, .stage = 2, .level = 2, .s1ptw = true };

	(void)state;
	/* RES1 | S | PTW | FST=0x0e | F */
	assert_int_equal(fault_par(&f), 0x800 | 0x200 | 0x100 | 0x0e << 1 | 1);
	f = (struct fault){ .type = FAULT_TRANSLATION, .stage = 1, .level = -1 };
	assert_int_equal(fault_par(&f), 0x800 | 0x2b << 1 | 1);
	assert_int_equal(fault_par_success(UINT64_C(0xfedcba9876543), 0xff, 3),
			 UINT64_C(0xff0fedcba9876b80));
}

static void test_esr(void **state)
{
	struct fault f = { .type = FAULT_TRANSLATION, .stage = 2, .level = 1, .s1ptw = true };

	(void)state;
	/* EC: 0x24 data abort and 0x20 instruction abort from below, 0x25 and 0x21 from the same
	 * level. */
	assert_int_equal(fault_esr(&f, ACCESS_STORE, 1, 2),
			 UINT64_C(0x24) << 26 | 1 << 25 | 1 << 7 | 1 << 6 | 0x05);
	f.s1ptw = false;
	assert_int_equal(fault_esr(&f, ACCESS_LOAD, 1, 1), UINT64_C(0x25) << 26 | 1 << 25 | 0x05);
	assert_int_equal(fault_esr(&f, ACCESS_FETCH, 0, 1), UINT64_C(0x20) << 26 | 1 << 25 | 0x05);
	assert_int_equal(fault_esr(&f, ACCESS_FETCH, 1, 1), UINT64_C(0x21) << 26 | 1 << 25 | 0x05);
	assert_true(fault_to_el2(&f));
	f.stage = 1;
	assert_false(fault_to_el2(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fsc),
		cmocka_unit_test(test_hpfar),
		cmocka_unit_test(test_par),
		cmocka_unit_test(test_esr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest page policy `recorded`: the IPAs of the trace, and what it cannot serve. */
#include "guest_view.h"

static bool touch_known(struct rig *rig, uint16_t asid, uint64_t va, uint64_t ipa)
{
	const struct mmu_request request = {
		.space = vm_space(rig->machine.vms[0], asid, &rig->diag),
		.va = va_of(va),
		.kind = ACCESS_LOAD,
		.known_ipa = ipa,
	};

	return mmu_access(&rig->machine.mmu, 0, &request) != TLB_NONE;
}

static void recorded_ipas(void **state)
{
	struct rig *rig = rig_make("guest.policy=recorded guest.memory=1G", 1, 1);

	(void)state;
	for (uint64_t i = 0; i < 500; i++)
		assert_true(touch_known(rig, 1, 0x100000 + (i << 12),
					0x40000000 + (i * 7919 % 65536 << 12)));
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(guest_leaf_at(rig, 1, 0x100000 + (i << 12)).ipa,
				 0x40000000 + (i * 7919 % 65536 << 12));
	/* Not known, and no memory (a device): from the top. */
	assert_true(touch_known(rig, 1, 0x7000000, UINT64_MAX));
	assert_true(touch_known(rig, 1, 0x7001000, 0x9000000));
	assert_true(guest_leaf_at(rig, 1, 0x7000000).ipa >= 0x70000000);
	assert_true(guest_leaf_at(rig, 1, 0x7001000).ipa >= 0x70000000);
	guest_checked(rig);
	rig_destroy(rig);
}

static void recorded_refusals(void **state)
{
	const struct config config = rig_config("guest.policy=recorded guest.pages=2M");
	struct diag diag = DIAG_INIT;
	struct rig *rig;

	(void)state;
	assert_null(rig_try(&config, 1, 1, &diag));
	assert_non_null(strstr(diag.text, "guest.pages"));
	rig = rig_make("guest.policy=recorded guest.memory=64M", 1, 1);
	assert_false(touch_known(rig, 1, 0x1000, 0x43fff000));
	assert_non_null(strstr(vm_diag(rig->machine.vms[0])->text, "guest.memory"));
	rig_destroy(rig);
	rig = rig_make("guest.policy=recorded guest.memory=64M stage1.granule=16K", 1, 1);
	assert_false(touch_known(rig, 1, 0x1000, 0x40002000));
	assert_non_null(strstr(vm_diag(rig->machine.vms[0])->text, "stage1.granule"));
	rig_destroy(rig);
	/* What is known up to the top leaves nothing for what is not. */
	rig = rig_make("guest.policy=recorded guest.memory=64M", 1, 1);
	assert_true(touch_known(rig, 1, 0x1000, 0x43dff000));
	assert_false(touch_known(rig, 1, 0x2000, UINT64_MAX));
	assert_non_null(strstr(vm_diag(rig->machine.vms[0])->text, "exhausted"));
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_ipas),
		cmocka_unit_test(recorded_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

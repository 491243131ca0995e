/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/kvm_era.h"

#include <stddef.h>

#include "arch/geometry.h"

/* KVM_PHYS_SHIFT until v4.19; VTCR_EL2.T0SZ was 24 whatever PARange says. */
enum { FIXED_IPA_BITS = 40, DESC_BYTES = 8 };

const char *kvm_era_refusal(const struct kvm_era_vm *vm)
{
	int sl0_1;

	if (vm->era == KVM_ERA_NOW && vm->walker == KVM_WALKER_STAGE2)
		return NULL;
	if (vm->page == GRANULE_16K)
		return "KVM had no 16K pages before v4.7: two software levels would be needed";
	if (vm->ipa_bits != FIXED_IPA_BITS)
		return "KVM of 2014 fixes VTCR_EL2.T0SZ at 24: the IPA size is 40 bits";
	if (vm->pa_bits < FIXED_IPA_BITS)
		return "KVM of 2014 does not support cores with fewer than 40 physical address "
		       "bits";
	/*
	 * 40 and 42 bits of PARange allow SL0 up to 1 only, so this is what larger ones got too:
	 * level 1 with 4K pages, level 2 with 64K pages.
	 */
	sl0_1 = geometry_s2_start_level(vm->page, 1);
	if (vm->start_level != sl0_1)
		return "KVM of 2014 fixes VTCR_EL2.SL0 at 1: level 1 with 4K, 2 with 64K pages";
	if (vm->host_levels && 4 - vm->start_level > (int)vm->host_levels)
		return "stage 2 needs more levels than the host's own tables have";
	return NULL;
}

unsigned kvm_fake_levels(enum kvm_table_walker walker, unsigned host_levels, unsigned s2_levels)
{
	if (walker == KVM_WALKER_STAGE2 || host_levels <= s2_levels)
		return 0;
	return host_levels - s2_levels;
}

uint64_t kvm_fake_bytes(unsigned fake_levels, unsigned root_tables)
{
	if (fake_levels == 0)
		return 0;
	return ((uint64_t)root_tables + fake_levels - 1) * DESC_BYTES;
}

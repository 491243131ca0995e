/* SPDX-License-Identifier: BSD-2-Clause */
#include "kvm_rig.h"

struct kvm_rig *kvm_rig_make(const struct kvm_host *host, const struct kvm_vm_setup *setup,
			     unsigned pa_bits, const struct kvm_slot_setup *slot)
{
	const struct frames_setup memory = { .base = pa_of(GIB), .pa_bits = pa_bits };
	struct kvm_rig *vm = calloc(1, sizeof(*vm));
	struct kvm_host with_rule = *host;

	assert_non_null(vm);
	if (!with_rule.rule)
		with_rule.rule = host_find("upstream");
	vm->mem = phys_create();
	assert_non_null(vm->mem);
	assert_true(frames_init(&vm->frames, &memory));
	assert_int_equal(kvm_mmu_init(&vm->mmu, &with_rule, setup, vm->mem, &vm->frames),
			 KVM_E_NONE);
	assert_int_equal(kvm_mmu_add_slot(&vm->mmu, slot, &vm->slot), KVM_E_NONE);
	return vm;
}

void kvm_rig_destroy(struct kvm_rig *vm)
{
	kvm_mmu_fini(&vm->mmu);
	frames_fini(&vm->frames);
	phys_destroy(vm->mem);
	free(vm);
}

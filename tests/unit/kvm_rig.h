/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM of KVM's model alone, for tests: memory, frames, stage-2 tables and one memslot. */
#ifndef TWOSTAGE_TESTS_KVM_RIG_H
#define TWOSTAGE_TESTS_KVM_RIG_H

#include "os/kvm_mmu.h"
#include "unit.h"

struct kvm_rig {
	struct phys_mem *mem;
	struct frames frames;
	struct kvm_mmu mmu;
	struct kvm_slot *slot;
};

/* Host memory is what is above 1G of pa_bits. Without a rule the host has `upstream`. */
struct kvm_rig *kvm_rig_make(const struct kvm_host *host, const struct kvm_vm_setup *setup,
			     unsigned pa_bits, const struct kvm_slot_setup *slot);
void kvm_rig_destroy(struct kvm_rig *vm);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's ASIDs where it has fewer than the trace has address spaces:
 * check_and_switch_context(). */
#include "os/vm_private.h"

#include <stdlib.h>

bool vm_allocates_asids(const struct vm *vm)
{
	return vm->asid_bits < ASID_BITS_MAX;
}

uint16_t vm_hardware_asid(const struct vm *vm, uint16_t asid)
{
	const struct space *space = vm_find_space(vm, asid);

	if (!vm_allocates_asids(vm))
		return asid;
	return space ? space->mmu.context.asid : 0;
}

/* At the first switch: now the number of vCPUs is known. */
static bool start(struct vm *vm, struct diag *diag)
{
	const uint32_t vcpus = vm->mmu->shape.vcpus;

	if (vm->running)
		return true;
	if (!id_alloc_init(&vm->asids, vm->asid_bits, vcpus, ID_FLUSH_PENDING)) {
		diag_set(diag, STATUS_BAD_INPUT, "%u bits of ASID do not suffice for %u vCPUs",
			 vm->asid_bits, vcpus);
		return false;
	}
	vm->running = calloc(vcpus, sizeof(struct space *));
	if (!vm->running)
		diag_set(diag, STATUS_INTERNAL, "out of memory");
	return vm->running != NULL;
}

/* The vCPU runs `space` from now on, by an ASID of this generation. */
static void switch_to(struct vm *vm, uint32_t vcpu, struct space *space)
{
	const struct tlb_match all = { .scope = TLB_SCOPE_VMID, .context = { .vmid = vm->vmid } };

	vm->running[vcpu] = space;
	if (id_alloc_enter(&vm->asids, vcpu, &space->id))
		mmu_invalidate(vm->mmu, vcpu, &all, WALK_CACHE_STAGE1);
	space->mmu.context.asid = id_alloc_index(&vm->asids, space->id);
	space->regime.asid = space->mmu.context.asid;
}

const struct mmu_space *vm_enter(struct vm *vm, uint32_t vcpu, uint16_t asid, struct diag *diag)
{
	struct space *space = vm_find_space(vm, asid);

	if (!space) {
		if (!vm_space(vm, asid, diag))
			return NULL;
		space = vm_find_space(vm, asid);
	}
	if (!vm_allocates_asids(vm) || !vm->mmu)
		return &space->mmu;
	if (!start(vm, diag))
		return NULL;
	if (vm->running[vcpu] != space)
		switch_to(vm, vcpu, space);
	return &space->mmu;
}

void vm_fini_asids(struct vm *vm)
{
	if (vm->running)
		id_alloc_fini(&vm->asids);
	free(vm->running);
}

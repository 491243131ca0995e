/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/vm_private.h"

#include <stdlib.h>

static bool init_stage1(struct vm *vm)
{
	const struct arch_cpu *cpu = &vm->setup.cpu;
	uint64_t root = 0;

	if (!vm->image && !vm_alloc_table(vm, &root))
		return false;
	pgtable_init(&vm->high, vm->mem, &vm_stage1_ops, vm,
		     desc_format_of(vm->setup.s1_granule, vm->s1_geometry.ds, cpu->pa_bits),
		     vm->s1_geometry.start_level, vm->setup.va_bits, root);
	vm->regs.sctlr_el1 = SCTLR_EL1_M | SCTLR_EL1_C | SCTLR_EL1_I;
	vm->regs.mair_el1 = 0xff;
	vm->regs.tcr_el1 = geometry_tcr(cpu, &vm->s1_geometry, vm->setup.ipa_bits);
	if (vm_allocates_asids(vm))
		vm->regs.tcr_el1 &= ~TCR_EL1_AS;
	if (vm->setup.dirty_state == DIRTY_HARDWARE)
		vm->regs.tcr_el1 |= TCR_EL1_HA | TCR_EL1_HD;
	vm->regs.ttbr1_el1 =
		geometry_ttbr(cpu, &vm->s1_geometry, vm->setup.ipa_bits, ipa_of(root), 0) |
		vm_ttbr_cnp(vm);
	if (vm->image)
		vm_image_init(vm);
	if (vm->setup.s1_walks == WALKS_NON_CACHEABLE)
		vm->regs.tcr_el1 &= ~TCR_EL1_WALKS;
	return true;
}

struct vm *vm_create(const struct vm_setup *asked, struct phys_mem *mem, struct frames *frames,
		     struct diag *diag)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	struct vm_setup *setup = &vm->setup;

	if (!vm) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		return NULL;
	}
	*vm = (struct vm){ .setup = *asked, .mem = mem, .frames = frames };
	vm->diag = (struct diag)DIAG_INIT;
	if (vm_image_open(setup, &vm->image, diag) != STATUS_OK ||
	    vm_check_setup(setup, &vm->s1_geometry, &vm->geometry, diag) != STATUS_OK) {
		vm_destroy(vm);
		return NULL;
	}
	vm->asid_bits = setup->asid_bits ? setup->asid_bits : setup->cpu.asid_bits;
	vm->memory_first = setup->memory_base;
	vm->memory_end = vm_memory_end(setup);
	vm->table_unit_bits =
		setup->s1_granule < setup->s2_granule ? setup->s1_granule : setup->s2_granule;
	vm->guest_state = malloc(setup->guest->state_bytes);
	vm->guest = vm_guest_setup(setup);
	if (!guest_memory_init(&vm->guest_memory, &vm->guest, setup->fragmentation_permille)) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		vm_destroy(vm);
		return NULL;
	}
	if (vm->guest_state)
		setup->guest->init(vm->guest_state, &vm->guest, &vm->guest_memory);
	if (!vm->guest_state || !vm_init_stage2(vm) || !init_stage1(vm)) {
		diag_set(diag, vm->diag.status ? vm->diag.status : STATUS_BAD_INPUT, "%s",
			 vm->diag.status ? vm->diag.text : "no memory for the VM's first tables");
		vm_destroy(vm);
		return NULL;
	}
	return vm;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	for (struct space *space = vm->newest, *older; space; space = older) {
		older = space->older;
		free(space);
	}
	for (size_t i = 0; i < SPACE_GROUPS; i++)
		free(vm->spaces[i]);
	free(vm->guest_state);
	guest_memory_fini(&vm->guest_memory);
	page_shares_fini(&vm->shares);
	vm_fini_asids(vm);
	free(vm->free_tables);
	for (size_t i = 0; i < vm->chunks_count; i++)
		free(vm->chunks[i]);
	free(vm->chunks);
	if (vm->slot)
		kvm_mmu_fini(&vm->kvm);
	guest_image_close(vm->image);
	free(vm);
}

static struct space *space_create(struct vm *vm, uint16_t asid, struct diag *diag)
{
	const struct arch_cpu *cpu = &vm->setup.cpu;
	struct space *space;
	uint64_t root = 0;

	if (!vm->image && !vm_alloc_table(vm, &root)) {
		diag_set(diag, STATUS_BAD_INPUT, "ASID %u: no guest memory for its tables", asid);
		return NULL;
	}
	space = calloc(1, sizeof(*space));
	if (!space) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		return NULL;
	}

	struct mmu_regs regs = vm->regs;

	regs.ttbr0_el1 =
		geometry_ttbr(cpu, &vm->s1_geometry, vm->setup.ipa_bits, ipa_of(root), asid);
	/* Linux leaves it out for ASID 0, which it reserves. */
	if (asid)
		regs.ttbr0_el1 |= vm_ttbr_cnp(vm);
	regime_init(&space->regime, cpu, &regs, REGIME_EL10);
	space->vm = vm;
	space->asid = asid;
	space->mmu = (struct mmu_space){
		.regime = &space->regime,
		.context = { .vmid = vm->vmid, .asid = vm_allocates_asids(vm) ? 0 : asid },
		.os = space,
	};
	space->older = vm->newest;
	vm->newest = space;
	pgtable_init(&space->low, vm->mem, &vm_stage1_ops, vm, vm->high.format,
		     vm->s1_geometry.start_level, vm->setup.va_bits, root);
	if (vm->image)
		vm_image_space(space);
	return space;
}

const struct mmu_space *vm_space(struct vm *vm, uint16_t asid, struct diag *diag)
{
	struct space ***group = &vm->spaces[asid >> SPACE_GROUP_BITS], *space;

	if (!*group)
		*group = calloc((size_t)1 << SPACE_GROUP_BITS, sizeof(struct space *));
	if (!*group) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		return NULL;
	}
	space = vm_find_space(vm, asid);
	if (space)
		return &space->mmu;
	space = space_create(vm, asid, diag);
	if (!space)
		return NULL;
	(*group)[asid & ((1 << SPACE_GROUP_BITS) - 1)] = space;
	return &space->mmu;
}

void vm_attach(struct vm *vm, struct mmu *mmu)
{
	vm->mmu = mmu;
}

void vm_set_vmid(struct vm *vm, uint16_t vmid)
{
	vm->vmid = vmid;
	vm->regs.vttbr_el2 = geometry_vttbr(&vm->setup.cpu, &vm->geometry, vm->kvm.pgt.root, vmid) |
			     vm_vttbr_cnp(vm);
	for (struct space *space = vm->newest; space; space = space->older) {
		space->mmu.context.vmid = vmid;
		space->regime.vmid = vmid;
	}
}

uint16_t vm_vmid(const struct vm *vm)
{
	return vm->vmid;
}

const struct diag *vm_diag(const struct vm *vm)
{
	return &vm->diag;
}

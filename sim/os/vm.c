/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/vm_private.h"

#include <stdlib.h>

static unsigned log2_up(uint64_t v)
{
	return v <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(v - 1);
}

static bool init_stage2(struct vm *vm)
{
	const struct arch_cpu *cpu = &vm->setup.cpu;
	const unsigned root_bits = log2_up(vm->geometry.root_alloc_bytes);
	const uint64_t sh = vm->geometry.ds ? 0 : (uint64_t)SH_INNER << DESC_SH_SHIFT;
	pa_t root;

	if (!frames_alloc(vm->frames, root_bits, &root))
		return vm_host_exhausted(vm);
	pgtable_init(&vm->stage2, vm->mem, &vm_stage2_ops, vm,
		     desc_format_of(vm->setup.s2_granule, vm->geometry.ds, cpu->pa_bits),
		     vm->geometry.start_level, vm->setup.ipa_bits, root.v);
	/* KVM's normal memory: write-back, forced where FEAT_S2FWB is in use. */
	vm->s2_attributes =
		S2_AP_R | S2_AP_W | DESC_AF | sh | (uint64_t)(cpu->fwb ? 6 : 15) << S2_ATTR_SHIFT;
	vm->regs.hcr_el2 = HCR_EL2_VM | HCR_EL2_PTW | HCR_EL2_RW | (cpu->fwb ? HCR_EL2_FWB : 0);
	vm->regs.vtcr_el2 = geometry_vtcr(cpu, &vm->geometry);
	vm->regs.vttbr_el2 = geometry_vttbr(cpu, &vm->geometry, root, vm->vmid);
	return true;
}

static bool init_stage1(struct vm *vm)
{
	const struct arch_cpu *cpu = &vm->setup.cpu;
	uint64_t root;

	if (!vm_alloc_table(vm, &root))
		return false;
	pgtable_init(&vm->high, vm->mem, &vm_stage1_ops, vm,
		     desc_format_of(vm->setup.s1_granule, vm->s1_geometry.ds, cpu->pa_bits),
		     vm->s1_geometry.start_level, vm->setup.va_bits, root);
	vm->regs.sctlr_el1 = SCTLR_EL1_M | SCTLR_EL1_C | SCTLR_EL1_I;
	vm->regs.mair_el1 = 0xff;
	vm->regs.tcr_el1 = geometry_tcr(cpu, &vm->s1_geometry, vm->setup.ipa_bits);
	if (vm->setup.dirty_state == DIRTY_HARDWARE)
		vm->regs.tcr_el1 |= TCR_EL1_HA | TCR_EL1_HD;
	vm->regs.ttbr1_el1 =
		geometry_ttbr(cpu, &vm->s1_geometry, vm->setup.ipa_bits, ipa_of(root), 0);
	return true;
}

struct vm *vm_create(const struct vm_setup *setup, uint16_t vmid, struct phys_mem *mem,
		     struct frames *frames, struct diag *diag)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		return NULL;
	}
	*vm = (struct vm){ .setup = *setup, .mem = mem, .frames = frames, .vmid = vmid };
	vm->diag = (struct diag)DIAG_INIT;
	if (vm_check_setup(setup, &vm->s1_geometry, &vm->geometry, diag) != STATUS_OK) {
		vm_destroy(vm);
		return NULL;
	}
	vm->memory_first = setup->memory_base;
	vm->memory_end = vm_memory_end(setup);
	vm->table_unit_bits =
		setup->s1_granule < setup->s2_granule ? setup->s1_granule : setup->s2_granule;
	backing_init(&vm->backing, setup->backing_bits);
	vm->spaces = calloc(ASIDS, sizeof(struct space *));
	vm->guest_state = malloc(setup->guest->state_bytes);
	if (vm->guest_state)
		setup->guest->init(vm->guest_state, ipa_of(vm->memory_first),
				   ipa_of(vm->memory_end), setup->seed);
	if (!vm->spaces || !vm->guest_state || !init_stage2(vm) || !init_stage1(vm)) {
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
	for (size_t i = 0; vm->spaces && i < ASIDS; i++)
		free(vm->spaces[i]);
	free(vm->spaces);
	free(vm->guest_state);
	for (size_t i = 0; i < vm->chunks_count; i++)
		free(vm->chunks[i]);
	free(vm->chunks);
	backing_fini(&vm->backing);
	free(vm);
}

static struct space *space_create(struct vm *vm, uint16_t asid, struct diag *diag)
{
	const struct arch_cpu *cpu = &vm->setup.cpu;
	struct space *space;
	uint64_t root;

	if (asid >> cpu->asid_bits) {
		diag_set(diag, STATUS_BAD_INPUT, "ASID %u: this core has %u bits of ASID", asid,
			 cpu->asid_bits);
		return NULL;
	}
	if (!vm_alloc_table(vm, &root)) {
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
	regime_init(&space->regime, cpu, &regs, REGIME_EL10);
	space->vm = vm;
	space->mmu = (struct mmu_space){
		.regime = &space->regime,
		.context = { .vmid = vm->vmid, .asid = asid },
		.os = space,
	};
	pgtable_init(&space->low, vm->mem, &vm_stage1_ops, vm, vm->high.format,
		     vm->s1_geometry.start_level, vm->setup.va_bits, root);
	return space;
}

const struct mmu_space *vm_space(struct vm *vm, uint16_t asid, struct diag *diag)
{
	if (!vm->spaces[asid])
		vm->spaces[asid] = space_create(vm, asid, diag);
	return vm->spaces[asid] ? &vm->spaces[asid]->mmu : NULL;
}

void vm_unmap(struct vm *vm, uint16_t asid, va_t va, uint64_t bytes)
{
	const bool upper = va.v >> 55 & 1;
	struct pgtable *table = upper		   ? &vm->high
				: vm->spaces[asid] ? &vm->spaces[asid]->low
						   : NULL;
	const uint64_t first = va.v & low_mask(vm->setup.va_bits);
	const uint64_t room = low_mask(vm->setup.va_bits) - first;
	const uint64_t last = first + (bytes - 1 < room ? bytes - 1 : room);

	if (!table || !bytes)
		return;
	for (uint64_t ia = first, step; ia <= last; ia += step) {
		step = pgtable_clear(table, ia, first, last);
		if (step > last - ia)
			break;
	}
}

const struct diag *vm_diag(const struct vm *vm)
{
	return &vm->diag;
}

static void count_leaves(const struct pgtable *table, struct stats *stats, bool stage2)
{
	static const struct {
		unsigned bits;
		enum stat_id s1, s2;
	} rows[] = {
		{ 12, STAT_s1_mapped_4k, STAT_s2_mapped_4k },
		{ 14, STAT_s1_mapped_16k, STAT_s2_mapped_16k },
		{ 16, STAT_s1_mapped_64k, STAT_s2_mapped_64k },
		{ 21, STAT_s1_mapped_2m, STAT_s2_mapped_2m },
		{ 25, STAT_s1_mapped_32m, STAT_s2_mapped_32m },
		{ 29, STAT_s1_mapped_512m, STAT_s2_mapped_512m },
		{ 30, STAT_s1_mapped_1g, STAT_s2_mapped_1g },
		{ 36, STAT_s1_mapped_64g, STAT_s2_mapped_64g },
		{ 39, STAT_s1_mapped_512g, STAT_s2_mapped_512g },
		{ 42, STAT_s1_mapped_4t, STAT_s2_mapped_4t },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int level = vm_leaf_level(table->format.granule, rows[i].bits);

		if (level >= 0)
			stats->v[stage2 ? rows[i].s2 : rows[i].s1] += table->leaves[level];
	}
}

void vm_count(const struct vm *vm, struct stats *stats)
{
	uint64_t *v = stats->v;

	v[STAT_s1_faults] += vm->s1_faults;
	v[STAT_s2_faults] += vm->s2_faults;
	v[STAT_s2_table_faults] += vm->s2_table_faults;
	v[STAT_table_pages_s1] += vm->s1_tables;
	v[STAT_table_pages_s2] +=
		(vm->geometry.root_alloc_bytes >> vm->setup.s2_granule) + vm->stage2.pages;
	count_leaves(&vm->stage2, stats, true);
	count_leaves(&vm->high, stats, false);
	for (size_t i = 0; i < ASIDS; i++)
		if (vm->spaces[i])
			count_leaves(&vm->spaces[i]->low, stats, false);
}

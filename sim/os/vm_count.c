/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM adds to the statistics. */
#include "os/vm_private.h"

/* Leaf sizes and their statistics. */
static const struct {
	unsigned bits;
	enum stat_id s1, s2;
} sizes[] = {
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

enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void count_stage1(const struct pgtable *table, uint64_t *v)
{
	for (size_t i = 0; i < SIZES; i++) {
		const int level = vm_leaf_level(table->format.granule, sizes[i].bits);

		if (level >= 0)
			v[sizes[i].s1] += table->leaves[level];
	}
}

static void count_stage2(const struct vm *vm, uint64_t *v)
{
	uint64_t leaves[KVM_LEVELS] = { 0 };

	kvm_pgtable_count_leaves(&vm->kvm.pgt, vm->memory_first, vm->memory_end - vm->memory_first,
				 leaves);
	for (size_t i = 0; i < SIZES; i++) {
		const int level = vm_leaf_level(vm->setup.s2_granule, sizes[i].bits);

		if (level >= 0)
			v[sizes[i].s2] += leaves[level];
	}
}

static void count_kvm(const struct vm *vm, uint64_t *v)
{
	const struct kvm_counts *counts = &vm->kvm.counts;
	const struct kvm_pgtable *pgt = &vm->kvm.pgt;

	v[STAT_s2_permission_faults] += counts->permission_faults;
	v[STAT_s2_access_flag_faults] += counts->access_flag_faults;
	v[STAT_s2_splits] += pgt->counts.splits;
	v[STAT_s2_collapses] += pgt->counts.collapses;
	v[STAT_s2_unmapped] += pgt->counts.unmapped_leaves;
	v[STAT_s2_software_steps] += pgt->software_steps;
	v[STAT_dirty_syncs] += vm->dirty_syncs;
	v[STAT_dirty_pages] += vm->dirty_pages;
}

void vm_add_work(const struct vm *vm, struct os_work *work)
{
	const struct kvm_counts *counts = &vm->kvm.counts;
	const struct kvm_pgtable_counts *tables = &vm->kvm.pgt.counts;

	work->guest_faults += vm->s1_faults;
	work->zeroed_4k += vm->guest_zeroed_4k + counts->zeroed_4k;
	work->exits += counts->faults + counts->mmio_exits;
	work->faults += counts->faults - counts->access_flag_faults;
	work->table_pages += tables->tables_allocated;
	work->pte_updates += tables->pte_updates;
	work->mmio += counts->mmio_exits;
}

uint64_t vm_s1_faults(const struct vm *vm)
{
	return vm->s1_faults;
}

uint64_t vm_s2_faults(const struct vm *vm)
{
	return vm->s2_faults;
}

void vm_count_sums(const struct vm *vm, struct stats *stats)
{
	uint64_t *v = stats->v;

	v[STAT_s1_faults] += vm->s1_faults;
	v[STAT_s2_faults] += vm->s2_faults;
	v[STAT_s2_table_faults] += vm->s2_table_faults;
	v[STAT_s2_walk_faults] += vm->s2_walk_faults;
	count_kvm(vm, v);
	if (!vm->image)
		vm_count_guest_sums(vm, stats);
}

void vm_count(struct vm *vm, struct stats *stats)
{
	uint64_t *v = stats->v;

	vm_count_sums(vm, stats);
	v[STAT_s2_fake_bytes] += kvm_mmu_fake_bytes(&vm->kvm);
	v[STAT_table_pages_s1] += vm->s1_tables;
	v[STAT_table_pages_s2] +=
		(vm->geometry.root_alloc_bytes >> vm->setup.s2_granule) + vm->kvm.pgt.tables;
	count_stage2(vm, v);
	/* The tables of an image hold more than what the trace uses. */
	if (vm->image)
		return;
	count_stage1(&vm->high, v);
	for (const struct space *space = vm->newest; space; space = space->older)
		count_stage1(&space->low, v);
	vm_count_guest(vm, stats);
}

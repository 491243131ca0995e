/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics of a guest's own tables. */
#include "os/vm_private.h"

/* Pages of guest tables, of the smaller granule, by the size of the stage-2 leaf behind them. */
static void count_table_backing(const struct vm *vm, struct stats *stats)
{
	static const struct {
		unsigned bits;
		enum stat_id stat;
	} rows[] = {
		{ 12, STAT_s2_table_mapped_4k },  { 14, STAT_s2_table_mapped_16k },
		{ 16, STAT_s2_table_mapped_64k }, { 21, STAT_s2_table_mapped_2m },
		{ 25, STAT_s2_table_mapped_32m }, { 29, STAT_s2_table_mapped_512m },
		{ 30, STAT_s2_table_mapped_1g },
	};

	for (size_t i = 0; i < vm->chunks_count; i++)
		for (uint64_t at = 0; at < vm->chunks[i]->used;
		     at += UINT64_C(1) << vm->table_unit_bits) {
			const unsigned bits = vm_ipa_leaf_bits(vm, vm->chunks[i]->ipa + at);

			for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
				stats->v[rows[r].stat] += rows[r].bits == bits;
		}
}

void vm_count_guest_sums(const struct vm *vm, struct stats *stats)
{
	uint64_t *v = stats->v;

	v[STAT_s1_thp_faults] += vm->s1_thp_faults;
	v[STAT_s1_cow_faults] += vm->s1_cow_faults;
	v[STAT_s1_cow_copies] += vm->s1_cow_copies;
	v[STAT_asid_allocations] += vm->asids.allocations;
	v[STAT_asid_rollovers] += vm->asids.rollovers;
	v[STAT_s1_fallbacks] += vm->s1_fallbacks;
}

void vm_count_guest(const struct vm *vm, struct stats *stats)
{
	uint64_t *v = stats->v;

	v[STAT_s1_contiguous_mapped] += pgtable_contiguous(&vm->high);
	for (const struct space *space = vm->newest; space; space = space->older)
		v[STAT_s1_contiguous_mapped] += pgtable_contiguous(&space->low);
	count_table_backing(vm, stats);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM side of a VM: stage-2 faults and the tables they fill. */
#include "os/vm_private.h"

#include <inttypes.h>

static bool s2_alloc(void *ctx, uint64_t *address)
{
	struct vm *vm = ctx;
	pa_t pa;

	if (!frames_alloc(vm->frames, vm->setup.s2_granule, &pa))
		return false;
	*address = pa.v;
	return true;
}

static pa_t s2_locate(void *ctx, uint64_t address)
{
	(void)ctx;
	return pa_of(address);
}

const struct pgtable_ops vm_stage2_ops = { .alloc = s2_alloc, .locate = s2_locate };

/* Sizes of blocks around ipa that lie in the memslot. User address and IPA agree modulo any size.
 */
static uint64_t fitting_blocks(const struct vm *vm, uint64_t ipa)
{
	uint64_t fitting = 0;

	for (unsigned bits = vm->setup.s2_granule; bits < 52; bits++) {
		const uint64_t first = ipa & ~low_mask(bits);

		if (first >= vm->memory_first && (first | low_mask(bits)) < vm->memory_end)
			fitting |= UINT64_C(1) << bits;
	}
	return fitting;
}

bool vm_host_exhausted(struct vm *vm)
{
	diag_set(
		&vm->diag, STATUS_BAD_INPUT,
		"host memory exhausted: the core's %u-bit physical addresses have no room for more "
		"of the guest's pages and tables",
		vm->setup.cpu.pa_bits);
	return false;
}

/* Map the block of 2^block_bits bytes around ipa, by leaves no larger than the tables have. */
static bool s2_map_block(struct vm *vm, uint64_t ipa, unsigned block_bits)
{
	const enum granule granule = vm->setup.s2_granule;
	const uint64_t first = ipa & ~low_mask(block_bits);
	int level = vm_leaf_level(granule, block_bits);
	pa_t backing;

	if (level < vm->geometry.start_level)
		level = vm->geometry.start_level;

	const unsigned leaf_bits = level_shift(granule, level);

	for (uint64_t at = first; at <= (first | low_mask(block_bits));
	     at += UINT64_C(1) << leaf_bits) {
		enum pgtable_result result;

		if (!backing_of(&vm->backing, vm->frames, ipa_of(at), &backing))
			return vm_host_exhausted(vm);
		result = pgtable_map(&vm->stage2, at, level, backing.v, vm->s2_attributes);
		/* KVM would collapse a table into the block; a first touch never meets one. */
		if (result == PGTABLE_NO_MEMORY)
			return vm_host_exhausted(vm);
		if (result == PGTABLE_OCCUPIED) {
			diag_set(&vm->diag, STATUS_INTERNAL,
				 "stage-2 fault on IPA 0x%" PRIx64 ", which is mapped", at);
			return false;
		}
	}
	return true;
}

bool vm_map_ipa(struct vm *vm, uint64_t ipa)
{
	struct host_fault fault;

	if (ipa < vm->memory_first || ipa >= vm->memory_end) {
		diag_set(&vm->diag, STATUS_INTERNAL,
			 "IPA 0x%" PRIx64 " lies outside the VM's memory", ipa);
		return false;
	}
	fault = (struct host_fault){
		.granule = vm->setup.s2_granule,
		.levels = vm->geometry.levels,
		.backing_bits = vm->setup.backing_bits,
		.fitting = fitting_blocks(vm, ipa),
	};
	vm->s2_faults++;
	return s2_map_block(vm, ipa, vm->setup.host->block_bits(&fault));
}

bool vm_s2_fault(void *ctx, const struct mmu_request *request, ipa_t ipa, const struct fault *fault)
{
	struct vm *vm = ((struct space *)request->space->os)->vm;

	(void)ctx;
	if (fault->type == FAULT_TRANSLATION)
		return vm_map_ipa(vm, ipa.v);
	diag_set(&vm->diag, STATUS_INTERNAL,
		 "stage-2 fault with status code 0x%x on IPA 0x%" PRIx64, fault_fsc(fault), ipa.v);
	return false;
}

pa_t vm_ipa_to_pa(const struct vm *vm, uint64_t ipa)
{
	int level;
	const uint64_t desc = pgtable_find(&vm->stage2, ipa, &level);

	const unsigned leaf_bits = level_shift(vm->setup.s2_granule, level);

	return pa_of(desc_leaf_address(&vm->stage2.format, desc, leaf_bits) |
		     (ipa & low_mask(leaf_bits)));
}

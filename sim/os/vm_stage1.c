/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest side of a VM: stage-1 faults and the tables they fill. */
#include "os/vm_private.h"

#include <inttypes.h>
#include <stdlib.h>

/* The next chunk of guest memory for tables. */
static struct table_chunk *chunk_add(struct vm *vm)
{
	struct table_chunk **grown, *chunk;
	ipa_t ipa;

	if (!vm->setup.guest->take(vm->guest_state, TABLE_CHUNK_BITS, &ipa))
		return NULL;
	grown = realloc(vm->chunks, (vm->chunks_count + 1) * sizeof(struct table_chunk *));
	chunk = malloc(sizeof(*chunk));
	if (grown)
		vm->chunks = grown;
	if (!grown || !chunk) {
		free(chunk);
		return NULL;
	}
	chunk->ipa = ipa.v;
	chunk->used = 0;
	vm->chunks[vm->chunks_count++] = chunk;
	return chunk;
}

/*
 * Guest tables come out of 2 MiB chunks of guest memory, as Linux keeps pages that cannot move in
 * pageblocks of their own. KVM maps them when the guest clears them.
 */
bool vm_alloc_table(void *ctx, uint64_t *address)
{
	struct vm *vm = ctx;
	struct table_chunk *chunk = vm->chunks_count ? vm->chunks[vm->chunks_count - 1] : NULL;
	uint64_t ipa, end;

	if (!chunk || chunk->used >> TABLE_CHUNK_BITS)
		chunk = chunk_add(vm);
	if (!chunk)
		return false;
	*address = chunk->ipa + chunk->used;
	end = *address + (UINT64_C(1) << vm->setup.s1_granule);
	for (ipa = *address; ipa < end; ipa += UINT64_C(1) << vm->table_unit_bits) {
		if (!vm_ipa_mapped(vm, ipa))
			vm->s2_table_faults++;
		if (!vm_guest_writes(vm, ipa))
			return false;
		chunk->pa[(ipa - chunk->ipa) >> vm->table_unit_bits] = vm_ipa_to_pa(vm, ipa);
	}
	chunk->used += UINT64_C(1) << vm->setup.s1_granule;
	vm->s1_tables++;
	return true;
}

/* Chunks are in order of their addresses; the last one is asked for most. */
static pa_t s1_locate(void *ctx, uint64_t address)
{
	const struct vm *vm = ctx;
	size_t i = vm->chunks_count - 1;
	uint64_t offset;

	while (vm->chunks[i]->ipa > address)
		i--;
	offset = address - vm->chunks[i]->ipa;
	return pa_of(vm->chunks[i]->pa[offset >> vm->table_unit_bits].v |
		     (offset & low_mask(vm->table_unit_bits)));
}

const struct pgtable_ops vm_stage1_ops = { .alloc = vm_alloc_table, .locate = s1_locate };

static enum mmu_fault_result s1_fail(struct vm *vm, enum exit_status status,
				     const struct mmu_request *request, const char *why)
{
	diag_set(&vm->diag, status, "VA 0x%" PRIx64 ": %s", request->va.v, why);
	return MMU_FAULT_FAILED;
}

/* Does va lie in one of the halves that TCR_EL1.TnSZ leaves? */
static bool va_in_space(const struct vm *vm, va_t va)
{
	const uint64_t outside = va.v >> vm->setup.va_bits;

	return outside == 0 || outside == UINT64_MAX >> vm->setup.va_bits;
}

/* User pages below, kernel pages above; all readable, writable and executable at their own level.
 */
static uint64_t s1_attributes(const struct vm *vm, bool upper)
{
	const uint64_t who = upper ? S1_UXN : S1_AP_EL0 | S1_NG | S1_PXN;
	const uint64_t dirty = vm->setup.dirty_state == DIRTY_HARDWARE ? S1_AP_RO | DESC_DBM : 0;
	const uint64_t sh = vm->s1_geometry.ds ? 0 : (uint64_t)SH_INNER << DESC_SH_SHIFT;

	return who | dirty | sh | DESC_AF;
}

enum mmu_fault_result vm_s1_fault(void *ctx, const struct mmu_request *request,
				  const struct fault *fault)
{
	struct space *space = request->space->os;
	struct vm *vm = space->vm;
	const bool upper = request->va.v >> 55 & 1;
	const struct guest_fault ask = {
		.va = request->va,
		.known_ipa = request->known_ipa,
		.leaf_bits = vm->setup.guest_leaf_bits,
		.page_bits = vm->setup.s1_granule,
	};
	struct pgtable *table = upper ? &vm->high : &space->low;
	struct guest_leaf leaf;
	uint64_t ia;

	(void)ctx;
	if (!va_in_space(vm, request->va))
		return s1_fail(vm, STATUS_BAD_INPUT, request,
			       "outside the guest's address space; raise stage1.va_bits");
	if (fault->type != FAULT_TRANSLATION)
		return s1_fail(vm, STATUS_INTERNAL, request,
			       "a stage-1 fault that is no translation fault");
	if (!vm->setup.guest->fault(vm->guest_state, &ask, &leaf))
		return s1_fail(vm, STATUS_BAD_INPUT, request,
			       "guest memory exhausted; raise guest.memory or stage2.ipa_bits");
	vm->s1_faults++;
	ia = request->va.v & low_mask(vm->setup.va_bits) & ~low_mask(leaf.leaf_bits);
	switch (pgtable_map(table, ia, vm_leaf_level(vm->setup.s1_granule, leaf.leaf_bits),
			    leaf.ipa.v, s1_attributes(vm, upper))) {
	case PGTABLE_OK:
		return MMU_FAULT_HANDLED;
	case PGTABLE_OCCUPIED:
		return s1_fail(vm, STATUS_INTERNAL, request, "faulted although it is mapped");
	case PGTABLE_NO_MEMORY:
		break;
	}
	/* Stage 2 may have said more precisely what ran out. */
	return s1_fail(vm, STATUS_BAD_INPUT, request,
		       "no guest memory for tables; raise guest.memory or stage2.ipa_bits");
}

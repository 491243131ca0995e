/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest side of a VM: stage-1 faults and the tables they fill. */
#include "os/vm_private.h"

#include <inttypes.h>
#include <stdlib.h>

static bool table_pa_push(struct vm *vm, pa_t pa)
{
	if (vm->table_pas == vm->table_pas_room) {
		const size_t room = vm->table_pas_room ? 2 * vm->table_pas_room : 64;
		pa_t *grown = realloc(vm->table_pa, room * sizeof(*grown));

		if (!grown)
			return false;
		vm->table_pa = grown;
		vm->table_pas_room = room;
	}
	vm->table_pa[vm->table_pas++] = pa;
	return true;
}

/* Guest tables come from the end of memory downwards; KVM maps them when the guest clears them. */
bool vm_alloc_table(void *ctx, uint64_t *address)
{
	struct vm *vm = ctx;
	const uint64_t unit_bytes = UINT64_C(1) << vm->table_unit_bits;
	const uint64_t end = vm->tables_next - (UINT64_C(1) << vm->setup.s1_granule);
	int level;

	if (vm->tables_next - vm->leaves_end < UINT64_C(1) << vm->setup.s1_granule)
		return false;
	while (vm->tables_next > end) {
		const uint64_t ipa = vm->tables_next - unit_bytes;

		if (!pgtable_find(&vm->stage2, ipa, &level)) {
			vm->s2_table_faults++;
			if (!vm_map_ipa(vm, ipa))
				return false;
		}
		if (!table_pa_push(vm, vm_ipa_to_pa(vm, ipa)))
			return false;
		vm->tables_next = ipa;
	}
	*address = end;
	return true;
}

static pa_t s1_locate(void *ctx, uint64_t address)
{
	const struct vm *vm = ctx;
	const uint64_t unit = (vm->memory_end - 1 - address) >> vm->table_unit_bits;

	return pa_of(vm->table_pa[unit].v | (address & low_mask(vm->table_unit_bits)));
}

const struct pgtable_ops vm_stage1_ops = { .alloc = vm_alloc_table, .locate = s1_locate };

static bool s1_fail(struct vm *vm, enum exit_status status, const struct mmu_request *request,
		    const char *why)
{
	diag_set(&vm->diag, status, "VA 0x%" PRIx64 ": %s", request->va.v, why);
	return false;
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

bool vm_s1_fault(void *ctx, const struct mmu_request *request, const struct fault *fault)
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
	if (!vm->setup.guest->fault(vm->guest_state, &ask, ipa_of(vm->tables_next), &leaf))
		return s1_fail(vm, STATUS_BAD_INPUT, request,
			       "guest memory exhausted; raise guest.memory or stage2.ipa_bits");
	if (leaf.ipa.v + (UINT64_C(1) << leaf.leaf_bits) > vm->leaves_end)
		vm->leaves_end = leaf.ipa.v + (UINT64_C(1) << leaf.leaf_bits);
	vm->s1_faults++;
	ia = request->va.v & low_mask(vm->setup.va_bits) & ~low_mask(leaf.leaf_bits);
	switch (pgtable_map(table, ia, vm_leaf_level(vm->setup.s1_granule, leaf.leaf_bits),
			    leaf.ipa.v, s1_attributes(vm, upper))) {
	case PGTABLE_OK:
		return true;
	case PGTABLE_OCCUPIED:
		return s1_fail(vm, STATUS_INTERNAL, request, "faulted although it is mapped");
	case PGTABLE_NO_MEMORY:
		break;
	}
	/* Stage 2 may have said more precisely what ran out. */
	return s1_fail(vm, STATUS_BAD_INPUT, request,
		       "no guest memory for tables; raise guest.memory or stage2.ipa_bits");
}

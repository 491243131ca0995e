/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest side of a VM: stage-1 faults and the tables they fill. */
#include "os/vm_private.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ZEROED_BITS = 12 }; /* the unit of guest_zeroed_4k */

/* The next chunk of guest memory for tables: 2 MiB, or less where memory is fragmented. */
static struct table_chunk *chunk_add(struct vm *vm)
{
	unsigned bits = TABLE_CHUNK_BITS;
	struct table_chunk **grown, *chunk;
	size_t at = vm->chunks_count;
	ipa_t ipa;

	while (!vm->setup.guest->take(vm->guest_state, bits, &ipa))
		if (bits-- == vm->setup.s1_granule)
			return NULL;
	grown = realloc(vm->chunks, (vm->chunks_count + 1) * sizeof(struct table_chunk *));
	if (grown)
		vm->chunks = grown;
	chunk = malloc(sizeof(*chunk) + (sizeof(pa_t) << (bits - vm->table_unit_bits)));
	if (!grown || !chunk) {
		free(chunk);
		return NULL;
	}
	*chunk = (struct table_chunk){ .ipa = ipa.v, .bits = bits };
	for (; at && vm->chunks[at - 1]->ipa > ipa.v; at--)
		vm->chunks[at] = vm->chunks[at - 1];
	vm->chunks[at] = chunk;
	vm->chunks_count++;
	return chunk;
}

/* The chunk that holds a table's IPA. */
static struct table_chunk *chunk_of(const struct vm *vm, uint64_t ipa)
{
	size_t low = 0, high = vm->chunks_count;

	if (ipa - vm->chunk->ipa < vm->chunk->used)
		return vm->chunk;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (vm->chunks[middle]->ipa <= ipa)
			low = middle;
		else
			high = middle;
	}
	return vm->chunks[low];
}

/*
 * Guest tables come out of 2 MiB chunks of guest memory, as Linux keeps pages that cannot move in
 * pageblocks of their own. KVM maps them when the guest clears them.
 */
bool vm_alloc_table(void *ctx, uint64_t *address)
{
	struct vm *vm = ctx;
	uint64_t ipa, end;

	vm->s1_tables++;
	if (vm->free_tables_count) {
		*address = vm->free_tables[--vm->free_tables_count];
		return true;
	}
	if (!vm->chunk || vm->chunk->used >> vm->chunk->bits)
		vm->chunk = chunk_add(vm);
	if (!vm->chunk)
		return false;
	*address = vm->chunk->ipa + vm->chunk->used;
	end = *address + (UINT64_C(1) << vm->setup.s1_granule);
	for (ipa = *address; ipa < end; ipa += UINT64_C(1) << vm->table_unit_bits) {
		if (!vm_ipa_mapped(vm, ipa))
			vm->s2_table_faults++;
		if (!vm_guest_writes(vm, ipa))
			return false;
		vm->chunk->pa[(ipa - vm->chunk->ipa) >> vm->table_unit_bits] =
			vm_ipa_to_pa(vm, ipa);
	}
	vm->chunk->used += UINT64_C(1) << vm->setup.s1_granule;
	return true;
}

/* All entries are invalid, so it is clear for the next one. */
void vm_release_table(void *ctx, uint64_t address)
{
	struct vm *vm = ctx;

	if (vm->free_tables_count == vm->free_tables_room) {
		const size_t room = vm->free_tables_room ? 2 * vm->free_tables_room : 64;
		uint64_t *grown = realloc(vm->free_tables, room * sizeof(*grown));

		/* Out of our memory: this one is not used again. */
		if (!grown)
			return;
		vm->free_tables = grown;
		vm->free_tables_room = room;
	}
	vm->free_tables[vm->free_tables_count++] = address;
}

static pa_t s1_locate(void *ctx, uint64_t address)
{
	const struct vm *vm = ctx;
	const struct table_chunk *chunk = chunk_of(vm, address);
	const uint64_t offset = address - chunk->ipa;

	return pa_of(chunk->pa[offset >> vm->table_unit_bits].v |
		     (offset & low_mask(vm->table_unit_bits)));
}

const struct pgtable_ops vm_stage1_ops = { .alloc = vm_alloc_table, .locate = s1_locate };

enum mmu_fault_result vm_s1_fail(struct vm *vm, enum exit_status status,
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

struct guest_setup vm_guest_setup(const struct vm_setup *setup)
{
	return (struct guest_setup){
		.first = ipa_of(setup->memory_base),
		.end = ipa_of(vm_memory_end(setup)),
		.va_bits = setup->va_bits,
		.page_bits = setup->s1_granule,
		.pmd_bits = geometry_pmd_bits(setup->s1_granule),
		.pud_bits = geometry_pud_bits(setup->s1_granule),
		.contiguous_bits = desc_contiguous_bits(setup->s1_granule, 3),
		.leaf_bits = setup->guest_leaf_bits,
		.thp_permille = setup->thp_permille,
		.contiguous_permille = setup->contiguous_permille,
		.kernel_map = setup->kernel_map,
		.seed = setup->seed,
	};
}

static enum mmu_fault_result s1_refused(struct vm *vm, const struct mmu_request *request,
					enum guest_result result)
{
	static const char *const why[] = {
		[GUEST_NO_MEMORY] = "guest memory exhausted; raise guest.memory or stage2.ipa_bits",
		[GUEST_OFFSET] = "its IPA in the trace has another offset in a page of "
				 "stage1.granule",
		[GUEST_IN_USE] = "its IPA in the trace lies where the tables are; raise "
				 "guest.memory",
	};

	return vm_s1_fail(vm, STATUS_BAD_INPUT, request, why[result]);
}

/* Put in all leaves of a span. */
static enum pgtable_result map_span(const struct vm *vm, struct pgtable *table, va_t va,
				    const struct guest_leaf *leaf)
{
	const uint64_t first = va.v & low_mask(vm->setup.va_bits) & ~low_mask(leaf->span_bits);
	const int level = vm_leaf_level(vm->setup.s1_granule, leaf->leaf_bits);
	const uint64_t attributes = s1_attributes(vm, va.v >> 55 & 1) |
				    (leaf->span_bits > leaf->leaf_bits ? DESC_CONTIGUOUS : 0);
	enum pgtable_result result = PGTABLE_OK;

	for (uint64_t at = 0; at >> leaf->span_bits == 0 && result == PGTABLE_OK;
	     at += UINT64_C(1) << leaf->leaf_bits)
		result = pgtable_map(table, first + at, level, leaf->ipa.v + at, attributes);
	return result;
}

static struct guest_fault fault_of(const struct mmu_request *request, unsigned hole_bits)
{
	return (struct guest_fault){
		.va = request->va,
		.known_ipa = request->known_ipa,
		.asid = ((struct space *)request->space->os)->asid,
		.kind = request->kind,
		.hole_bits = hole_bits,
	};
}

static enum mmu_fault_result ask_guest(struct vm *vm, const struct mmu_request *request,
				       const struct guest_fault *ask, struct guest_leaf *leaf)
{
	const enum guest_result result = vm->setup.guest->fault(vm->guest_state, ask, leaf);

	vm->s1_fallbacks += result == GUEST_OK && leaf->fallback;
	return result == GUEST_OK ? MMU_FAULT_HANDLED : s1_refused(vm, request, result);
}

enum mmu_fault_result vm_ask_guest(struct vm *vm, const struct mmu_request *request,
				   unsigned hole_bits, struct guest_leaf *leaf)
{
	const struct guest_fault ask = fault_of(request, hole_bits);

	return ask_guest(vm, request, &ask, leaf);
}

static enum mmu_fault_result s1_map(struct vm *vm, struct pgtable *table,
				    const struct mmu_request *request)
{
	const struct guest_ops *guest = vm->setup.guest;
	struct guest_fault ask = fault_of(request, 0);
	enum mmu_fault_result result;
	struct guest_leaf leaf;

	if (guest->wants_hole && guest->wants_hole(vm->guest_state, &ask))
		ask.hole_bits =
			pgtable_hole_bits(table, request->va.v & low_mask(vm->setup.va_bits));
	result = ask_guest(vm, request, &ask, &leaf);
	if (result != MMU_FAULT_HANDLED)
		return result;
	vm->s1_faults++;
	if (leaf.cleared)
		vm->guest_zeroed_4k += UINT64_C(1) << (leaf.span_bits - ZEROED_BITS);
	vm->s1_thp_faults += !(request->va.v >> 55 & 1) && leaf.leaf_bits > vm->guest.leaf_bits;
	switch (map_span(vm, table, request->va, &leaf)) {
	case PGTABLE_OK:
		return MMU_FAULT_HANDLED;
	case PGTABLE_OCCUPIED:
		return vm_s1_fail(vm, STATUS_INTERNAL, request, "faulted although it is mapped");
	case PGTABLE_NO_MEMORY:
		break;
	}
	/* Stage 2 may have said more precisely what ran out. */
	return vm_s1_fail(vm, STATUS_BAD_INPUT, request,
			  "no guest memory for tables; raise guest.memory or stage2.ipa_bits");
}

enum mmu_fault_result vm_s1_fault(void *ctx, const struct mmu_request *request,
				  const struct fault *fault)
{
	struct space *space = request->space->os;
	struct vm *vm = space->vm;
	const bool upper = request->va.v >> 55 & 1;

	(void)ctx;
	if (vm->image)
		return vm_image_fault(vm, request, fault);
	if (!va_in_space(vm, request->va))
		return vm_s1_fail(vm, STATUS_BAD_INPUT, request,
				  "outside the guest's address space; raise stage1.va_bits");
	if (fault->type == FAULT_PERMISSION && request->kind == ACCESS_STORE && !upper)
		return vm_write_fault(vm, space, request);
	if (fault->type != FAULT_TRANSLATION)
		return vm_s1_fail(vm, STATUS_INTERNAL, request,
				  "a stage-1 fault that is no translation fault");
	return s1_map(vm, upper ? &vm->high : &space->low, request);
}

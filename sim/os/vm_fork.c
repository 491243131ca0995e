/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork() and copy on write, with the TLB maintenance of Linux on arm64: flush_tlb_mm() of the
 * parent at the fork, flush_tlb_page() at each write fault, a range for a huge page or contiguous
 * set that is split.
 */
#include "os/vm_private.h"

/* Read-only, and not because a store has yet to set it dirty. */
static bool is_protected(uint64_t desc)
{
	return (desc & (S1_AP_RO | DESC_DBM)) == S1_AP_RO;
}

static uint64_t protect(uint64_t desc)
{
	return (desc | S1_AP_RO) & ~DESC_DBM;
}

/* pte_mkwrite(pte_mkdirty()) */
static uint64_t allow_writes(const struct vm *vm, uint64_t desc)
{
	return (desc & ~S1_AP_RO) | (vm->setup.dirty_state == DIRTY_HARDWARE ? DESC_DBM : 0);
}

/* VAE1IS or its range form; all of the ASID: ASIDE1IS. */
static void flush(const struct vm *vm, const struct space *space, enum tlb_scope scope,
		  uint64_t first, uint64_t last)
{
	const struct tlb_match match = {
		.scope = scope,
		.context = space->mmu.context,
		.first = first,
		.last = last,
	};

	if (vm->mmu)
		mmu_invalidate(vm->mmu, MMU_ALL_VCPUS, &match,
			       scope == TLB_SCOPE_ASID ? WALK_CACHE_STAGE1 : WALK_CACHE_KEEP);
}

/* ---- fork --------------------------------------------------------------------------------- */

static uint64_t ipa_of_leaf(const struct vm *vm, const struct pgtable_leaf *leaf)
{
	return desc_leaf_address(&vm->high.format, leaf->desc, leaf->bits);
}

/* One more address space maps the leaf's pages. */
static bool share(struct vm *vm, const struct pgtable_leaf *leaf)
{
	const unsigned unit = vm_unit_bits(vm, leaf);
	const uint64_t ipa = ipa_of_leaf(vm, leaf);

	for (uint64_t at = 0; at >> leaf->bits == 0; at += UINT64_C(1) << unit)
		if (!page_shares_add(&vm->shares, ipa_of(ipa + at)))
			return false;
	return true;
}

/* copy_page_range() */
static bool copy_leaves(struct vm *vm, struct pgtable *from, struct pgtable *to)
{
	const uint64_t last = low_mask(vm->setup.va_bits);
	struct pgtable_leaf leaf;

	for (uint64_t at = 0; at <= last && pgtable_next(from, at, last, &leaf);
	     at = leaf.ia + (UINT64_C(1) << leaf.bits)) {
		const uint64_t desc = protect(leaf.desc);

		if (pgtable_map(to, leaf.ia, leaf.level, 0, 0) != PGTABLE_OK || !share(vm, &leaf))
			return false;
		pgtable_replace(to, leaf.ia, desc);
		pgtable_replace(from, leaf.ia, desc);
	}
	return true;
}

enum exit_status vm_fork(struct vm *vm, uint16_t parent, uint16_t child, struct diag *diag)
{
	const bool existed = vm_find_space(vm, child) != NULL;

	/* An image has the tables of both. */
	if (vm->image)
		return STATUS_OK;
	if (parent == child)
		return diag_set(diag, STATUS_BAD_INPUT, "a fork event makes ASID %u its own child",
				parent);
	if (!vm_space(vm, parent, diag) || !vm_space(vm, child, diag))
		return diag ? diag->status : STATUS_BAD_INPUT;
	if (existed) {
		vm_unmap(vm, child, va_of(0), UINT64_C(1) << vm->setup.va_bits);
		flush(vm, vm_find_space(vm, child), TLB_SCOPE_ASID, 0, UINT64_MAX);
	}
	if (!copy_leaves(vm, &vm_find_space(vm, parent)->low, &vm_find_space(vm, child)->low))
		return diag_set(diag, STATUS_BAD_INPUT,
				"no guest memory for the tables of a fork of ASID %u; raise "
				"guest.memory",
				parent);
	flush(vm, vm_find_space(vm, parent), TLB_SCOPE_ASID, 0, UINT64_MAX);
	return STATUS_OK;
}

/* ---- write faults ------------------------------------------------------------------------- */

static bool is_shared(const struct vm *vm, const struct pgtable_leaf *leaf)
{
	const unsigned unit = vm_unit_bits(vm, leaf);
	const uint64_t ipa = ipa_of_leaf(vm, leaf);

	for (uint64_t at = 0; at >> leaf->bits == 0; at += UINT64_C(1) << unit)
		if (page_shares_has(&vm->shares, ipa_of(ipa + at)))
			return true;
	return false;
}

/* A huge page that others map is split, and the copy is of a page (do_huge_pmd_wp_page()); no part
 * of a contiguous set changes alone. */
static bool single_out(struct vm *vm, struct space *space, uint64_t ia, struct pgtable_leaf *leaf)
{
	const unsigned span_bits = desc_contiguous_bits(vm->setup.s1_granule, leaf->level);

	if (leaf->desc & DESC_CONTIGUOUS) {
		vm_unfold(&space->low, leaf);
		flush(vm, space, TLB_SCOPE_VA, ia & ~low_mask(span_bits), ia | low_mask(span_bits));
	}
	while (leaf->bits > vm_unit_bits(vm, leaf) && is_shared(vm, leaf)) {
		if (!pgtable_split(&space->low, ia))
			return false;
		flush(vm, space, TLB_SCOPE_VA, leaf->ia, leaf->ia | low_mask(leaf->bits));
		pgtable_next(&space->low, ia, ia, leaf);
	}
	return pgtable_next(&space->low, ia, ia, leaf);
}

/* Another page for this address space alone (wp_page_copy()). */
static enum mmu_fault_result copy_page(struct vm *vm, const struct mmu_request *request,
				       struct pgtable_leaf *leaf)
{
	const uint64_t old = ipa_of_leaf(vm, leaf);
	struct guest_leaf fresh;
	const enum mmu_fault_result result = vm_ask_guest(vm, request, leaf->bits, &fresh);

	if (result != MMU_FAULT_HANDLED)
		return result;
	if (fresh.span_bits != leaf->bits)
		return vm_s1_fail(vm, STATUS_INTERNAL, request, "its copy has another size");
	page_shares_drop(&vm->shares, ipa_of(old));
	vm->s1_cow_copies++;
	leaf->desc = (leaf->desc & ~desc_put_address(&vm->high.format, old)) |
		     desc_put_address(&vm->high.format, fresh.ipa.v);
	return MMU_FAULT_HANDLED;
}

enum mmu_fault_result vm_write_fault(struct vm *vm, struct space *space,
				     const struct mmu_request *request)
{
	const uint64_t ia = request->va.v & low_mask(vm->setup.va_bits);
	enum mmu_fault_result result = MMU_FAULT_HANDLED;
	struct pgtable_leaf leaf;

	if (!pgtable_next(&space->low, ia, ia, &leaf) || !is_protected(leaf.desc))
		return vm_s1_fail(vm, STATUS_INTERNAL, request,
				  "a permission fault on a page that may be written");
	vm->s1_faults++;
	vm->s1_cow_faults++;
	if (!single_out(vm, space, ia, &leaf))
		return vm_s1_fail(vm, STATUS_BAD_INPUT, request,
				  "no guest memory to split a huge page; raise guest.memory");
	if (is_shared(vm, &leaf))
		result = copy_page(vm, request, &leaf);
	if (result != MMU_FAULT_HANDLED)
		return result;
	pgtable_replace(&space->low, ia, allow_writes(vm, leaf.desc));
	flush(vm, space, TLB_SCOPE_VA, leaf.ia, leaf.ia | low_mask(leaf.bits));
	return MMU_FAULT_HANDLED;
}

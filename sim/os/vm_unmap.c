/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest takes mappings away: munmap, and what it does to larger pages and tables. */
#include "os/vm_private.h"

void vm_unfold(struct pgtable *table, const struct pgtable_leaf *leaf)
{
	const unsigned span_bits = desc_contiguous_bits(table->format.granule, leaf->level);
	const uint64_t first = leaf->ia & ~low_mask(span_bits);
	struct pgtable_leaf one;

	for (uint64_t at = first; pgtable_next(table, at, first | low_mask(span_bits), &one);
	     at = one.ia + (UINT64_C(1) << one.bits))
		pgtable_replace(table, one.ia, one.desc & ~DESC_CONTIGUOUS);
}

unsigned vm_unit_bits(const struct vm *vm, const struct pgtable_leaf *leaf)
{
	return leaf->bits == vm->setup.guest_leaf_bits ? leaf->bits : vm->setup.s1_granule;
}

static void give_back(struct vm *vm, va_t va, unsigned bits, uint64_t ipa)
{
	if (vm->setup.guest->give_back)
		vm->setup.guest->give_back(vm->guest_state, va, bits, ipa_of(ipa));
}

/* A leaf is gone; what no other address space maps is free. */
static void leave(struct vm *vm, const struct pgtable *table, const struct pgtable_leaf *leaf)
{
	const bool upper = table == &vm->high;
	const va_t va = va_of(upper ? leaf->ia | ~low_mask(vm->setup.va_bits) : leaf->ia);
	const uint64_t ipa = desc_leaf_address(&table->format, leaf->desc, leaf->bits);
	const unsigned unit = vm_unit_bits(vm, leaf);

	if (upper || !vm->shares.count) {
		give_back(vm, va, leaf->bits, ipa);
		return;
	}
	for (uint64_t at = 0; at >> leaf->bits == 0; at += UINT64_C(1) << unit)
		if (!page_shares_drop(&vm->shares, ipa_of(ipa + at)))
			give_back(vm, va_of(va.v + at), unit, ipa + at);
}

/* Clear the part of a leaf that lies in [first, last]. */
static void unmap_leaf(struct vm *vm, struct pgtable *table, const struct pgtable_leaf *leaf,
		       uint64_t first, uint64_t last)
{
	const uint64_t end = leaf->ia | low_mask(leaf->bits);
	struct pgtable_leaf part;

	if (leaf->ia >= first && end <= last) {
		if (leaf->desc & DESC_CONTIGUOUS)
			vm_unfold(table, leaf);
		pgtable_replace(table, leaf->ia, 0);
		leave(vm, table, leaf);
		return;
	}
	/* The parts of a page stay with it. No memory for a table: so does the block. */
	if (vm_unit_bits(vm, leaf) == leaf->bits || !pgtable_split(table, leaf->ia))
		return;
	if (first < leaf->ia)
		first = leaf->ia;
	if (last > end)
		last = end;
	for (uint64_t at = first; at <= last && pgtable_next(table, at, last, &part);
	     at = part.ia + (UINT64_C(1) << part.bits))
		unmap_leaf(vm, table, &part, first, last);
}

enum walk_cache_scope vm_unmap(struct vm *vm, uint16_t asid, va_t va, uint64_t bytes)
{
	const bool upper = va.v >> 55 & 1;
	struct space *space = vm_find_space(vm, asid);
	struct pgtable *lower = space ? &space->low : NULL, *table = upper ? &vm->high : lower;
	const uint64_t first = va.v & low_mask(vm->setup.va_bits);
	const uint64_t room = low_mask(vm->setup.va_bits) - first;
	const uint64_t last = first + (bytes - 1 < room ? bytes - 1 : room);
	struct pgtable_leaf leaf;
	uint64_t tables;

	/* An image shows the tables at one time: what was unmapped before is unmapped. */
	if (vm->image || !table || !bytes)
		return WALK_CACHE_KEEP;
	for (uint64_t at = first; at <= last && pgtable_next(table, at, last, &leaf);
	     at = leaf.ia + (UINT64_C(1) << leaf.bits))
		unmap_leaf(vm, table, &leaf, first, last);
	tables = table->pages;
	/* A policy that reuses no pages reuses no tables either. */
	if (vm->setup.guest->give_back)
		pgtable_prune(table, first, last, vm_release_table, vm);
	return table->pages == tables ? WALK_CACHE_KEEP : WALK_CACHE_STAGE1;
}

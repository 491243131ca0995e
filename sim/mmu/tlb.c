/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/tlb.h"

#include <stdlib.h>
#include <string.h>

#include "mmu/repl/lru.h"

#define KEY_INVALID UINT64_MAX

/* Bit 0 tells a global entry: no context of an access has it set. */
static uint64_t context_tag(struct tlb_context context)
{
	return (uint64_t)context.vmid << 17 | (uint64_t)context.asid << 1;
}

static uint64_t global_tag(struct tlb_context context)
{
	return (uint64_t)context.vmid << 17 | 1;
}

static uint64_t key_of(va_t va, unsigned size_bits)
{
	return va.v >> size_bits << (size_bits - 6) | size_bits;
}

/* The upper half of the address space gives small numbers, too: only low bits index. */
static uint32_t set_of(const struct tlb *tlb, va_t va, unsigned size_bits)
{
	const uint32_t sets = tlb->shape.sets;

	if ((sets & (sets - 1)) == 0)
		return (uint32_t)(va.v >> size_bits) & (sets - 1);
	return (uint32_t)((va.v >> size_bits) % sets);
}

static bool init(struct tlb *tlb, const struct tlb_shape *shape, const struct tlb_slab *slab)
{
	const struct repl_geometry geometry = { .sets = shape->sets, .ways = shape->ways };
	const size_t slots = (size_t)shape->sets * shape->ways;
	const bool lru = strcmp(shape->repl->name, "lru") == 0;

	memset(tlb, 0, sizeof(*tlb));
	tlb->shape = *shape;
	tlb->owns_arrays = !slab;
	tlb->key = malloc(slots * sizeof(*tlb->key));
	tlb->context = calloc(slots, sizeof(*tlb->context));
	tlb->leaf = calloc(slots, sizeof(*tlb->leaf));
	tlb->generation = slab ? slab->generation : calloc(slots, sizeof(*tlb->generation));
	if (lru)
		tlb->stamp = slab ? slab->stamp : calloc(slots, sizeof(*tlb->stamp));
	else
		tlb->repl_state = malloc(shape->repl->state_bytes(geometry));
	if (!tlb->key || !tlb->context || !tlb->leaf || !tlb->generation ||
	    (!tlb->stamp && !tlb->repl_state)) {
		tlb_fini(tlb);
		return false;
	}
	if (!lru)
		shape->repl->init(tlb->repl_state, geometry, shape->seed);
	memset(tlb->key, 0xff, slots * sizeof(*tlb->key));
	return true;
}

bool tlb_init(struct tlb *tlb, const struct tlb_shape *shape)
{
	return init(tlb, shape, NULL);
}

bool tlb_init_in(struct tlb *tlb, const struct tlb_shape *shape, const struct tlb_slab *slab)
{
	return init(tlb, shape, slab);
}

void tlb_fini(struct tlb *tlb)
{
	free(tlb->repl_state);
	free(tlb->key);
	free(tlb->context);
	free(tlb->leaf);
	if (tlb->owns_arrays) {
		free(tlb->generation);
		free(tlb->stamp);
	}
	memset(tlb, 0, sizeof(*tlb));
}

uint32_t tlb_find(const struct tlb *tlb, struct tlb_context context, va_t va)
{
	const uint64_t own = context_tag(context), global = global_tag(context);
	const uint32_t ways = tlb->shape.ways;

	for (uint64_t sizes = tlb->resident; sizes; sizes &= sizes - 1) {
		const unsigned size_bits = (unsigned)__builtin_ctzll(sizes);
		const uint64_t key = key_of(va, size_bits);
		const uint32_t first = set_of(tlb, va, size_bits) * ways;

		for (uint32_t slot = first; slot < first + ways; slot++)
			if (tlb->key[slot] == key &&
			    (tlb->context[slot] == own || tlb->context[slot] == global))
				return slot;
	}
	return TLB_NONE;
}

static void slot_release(struct tlb *tlb, uint32_t slot)
{
	const unsigned size_bits = tlb->key[slot] & 63;

	tlb->key[slot] = KEY_INVALID;
	tlb->generation[slot]++;
	tlb->used--;
	if (--tlb->count[size_bits] == 0)
		tlb->resident &= ~(UINT64_C(1) << size_bits);
}

/* A free way of the set, or the policy's victim, made free. */
static uint32_t slot_claim(struct tlb *tlb, uint32_t set)
{
	const uint32_t ways = tlb->shape.ways, first = set * ways;
	uint32_t slot;

	if (tlb->used < tlb->shape.sets * ways)
		for (slot = first; slot < first + ways; slot++)
			if (tlb->key[slot] == KEY_INVALID)
				return slot;
	slot = first + (tlb->stamp ? lru_oldest(tlb->stamp + first, ways)
				   : tlb->shape.repl->victim(tlb->repl_state, set));
	slot_release(tlb, slot);
	return slot;
}

uint32_t tlb_fill(struct tlb *tlb, struct tlb_context context, va_t va, const struct tlb_leaf *leaf)
{
	const uint64_t fitting = tlb->shape.page_sizes & low_mask(leaf->size_bits + 1u);

	if (!fitting)
		return TLB_NONE;

	const unsigned size_bits = 63u - (unsigned)__builtin_clzll(fitting);
	const uint32_t set = set_of(tlb, va, size_bits);
	const uint32_t slot = slot_claim(tlb, set);
	const uint64_t inside = low_mask(leaf->size_bits) & ~low_mask(size_bits);

	tlb->splintered += size_bits < leaf->leaf_bits;
	tlb->key[slot] = key_of(va, size_bits);
	tlb->context[slot] = leaf->global ? global_tag(context) : context_tag(context);
	tlb->generation[slot]++;
	tlb->leaf[slot] = *leaf;
	tlb->leaf[slot].pa = pa_of(leaf->pa.v | (va.v & inside));
	tlb->leaf[slot].size_bits = (uint8_t)size_bits;
	tlb->used++;
	tlb->count[size_bits]++;
	tlb->resident |= UINT64_C(1) << size_bits;
	if (tlb->stamp)
		tlb->stamp[slot] = ++tlb->clock;
	else
		tlb->shape.repl->on_fill(tlb->repl_state, set, slot - set * tlb->shape.ways);
	return slot;
}

/*
 * An entry stands for its whole stage-1 leaf: the guest sends one TLBI by VA for each of its
 * leaves, and that removes all the pieces which stage 2 or the TLB's sizes made of it.
 */
static bool slot_matches(const struct tlb *tlb, uint32_t slot, const struct tlb_match *match)
{
	const uint64_t key = tlb->key[slot], context = tlb->context[slot];
	const unsigned size_bits = key & 63, s1_bits = tlb->leaf[slot].s1_bits;
	const unsigned reach_bits = s1_bits > size_bits ? s1_bits : size_bits;
	const uint64_t first = (key & ~UINT64_C(63)) << 6 & ~low_mask(reach_bits);
	const uint64_t last = first | low_mask(reach_bits);
	const bool overlaps = first <= match->last && match->first <= last;

	if (match->scope == TLB_SCOPE_ALL)
		return true;
	if (context >> 17 != match->context.vmid)
		return false;
	switch (match->scope) {
	case TLB_SCOPE_VMID:
		return true;
	case TLB_SCOPE_ASID:
		return context == context_tag(match->context);
	case TLB_SCOPE_VA:
		return overlaps && ((context & 1) || context == context_tag(match->context));
	default:
		return overlaps;
	}
}

uint32_t tlb_invalidate(struct tlb *tlb, const struct tlb_match *match)
{
	const uint32_t slots = tlb->shape.sets * tlb->shape.ways;
	const uint32_t before = tlb->used;

	for (uint32_t slot = 0; slot < slots && tlb->used; slot++)
		if (tlb->key[slot] != KEY_INVALID && slot_matches(tlb, slot, match))
			slot_release(tlb, slot);
	return before - tlb->used;
}

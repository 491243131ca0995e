/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/tlb.h"

#include <stdlib.h>
#include <string.h>

#include "mmu/repl/lru.h"

#define KEY_INVALID UINT64_MAX

/* From so many ways on, a fully associative TLB is indexed by a hash. */
enum { INDEXED_WAYS = 16 };

/* Bit 0 tells a global entry: no context of an access has it set. */
static uint64_t context_tag(struct tlb_context context)
{
	return (uint64_t)context.vmid << 17 | (uint64_t)context.asid << 1;
}

static uint64_t global_tag(struct tlb_context context)
{
	return (uint64_t)context.vmid << 17 | 1;
}

enum { KIND_SHIFT = 40 };

static uint64_t walk_tag(const struct tlb_walk_tag *tag)
{
	return UINT64_C(1) << (KIND_SHIFT + (unsigned)tag->kind) | context_tag(tag->context);
}

static uint64_t key_of(va_t va, unsigned size_bits)
{
	return va.v >> size_bits << (size_bits - 6) | size_bits;
}

/* The upper half of the address space gives small numbers, too: only low bits index. */
static uint32_t set_of(const struct tlb *tlb, va_t va, unsigned size_bits)
{
	if (tlb->masked)
		return (uint32_t)(va.v >> size_bits) & tlb->set_mask;
	return (uint32_t)((va.v >> size_bits) % tlb->shape.sets);
}

/* Twice as many chains as slots. */
static bool init_index(struct tlb *tlb, uint32_t ways)
{
	size_t buckets;

	tlb->bucket_bits = 33u - (unsigned)__builtin_clz(ways - 1);
	buckets = (size_t)1 << tlb->bucket_bits;
	tlb->bucket = malloc(buckets * sizeof(*tlb->bucket));
	tlb->next = malloc(ways * sizeof(*tlb->next));
	if (tlb->stamp)
		tlb->queue = malloc(lru_queue_bytes(ways));
	if (!tlb->bucket || !tlb->next || (tlb->stamp && !tlb->queue))
		return false;
	if (tlb->queue)
		lru_queue_init(tlb->queue, ways);
	for (size_t i = 0; i < buckets; i++)
		tlb->bucket[i] = TLB_NONE;
	return true;
}

static uint32_t *bucket_of(const struct tlb *tlb, uint64_t key)
{
	return &tlb->bucket[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - tlb->bucket_bits)];
}

static void index_add(struct tlb *tlb, uint32_t slot)
{
	uint32_t *head = bucket_of(tlb, tlb->key[slot]);

	tlb->next[slot] = *head;
	*head = slot;
}

static void index_remove(struct tlb *tlb, uint32_t slot)
{
	uint32_t *at = bucket_of(tlb, tlb->key[slot]);

	while (*at != slot)
		at = &tlb->next[*at];
	*at = tlb->next[slot];
}

static bool init(struct tlb *tlb, const struct tlb_shape *shape, const struct tlb_slab *slab)
{
	const struct repl_geometry geometry = { .sets = shape->sets, .ways = shape->ways };
	const size_t slots = (size_t)shape->sets * shape->ways;
	const bool lru = strcmp(shape->repl->name, "lru") == 0;

	memset(tlb, 0, sizeof(*tlb));
	tlb->shape = *shape;
	tlb->slots = shape->sets * shape->ways;
	tlb->set_mask = shape->sets - 1;
	tlb->masked = (shape->sets & (shape->sets - 1)) == 0;
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
	if ((shape->sets > 1 || shape->ways < INDEXED_WAYS) || init_index(tlb, shape->ways))
		return true;
	tlb_fini(tlb);
	return false;
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
	free(tlb->queue);
	free(tlb->bucket);
	free(tlb->next);
	if (tlb->owns_arrays) {
		free(tlb->generation);
		free(tlb->stamp);
	}
	memset(tlb, 0, sizeof(*tlb));
}

static uint32_t find_indexed(const struct tlb *tlb, uint64_t key, uint64_t own, uint64_t global)
{
	uint32_t slot = *bucket_of(tlb, key);

	while (slot != TLB_NONE && (tlb->key[slot] != key ||
				    (tlb->context[slot] != own && tlb->context[slot] != global)))
		slot = tlb->next[slot];
	return slot;
}

/* One size, in its set. */
static inline uint32_t find_size(const struct tlb *tlb, va_t va, unsigned size_bits, uint64_t own,
				 uint64_t global)
{
	const uint64_t key = key_of(va, size_bits);
	const uint32_t ways = tlb->shape.ways;
	uint32_t first;

	if (tlb->bucket)
		return find_indexed(tlb, key, own, global);
	first = set_of(tlb, va, size_bits) * ways;
	for (uint32_t slot = first; slot < first + ways; slot++)
		if (tlb->key[slot] == key &&
		    (tlb->context[slot] == own || tlb->context[slot] == global))
			return slot;
	return TLB_NONE;
}

uint32_t tlb_find(const struct tlb *tlb, struct tlb_context context, va_t va)
{
	const uint64_t own = context_tag(context), global = global_tag(context);

	for (uint64_t sizes = tlb->resident; sizes; sizes &= sizes - 1) {
		const uint32_t slot =
			find_size(tlb, va, (unsigned)__builtin_ctzll(sizes), own, global);

		if (slot != TLB_NONE)
			return slot;
	}
	return TLB_NONE;
}

uint32_t tlb_find_walk(const struct tlb *tlb, const struct tlb_walk_tag *tag)
{
	const uint64_t own = walk_tag(tag);

	return find_size(tlb, va_of(tag->ia), tag->size_bits, own, own);
}

static inline void slot_release(struct tlb *tlb, uint32_t slot)
{
	const unsigned size_bits = tlb->key[slot] & 63;

	if (tlb->bucket)
		index_remove(tlb, slot);
	tlb->key[slot] = KEY_INVALID;
	tlb->generation[slot]++;
	tlb->used--;
	if (tlb->context[slot] >> KIND_SHIFT)
		return;
	if (--tlb->count[size_bits] == 0)
		tlb->resident &= ~(UINT64_C(1) << size_bits);
}

/* A free way of the set, or the policy's victim, made free. */
static uint32_t slot_claim(struct tlb *tlb, uint32_t set)
{
	const uint32_t ways = tlb->shape.ways, first = set * ways;
	uint32_t slot;

	if (tlb->used < tlb->slots)
		for (slot = first; slot < first + ways; slot++)
			if (tlb->key[slot] == KEY_INVALID)
				return slot;
	if (tlb->queue)
		slot = lru_queue_oldest(tlb->queue, tlb->stamp);
	else if (tlb->stamp)
		slot = first + lru_oldest(tlb->stamp + first, ways);
	else
		slot = first + tlb->shape.repl->victim(tlb->repl_state, set);
	slot_release(tlb, slot);
	return slot;
}

/* Claims a slot for an entry, of whatever kind the tag says. */
static uint32_t put(struct tlb *tlb, va_t va, unsigned size_bits, uint64_t tag)
{
	const uint32_t set = set_of(tlb, va, size_bits);
	const uint32_t slot = slot_claim(tlb, set);

	tlb->key[slot] = key_of(va, size_bits);
	tlb->context[slot] = tag;
	tlb->generation[slot]++;
	tlb->used++;
	if (tlb->bucket)
		index_add(tlb, slot);
	if (tlb->stamp)
		tlb->stamp[slot] = ++tlb->clock;
	else
		tlb->shape.repl->on_fill(tlb->repl_state, set, slot - set * tlb->shape.ways);
	return slot;
}

uint32_t tlb_fill(struct tlb *tlb, struct tlb_context context, va_t va, const struct tlb_leaf *leaf)
{
	const uint64_t leaf_mask = low_mask(leaf->size_bits);
	const uint64_t fitting = tlb->shape.page_sizes & (leaf_mask << 1 | 1);

	if (!fitting)
		return TLB_NONE;

	const unsigned size_bits = 63u - (unsigned)__builtin_clzll(fitting);
	const uint64_t tag = leaf->global ? global_tag(context) : context_tag(context);
	const uint32_t slot = put(tlb, va, size_bits, tag);
	const uint64_t inside = leaf_mask & ~low_mask(size_bits);

	tlb->splintered += size_bits < leaf->leaf_bits;
	tlb->leaf[slot] = *leaf;
	tlb->leaf[slot].pa = pa_of(leaf->pa.v | (va.v & inside));
	tlb->leaf[slot].size_bits = (uint8_t)size_bits;
	tlb->count[size_bits]++;
	tlb->resident |= UINT64_C(1) << size_bits;
	return slot;
}

uint32_t tlb_renew(struct tlb *tlb, uint32_t slot, struct tlb_context context, va_t va,
		   const struct tlb_leaf *leaf)
{
	struct tlb_leaf *entry = &tlb->leaf[slot];
	const uint64_t tag = leaf->global ? global_tag(context) : context_tag(context);
	const uint64_t inside = low_mask(leaf->size_bits) & ~low_mask(entry->size_bits);

	if (tag != tlb->context[slot] || leaf->size_bits < entry->size_bits ||
	    (leaf->pa.v | (va.v & inside)) != entry->pa.v) {
		slot_release(tlb, slot);
		return tlb_fill(tlb, context, va, leaf);
	}
	entry->perms = leaf->perms;
	entry->dirty_clear = leaf->dirty_clear;
	entry->no_fetch = leaf->no_fetch;
	return slot;
}

uint32_t tlb_fill_walk(struct tlb *tlb, const struct tlb_walk_tag *tag)
{
	return put(tlb, va_of(tag->ia), tag->size_bits, walk_tag(tag));
}

bool tlb_walk_at(const struct tlb *tlb, uint32_t slot, struct tlb_walk_tag *tag)
{
	const uint64_t key = tlb->key[slot], context = tlb->context[slot];

	if (key == KEY_INVALID || !(context >> KIND_SHIFT))
		return false;
	*tag = (struct tlb_walk_tag){
		.kind = (enum tlb_walk_kind)__builtin_ctzll(context >> KIND_SHIFT),
		.context = { .vmid = (uint16_t)(context >> 17), .asid = (uint16_t)(context >> 1) },
		.ia = (key & ~UINT64_C(63)) << 6,
		.size_bits = key & 63,
	};
	return true;
}

void tlb_drop(struct tlb *tlb, uint32_t slot)
{
	slot_release(tlb, slot);
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

	if (context >> KIND_SHIFT)
		return false;
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
	const uint32_t before = tlb->used;

	for (uint32_t slot = 0; slot < tlb->slots && tlb->used; slot++)
		if (tlb->key[slot] != KEY_INVALID && slot_matches(tlb, slot, match))
			slot_release(tlb, slot);
	return before - tlb->used;
}

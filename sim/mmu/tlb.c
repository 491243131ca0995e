/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/tlb_private.h"

#include <stdlib.h>
#include <string.h>

/* So that each form saves only the registers that it wants. */
#define APART static __attribute__((noinline))

/* From so many ways on, a fully associative TLB is indexed by a hash. */
enum { INDEXED_WAYS = 16, FEW_WAYS = 256 };

/*
 * Twice as many chains as slots; eight times where they are few: most look-ups fail, and a chain
 * that is empty nearly always is what a host's branch predictor gets right.
 */
static bool init_index(struct tlb *tlb, uint32_t ways)
{
	size_t buckets;

	tlb->bucket_shift = (ways > FEW_WAYS ? 31u : 29u) + (unsigned)__builtin_clz(ways - 1);
	buckets = (size_t)1 << (64 - tlb->bucket_shift);
	tlb->bucket = malloc(buckets * sizeof(*tlb->bucket));
	tlb->next = malloc(ways * sizeof(*tlb->next));
	if (tlb->stamp && ways > LRU_TURNS_MOST)
		tlb->queue = malloc(lru_queue_bytes(ways));
	else if (tlb->stamp)
		tlb->turns = malloc(lru_turns_bytes(ways));
	if (!tlb->bucket || !tlb->next || (tlb->stamp && !tlb->queue && !tlb->turns))
		return false;
	if (tlb->queue)
		lru_queue_init(tlb->queue, ways);
	else if (tlb->turns)
		lru_turns_init(tlb->turns, ways);
	for (size_t i = 0; i < buckets; i++)
		tlb->bucket[i] = TLB_NONE;
	return true;
}

static void index_add(struct tlb *tlb, uint32_t slot)
{
	uint32_t *head = bucket_of(tlb, tlb->tag[slot].key);

	tlb->next[slot] = *head;
	*head = slot;
}

static void index_remove(struct tlb *tlb, uint32_t slot)
{
	uint32_t *at = bucket_of(tlb, tlb->tag[slot].key);

	while (*at != slot)
		at = &tlb->next[*at];
	*at = tlb->next[slot];
}

/* log2; 0: none. */
static uint8_t largest_size(uint64_t sizes)
{
	return sizes ? (uint8_t)(63 - __builtin_clzll(sizes)) : 0;
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
	tlb->masked =
		(shape->sets & (shape->sets - 1)) == 0 && (!shape->hashed || shape->sets == 1);
	tlb->owns_arrays = !slab;
	for (unsigned bits = 0; bits < 64; bits++)
		tlb->entry_bits[bits] = largest_size(shape->page_sizes & (low_mask(bits) << 1 | 1));
	tlb->tag = malloc(slots * sizeof(*tlb->tag));
	tlb->valid = calloc(valid_words(tlb), sizeof(*tlb->valid));
	tlb->leaf = calloc(slots, sizeof(*tlb->leaf));
	tlb->held = shape->group_bits ? calloc(slots, sizeof(*tlb->held)) : NULL;
	tlb->generation = slab ? slab->generation : calloc(slots, sizeof(*tlb->generation));
	if (lru)
		tlb->stamp = slab ? slab->stamp : calloc(slots, sizeof(*tlb->stamp));
	else
		tlb->repl_state = malloc(shape->repl->state_bytes(geometry));
	if (!tlb->tag || !tlb->valid || !tlb->leaf || !tlb->generation ||
	    (shape->group_bits && !tlb->held) || (!tlb->stamp && !tlb->repl_state)) {
		tlb_fini(tlb);
		return false;
	}
	if (!lru)
		shape->repl->init(tlb->repl_state, geometry, shape->seed);
	for (size_t i = 0; i < slots; i++)
		tlb->tag[i] = (struct tlb_tag){ .key = KEY_INVALID };
	if (shape->sets == 1 && shape->ways >= INDEXED_WAYS && !init_index(tlb, shape->ways)) {
		tlb_fini(tlb);
		return false;
	}
	if (!tlb->held)
		tlb->finds = tlb->bucket ? TLB_CHAINS : tlb->masked ? TLB_MASKED : TLB_ANY;
	tlb->fills = tlb->stamp && !tlb->queue ? tlb->finds : TLB_ANY;
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
	free(tlb->tag);
	free(tlb->valid);
	free(tlb->leaf);
	free(tlb->held);
	free(tlb->turns);
	free(tlb->queue);
	free(tlb->bucket);
	free(tlb->next);
	if (tlb->owns_arrays) {
		free(tlb->generation);
		free(tlb->stamp);
	}
	memset(tlb, 0, sizeof(*tlb));
}

FORMED uint32_t find_sizes(const struct tlb *tlb, enum tlb_form form, uint64_t own, va_t va)
{
	const uint64_t global = global_tag(own);

	for (uint64_t sizes = tlb->resident; sizes; sizes &= sizes - 1) {
		const uint32_t slot =
			find_size(tlb, form, va.v, (unsigned)__builtin_ctzll(sizes), own, global);

		if (slot != TLB_NONE)
			return slot;
	}
	return TLB_NONE;
}

APART uint32_t find_in_chains(const struct tlb *tlb, uint64_t own, va_t va)
{
	return find_sizes(tlb, TLB_CHAINS, own, va);
}

APART uint32_t find_masked(const struct tlb *tlb, uint64_t own, va_t va)
{
	return find_sizes(tlb, TLB_MASKED, own, va);
}

APART uint32_t find_any(const struct tlb *tlb, uint64_t own, va_t va)
{
	return tlb->held ? tlb_find_grouped(tlb, own, va) : find_sizes(tlb, TLB_ANY, own, va);
}

uint32_t tlb_find(const struct tlb *tlb, struct tlb_context context, va_t va)
{
	const uint64_t own = context_tag(context);

	return tlb->finds == TLB_MASKED	  ? find_masked(tlb, own, va)
	       : tlb->finds == TLB_CHAINS ? find_in_chains(tlb, own, va)
					  : find_any(tlb, own, va);
}

void tlb_host_prefetch(const struct tlb *tlb, va_t va)
{
	size_t first;

	if (tlb->bucket || !tlb->resident)
		return;
	first = (size_t)set_of(tlb, va.v, (unsigned)__builtin_ctzll(tlb->resident)) *
		tlb->shape.ways;
	__builtin_prefetch(&tlb->tag[first]);
	__builtin_prefetch(&tlb->tag[first + tlb->shape.ways - 1]);
	__builtin_prefetch(&tlb->generation[first]);
	__builtin_prefetch(&tlb->leaf[first]);
	__builtin_prefetch(&tlb->leaf[first + tlb->shape.ways - 1]);
	if (tlb->stamp)
		__builtin_prefetch(&tlb->stamp[first]);
}

uint32_t tlb_rehashes_of_many(const struct tlb *tlb, uint32_t slot)
{
	if (slot == TLB_NONE)
		return (uint32_t)__builtin_popcountll(tlb->resident) - 1;
	return (uint32_t)__builtin_popcountll(tlb->resident & low_mask(tlb->tag[slot].key & 63));
}

/* VA to PA entries by size. */
static void count_in(struct tlb *tlb, unsigned size_bits)
{
	tlb->count[size_bits]++;
	tlb->resident |= UINT64_C(1) << size_bits;
}

static void count_out(struct tlb *tlb, const struct tlb_tag *tag)
{
	const unsigned size_bits = tag->key & 63;

	if (!(tag->context >> KIND_SHIFT) && --tlb->count[size_bits] == 0)
		tlb->resident &= ~(UINT64_C(1) << size_bits);
}

void tlb_drop(struct tlb *tlb, uint32_t slot)
{
	if (tlb->bucket)
		index_remove(tlb, slot);
	count_out(tlb, &tlb->tag[slot]);
	tlb->valid[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	tlb->tag[slot].key = KEY_INVALID;
	tlb->generation[slot]++;
	tlb->used--;
}

APART void tell_evicted(const struct tlb *tlb, uint32_t slot)
{
	const uint64_t context = tlb->tag[slot].context;
	const struct tlb_evicted entry = {
		.context = { .vmid = (uint16_t)(context >> 17), .asid = (uint16_t)(context >> 1) },
		.va = va_of(key_address(tlb->tag[slot].key)),
		.leaf = tlb->leaf[slot],
	};

	if (!(context >> KIND_SHIFT))
		tlb->evicted(tlb->evicted_ctx, &entry);
}

void tlb_tell(struct tlb *tlb, void (*evicted)(void *ctx, const struct tlb_evicted *entry),
	      void *ctx)
{
	tlb->evicted = evicted;
	tlb->evicted_ctx = ctx;
	tlb->fills = TLB_ANY;
}

static uint32_t victim_of(struct tlb *tlb, uint32_t set)
{
	const uint32_t ways = tlb->shape.ways, first = set * ways;

	if (!tlb->stamp)
		return first + tlb->shape.repl->victim(tlb->repl_state, set);
	if (!tlb->bucket)
		return first + lru_oldest(tlb->stamp + first, ways);
	return tlb->turns ? lru_turns_settle(tlb->turns, tlb->stamp)
			  : lru_queue_oldest(tlb->queue, tlb->stamp);
}

FORMED uint32_t free_slot(const struct tlb *tlb, uint32_t set)
{
	const uint32_t first = set * tlb->shape.ways, end = first + tlb->shape.ways;
	uint32_t word = 0;

	if (tlb->used == tlb->slots)
		return TLB_NONE;
	if (tlb->bucket) {
		while (tlb->valid[word] == UINT64_MAX)
			word++;
		return word * 64 + (uint32_t)__builtin_ctzll(~tlb->valid[word]);
	}
	for (uint32_t slot = first; slot < end; slot++)
		if (tlb->tag[slot].key == KEY_INVALID)
			return slot;
	return TLB_NONE;
}

/* A free slot, or the policy's victim, whose entry then goes. */
static uint32_t claim(struct tlb *tlb, uint32_t set)
{
	uint32_t slot = free_slot(tlb, set);

	if (slot != TLB_NONE)
		return slot;
	slot = victim_of(tlb, set);
	if (tlb->evicted)
		tell_evicted(tlb, slot);
	return slot;
}

/* The entry in a claimed slot makes room. size_bits = 0: for one of a walk cache. */
FORMED void replace(struct tlb *tlb, enum tlb_form form, uint32_t slot, struct tlb_tag tag,
		    unsigned size_bits)
{
	const bool chained = form == TLB_CHAINS || (form == TLB_ANY && tlb->bucket);
	const struct tlb_tag old = tlb->tag[slot];
	const bool was_free = old.key == KEY_INVALID;

	tlb->used += was_free;
	if (was_free)
		tlb->valid[slot / 64] |= UINT64_C(1) << slot % 64;
	else if (chained)
		index_remove(tlb, slot);
	tlb->tag[slot] = tag;
	tlb->generation[slot]++;
	if (chained)
		index_add(tlb, slot);
	/* The common case is one size. */
	if ((old.key & 63) == size_bits && !(old.context >> KIND_SHIFT))
		return;
	if (!was_free)
		count_out(tlb, &old);
	if (size_bits)
		count_in(tlb, size_bits);
}

FORMED void stamp_fill(struct tlb *tlb, enum tlb_form form, uint32_t slot)
{
	tlb->stamp[slot] = ++tlb->clock;
	if (form == TLB_CHAINS || (form == TLB_ANY && tlb->turns))
		lru_turns_fill(tlb->turns, slot, tlb->clock);
}

uint32_t tlb_put(struct tlb *tlb, uint32_t set, struct tlb_tag tag, unsigned size_bits)
{
	const uint32_t slot = claim(tlb, set);

	replace(tlb, TLB_ANY, slot, tag, size_bits);
	if (tlb->stamp)
		stamp_fill(tlb, TLB_ANY, slot);
	else
		tlb->shape.repl->on_fill(tlb->repl_state, set, slot - set * tlb->shape.ways);
	return slot;
}

static uint64_t leaf_tag(struct tlb_context context, const struct tlb_leaf *leaf)
{
	const uint64_t own = context_tag(context);

	return leaf->global ? global_tag(own) : own;
}

unsigned tlb_entry_bits(const struct tlb *tlb, const struct tlb_leaf *leaf)
{
	const bool spans = leaf->span_bits > leaf->size_bits && tlb->shape.contiguous;

	return tlb->entry_bits[spans ? leaf->span_bits : leaf->size_bits];
}

static void count_sizes(struct tlb *tlb, const struct tlb_leaf *leaf, unsigned size_bits)
{
	tlb->splintered += size_bits < leaf->leaf_bits;
	tlb->contiguous += size_bits > leaf->size_bits;
}

/* What the filled slot holds. */
FORMED void enter(struct tlb *tlb, uint32_t slot, va_t va, const struct tlb_leaf *leaf,
		  unsigned size_bits)
{
	struct tlb_leaf *entry = &tlb->leaf[slot];

	*entry = *leaf;
	entry->span_bits = 0;
	if (size_bits == leaf->size_bits && size_bits == leaf->leaf_bits)
		return;
	entry->pa = pa_around(leaf, va, size_bits);
	entry->size_bits = (uint8_t)size_bits;
	count_sizes(tlb, leaf, size_bits);
}

APART uint32_t fill_any(struct tlb *tlb, struct tlb_tag tag, va_t va, const struct tlb_leaf *leaf)
{
	const unsigned size_bits = tag.key & 63;
	uint32_t slot;

	if (in_groups(tlb, size_bits)) {
		count_sizes(tlb, leaf, size_bits);
		return tlb_fill_grouped(tlb, tag.context, va, leaf);
	}
	slot = tlb_put(tlb, set_of(tlb, va.v, size_bits), tag, size_bits);
	enter(tlb, slot, va, leaf, size_bits);
	return slot;
}

FORMED uint32_t fill_slot(struct tlb *tlb, enum tlb_form form, uint32_t slot, struct tlb_tag tag,
			  va_t va, const struct tlb_leaf *leaf)
{
	const unsigned size_bits = tag.key & 63;

	replace(tlb, form, slot, tag, size_bits);
	stamp_fill(tlb, form, slot);
	enter(tlb, slot, va, leaf, size_bits);
	return slot;
}

APART uint32_t fill_found(struct tlb *tlb, struct tlb_tag tag, va_t va, const struct tlb_leaf *leaf)
{
	uint32_t slot = free_slot(tlb, 0);

	if (slot == TLB_NONE)
		slot = lru_turns_settle(tlb->turns, tlb->stamp);
	return fill_slot(tlb, TLB_CHAINS, slot, tag, va, leaf);
}

APART uint32_t fill_first(struct tlb *tlb, struct tlb_tag tag, va_t va, const struct tlb_leaf *leaf)
{
	return fill_slot(tlb, TLB_CHAINS, lru_turns_way(tlb->turns), tag, va, leaf);
}

APART uint32_t fill_masked(struct tlb *tlb, struct tlb_tag tag, va_t va,
			   const struct tlb_leaf *leaf)
{
	const uint32_t set = set_in(tlb, TLB_MASKED, va.v, tag.key & 63);
	const uint32_t ways = tlb->shape.ways;
	uint32_t slot = free_slot(tlb, set);

	if (slot == TLB_NONE)
		slot = set * ways + lru_oldest(tlb->stamp + set * ways, ways);
	return fill_slot(tlb, TLB_MASKED, slot, tag, va, leaf);
}

uint32_t tlb_fill(struct tlb *tlb, struct tlb_context context, va_t va, const struct tlb_leaf *leaf)
{
	const unsigned size_bits = tlb_entry_bits(tlb, leaf);
	const struct tlb_tag tag = { key_of(va.v, size_bits), leaf_tag(context, leaf) };

	if (!size_bits)
		return TLB_NONE;
	if (tlb->fills == TLB_MASKED)
		return fill_masked(tlb, tag, va, leaf);
	if (tlb->fills == TLB_ANY)
		return fill_any(tlb, tag, va, leaf);
	if (tlb->used == tlb->slots && lru_turns_are_right(tlb->turns, tlb->stamp))
		return fill_first(tlb, tag, va, leaf);
	return fill_found(tlb, tag, va, leaf);
}

uint32_t tlb_renew(struct tlb *tlb, uint32_t slot, struct tlb_context context, va_t va,
		   const struct tlb_leaf *leaf)
{
	struct tlb_leaf *entry = &tlb->leaf[slot];
	const bool group = tlb->held && tlb->tag[slot].key & KEY_GROUP;
	const uint8_t page = group ? group_bit(tlb, va) : 0;
	const unsigned held_bits = group ? tlb->shape.page_bits : entry->size_bits;
	/* A page that changed may suit another entry of its group: no two that suit may be there.
	 */
	const bool changed = group && !tlb_leaves_alike(entry, leaf);

	if (changed || leaf_tag(context, leaf) != tlb->tag[slot].context ||
	    tlb_entry_bits(tlb, leaf) < held_bits ||
	    pa_around(leaf, va, held_bits).v != pa_around(entry, va, held_bits).v) {
		tlb_drop_pages(tlb, slot, page);
		return tlb_fill(tlb, context, va, leaf);
	}
	entry->perms = leaf->perms;
	entry->dirty_clear = leaf->dirty_clear;
	entry->no_fetch = leaf->no_fetch;
	return slot;
}

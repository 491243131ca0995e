/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/tlb_private.h"

#include <stdlib.h>
#include <string.h>

/* From so many ways on, a fully associative TLB is indexed by a hash. */
enum { INDEXED_WAYS = 16 };

/* From so many ways on, victims come out of a queue instead of a pass over all stamps. */
enum { QUEUED_WAYS = 256 };

static uint64_t global_tag(struct tlb_context context)
{
	return (context_tag(context) & ~low_mask(17)) | 1;
}

static uint64_t walk_tag(const struct tlb_walk_tag *tag)
{
	return UINT64_C(1) << (KIND_SHIFT + (unsigned)tag->kind) | context_tag(tag->context);
}

static uint64_t key_of(va_t va, unsigned size_bits)
{
	return va.v >> size_bits << (size_bits - 6) | size_bits;
}

/* Twice as many chains as slots. */
static bool init_index(struct tlb *tlb, uint32_t ways)
{
	size_t buckets;

	tlb->bucket_bits = 33u - (unsigned)__builtin_clz(ways - 1);
	buckets = (size_t)1 << tlb->bucket_bits;
	tlb->bucket = malloc(buckets * sizeof(*tlb->bucket));
	tlb->next = malloc(ways * sizeof(*tlb->next));
	if (tlb->stamp && ways >= QUEUED_WAYS)
		tlb->queue = malloc(lru_queue_bytes(ways));
	if (!tlb->bucket || !tlb->next || (tlb->stamp && ways >= QUEUED_WAYS && !tlb->queue))
		return false;
	if (tlb->queue)
		lru_queue_init(tlb->queue, ways);
	else if (tlb->stamp)
		tlb->oldest = lru_finder(LRU_WIDEST);
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
	tlb->masked =
		(shape->sets & (shape->sets - 1)) == 0 && (!shape->hashed || shape->sets == 1);
	tlb->owns_arrays = !slab;
	tlb->key = malloc(slots * sizeof(*tlb->key));
	tlb->context = calloc(slots, sizeof(*tlb->context));
	tlb->leaf = calloc(slots, sizeof(*tlb->leaf));
	tlb->held = shape->group_bits ? calloc(slots, sizeof(*tlb->held)) : NULL;
	tlb->generation = slab ? slab->generation : calloc(slots, sizeof(*tlb->generation));
	if (lru)
		tlb->stamp = slab ? slab->stamp : calloc(slots, sizeof(*tlb->stamp));
	else
		tlb->repl_state = malloc(shape->repl->state_bytes(geometry));
	if (!tlb->key || !tlb->context || !tlb->leaf || !tlb->generation ||
	    (shape->group_bits && !tlb->held) || (!tlb->stamp && !tlb->repl_state)) {
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
	free(tlb->held);
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

/* ---- groups of pages ------------------------------------------------------------------------ */

static unsigned group_size_bits(const struct tlb *tlb)
{
	return (unsigned)tlb->shape.page_bits + tlb->shape.group_bits;
}

static uint64_t group_key(const struct tlb *tlb, va_t va)
{
	const va_t first = va_of(va.v & ~low_mask(group_size_bits(tlb)));

	return KEY_GROUP | key_of(first, tlb->shape.page_bits);
}

static bool holds_page(const struct tlb *tlb, uint32_t slot, uint64_t key, uint8_t bit,
		       uint64_t own, uint64_t global)
{
	return tlb->key[slot] == key && tlb->held[slot] & bit &&
	       (tlb->context[slot] == own || tlb->context[slot] == global);
}

/* The entry of va's group that holds one of the pages in `bit`, beginning behind `after`. */
static uint32_t find_group(const struct tlb *tlb, va_t va, uint8_t bit, uint64_t own,
			   uint64_t global, uint32_t after)
{
	const uint64_t key = group_key(tlb, va);
	const uint32_t ways = tlb->shape.ways;
	uint32_t slot, first;

	if (tlb->bucket) {
		slot = after == TLB_NONE ? *bucket_of(tlb, key) : tlb->next[after];
		while (slot != TLB_NONE && !holds_page(tlb, slot, key, bit, own, global))
			slot = tlb->next[slot];
		return slot;
	}
	first = set_of(tlb, va, group_size_bits(tlb)) * ways;
	for (slot = after == TLB_NONE ? first : after + 1; slot < first + ways; slot++)
		if (holds_page(tlb, slot, key, bit, own, global))
			return slot;
	return TLB_NONE;
}

static bool in_groups(const struct tlb *tlb, unsigned size_bits)
{
	return tlb->held && size_bits == tlb->shape.page_bits;
}

struct tlb_leaf tlb_page_of(const struct tlb *tlb, uint32_t slot, va_t va)
{
	struct tlb_leaf leaf = tlb->leaf[slot];

	leaf.ahead = 0;
	if (!(tlb->key[slot] & KEY_GROUP))
		return leaf;
	leaf.pa = pa_of((leaf.pa.v | (va.v & low_mask(leaf.size_bits))) &
			~low_mask(tlb->shape.page_bits));
	leaf.size_bits = tlb->shape.page_bits;
	leaf.span_bits = 0;
	return leaf;
}

uint32_t tlb_find(const struct tlb *tlb, struct tlb_context context, va_t va)
{
	const uint64_t own = context_tag(context), global = global_tag(context);

	for (uint64_t sizes = tlb->resident; sizes; sizes &= sizes - 1) {
		const unsigned size_bits = (unsigned)__builtin_ctzll(sizes);
		const uint32_t slot =
			in_groups(tlb, size_bits)
				? find_group(tlb, va, group_bit(tlb, va), own, global, TLB_NONE)
				: find_size(tlb, va, size_bits, own, global);

		if (slot != TLB_NONE)
			return slot;
	}
	return TLB_NONE;
}

void tlb_host_prefetch(const struct tlb *tlb, va_t va)
{
	size_t first;

	if (tlb->bucket || !tlb->resident)
		return;
	first = (size_t)set_of(tlb, va, (unsigned)__builtin_ctzll(tlb->resident)) * tlb->shape.ways;
	__builtin_prefetch(&tlb->key[first]);
	__builtin_prefetch(&tlb->context[first]);
	__builtin_prefetch(&tlb->generation[first]);
	__builtin_prefetch(&tlb->leaf[first]);
	__builtin_prefetch(&tlb->leaf[first + tlb->shape.ways - 1]);
	if (tlb->stamp)
		__builtin_prefetch(&tlb->stamp[first]);
}

uint32_t tlb_rehashes(const struct tlb *tlb, uint32_t slot)
{
	/* The common case is one size: it needs no count. */
	if (!(tlb->resident & (tlb->resident - 1)))
		return 0;
	if (slot == TLB_NONE)
		return (uint32_t)__builtin_popcountll(tlb->resident) - 1;
	return (uint32_t)__builtin_popcountll(tlb->resident & low_mask(tlb->key[slot] & 63));
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

static void tell_evicted(const struct tlb *tlb, uint32_t slot)
{
	const uint64_t tag = tlb->context[slot];
	const struct tlb_evicted entry = {
		.context = { .vmid = (uint16_t)(tag >> 17), .asid = (uint16_t)(tag >> 1) },
		.va = va_of((tlb->key[slot] & ~UINT64_C(63)) << 6),
		.leaf = tlb->leaf[slot],
	};

	if (!(tag >> KIND_SHIFT))
		tlb->evicted(tlb->evicted_ctx, &entry);
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
	else if (tlb->oldest)
		slot = tlb->oldest(tlb->stamp, ways);
	else if (tlb->stamp)
		slot = first + lru_oldest(tlb->stamp + first, ways);
	else
		slot = first + tlb->shape.repl->victim(tlb->repl_state, set);
	if (tlb->evicted)
		tell_evicted(tlb, slot);
	slot_release(tlb, slot);
	return slot;
}

/* Claims a slot of the set for an entry, of whatever kind the tag says. */
static uint32_t put(struct tlb *tlb, uint32_t set, uint64_t key, uint64_t tag)
{
	const uint32_t slot = slot_claim(tlb, set);

	tlb->key[slot] = key;
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

static uint64_t leaf_tag(struct tlb_context context, const struct tlb_leaf *leaf)
{
	return leaf->global ? global_tag(context) : context_tag(context);
}

unsigned tlb_entry_bits(const struct tlb *tlb, const struct tlb_leaf *leaf)
{
	const unsigned reach_bits = tlb->shape.contiguous && leaf->span_bits > leaf->size_bits
					    ? leaf->span_bits
					    : leaf->size_bits;
	const uint64_t fitting = tlb->shape.page_sizes & (low_mask(reach_bits) << 1 | 1);

	return fitting ? 63u - (unsigned)__builtin_clzll(fitting) : 0;
}

/* PA of the first byte of the 2^size_bits bytes around va. */
static pa_t pa_around(const struct tlb_leaf *leaf, va_t va, unsigned size_bits)
{
	return pa_of((leaf->pa.v | (va.v & low_mask(leaf->size_bits))) & ~low_mask(size_bits));
}

/* Do two leaves differ in their address at most? */
static bool alike(const struct tlb_leaf *a, const struct tlb_leaf *b)
{
	return a->s1_bits == b->s1_bits && a->s2_bits == b->s2_bits &&
	       a->leaf_bits == b->leaf_bits && a->perms == b->perms && a->global == b->global &&
	       a->dirty_clear == b->dirty_clear && a->no_fetch == b->no_fetch;
}

/* Put the page of va into an entry of its group. TLB_NONE: no entry suits. */
static uint32_t join_group(struct tlb *tlb, va_t va, uint64_t tag, const struct tlb_leaf *leaf)
{
	const unsigned group = group_size_bits(tlb);
	const uint64_t pa = pa_around(leaf, va, tlb->shape.page_bits).v;
	const uint64_t inside = low_mask(group) & ~low_mask(tlb->shape.page_bits);
	uint32_t slot = TLB_NONE;

	if ((pa ^ va.v) & inside)
		return TLB_NONE;
	while ((slot = find_group(tlb, va, UINT8_MAX, tag, tag, slot)) != TLB_NONE) {
		struct tlb_leaf *entry = &tlb->leaf[slot];

		if (entry->size_bits != group || entry->pa.v != (pa & ~inside) ||
		    !alike(entry, leaf))
			continue;
		tlb->held[slot] |= group_bit(tlb, va);
		tlb->coalesced++;
		tlb_touch(tlb, slot);
		return slot;
	}
	return TLB_NONE;
}

/* The first page of a new entry of its group, which others may join if its PA permits. */
static uint32_t fill_group(struct tlb *tlb, va_t va, uint64_t tag, const struct tlb_leaf *leaf)
{
	const unsigned group = group_size_bits(tlb), page = tlb->shape.page_bits;
	const uint64_t pa = pa_around(leaf, va, page).v;
	const bool aligned = !((pa ^ va.v) & low_mask(group) & ~low_mask(page));
	uint32_t slot = join_group(tlb, va, tag, leaf);

	if (slot != TLB_NONE)
		return slot;
	slot = put(tlb, set_of(tlb, va, group), group_key(tlb, va), tag);
	tlb->held[slot] = group_bit(tlb, va);
	tlb->leaf[slot] = *leaf;
	tlb->leaf[slot].size_bits = (uint8_t)(aligned ? group : page);
	tlb->leaf[slot].pa = pa_around(leaf, va, aligned ? group : page);
	tlb->count[page]++;
	tlb->resident |= UINT64_C(1) << page;
	return slot;
}

uint32_t tlb_fill(struct tlb *tlb, struct tlb_context context, va_t va, const struct tlb_leaf *leaf)
{
	const unsigned size_bits = tlb_entry_bits(tlb, leaf);
	const uint64_t tag = leaf_tag(context, leaf);
	uint32_t slot;

	if (!size_bits)
		return TLB_NONE;
	tlb->splintered += size_bits < leaf->leaf_bits;
	tlb->contiguous += size_bits > leaf->size_bits;
	if (in_groups(tlb, size_bits))
		return fill_group(tlb, va, tag, leaf);
	slot = put(tlb, set_of(tlb, va, size_bits), key_of(va, size_bits), tag);
	tlb->leaf[slot] = *leaf;
	tlb->leaf[slot].pa = pa_around(leaf, va, size_bits);
	tlb->leaf[slot].size_bits = (uint8_t)size_bits;
	tlb->leaf[slot].span_bits = 0;
	tlb->count[size_bits]++;
	tlb->resident |= UINT64_C(1) << size_bits;
	return slot;
}

void tlb_drop_pages(struct tlb *tlb, uint32_t slot, uint8_t pages)
{
	if (tlb->held && tlb->key[slot] & KEY_GROUP && tlb->held[slot] & ~pages) {
		tlb->held[slot] &= (uint8_t)~pages;
		tlb->leaf[slot].ahead &= (uint8_t)~pages;
		tlb->generation[slot]++;
		return;
	}
	slot_release(tlb, slot);
}

uint32_t tlb_renew(struct tlb *tlb, uint32_t slot, struct tlb_context context, va_t va,
		   const struct tlb_leaf *leaf)
{
	struct tlb_leaf *entry = &tlb->leaf[slot];
	const bool group = tlb->held && tlb->key[slot] & KEY_GROUP;
	const uint8_t page = group ? group_bit(tlb, va) : 0;
	const unsigned held_bits = group ? tlb->shape.page_bits : entry->size_bits;
	/* A page that changed may suit another entry of its group: no two that suit may be there.
	 */
	const bool changed = group && !alike(entry, leaf);

	if (changed || leaf_tag(context, leaf) != tlb->context[slot] ||
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

uint32_t tlb_fill_walk(struct tlb *tlb, const struct tlb_walk_tag *tag)
{
	return put(tlb, set_of(tlb, va_of(tag->ia), tag->size_bits),
		   key_of(va_of(tag->ia), tag->size_bits), walk_tag(tag));
}

void tlb_drop(struct tlb *tlb, uint32_t slot)
{
	slot_release(tlb, slot);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "trace/s2t.h"
#include "trace/s2t_writer.h"

enum { RECORDS = TRACE_BLOCK_RECORDS };

static bool store_init(struct block_store *s)
{
	s->keys = malloc(RECORDS * sizeof(*s->keys));
	s->key = malloc(RECORDS * sizeof(*s->key));
	s->reads = malloc(RECORDS * sizeof(*s->reads));
	s->stores = malloc(RECORDS * sizeof(*s->stores));
	s->splits = calloc(RECORDS, sizeof(*s->splits));
	s->instructions = malloc(RECORDS * sizeof(*s->instructions));
	s->first_store = malloc(RECORDS);
	s->store_ordinal = malloc(RECORDS * sizeof(*s->store_ordinal));
	s->ordinal = malloc(RECORDS * sizeof(*s->ordinal));
	s->last_ordinal = malloc(RECORDS * sizeof(*s->last_ordinal));
	return s->keys && s->key && s->reads && s->stores && s->splits && s->instructions &&
	       s->first_store && s->store_ordinal && s->ordinal && s->last_ordinal;
}

bool blocks_init(struct block_builder *b, enum trace_granularity granularity)
{
	bool ok = true;

	*b = (struct block_builder){
		.granularity = granularity,
		.filling = &b->store[0],
		.slot_shift = 64 - BLOCK_SLOT_BITS_MIN,
		.slots = calloc(1u << BLOCK_SLOT_BITS_MAX, sizeof(*b->slots)),
		.tags = malloc(RECORDS * sizeof(*b->tags)),
	};
	for (int i = 0; i < BLOCK_STORES; i++)
		ok &= store_init(&b->store[i]);
	return ok && b->slots && b->tags;
}

void blocks_free(struct block_builder *b)
{
	for (int i = 0; i < BLOCK_STORES; i++) {
		struct block_store *s = &b->store[i];
		void *const owned[] = { s->keys,	s->key,		  s->reads,
					s->stores,	s->splits,	  s->instructions,
					s->first_store, s->store_ordinal, s->ordinal,
					s->last_ordinal };

		for (size_t k = 0; k < sizeof(owned) / sizeof(owned[0]); k++)
			free(owned[k]);
	}
	free(b->slots);
	free(b->tags);
	*b = (struct block_builder){ 0 };
}

static void clear_slots(struct block_builder *b)
{
	memset(b->slots, 0, blocks_slots(b) * sizeof(*b->slots));
}

void blocks_advance(struct block_builder *b)
{
	const uint64_t next = b->filling->number + 1;
	const uint32_t n_keys = b->filling->n_keys;
	struct block_store *s = &b->store[next % BLOCK_STORES];

	/* A small table stays in the host's caches; the next block is most often like this one. */
	while (b->slot_shift < 64 - BLOCK_SLOT_BITS_MIN && n_keys < blocks_slots(b) / 8)
		b->slot_shift++;
	clear_slots(b);
	s->number = next;
	s->n_records = s->n_keys = 0;
	s->has_kinds = false;
	memset(s->splits, 0, RECORDS * sizeof(*s->splits));
	s->totals = (struct trace_totals){ 0 };
	b->filling = s;
}

static void insert(struct block_builder *b, uint64_t tag, uint32_t index)
{
	size_t slot = block_hash(tag) >> b->slot_shift;

	while (b->slots[slot].tag)
		slot = (slot + 1) & (blocks_slots(b) - 1);
	b->slots[slot] = (struct block_slot){ tag, index };
}

static void count_key(struct block_builder *b, const struct trace_key *key)
{
	const unsigned va_bits = s2t_va_bits(key->va);
	const unsigned ipa_bits = key->ipa == TRACE_IPA_UNKNOWN ? 0 : s2t_va_bits(key->ipa);

	b->va_bits = va_bits > b->va_bits ? va_bits : b->va_bits;
	b->ipa_bits = ipa_bits > b->ipa_bits ? ipa_bits : b->ipa_bits;
	b->vcpus = key->vcpu >= b->vcpus ? key->vcpu + 1u : b->vcpus;
	b->vms = key->vm >= b->vms ? key->vm + 1u : b->vms;
}

uint16_t blocks_add_key(struct block_builder *b, uint64_t tag, const struct trace_key *key)
{
	struct block_store *s = b->filling;
	const uint32_t index = s->n_keys++;

	count_key(b, key);
	s->keys[index] = *key;
	b->tags[index] = tag;
	if (s->n_keys <= blocks_slots(b) / 2) {
		insert(b, tag, index);
		return (uint16_t)index;
	}
	b->slot_shift--;
	clear_slots(b);
	for (uint32_t i = 0; i < s->n_keys; i++)
		insert(b, b->tags[i], i);
	return (uint16_t)index;
}

static bool same_key(const struct trace_key *a, const struct trace_key *b)
{
	return a->va == b->va && a->ipa == b->ipa && s2t_key_owner(a) == s2t_key_owner(b);
}

static uint16_t find_key(struct block_builder *b, const struct trace_key *key)
{
	uint64_t tag = (key->va >> b->granularity) * UINT64_C(0x9e3779b97f4a7c15);
	size_t slot;

	tag ^= (key->ipa ^ s2t_key_owner(key)) * UINT64_C(0xc2b2ae3d27d4eb4f);
	tag |= 1;
	for (slot = block_hash(tag) >> b->slot_shift; b->slots[slot].tag;
	     slot = (slot + 1) & (blocks_slots(b) - 1)) {
		const struct block_slot *at = &b->slots[slot];

		if (at->tag == tag && same_key(&b->filling->keys[at->index], key))
			return (uint16_t)at->index;
	}
	return blocks_add_key(b, tag, key);
}

void blocks_put_run(struct block_builder *b, const struct trace_run *run)
{
	struct block_store *s;
	uint32_t i;

	if (b->filling->n_records == RECORDS)
		blocks_advance(b);
	s = b->filling;
	i = s->n_records++;
	s->key[i] = find_key(b, &run->key);
	s->reads[i] = run->reads;
	s->stores[i] = run->stores;
	s->splits[i] = run->splits;
	s->instructions[i] = run->instructions;
	s->store_ordinal[i] = run->store_ordinal;
	s->ordinal[i] = run->ordinal;
	s->last_ordinal[i] = run->last_ordinal;
	s->totals.instructions += run->instructions;
	s->totals.stores += run->stores;
	s->totals.splits += run->splits;
	if (run->key.stream == STREAM_FETCH)
		s->totals.fetches += run->reads;
	else
		s->totals.loads += run->reads;
}

static void make_kinds(struct block_store *s)
{
	for (uint32_t i = 0; i < s->n_records; i++)
		s->first_store[i] = s->store_ordinal[i] == s->ordinal[i];
	s->has_kinds = true;
}

void blocks_view(struct block_builder *b, uint64_t number, unsigned columns,
		 struct trace_block *block)
{
	struct block_store *s = &b->store[number % BLOCK_STORES];

	if ((columns & COLUMN_FIRST_KIND) && !s->has_kinds)
		make_kinds(s);
	*block = (struct trace_block){
		.n_records = s->n_records,
		.n_keys = s->n_keys,
		.totals = s->totals,
		.first_ordinal = s->n_records ? s->ordinal[0] : 0,
		.keys = s->keys,
		.key = s->key,
		.reads = s->reads,
		.stores = s->stores,
		.splits = s->splits,
		.first_store = s->first_store,
		.store_ordinal = s->store_ordinal,
		.ordinal = s->ordinal,
		.last_ordinal = s->last_ordinal,
		.instructions = s->instructions,
	};
	block->totals.records = s->n_records;
	s2t_keep_columns(block, columns);
}

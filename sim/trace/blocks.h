/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of records that are put together in memory, with the same records in each as those of a
 * native trace; only the order of their keys differs. Three are kept: one that is being filled, the
 * one before, which may have runs that are still open, and the one before that.
 */
#ifndef TWOSTAGE_TRACE_BLOCKS_H
#define TWOSTAGE_TRACE_BLOCKS_H

#include "trace/trace.h"

enum {
	BLOCK_STORES = 3,
	BLOCK_SLOT_BITS_MIN = 12,
	BLOCK_SLOT_BITS_MAX = 17, /* twice the keys that a block can hold */
};

/* The columns of one block; struct trace_block says what they mean. */
struct block_store {
	uint64_t number; /* of the block */
	uint32_t n_records, n_keys;
	bool has_kinds;		    /* first_store has been made */
	struct trace_totals totals; /* of the accesses that came while the block was filled */
	struct trace_key *keys;
	uint16_t *key;
	uint32_t *reads, *stores, *splits, *instructions;
	uint8_t *first_store; /* from store_ordinal, once somebody wants it */
	uint64_t *store_ordinal, *ordinal, *last_ordinal;
};

/* Hash table of the keys of the block that is being filled. A tag of 0: empty. */
struct block_slot {
	uint64_t tag;
	uint32_t index;
};

struct block_builder {
	enum trace_granularity granularity;
	struct block_store store[BLOCK_STORES];
	struct block_store *filling;
	struct block_slot *slots;
	unsigned slot_shift;	    /* of a hash to the number of its first slot */
	uint64_t *tags;		    /* of the keys, by their index */
	unsigned va_bits, ipa_bits; /* as struct trace_info has them, so far */
	unsigned vcpus, vms;
};

/* false: no memory; to be freed in any case. */
bool blocks_init(struct block_builder *b, enum trace_granularity granularity);
void blocks_free(struct block_builder *b);

/* The next block is filled from now on; the fourth last is gone. */
void blocks_advance(struct block_builder *b);

/* Number of the next record over all blocks. */
static inline uint64_t blocks_next(const struct block_builder *b)
{
	return b->filling->number * TRACE_BLOCK_RECORDS + b->filling->n_records;
}

static inline size_t blocks_slots(const struct block_builder *b)
{
	return (size_t)1 << (64 - b->slot_shift);
}

/* Its upper bits say in which slot to begin. */
static inline uint64_t block_hash(uint64_t tag)
{
	return tag * UINT64_C(0x9e3779b97f4a7c15);
}

/* A key that the block does not have yet, into the first empty slot that its tag leads to. Its
 * index. */
uint16_t blocks_add_key(struct block_builder *b, uint64_t tag, const struct trace_key *key);

/* A run that is over, behind all that came before. */
void blocks_put_run(struct block_builder *b, const struct trace_run *run);

/* trace_collapser_create() with blocks of its granularity in place of a trace; no events. */
struct trace_collapser *trace_collapser_into(struct block_builder *b);

/*
 * Block `number`, one of the last three, as trace_read_block() gives it but for the totals; it
 * belongs to the builder.
 */
void blocks_view(struct block_builder *b, uint64_t number, unsigned columns,
		 struct trace_block *block);

#endif

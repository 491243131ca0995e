/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What got through the L1 TLBs of one replay, in order: the accesses that missed there, each with
 * the entry it filled, and the events between them. Another point whose L1 TLBs would be filled
 * with the same entries, and invalidated alike at the same places, can be replayed from this alone.
 */
#ifndef TWOSTAGE_RUN_MISS_STREAM_H
#define TWOSTAGE_RUN_MISS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmu/hierarchy.h"
#include "run/word_set.h"
#include "trace/trace.h"

/* The part of an L1 entry that L1 look-ups and invalidations depend on. */
struct miss_fill {
	uint8_t size_bits, span_bits, leaf_bits, s1_bits;
	uint8_t flags; /* global, no stores, no fetches */
};

/* What many misses have in common. */
struct miss_kind {
	uint32_t space; /* in the stream's list */
	uint16_t vcpu;
	struct miss_fill fill;
	uint8_t fetch; /* 1: a fetch; 0: a load */
};

struct miss {
	uint64_t va;	/* as in the trace's key */
	uint32_t kind;	/* in the stream's list */
	uint32_t tlbis; /* digest of all operations so far */
};

struct miss_event {
	size_t before; /* it happened before miss `before` */
	struct trace_event event;
};

struct miss_stream {
	struct miss *miss; /* owned, as the other arrays */
	size_t misses, room;
	uint64_t *ipa; /* of each miss, as in the trace's key; NULL: all are 0 */
	size_t ipa_room;
	struct miss_kind *kind;
	size_t kind_room;
	struct word_set kinds; /* miss_stream.c packs them */
	struct miss_event *event;
	size_t events, event_room;
	struct word_set spaces; /* VM << 16 | ASID */
	bool overflow;		/* the recording was given up */
	uint32_t tlbis;		/* digest of all operations of the replay */
	bool far;		/* most misses walk, over large tables: looking ahead pays */
};

void miss_stream_fini(struct miss_stream *stream);

/* What the entry `leaf`, as L1 holds it, makes of a fill. */
struct miss_fill miss_fill_of(const struct tlb_leaf *leaf);

enum fill_flags { FILL_GLOBAL = 1, FILL_NO_STORE = 2, FILL_NO_FETCH = 4 };

/* The entry `leaf`, as L1 holds it, is that fill. */
static inline bool miss_filled(const struct miss_fill *fill, const struct tlb_leaf *leaf)
{
	const unsigned flags = (leaf->global ? FILL_GLOBAL : 0u) |
			       (leaf->dirty_clear ? FILL_NO_STORE : 0u) |
			       (leaf->no_fetch ? FILL_NO_FETCH : 0u);

	return fill->size_bits == leaf->size_bits && fill->span_bits == leaf->span_bits &&
	       fill->leaf_bits == leaf->leaf_bits && fill->s1_bits == leaf->s1_bits &&
	       fill->flags == flags;
}

/* The same for an entry that L1 would hold in another size. */
bool miss_fills_part(const struct miss_fill *fill, struct tlb *l1, const struct tlb_leaf *leaf);

/* Would L1 hold the entry `leaf` of the L2 TLB as that fill? Counts what L1 would. */
static inline bool miss_fills(const struct miss_fill *fill, struct tlb *l1,
			      const struct tlb_leaf *leaf)
{
	/* L1 holds entries of the fill's size, and L2 none that may be larger than they are. */
	if (leaf->size_bits == fill->size_bits && !leaf->span_bits) {
		l1->splintered += leaf->size_bits < leaf->leaf_bits;
		return miss_filled(fill, leaf);
	}
	return miss_fills_part(fill, l1, leaf);
}

/* An access of `key` that missed and filled `leaf`. */
void miss_stream_put(struct miss_stream *stream, struct budget *budget, const struct trace_key *key,
		     const struct tlb_leaf *leaf, uint32_t tlbis);

void miss_stream_put_event(struct miss_stream *stream, struct budget *budget,
			   const struct trace_event *event);

static inline const struct miss_kind *miss_kind(const struct miss_stream *stream, size_t i)
{
	return &stream->kind[stream->miss[i].kind];
}

static inline uint64_t miss_ipa(const struct miss_stream *stream, size_t i)
{
	return stream->ipa ? stream->ipa[i] : 0;
}

/* The key of miss `i`. */
struct trace_key miss_key(const struct miss_stream *stream, size_t i);

size_t miss_stream_bytes(const struct miss_stream *stream);

/* Misses whose tables and TLB sets are fetched together. */
enum { MISS_BATCH = 16 };

struct miss_ahead {
	struct mmu_ahead access[MISS_BATCH];
	uint32_t n;
};

/*
 * Misses `at` on are about to be made, MISS_BATCH of them first: what those to come will read is
 * fetched into the host's caches, as in replay_ahead.c. `ahead` begins empty.
 */
void miss_stream_fetch(const struct miss_stream *stream, size_t at, const struct mmu *mmu,
		       struct miss_ahead *ahead);

static inline void miss_stream_look_ahead(const struct miss_stream *stream, size_t at,
					  const struct mmu *mmu, struct miss_ahead *ahead)
{
	if (stream->far && at % MISS_BATCH == 0)
		miss_stream_fetch(stream, at, mmu, ahead);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What got through the L1 TLBs of one replay, in order: the accesses that missed there, each with
 * the entry it filled, and the events between them. Another point whose L1 TLBs would be filled
 * with the same entries, and invalidated at the same places, can be replayed from this alone.
 */
#ifndef TWOSTAGE_RUN_MISS_STREAM_H
#define TWOSTAGE_RUN_MISS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmu/tlb.h"
#include "trace/trace.h"

/* The part of an L1 entry, or of how it came about, that L1 look-ups and invalidations depend on.
 */
struct miss_fill {
	uint8_t size_bits, span_bits, leaf_bits, s1_bits;
	uint8_t flags;	/* global, no stores, no fetches */
	uint32_t tlbis; /* operations since the miss before */
};

struct miss {
	uint64_t va, ipa; /* as in the trace's key */
	uint16_t vcpu, vm, asid;
	uint8_t kind; /* enum access_kind */
	uint8_t stream;
	struct miss_fill fill;
};

struct miss_event {
	size_t before; /* it happened before miss `before` */
	struct trace_event event;
};

struct miss_stream {
	struct miss *miss; /* owned */
	size_t misses, room;
	struct miss_event *event; /* owned */
	size_t events, event_room;
	size_t most_bytes; /* recording stops beyond */
	bool overflow;	   /* it did: of no use */
	uint64_t tlbis;	   /* operations at the miss before */
};

void miss_stream_init(struct miss_stream *stream, size_t most_bytes);
void miss_stream_fini(struct miss_stream *stream);

/* What the entry `leaf`, as L1 holds it, and `tlbis` operations so far make of a fill. */
struct miss_fill miss_fill_of(const struct tlb_leaf *leaf, uint64_t tlbis, uint64_t *tlbis_before);

bool miss_fill_equal(const struct miss_fill *a, const struct miss_fill *b);

/* An access of `key` that missed and filled `leaf`; `tlbis`: operations so far. */
void miss_stream_put(struct miss_stream *stream, const struct trace_key *key, enum access_kind kind,
		     const struct tlb_leaf *leaf, uint64_t tlbis);

void miss_stream_put_event(struct miss_stream *stream, const struct trace_event *event);

size_t miss_stream_bytes(const struct miss_stream *stream);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/miss_stream.h"

#include <string.h>

enum { FIRST_INDEX = 64 };

void miss_stream_fini(struct miss_stream *stream)
{
	free(stream->miss);
	free(stream->event);
	free(stream->space);
	free(stream->space_index);
	memset(stream, 0, sizeof(*stream));
}

size_t miss_stream_bytes(const struct miss_stream *stream)
{
	return stream->room * sizeof(*stream->miss) + stream->event_room * sizeof(*stream->event) +
	       stream->space_room * sizeof(*stream->space) +
	       (stream->space_index ? stream->index_mask + 1 : 0) * sizeof(*stream->space_index);
}

struct miss_fill miss_fill_of(const struct tlb_leaf *leaf)
{
	return (struct miss_fill){
		.size_bits = leaf->size_bits,
		.span_bits = leaf->span_bits,
		.leaf_bits = leaf->leaf_bits,
		.s1_bits = leaf->s1_bits,
		.flags = (uint8_t)((leaf->global ? FILL_GLOBAL : 0) |
				   (leaf->dirty_clear ? FILL_NO_STORE : 0) |
				   (leaf->no_fetch ? FILL_NO_FETCH : 0)),
	};
}

bool miss_fills_part(const struct miss_fill *fill, struct tlb *l1, const struct tlb_leaf *leaf)
{
	const unsigned size_bits = tlb_entry_bits(l1, leaf);
	struct tlb_leaf held = *leaf;

	l1->splintered += size_bits < leaf->leaf_bits;
	l1->contiguous += size_bits > leaf->size_bits;
	held.size_bits = (uint8_t)size_bits;
	held.span_bits = 0;
	return miss_filled(fill, &held);
}

/* Where the index has a space, or has room for it. */
static uint32_t *index_of(const struct miss_stream *stream, struct miss_space space)
{
	const uint64_t key = (uint64_t)space.vm << 16 | space.asid;
	size_t i = key * UINT64_C(0x9e3779b97f4a7c15) >> 32 & stream->index_mask;

	for (;; i = (i + 1) & stream->index_mask) {
		const uint32_t at = stream->space_index[i];

		if (!at || (stream->space[at - 1].vm == space.vm &&
			    stream->space[at - 1].asid == space.asid))
			return &stream->space_index[i];
	}
}

/* Never more than half full. */
static bool grow_index(struct miss_stream *stream, struct budget *budget)
{
	const size_t had = stream->space_index ? stream->index_mask + 1 : 0;
	const size_t size = had ? had * 2 : FIRST_INDEX;

	if (stream->spaces * 2 < had)
		return true;
	if (budget->bytes + (size - had) * sizeof(*stream->space_index) > budget->most_bytes)
		return false;
	free(stream->space_index);
	stream->index_mask = size - 1;
	stream->space_index = calloc(size, sizeof(*stream->space_index));
	if (!stream->space_index)
		return false;
	budget->bytes += (size - had) * sizeof(*stream->space_index);
	for (uint32_t i = 0; i < stream->spaces; i++)
		*index_of(stream, stream->space[i]) = i + 1;
	return true;
}

static bool find_space(struct miss_stream *stream, struct budget *budget, struct miss_space space,
		       uint32_t *out)
{
	struct miss_space *grown;
	uint32_t *at;

	*out = stream->newest;
	if (stream->misses && stream->space[*out].vm == space.vm &&
	    stream->space[*out].asid == space.asid)
		return true;
	if (!grow_index(stream, budget))
		return false;
	at = index_of(stream, space);
	if (!*at) {
		grown = budget_grow(budget, stream->space, stream->spaces, &stream->space_room,
				    sizeof(*stream->space));
		if (!grown)
			return false;
		stream->space = grown;
		stream->space[stream->spaces++] = space;
		*at = (uint32_t)stream->spaces;
	}
	*out = stream->newest = *at - 1;
	return true;
}

void miss_stream_put(struct miss_stream *stream, struct budget *budget, const struct trace_key *key,
		     const struct tlb_leaf *leaf, uint32_t tlbis)
{
	const struct miss_space space = { key->vm, key->asid };
	struct miss *grown;
	uint32_t index;

	if (stream->overflow)
		return;
	grown = budget_grow(budget, stream->miss, stream->misses, &stream->room,
			    sizeof(*stream->miss));
	if (grown)
		stream->miss = grown;
	if (!grown || !find_space(stream, budget, space, &index)) {
		stream->overflow = true;
		return;
	}
	stream->miss[stream->misses++] = (struct miss){
		.va = key->va,
		.ipa = key->ipa,
		.space = index,
		.tlbis = tlbis,
		.vcpu = key->vcpu,
		.fill = miss_fill_of(leaf),
		.fetch = key->stream == STREAM_FETCH,
	};
}

void miss_stream_put_event(struct miss_stream *stream, struct budget *budget,
			   const struct trace_event *event)
{
	struct miss_event *grown = budget_grow(budget, stream->event, stream->events,
					       &stream->event_room, sizeof(*stream->event));

	if (!grown) {
		stream->overflow = true;
		return;
	}
	stream->event = grown;
	stream->event[stream->events++] =
		(struct miss_event){ .before = stream->misses, .event = *event };
}

struct trace_key miss_key(const struct miss_stream *stream, const struct miss *miss)
{
	return (struct trace_key){
		.va = miss->va,
		.ipa = miss->ipa,
		.vcpu = miss->vcpu,
		.vm = stream->space[miss->space].vm,
		.asid = stream->space[miss->space].asid,
		.stream = miss->fetch ? STREAM_FETCH : STREAM_DATA,
	};
}

void miss_stream_fetch(const struct miss_stream *stream, size_t at, const struct mmu *mmu,
		       struct miss_ahead *ahead)
{
	mmu_fetch_stage2(mmu, ahead->access, ahead->n);
	ahead->n = 0;
	if (stream->misses - at < 3 * MISS_BATCH)
		return;
	for (const struct miss *miss = &stream->miss[at + 2 * MISS_BATCH]; ahead->n < MISS_BATCH;
	     miss++) {
		ahead->access[ahead->n].va = va_of(va_sign_extend(miss->va));
		ahead->access[ahead->n++].vcpu = miss->vcpu;
	}
	mmu_fetch_stage1(mmu, ahead->access, ahead->n);
}

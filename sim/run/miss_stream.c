/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/miss_stream.h"

#include <string.h>

/* The parts of a kind in one word, by the bit where they begin; a space has what is left. */
enum {
	KIND_SIZE = 0,
	KIND_SPAN = 6,
	KIND_LEAF = 12,
	KIND_S1 = 18,
	KIND_FLAGS = 24,
	KIND_FETCH = 27,
	KIND_VCPU = 28,
	KIND_SPACE = 44,
};

void miss_stream_fini(struct miss_stream *stream)
{
	free(stream->miss);
	free(stream->ipa);
	free(stream->kind);
	word_set_fini(&stream->kinds);
	free(stream->event);
	word_set_fini(&stream->spaces);
	memset(stream, 0, sizeof(*stream));
}

size_t miss_stream_bytes(const struct miss_stream *stream)
{
	return stream->room * sizeof(*stream->miss) + stream->ipa_room * sizeof(*stream->ipa) +
	       stream->kind_room * sizeof(*stream->kind) + word_set_bytes(&stream->kinds) +
	       stream->event_room * sizeof(*stream->event) + word_set_bytes(&stream->spaces);
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

static uint64_t kind_word(const struct miss_kind *kind)
{
	const struct miss_fill *fill = &kind->fill;

	return (uint64_t)fill->size_bits << KIND_SIZE | (uint64_t)fill->span_bits << KIND_SPAN |
	       (uint64_t)fill->leaf_bits << KIND_LEAF | (uint64_t)fill->s1_bits << KIND_S1 |
	       (uint64_t)fill->flags << KIND_FLAGS | (uint64_t)kind->fetch << KIND_FETCH |
	       (uint64_t)kind->vcpu << KIND_VCPU | (uint64_t)kind->space << KIND_SPACE;
}

static bool put_kind(struct miss_stream *stream, struct budget *budget,
		     const struct miss_kind *kind, uint32_t *index)
{
	struct miss_kind *grown;

	if (kind->space >> (64 - KIND_SPACE) ||
	    !word_set_put(&stream->kinds, budget, kind_word(kind), index))
		return false;
	grown = budget_grow(budget, stream->kind, *index, &stream->kind_room,
			    sizeof(*stream->kind));
	if (!grown)
		return false;
	stream->kind = grown;
	stream->kind[*index] = *kind;
	return true;
}

/* Of the miss to come; those before an IPA that is known had none. */
static bool put_ipa(struct miss_stream *stream, struct budget *budget, uint64_t ipa)
{
	while (stream->ipa_room <= stream->misses && (stream->ipa || ipa)) {
		const size_t had = stream->ipa_room;
		uint64_t *grown = budget_grow(budget, stream->ipa, had, &stream->ipa_room,
					      sizeof(*stream->ipa));

		if (!grown)
			return false;
		stream->ipa = grown;
		memset(grown + had, 0, (stream->ipa_room - had) * sizeof(*grown));
	}
	if (stream->ipa)
		stream->ipa[stream->misses] = ipa;
	return true;
}

void miss_stream_put(struct miss_stream *stream, struct budget *budget, const struct trace_key *key,
		     const struct tlb_leaf *leaf, uint32_t tlbis)
{
	struct miss_kind kind = {
		.vcpu = key->vcpu,
		.fill = miss_fill_of(leaf),
		.fetch = key->stream == STREAM_FETCH,
	};
	struct miss *grown;
	uint32_t index;

	if (stream->overflow)
		return;
	grown = budget_grow(budget, stream->miss, stream->misses, &stream->room,
			    sizeof(*stream->miss));
	if (grown)
		stream->miss = grown;
	if (!grown ||
	    !word_set_put(&stream->spaces, budget, (uint64_t)key->vm << 16 | key->asid,
			  &kind.space) ||
	    !put_kind(stream, budget, &kind, &index) || !put_ipa(stream, budget, key->ipa)) {
		stream->overflow = true;
		return;
	}
	stream->miss[stream->misses++] =
		(struct miss){ .va = key->va, .kind = index, .tlbis = tlbis };
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

struct trace_key miss_key(const struct miss_stream *stream, size_t i)
{
	const struct miss_kind *kind = miss_kind(stream, i);
	const uint64_t space = stream->spaces.word[kind->space];

	return (struct trace_key){
		.va = stream->miss[i].va,
		.ipa = miss_ipa(stream, i),
		.vcpu = kind->vcpu,
		.vm = (uint16_t)(space >> 16),
		.asid = (uint16_t)space,
		.stream = kind->fetch ? STREAM_FETCH : STREAM_DATA,
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
		ahead->access[ahead->n++].vcpu = stream->kind[miss->kind].vcpu;
	}
	mmu_fetch_stage1(mmu, ahead->access, ahead->n);
}

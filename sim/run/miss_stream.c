/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/miss_stream.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1024 };

enum fill_flags { FILL_GLOBAL = 1, FILL_NO_STORE = 2, FILL_NO_FETCH = 4 };

void miss_stream_init(struct miss_stream *stream, size_t most_bytes)
{
	*stream = (struct miss_stream){ .most_bytes = most_bytes };
}

void miss_stream_fini(struct miss_stream *stream)
{
	free(stream->miss);
	free(stream->event);
	memset(stream, 0, sizeof(*stream));
}

size_t miss_stream_bytes(const struct miss_stream *stream)
{
	return stream->room * sizeof(*stream->miss) + stream->event_room * sizeof(*stream->event);
}

struct miss_fill miss_fill_of(const struct tlb_leaf *leaf, uint64_t tlbis, uint64_t *tlbis_before)
{
	const struct miss_fill fill = {
		.size_bits = leaf->size_bits,
		.span_bits = leaf->span_bits,
		.leaf_bits = leaf->leaf_bits,
		.s1_bits = leaf->s1_bits,
		.flags = (uint8_t)((leaf->global ? FILL_GLOBAL : 0) |
				   (leaf->dirty_clear ? FILL_NO_STORE : 0) |
				   (leaf->no_fetch ? FILL_NO_FETCH : 0)),
		.tlbis = (uint32_t)(tlbis - *tlbis_before),
	};

	*tlbis_before = tlbis;
	return fill;
}

bool miss_fill_equal(const struct miss_fill *a, const struct miss_fill *b)
{
	return a->size_bits == b->size_bits && a->span_bits == b->span_bits &&
	       a->leaf_bits == b->leaf_bits && a->s1_bits == b->s1_bits && a->flags == b->flags &&
	       a->tlbis == b->tlbis;
}

/* Room for one more element, or the end of the recording. */
static bool make_room(struct miss_stream *stream, void **array, size_t n, size_t *room,
		      size_t bytes_each)
{
	const size_t more = *room ? *room * 2 : FIRST_ROOM;
	void *grown;

	if (stream->overflow)
		return false;
	if (n < *room)
		return true;
	stream->overflow =
		miss_stream_bytes(stream) + (more - *room) * bytes_each > stream->most_bytes;
	grown = stream->overflow ? NULL : realloc(*array, more * bytes_each);
	if (!grown) {
		stream->overflow = true;
		return false;
	}
	*array = grown;
	*room = more;
	return true;
}

void miss_stream_put(struct miss_stream *stream, const struct trace_key *key, enum access_kind kind,
		     const struct tlb_leaf *leaf, uint64_t tlbis)
{
	void *array = stream->miss;

	if (!make_room(stream, &array, stream->misses, &stream->room, sizeof(*stream->miss)))
		return;
	stream->miss = array;
	stream->miss[stream->misses++] = (struct miss){
		.va = key->va,
		.ipa = key->ipa,
		.vcpu = key->vcpu,
		.vm = key->vm,
		.asid = key->asid,
		.kind = (uint8_t)kind,
		.stream = key->stream,
		.fill = miss_fill_of(leaf, tlbis, &stream->tlbis),
	};
}

void miss_stream_put_event(struct miss_stream *stream, const struct trace_event *event)
{
	void *array = stream->event;

	if (!make_room(stream, &array, stream->events, &stream->event_room, sizeof(*stream->event)))
		return;
	stream->event = array;
	stream->event[stream->events++] =
		(struct miss_event){ .before = stream->misses, .event = *event };
}

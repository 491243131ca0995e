/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/backing.h"

#include <stdlib.h>
#include <string.h>

void backing_init(struct backing *backing, unsigned chunk_bits)
{
	memset(backing, 0, sizeof(*backing));
	backing->chunk_bits = chunk_bits;
}

void backing_fini(struct backing *backing)
{
	free(backing->chunk);
	backing->chunk = NULL;
}

static struct backing_chunk *find(const struct backing *backing, uint64_t index)
{
	const size_t mask = backing->room - 1;
	size_t at = (size_t)(index * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;

	while (backing->chunk[at].index && backing->chunk[at].index != index)
		at = (at + 1) & mask;
	return &backing->chunk[at];
}

/* Keep at least half of the table free. */
static bool grow(struct backing *backing)
{
	struct backing old = *backing;

	if (2 * (backing->used + 1) <= backing->room)
		return true;
	backing->room = old.room ? 2 * old.room : 1024;
	backing->chunk = calloc(backing->room, sizeof(*backing->chunk));
	if (!backing->chunk) {
		*backing = old;
		return false;
	}
	for (size_t i = 0; i < old.room; i++)
		if (old.chunk[i].index)
			*find(backing, old.chunk[i].index) = old.chunk[i];
	free(old.chunk);
	return true;
}

bool backing_of(struct backing *backing, struct frames *frames, ipa_t ipa, pa_t *out)
{
	const uint64_t index = (ipa.v >> backing->chunk_bits) + 1;
	struct backing_chunk *chunk;

	if (!grow(backing))
		return false;
	chunk = find(backing, index);
	if (!chunk->index) {
		if (!frames_alloc(frames, backing->chunk_bits, &chunk->pa))
			return false;
		chunk->index = index;
		backing->used++;
	}
	*out = pa_of(chunk->pa.v | (ipa.v & low_mask(backing->chunk_bits)));
	return true;
}

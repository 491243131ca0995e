/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/backing.h"

#include <stdlib.h>
#include <string.h>

/* Five levels of 512 resolve the 40 bits of a chunk number: 52-bit IPA, 4 KiB chunks. */
enum { FANOUT_BITS = 9, FANOUT = 1 << FANOUT_BITS, LEVELS = 5 };

/* A node above the leaves. A leaf is an array of FANOUT frame addresses plus 1; 0: no frame yet. */
struct node {
	void *child[FANOUT];
};

void backing_init(struct backing *backing, unsigned chunk_bits)
{
	memset(backing, 0, sizeof(*backing));
	backing->chunk_bits = chunk_bits;
}

static void free_below(void *at, int height)
{
	if (at && height > 0)
		for (int i = 0; i < FANOUT; i++)
			free_below(((struct node *)at)->child[i], height - 1);
	free(at);
}

void backing_fini(struct backing *backing)
{
	free_below(backing->root, LEVELS - 1);
	backing_init(backing, backing->chunk_bits);
}

/* The leaf that holds `chunk`; NULL: out of memory. */
static uint64_t *leaf_of(struct backing *backing, uint64_t chunk)
{
	void **at = &backing->root;

	if (backing->last_leaf && backing->last_group == chunk >> FANOUT_BITS)
		return backing->last_leaf;
	for (int height = LEVELS - 1;; height--) {
		if (!*at)
			*at = calloc(FANOUT, sizeof(uint64_t));
		if (!*at)
			return NULL;
		if (height == 0)
			break;
		at = &((struct node *)*at)->child[chunk >> (height * FANOUT_BITS) & (FANOUT - 1)];
	}
	backing->last_group = chunk >> FANOUT_BITS;
	backing->last_leaf = *at;
	return *at;
}

bool backing_of(struct backing *backing, struct frames *frames, ipa_t ipa, pa_t *out)
{
	const uint64_t chunk = ipa.v >> backing->chunk_bits;
	uint64_t *leaf = leaf_of(backing, chunk), *frame;
	pa_t fresh;

	if (!leaf)
		return false;
	frame = &leaf[chunk & (FANOUT - 1)];
	if (!*frame) {
		if (!frames_alloc(frames, backing->chunk_bits, &fresh))
			return false;
		*frame = fresh.v + 1;
	}
	*out = pa_of((*frame - 1) | (ipa.v & low_mask(backing->chunk_bits)));
	return true;
}

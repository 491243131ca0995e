/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host pages behind a VM's memory (the VMA of its memslot): each chunk of the backing size gets
 * a host frame of that size at its first touch, so stage-2 leaves smaller than the backing are
 * contiguous in physical memory.
 */
#ifndef TWOSTAGE_OS_BACKING_H
#define TWOSTAGE_OS_BACKING_H

#include "arch/types.h"
#include "mem/frames.h"

struct backing {
	unsigned chunk_bits;
	void *root;	     /* radix tree over the chunk number; NULL: empty */
	uint64_t last_group; /* the leaf used last, and the chunks it covers */
	uint64_t *last_leaf;
};

void backing_init(struct backing *backing, unsigned chunk_bits);
void backing_fini(struct backing *backing);

/* PA behind ipa, a new frame if need be. False: host memory, or our own, is exhausted. */
bool backing_of(struct backing *backing, struct frames *frames, ipa_t ipa, pa_t *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One region of host memory, 16 GiB, as a buddy allocator: private to sim/mem/frames.c. A free
 * piece of 2 MiB or more is one bit of a heap-numbered tree (root 1, children 2i and 2i+1); smaller
 * ones are bits of such a tree for each 2 MiB block that has been cut up.
 */
#ifndef TWOSTAGE_MEM_FRAMES_REGION_H
#define TWOSTAGE_MEM_FRAMES_REGION_H

#include "mem/bitset.h"
#include "mem/frames_layout.h"

/*
 * Free pieces are counted by log2 of their size. Fragmented blocks that nothing was taken from yet
 * are kept as they are, since there are many: they count as a size of their own.
 */
enum { FRAMES_UNOPENED = 0, FRAMES_SIZES = FRAMES_REGION_BITS + 1 };

struct frames_region {
	struct bitset whole;  /* free pieces of a block or more: the tree */
	struct bitset pieces; /* rows of blocks: unopened, then those with pieces of 2^12.. */
	uint32_t count[FRAMES_SIZES]; /* free pieces by size */
	uint64_t sizes;		      /* sizes with a count above 0, as a mask */
	uint64_t whole_blocks;	      /* blocks in free pieces of a block or more */
	uint16_t *block_of;	      /* by block: 1 + index into blocks; 0: not cut up */
	struct frames_block *blocks;  /* those cut up */
	uint32_t blocks_used, blocks_room;
	uint16_t block_spare; /* 1 + index of one to use again; 0: none */
};

/* As the machine starts. NULL: out of memory. */
struct frames_region *frames_region_create(const struct frames_layout *layout, uint64_t region);
void frames_region_destroy(struct frames_region *region);

/* Cut up the lowest unopened fragmented block; there must be one. False: out of memory. */
bool frames_region_open(struct frames_region *region, const struct frames_layout *layout,
			uint64_t number);

/*
 * The lower 2^size_bits bytes of the lowest free piece of exactly 2^from_bits, which must exist;
 * *offset from the region's start. False: out of memory, nothing changed.
 */
bool frames_region_take(struct frames_region *region, unsigned from_bits, unsigned size_bits,
			uint64_t *offset);

/* Can one block that is taken whole be given back in pieces without memory? False: out of memory.
 */
bool frames_region_room(struct frames_region *region);

/* False: out of memory, and these bytes stay taken. */
bool frames_region_give(struct frames_region *region, unsigned size_bits, uint64_t offset);

/* How many pieces of 2^size_bits (below a block) the free pages of a block make; pages are altered.
 */
uint64_t frames_pieces_of(uint64_t pages[FRAMES_BLOCK_PAGES / 64], unsigned size_bits);

#endif

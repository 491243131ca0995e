/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host physical memory as a buddy allocator: naturally aligned frames of 4 KiB to 16 GiB, given
 * back and joined again; larger ones are runs of free 16 GiB blocks (as alloc_contig_pages() finds
 * gigantic pages). Others hold part of memory from the start (mem/frames_layout.h), so whether
 * there is a large frame is an outcome.
 *
 * Which frame: of the smallest free piece that is large enough, the one with the lowest address,
 * and of that the lowest part. So large pieces last as long as there are others, and frames taken
 * one after the other are neighbours. Frames smaller than 2 MiB come out of blocks that are cut up
 * already; if these have none, out of the lowest fragmented block not looked at yet; a whole 2 MiB
 * block is cut up last.
 *
 * State is made for 16 GiB at a time when a frame is first taken there.
 */
#ifndef TWOSTAGE_MEM_FRAMES_H
#define TWOSTAGE_MEM_FRAMES_H

#include "mem/bitset.h"
#include "mem/frames_layout.h"

struct frames_setup {
	pa_t base;	    /* first byte of RAM; memory consists of whole 2 MiB blocks */
	uint64_t bytes;	    /* 0, or more than there is room for: up to 2^pa_bits */
	unsigned pa_bits;   /* 52 at most */
	unsigned page_bits; /* of the pages that others hold: 12, 14 or 16; 0: 12 */
	uint32_t fragmentation_permille; /* 0..1000 of free memory lie in fragmented 2M blocks */
	uint64_t seed;
};

struct frames_region;

/*
 * What is left of a piece that frames of one size below a block come out of, one after the other:
 * free, but not among the pieces of its region. No other piece is small enough to be preferred.
 */
struct frames_run {
	uint64_t next, end; /* PA; none is left: equal */
	unsigned size_bits; /* of the frames */
};

enum { FRAMES_ROWS = FRAMES_REGION_BITS + 1 };

struct frames {
	struct frames_layout layout;
	uint64_t regions; /* those below this have memory, perhaps not the first ones */
	uint64_t looked;  /* the sizes of regions below this are known */
	struct frames_region **region;	 /* NULL: nothing taken there yet */
	uint64_t *sizes;		 /* by region: mask of the sizes that it has, once known */
	struct bitset with[FRAMES_ROWS]; /* by log2 of size: regions that have free pieces of it */
	struct bitset taken; /* regions given out whole that have no state of their own */
	uint64_t present;    /* sizes that some region has, as a mask */
	struct frames_run run;
	unsigned last_bits;  /* log2 of the last frame below a block; 0: one was given back since */
	uint64_t free_bytes; /* those of the run among them */
	uint64_t whole_blocks; /* 2 MiB blocks in free pieces of 2 MiB or more */
	bool no_memory;	       /* our own memory ran out, once */
	bool closed;
};

/* False: out of our own memory, frames is then empty. End with frames_fini(). */
bool frames_init(struct frames *frames, const struct frames_setup *setup);
void frames_fini(struct frames *frames);

/* frames_alloc() where no run has such a frame. */
bool frames_alloc_piece(struct frames *frames, unsigned size_bits, pa_t *out);

/*
 * A frame of 2^size_bits bytes, 12 <= size_bits < 52. False: no free piece is large enough, or our
 * own memory ran out (then no_memory is set); nothing changed.
 */
static inline bool frames_alloc(struct frames *frames, unsigned size_bits, pa_t *out)
{
	struct frames_run *run = &frames->run;

	if (run->size_bits != size_bits || run->next == run->end)
		return frames_alloc_piece(frames, size_bits, out);
	*out = pa_of(run->next);
	run->next += UINT64_C(1) << size_bits;
	frames->free_bytes -= UINT64_C(1) << size_bits;
	return true;
}

/*
 * Give back 2^size_bits bytes at pa, all of them taken by frames_alloc(): a frame, a naturally
 * aligned part of one, or several that are neighbours. Joined with its buddy as often as that is
 * free. When our own memory runs out (no_memory) they stay taken.
 */
void frames_free(struct frames *frames, unsigned size_bits, pa_t pa);

/* All goes, and nobody will ask what of it is free: from now on frames_free() does nothing. */
void frames_close(struct frames *frames);

/*
 * How many frames of 2^size_bits bytes could be had now, one after the other. At once for 4K and
 * 2M, and for all sizes if memory is not fragmented; else all of memory is looked at: some 0.1 ms
 * for each 16 GiB above 2M, 2 ms below.
 */
uint64_t frames_available(const struct frames *frames, unsigned size_bits);

/*
 * Free memory that is of no use for frames of 2^size_bits bytes, in 1/1000 of free memory, rounded
 * down: Linux's unusable free space index. 0 when nothing is free.
 */
unsigned frames_unusable_permille(const struct frames *frames, unsigned size_bits);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which host memory others hold before the first VM starts: the fragmentation of memory as a pure
 * function of a seed. Nothing is stored, so that 2^52 bytes cost nothing until they are looked at.
 *
 * Of free memory, `fragmentation_permille`/1000 lies in 2 MiB-aligned blocks in which others hold
 * at least one page (fragmented blocks); this is what Linux calls the unusable free space index, at
 * 2M (extfrag_show_print() in mm/vmstat.c). In 1/8 of these blocks each others hold 1, 2, 4, ...
 * 128 of 512 pages, anywhere. The blocks lie in clusters of any length: each 256 GiB of memory has
 * its share of them, which is dealt to its two halves at random, and so on down to single blocks.
 */
#ifndef TWOSTAGE_MEM_FRAMES_LAYOUT_H
#define TWOSTAGE_MEM_FRAMES_LAYOUT_H

#include "arch/types.h"

/* log2 of bytes. */
enum { FRAMES_PAGE_BITS = 12, FRAMES_BLOCK_BITS = 21, FRAMES_REGION_BITS = 34 };

enum {
	FRAMES_BLOCK_PAGES = 1 << (FRAMES_BLOCK_BITS - FRAMES_PAGE_BITS),
	FRAMES_REGION_BLOCKS = 1 << (FRAMES_REGION_BITS - FRAMES_BLOCK_BITS),
};

/* Blocks are numbered from PA 0. */
struct frames_layout {
	uint64_t first_block, end_block; /* RAM */
	uint64_t fragmented_blocks;
	unsigned page_bits; /* of the pages that others hold */
	uint64_t seed;
};

/* first, end: RAM, of which whole blocks are used. page_bits: 12, 14 or 16. */
void frames_layout_init(struct frames_layout *layout, pa_t first, pa_t end,
			uint32_t fragmentation_permille, unsigned page_bits, uint64_t seed);

static inline uint64_t frames_layout_blocks(const struct frames_layout *layout)
{
	return layout->end_block - layout->first_block;
}

/* 4 KiB pages in all that others hold. */
uint64_t frames_layout_taken(const struct frames_layout *layout);

/* Called with ascending addresses. What is not told of is no RAM. */
struct frames_visitor {
	/* A free naturally aligned piece of 2^size_bits bytes, as large as can be up to a region.
	 */
	void (*whole)(void *ctx, uint64_t first_block, unsigned size_bits);
	void (*fragmented)(void *ctx, uint64_t first_block, uint64_t blocks);
	void *ctx;
};

/* All of region `region` (PA >> FRAMES_REGION_BITS). */
void frames_layout_visit(const struct frames_layout *layout, uint64_t region,
			 const struct frames_visitor *visitor);

/* The free pages of a fragmented block, a bit for each. */
void frames_layout_free_pages(const struct frames_layout *layout, uint64_t block,
			      uint64_t pages[FRAMES_BLOCK_PAGES / 64]);

#endif

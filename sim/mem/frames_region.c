/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/frames_region.h"

#include <stdlib.h>

enum {
	TREE_WORDS = 2 * FRAMES_BLOCK_PAGES / 64,
	PIECE_SIZES = FRAMES_BLOCK_BITS - FRAMES_PAGE_BITS
};

/* A block that is cut up: its free pieces, as a heap-numbered tree whose leaves are pages. */
struct frames_block {
	uint64_t tree[TREE_WORDS];
	uint16_t count[PIECE_SIZES]; /* by size, from a page on */
	uint16_t spare;		     /* while not in use: the next such one, as block_spare */
};

/* The row of struct frames_region's `pieces` for a size below a block. */
static uint64_t row_of(unsigned size_bits)
{
	return size_bits == FRAMES_UNOPENED
		       ? 0
		       : (uint64_t)(size_bits - FRAMES_PAGE_BITS + 1) * FRAMES_REGION_BLOCKS;
}

static void count_up(struct frames_region *region, unsigned size_bits)
{
	region->count[size_bits]++;
	region->sizes |= UINT64_C(1) << size_bits;
}

static void count_down(struct frames_region *region, unsigned size_bits)
{
	if (--region->count[size_bits] == 0)
		region->sizes &= ~(UINT64_C(1) << size_bits);
}

/* ---- free pieces of a block or more ------------------------------------------------------- */

static uint64_t whole_index(unsigned size_bits, uint64_t offset)
{
	return (UINT64_C(1) << (FRAMES_REGION_BITS - size_bits)) + (offset >> size_bits);
}

static void whole_add(struct frames_region *region, unsigned size_bits, uint64_t index)
{
	bitset_add(&region->whole, index);
	region->whole_blocks += UINT64_C(1) << (size_bits - FRAMES_BLOCK_BITS);
	count_up(region, size_bits);
}

static void whole_remove(struct frames_region *region, unsigned size_bits, uint64_t index)
{
	bitset_remove(&region->whole, index);
	region->whole_blocks -= UINT64_C(1) << (size_bits - FRAMES_BLOCK_BITS);
	count_down(region, size_bits);
}

static uint64_t whole_take(struct frames_region *region, unsigned from_bits, unsigned size_bits)
{
	uint64_t index =
		bitset_next(&region->whole, UINT64_C(1) << (FRAMES_REGION_BITS - from_bits));

	whole_remove(region, from_bits, index);
	for (unsigned bits = from_bits; bits > size_bits; bits--) {
		index *= 2;
		whole_add(region, bits - 1, index + 1);
	}
	return (index - (UINT64_C(1) << (FRAMES_REGION_BITS - size_bits))) << size_bits;
}

static void whole_give(struct frames_region *region, unsigned size_bits, uint64_t offset)
{
	uint64_t index = whole_index(size_bits, offset);

	while (index > 1 && bitset_has(&region->whole, index ^ 1)) {
		whole_remove(region, size_bits++, index ^ 1);
		index /= 2;
	}
	whole_add(region, size_bits, index);
}

/* ---- blocks that are cut up --------------------------------------------------------------- */

/* Make sure that block_add() can go on without memory. */
bool frames_region_room(struct frames_region *region)
{
	uint32_t room = region->blocks_room ? region->blocks_room * 2 : 16;
	struct frames_block *blocks;

	if (region->block_spare || region->blocks_used < region->blocks_room)
		return true;
	blocks = realloc(region->blocks, room * sizeof(*blocks));
	if (!blocks)
		return false;
	region->blocks = blocks;
	region->blocks_room = room;
	return true;
}

/* All of the block is taken. */
static struct frames_block *block_add(struct frames_region *region, uint64_t number)
{
	uint16_t which = region->block_spare;

	if (which)
		region->block_spare = region->blocks[which - 1].spare;
	else
		which = (uint16_t)++region->blocks_used;
	region->block_of[number] = which;
	region->blocks[which - 1] = (struct frames_block){ 0 };
	return &region->blocks[which - 1];
}

static void block_remove(struct frames_region *region, uint64_t number)
{
	const uint16_t which = region->block_of[number];

	region->blocks[which - 1].spare = region->block_spare;
	region->block_spare = which;
	region->block_of[number] = 0;
}

static void piece_add(struct frames_region *region, uint64_t number, struct frames_block *block,
		      unsigned size_bits, unsigned index)
{
	block->tree[index / 64] |= UINT64_C(1) << (index % 64);
	if (block->count[size_bits - FRAMES_PAGE_BITS]++ == 0)
		bitset_add(&region->pieces, row_of(size_bits) + number);
	count_up(region, size_bits);
}

static void piece_remove(struct frames_region *region, uint64_t number, struct frames_block *block,
			 unsigned size_bits, unsigned index)
{
	block->tree[index / 64] &= ~(UINT64_C(1) << (index % 64));
	if (--block->count[size_bits - FRAMES_PAGE_BITS] == 0)
		bitset_remove(&region->pieces, row_of(size_bits) + number);
	count_down(region, size_bits);
}

static bool has_piece(const struct frames_block *block, unsigned index)
{
	return block->tree[index / 64] >> (index % 64) & 1;
}

/* The lowest piece of exactly 2^size_bits, which exists. */
static unsigned lowest_piece(const struct frames_block *block, unsigned size_bits)
{
	const unsigned first = 1u << (FRAMES_BLOCK_BITS - size_bits);
	unsigned at = first / 64;
	uint64_t word = block->tree[at] & ~low_mask(first % 64);

	/* Of a word shared by sizes, the smaller ones come last. */
	while (!word)
		word = block->tree[++at];
	return at * 64 + (unsigned)__builtin_ctzll(word);
}

/* Halve a taken piece until the lower part has the size; its offset in the block. */
static uint64_t cut(struct frames_region *region, uint64_t number, struct frames_block *block,
		    unsigned index, unsigned from_bits, unsigned size_bits)
{
	for (unsigned bits = from_bits; bits > size_bits; bits--) {
		index *= 2;
		piece_add(region, number, block, bits - 1, index + 1);
	}
	return (uint64_t)(index - (1u << (FRAMES_BLOCK_BITS - size_bits))) << size_bits;
}

/* ---- the region --------------------------------------------------------------------------- */

bool frames_region_take(struct frames_region *region, unsigned from_bits, unsigned size_bits,
			uint64_t *offset)
{
	struct frames_block *block;
	uint64_t number;
	unsigned index = 1;

	if (size_bits >= FRAMES_BLOCK_BITS) {
		*offset = whole_take(region, from_bits, size_bits);
		return true;
	}
	if (from_bits >= FRAMES_BLOCK_BITS) {
		if (!frames_region_room(region))
			return false;
		number = whole_take(region, from_bits, FRAMES_BLOCK_BITS) >> FRAMES_BLOCK_BITS;
		block = block_add(region, number);
		from_bits = FRAMES_BLOCK_BITS;
	} else {
		number = bitset_next(&region->pieces, row_of(from_bits)) - row_of(from_bits);
		block = &region->blocks[region->block_of[number] - 1];
		index = lowest_piece(block, from_bits);
		piece_remove(region, number, block, from_bits, index);
	}
	*offset = (number << FRAMES_BLOCK_BITS) |
		  cut(region, number, block, index, from_bits, size_bits);
	return true;
}

bool frames_region_give(struct frames_region *region, unsigned size_bits, uint64_t offset)
{
	const uint64_t number = offset >> FRAMES_BLOCK_BITS;
	const uint64_t inside = offset & low_mask(FRAMES_BLOCK_BITS);
	struct frames_block *block;
	unsigned index;

	if (size_bits >= FRAMES_BLOCK_BITS) {
		whole_give(region, size_bits, offset);
		return true;
	}
	if (!region->block_of[number]) {
		if (!frames_region_room(region))
			return false;
		block_add(region, number);
	}
	block = &region->blocks[region->block_of[number] - 1];
	index = (1u << (FRAMES_BLOCK_BITS - size_bits)) + (unsigned)(inside >> size_bits);
	while (index > 1 && has_piece(block, index ^ 1)) {
		piece_remove(region, number, block, size_bits++, index ^ 1);
		index /= 2;
	}
	if (index > 1) {
		piece_add(region, number, block, size_bits, index);
		return true;
	}
	block_remove(region, number);
	whole_give(region, FRAMES_BLOCK_BITS, number << FRAMES_BLOCK_BITS);
	return true;
}

bool frames_region_open(struct frames_region *region, const struct frames_layout *layout,
			uint64_t number)
{
	const uint64_t block = bitset_next(&region->pieces, row_of(FRAMES_UNOPENED));
	uint64_t pages[FRAMES_BLOCK_PAGES / 64];

	if (!frames_region_room(region))
		return false;
	bitset_remove(&region->pieces, row_of(FRAMES_UNOPENED) + block);
	count_down(region, FRAMES_UNOPENED);
	block_add(region, block);
	frames_layout_free_pages(layout, number * FRAMES_REGION_BLOCKS + block, pages);
	for (unsigned page = 0; page < FRAMES_BLOCK_PAGES; page++)
		if (pages[page / 64] >> (page % 64) & 1)
			frames_region_give(region, FRAMES_PAGE_BITS,
					   block << FRAMES_BLOCK_BITS |
						   (uint64_t)page << FRAMES_PAGE_BITS);
	return true;
}

static void see_whole(void *ctx, uint64_t first_block, unsigned size_bits)
{
	const uint64_t offset = first_block % FRAMES_REGION_BLOCKS << FRAMES_BLOCK_BITS;

	whole_add(ctx, size_bits, whole_index(size_bits, offset));
}

static void see_fragmented(void *ctx, uint64_t first_block, uint64_t blocks)
{
	struct frames_region *region = ctx;

	for (uint64_t i = 0; i < blocks; i++) {
		bitset_add(&region->pieces,
			   row_of(FRAMES_UNOPENED) + (first_block + i) % FRAMES_REGION_BLOCKS);
		count_up(region, FRAMES_UNOPENED);
	}
}

struct frames_region *frames_region_create(const struct frames_layout *layout, uint64_t region)
{
	struct frames_region *made = calloc(1, sizeof(*made));
	const struct frames_visitor visitor = { see_whole, see_fragmented, made };

	if (!made)
		return NULL;
	made->block_of = calloc(FRAMES_REGION_BLOCKS, sizeof(*made->block_of));
	if (!made->block_of || !bitset_init(&made->whole, 2 * FRAMES_REGION_BLOCKS) ||
	    !bitset_init(&made->pieces, (uint64_t)(PIECE_SIZES + 1) * FRAMES_REGION_BLOCKS)) {
		frames_region_destroy(made);
		return NULL;
	}
	frames_layout_visit(layout, region, &visitor);
	return made;
}

void frames_region_destroy(struct frames_region *region)
{
	if (!region)
		return;
	bitset_fini(&region->whole);
	bitset_fini(&region->pieces);
	free(region->block_of);
	free(region->blocks);
	free(region);
}

uint64_t frames_pieces_of(uint64_t pages[FRAMES_BLOCK_PAGES / 64], unsigned size_bits)
{
	uint64_t pieces = 0;

	/* Bit i then says that page i begins 2, 4, ... free pages in a row. */
	for (unsigned i = 0; i < FRAMES_BLOCK_PAGES / 64; i++)
		for (unsigned bits = FRAMES_PAGE_BITS; bits < size_bits && bits < 18; bits++)
			pages[i] &= pages[i] >> (1u << (bits - FRAMES_PAGE_BITS));
	for (unsigned page = 0; page < FRAMES_BLOCK_PAGES; page += 1u << (size_bits - 12)) {
		bool all = true;

		for (unsigned i = page; i < page + (1u << (size_bits - 12)); i += 64)
			all = all && (pages[i / 64] >> (i % 64) & 1);
		pieces += all;
	}
	return pieces;
}

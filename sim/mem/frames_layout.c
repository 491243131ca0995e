/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/frames_layout.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

/* Blocks are dealt out within 2^38 bytes. */
enum { GROUP_BITS = 38 - FRAMES_BLOCK_BITS, REGION_BITS = FRAMES_REGION_BITS - FRAMES_BLOCK_BITS };

/* Fragmented blocks differ in how many pages are taken: eight kinds, equally many of each. */
enum { KINDS = 8 };

/* 2^bits blocks from `first` on, naturally aligned. */
struct node {
	uint64_t first;
	unsigned bits;
	uint64_t ram;	     /* blocks of it that are RAM */
	uint64_t fragmented; /* of these */
	uint64_t rank;	     /* fragmented blocks of all memory before it */
};

#define SEED_STEP UINT64_C(0x9e3779b97f4a7c15)

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A draw that depends on seed, purpose and place only. */
static uint64_t draw(const struct frames_layout *layout, unsigned purpose, uint64_t place)
{
	return mix(layout->seed ^ (place * SEED_STEP + ((uint64_t)purpose << 56)));
}

/* 4 KiB pages taken in a fragmented block of a kind; whole pages of the host. */
static unsigned taken_of_kind(const struct frames_layout *layout, uint64_t kind)
{
	const unsigned page = 1u << (layout->page_bits - FRAMES_PAGE_BITS);
	const unsigned taken = 1u << kind;

	return taken < page ? page : taken;
}

static unsigned taken_in_all_kinds(const struct frames_layout *layout)
{
	unsigned taken = 0;

	for (uint64_t kind = 0; kind < KINDS; kind++)
		taken += taken_of_kind(layout, kind);
	return taken;
}

static uint64_t kind_of(const struct frames_layout *layout, uint64_t rank)
{
	return (rank ^ draw(layout, 64, rank / KINDS)) % KINDS;
}

uint64_t frames_layout_taken(const struct frames_layout *layout)
{
	const uint64_t whole = layout->fragmented_blocks / KINDS;
	uint64_t taken = whole * taken_in_all_kinds(layout);

	for (uint64_t rank = whole * KINDS; rank < layout->fragmented_blocks; rank++)
		taken += taken_of_kind(layout, kind_of(layout, rank));
	return taken;
}

void frames_layout_init(struct frames_layout *layout, pa_t first, pa_t end,
			uint32_t fragmentation_permille, unsigned page_bits, uint64_t seed)
{
	const uint64_t f = fragmentation_permille;
	uint64_t left; /* free pages of KINDS fragmented blocks; KINDS * FRAMES_BLOCK_PAGES of whole
			  ones */

	*layout = (struct frames_layout){
		.first_block = (first.v + low_mask(FRAMES_BLOCK_BITS)) >> FRAMES_BLOCK_BITS,
		.end_block = end.v >> FRAMES_BLOCK_BITS,
		.page_bits = page_bits,
		.seed = mix(seed + SEED_STEP),
	};
	if (layout->end_block < layout->first_block)
		layout->end_block = layout->first_block;
	/* n blocks of RAM, x fragmented: f = x * left / (x * left + (n - x) * pages), solved for x.
	 */
	left = KINDS * FRAMES_BLOCK_PAGES - taken_in_all_kinds(layout);

	const uint64_t whole_part = KINDS * FRAMES_BLOCK_PAGES * f;
	const uint64_t divisor = left * (1000 - f) + whole_part;

	layout->fragmented_blocks =
		(uint64_t)(((wide)whole_part * frames_layout_blocks(layout) + divisor / 2) /
			   divisor);
}

/* ---- the tree of clusters ----------------------------------------------------------------- */

static uint64_t ram_of(const struct frames_layout *layout, uint64_t first, unsigned bits)
{
	const uint64_t end = first + (UINT64_C(1) << bits);
	const uint64_t lo = first > layout->first_block ? first : layout->first_block;
	const uint64_t hi = end < layout->end_block ? end : layout->end_block;

	return hi > lo ? hi - lo : 0;
}

/* Fragmented blocks among the first `blocks` of RAM: spread evenly over groups. */
static uint64_t fragmented_before(const struct frames_layout *layout, uint64_t blocks)
{
	const uint64_t ram = frames_layout_blocks(layout);

	return ram ? (uint64_t)((wide)layout->fragmented_blocks * blocks / ram) : 0;
}

static struct node group_of(const struct frames_layout *layout, uint64_t block)
{
	const uint64_t first = block & ~low_mask(GROUP_BITS);
	struct node node = { .first = first, .bits = GROUP_BITS };
	uint64_t before = 0;

	if (first > layout->first_block)
		before = first - layout->first_block;
	node.ram = ram_of(layout, first, GROUP_BITS);
	node.rank = fragmented_before(layout, before);
	node.fragmented = fragmented_before(layout, before + node.ram) - node.rank;
	return node;
}

/*
 * How many fragmented blocks of a node lie in its lower half: on average its share of RAM. As far
 * from that as can be in 3 of 16 draws, evenly in between else: this makes clusters.
 */
static uint64_t fragmented_low(const struct frames_layout *layout, const struct node *node,
			       uint64_t ram_low)
{
	const uint64_t ram_high = node->ram - ram_low, n = node->fragmented;
	const uint64_t least = n > ram_high ? n - ram_high : 0;
	const uint64_t most = n < ram_low ? n : ram_low;
	const uint64_t random = draw(layout, node->bits, node->first);
	/* What does not divide goes to either half. */
	const uint64_t odd = n * ram_low % node->ram ? random >> 9 & 1 : 0;
	const uint64_t mean = n * ram_low / node->ram + odd;
	const uint64_t width = mean - least < most - mean ? mean - least : most - mean;

	if (random % 16 < 3)
		return random >> 8 & 1 ? mean + width : mean - width;
	return mean - width + (uint64_t)((wide)random * (2 * width + 1) >> 64);
}

/* The halves of a node of 2 blocks or more. */
static void split(const struct frames_layout *layout, const struct node *node, struct node half[2])
{
	const unsigned bits = node->bits - 1;

	half[0] = (struct node){ .first = node->first, .bits = bits, .rank = node->rank };
	half[0].ram = ram_of(layout, half[0].first, bits);
	half[0].fragmented = fragmented_low(layout, node, half[0].ram);
	half[1] = (struct node){ .first = node->first + (UINT64_C(1) << bits), .bits = bits };
	half[1].ram = node->ram - half[0].ram;
	half[1].fragmented = node->fragmented - half[0].fragmented;
	half[1].rank = node->rank + half[0].fragmented;
}

static void visit(const struct frames_layout *layout, const struct node *node,
		  const struct frames_visitor *visitor)
{
	struct node half[2];

	if (!node->ram)
		return;
	if (!node->fragmented && node->ram >> node->bits) {
		visitor->whole(visitor->ctx, node->first, node->bits + FRAMES_BLOCK_BITS);
		return;
	}
	if (node->fragmented == node->ram) {
		visitor->fragmented(visitor->ctx,
				    node->first > layout->first_block ? node->first
								      : layout->first_block,
				    node->ram);
		return;
	}
	split(layout, node, half);
	visit(layout, &half[0], visitor);
	visit(layout, &half[1], visitor);
}

/* The node of 2^bits blocks around `block`, or one above it that is fragmented altogether. */
static struct node node_of(const struct frames_layout *layout, uint64_t block, unsigned bits)
{
	struct node node = group_of(layout, block), half[2];

	while (node.bits > bits && node.fragmented && node.fragmented < node.ram) {
		split(layout, &node, half);
		node = half[block >> half[0].bits & 1];
	}
	return node;
}

void frames_layout_visit(const struct frames_layout *layout, uint64_t region,
			 const struct frames_visitor *visitor)
{
	const uint64_t first = region << REGION_BITS;
	struct node node = node_of(layout, first, REGION_BITS);

	/* A larger node of one kind: this region's part of it is of the same kind. */
	if (node.bits > REGION_BITS) {
		const bool whole = !node.fragmented;

		node = (struct node){ .first = first, .bits = REGION_BITS };
		node.ram = ram_of(layout, first, REGION_BITS);
		node.fragmented = whole ? 0 : node.ram;
	}
	visit(layout, &node, visitor);
}

void frames_layout_free_pages(const struct frames_layout *layout, uint64_t block,
			      uint64_t pages[FRAMES_BLOCK_PAGES / 64])
{
	const struct node node = node_of(layout, block, 0);
	const uint64_t first = node.first > layout->first_block ? node.first : layout->first_block;
	const unsigned page = 1u << (layout->page_bits - FRAMES_PAGE_BITS);
	const uint64_t mask = low_mask(page);
	unsigned taken = taken_of_kind(layout, kind_of(layout, node.rank + (block - first))) / page;

	memset(pages, 0xff, FRAMES_BLOCK_PAGES / 8);
	for (uint64_t i = 0; taken > 0; i++) {
		const uint64_t random = draw(layout, 65, block << 16 | i);
		const unsigned at = (unsigned)(random % FRAMES_BLOCK_PAGES) & ~(page - 1);

		if (pages[at / 64] >> (at % 64) & 1)
			taken--;
		pages[at / 64] &= ~(mask << (at % 64));
	}
}

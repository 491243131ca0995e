/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/frames.h"

#include <stdlib.h>
#include <string.h>

#include "mem/frames_region.h"

/* ---- what is known of regions ------------------------------------------------------------- */

/* Bring the index up to date with the sizes that a region has. */
static void index_sizes(struct frames *frames, uint64_t region, uint64_t sizes)
{
	uint64_t changed = frames->sizes[region] ^ sizes;

	frames->sizes[region] = sizes;
	for (; changed; changed &= changed - 1) {
		const unsigned size = (unsigned)__builtin_ctzll(changed);

		if (sizes >> size & 1) {
			bitset_add(&frames->with[size], region);
			frames->present |= UINT64_C(1) << size;
			continue;
		}
		bitset_remove(&frames->with[size], region);
		if (bitset_is_empty(&frames->with[size]))
			frames->present &= ~(UINT64_C(1) << size);
	}
}

static void see_whole(void *ctx, uint64_t first_block, unsigned size_bits)
{
	uint64_t *sizes = ctx;

	(void)first_block;
	*sizes |= UINT64_C(1) << size_bits;
}

static void see_fragmented(void *ctx, uint64_t first_block, uint64_t blocks)
{
	uint64_t *sizes = ctx;

	(void)first_block;
	(void)blocks;
	*sizes |= UINT64_C(1) << FRAMES_UNOPENED;
}

static void look_at(struct frames *frames, uint64_t region)
{
	uint64_t sizes = 0;
	const struct frames_visitor visitor = { see_whole, see_fragmented, &sizes };

	frames_layout_visit(&frames->layout, region, &visitor);
	index_sizes(frames, region, sizes);
}

/*
 * Is there a free piece of just this size? Looks at regions in turn until one has it. Without
 * fragmentation only the first region, and the last if it is no whole one, have other pieces than
 * the largest; frames_init() looked at these.
 */
static bool find_size(struct frames *frames, unsigned size)
{
	while (!(frames->present >> size & 1)) {
		if (frames->looked >= frames->regions ||
		    (!frames->layout.fragmented_blocks && size != FRAMES_REGION_BITS))
			return false;
		if (!frames->region[frames->looked])
			look_at(frames, frames->looked);
		frames->looked++;
	}
	return true;
}

/* NULL: out of memory. */
static struct frames_region *region_of(struct frames *frames, uint64_t number)
{
	struct frames_region *region = frames->region[number];
	uint64_t offset;

	if (region)
		return region;
	region = frames_region_create(&frames->layout, number);
	frames->region[number] = region;
	if (!region)
		frames->no_memory = true;
	else if (bitset_has(&frames->taken, number))
		frames_region_take(region, FRAMES_REGION_BITS, FRAMES_REGION_BITS, &offset);
	if (region)
		bitset_remove(&frames->taken, number);
	return region;
}

/* ---- setting up --------------------------------------------------------------------------- */

static bool init_index(struct frames *frames)
{
	frames->region = calloc(frames->regions, sizeof(struct frames_region *));
	frames->sizes = calloc(frames->regions, sizeof(*frames->sizes));
	if (!frames->region || !frames->sizes || !bitset_init(&frames->taken, frames->regions) ||
	    !bitset_init(&frames->with[FRAMES_UNOPENED], frames->regions))
		return false;
	for (unsigned size = FRAMES_PAGE_BITS; size <= FRAMES_REGION_BITS; size++)
		if (!bitset_init(&frames->with[size], frames->regions))
			return false;
	return true;
}

bool frames_init(struct frames *frames, const struct frames_setup *setup)
{
	const uint64_t space = UINT64_C(1) << setup->pa_bits;
	const uint64_t first = setup->base.v < space ? setup->base.v : space;
	const uint64_t end =
		setup->bytes && setup->bytes < space - first ? first + setup->bytes : space;
	const unsigned page_bits = setup->page_bits ? setup->page_bits : FRAMES_PAGE_BITS;
	uint64_t taken;

	*frames = (struct frames){ 0 };
	frames_layout_init(&frames->layout, pa_of(first), pa_of(end), setup->fragmentation_permille,
			   page_bits, setup->seed);
	taken = frames_layout_taken(&frames->layout);
	frames->whole_blocks =
		frames_layout_blocks(&frames->layout) - frames->layout.fragmented_blocks;
	frames->free_bytes = (frames_layout_blocks(&frames->layout) << FRAMES_BLOCK_BITS) -
			     (taken << FRAMES_PAGE_BITS);
	frames->regions = (end + low_mask(FRAMES_REGION_BITS)) >> FRAMES_REGION_BITS;
	if (!init_index(frames)) {
		frames_fini(frames);
		return false;
	}
	frames->looked = first >> FRAMES_REGION_BITS;
	if (frames->looked < frames->regions)
		look_at(frames, frames->looked++);
	if (frames->looked < frames->regions && end & low_mask(FRAMES_REGION_BITS) &&
	    !frames->layout.fragmented_blocks)
		look_at(frames, frames->regions - 1);
	return true;
}

void frames_fini(struct frames *frames)
{
	for (uint64_t i = 0; frames->region && i < frames->regions; i++)
		frames_region_destroy(frames->region[i]);
	free(frames->region);
	free(frames->sizes);
	bitset_fini(&frames->taken);
	for (unsigned size = 0; size < FRAMES_ROWS; size++)
		bitset_fini(&frames->with[size]);
	*frames = (struct frames){ 0 };
}

/* ---- frames up to a region ---------------------------------------------------------------- */

static bool open_fragmented(struct frames *frames)
{
	const uint64_t number = bitset_next(&frames->with[FRAMES_UNOPENED], 0);
	struct frames_region *region = region_of(frames, number);

	if (!region || !frames_region_open(region, &frames->layout, number)) {
		frames->no_memory = true;
		return false;
	}
	index_sizes(frames, number, region->sizes);
	return true;
}

/* The smallest size of free pieces that holds the frame; 0: there is none. */
static unsigned smallest_fit(struct frames *frames, unsigned size_bits)
{
	unsigned size = size_bits;

	while (size < FRAMES_BLOCK_BITS) {
		const uint64_t cut_up = frames->present & low_mask(FRAMES_BLOCK_BITS);

		if (cut_up >> size)
			return size + (unsigned)__builtin_ctzll(cut_up >> size);
		if (!find_size(frames, FRAMES_UNOPENED))
			size = FRAMES_BLOCK_BITS;
		else if (!open_fragmented(frames))
			return 0;
	}
	for (; size <= FRAMES_REGION_BITS; size++)
		if (find_size(frames, size))
			return size;
	return 0;
}

/* The whole of a wholly free region. */
static void take_region(struct frames *frames, uint64_t number)
{
	struct frames_region *region = frames->region[number];
	uint64_t offset;

	if (region)
		frames_region_take(region, FRAMES_REGION_BITS, FRAMES_REGION_BITS, &offset);
	else
		bitset_add(&frames->taken, number);
	index_sizes(frames, number, 0);
	frames->whole_blocks -= FRAMES_REGION_BLOCKS;
	frames->free_bytes -= UINT64_C(1) << FRAMES_REGION_BITS;
}

/* What is left of the run is free pieces like others again, each as large as its alignment. */
static void end_run(struct frames *frames)
{
	struct frames_run *run = &frames->run;
	const uint64_t number = run->next >> FRAMES_REGION_BITS;
	struct frames_region *region;

	if (run->next == run->end)
		return;
	region = frames->region[number];
	for (unsigned bits; run->next < run->end; run->next += UINT64_C(1) << bits) {
		bits = (unsigned)__builtin_ctzll(run->next);
		/* There is room for the block since the run began. */
		(void)frames_region_give(region, bits, run->next & low_mask(FRAMES_REGION_BITS));
	}
	index_sizes(frames, number, region->sizes);
}

/*
 * How much of the piece to take: the second frame of a size in a row begins a run of all that is
 * left of it. False: out of memory.
 */
static bool cut_of(struct frames *frames, struct frames_region *region, unsigned from_bits,
		   unsigned size_bits, unsigned *cut_bits)
{
	const bool again = frames->last_bits == size_bits;

	*cut_bits = size_bits;
	if (size_bits >= FRAMES_BLOCK_BITS)
		return true;
	frames->last_bits = size_bits;
	if (again)
		*cut_bits = from_bits < FRAMES_BLOCK_BITS ? from_bits : FRAMES_BLOCK_BITS;
	return *cut_bits < FRAMES_BLOCK_BITS || frames_region_room(region);
}

static bool alloc_in_region(struct frames *frames, unsigned size_bits, pa_t *out)
{
	struct frames_region *region;
	uint64_t number, offset, whole_before;
	unsigned from_bits, cut_bits;

	if (size_bits < FRAMES_BLOCK_BITS)
		end_run(frames);
	from_bits = smallest_fit(frames, size_bits);
	if (!from_bits)
		return false;
	number = bitset_next(&frames->with[from_bits], 0);
	if (size_bits == FRAMES_REGION_BITS) {
		take_region(frames, number);
		*out = pa_of(number << FRAMES_REGION_BITS);
		return true;
	}
	region = region_of(frames, number);
	if (!region)
		return false;
	whole_before = region->whole_blocks;
	if (!cut_of(frames, region, from_bits, size_bits, &cut_bits) ||
	    !frames_region_take(region, from_bits, cut_bits, &offset)) {
		frames->no_memory = true;
		return false;
	}
	index_sizes(frames, number, region->sizes);
	frames->whole_blocks -= whole_before - region->whole_blocks;
	frames->free_bytes -= UINT64_C(1) << size_bits;
	*out = pa_of(number << FRAMES_REGION_BITS | offset);
	if (cut_bits > size_bits)
		frames->run = (struct frames_run){ .next = out->v + (UINT64_C(1) << size_bits),
						   .end = out->v + (UINT64_C(1) << cut_bits),
						   .size_bits = size_bits };
	return true;
}

static void free_in_region(struct frames *frames, unsigned size_bits, uint64_t pa)
{
	const uint64_t number = pa >> FRAMES_REGION_BITS;
	struct frames_region *region;
	uint64_t whole_before;

	if (size_bits == FRAMES_REGION_BITS && bitset_has(&frames->taken, number)) {
		bitset_remove(&frames->taken, number);
		index_sizes(frames, number, UINT64_C(1) << FRAMES_REGION_BITS);
		frames->whole_blocks += FRAMES_REGION_BLOCKS;
		frames->free_bytes += UINT64_C(1) << FRAMES_REGION_BITS;
		return;
	}
	if (size_bits < FRAMES_BLOCK_BITS) {
		end_run(frames);
		frames->last_bits = 0;
	}
	region = region_of(frames, number);
	if (!region)
		return;
	whole_before = region->whole_blocks;
	if (!frames_region_give(region, size_bits, pa & low_mask(FRAMES_REGION_BITS))) {
		frames->no_memory = true;
		return;
	}
	index_sizes(frames, number, region->sizes);
	frames->whole_blocks += region->whole_blocks - whole_before;
	frames->free_bytes += UINT64_C(1) << size_bits;
}

/* ---- frames of many regions --------------------------------------------------------------- */

/* The first aligned run of `count` wholly free regions; or `regions`. */
static uint64_t next_run(const struct frames *frames, uint64_t count)
{
	uint64_t free_regions = 0;

	for (uint64_t i = 0; i < frames->regions; i++) {
		free_regions = i % count ? free_regions : 0;
		free_regions += frames->sizes[i] >> FRAMES_REGION_BITS & 1;
		if (free_regions == count)
			return i + 1 - count;
	}
	return frames->regions;
}

static bool alloc_run(struct frames *frames, unsigned size_bits, pa_t *out)
{
	const uint64_t count = UINT64_C(1) << (size_bits - FRAMES_REGION_BITS);
	uint64_t first;

	for (; frames->looked < frames->regions; frames->looked++)
		if (!frames->region[frames->looked])
			look_at(frames, frames->looked);
	first = next_run(frames, count);
	if (first == frames->regions)
		return false;
	for (uint64_t i = first; i < first + count; i++)
		take_region(frames, i);
	*out = pa_of(first << FRAMES_REGION_BITS);
	return true;
}

bool frames_alloc_piece(struct frames *frames, unsigned size_bits, pa_t *out)
{
	return size_bits > FRAMES_REGION_BITS ? alloc_run(frames, size_bits, out)
					      : alloc_in_region(frames, size_bits, out);
}

void frames_close(struct frames *frames)
{
	frames->closed = true;
}

void frames_free(struct frames *frames, unsigned size_bits, pa_t pa)
{
	if (frames->closed)
		return;
	if (size_bits <= FRAMES_REGION_BITS) {
		free_in_region(frames, size_bits, pa.v);
		return;
	}
	for (uint64_t at = 0; at < UINT64_C(1) << size_bits;
	     at += UINT64_C(1) << FRAMES_REGION_BITS)
		free_in_region(frames, FRAMES_REGION_BITS, pa.v + at);
}

/* ---- how much is left --------------------------------------------------------------------- */

struct tally {
	const struct frames_layout *layout;
	unsigned size_bits;
	uint64_t frames;
};

static void tally_whole(void *ctx, uint64_t first_block, unsigned size_bits)
{
	struct tally *tally = ctx;

	(void)first_block;
	if (size_bits >= tally->size_bits)
		tally->frames += UINT64_C(1) << (size_bits - tally->size_bits);
}

static void tally_block(struct tally *tally, uint64_t block)
{
	uint64_t pages[FRAMES_BLOCK_PAGES / 64];

	frames_layout_free_pages(tally->layout, block, pages);
	tally->frames += frames_pieces_of(pages, tally->size_bits);
}

static void tally_fragmented(void *ctx, uint64_t first_block, uint64_t blocks)
{
	struct tally *tally = ctx;

	for (uint64_t i = 0; tally->size_bits < FRAMES_BLOCK_BITS && i < blocks; i++)
		tally_block(tally, first_block + i);
}

static void tally_opened(struct tally *tally, const struct frames_region *region, uint64_t number)
{
	const uint64_t first = number * FRAMES_REGION_BLOCKS;

	for (unsigned size = tally->size_bits; size <= FRAMES_REGION_BITS; size++)
		tally->frames += (uint64_t)region->count[size] << (size - tally->size_bits);
	/* The row of unopened blocks comes first. */
	for (uint64_t i = bitset_next(&region->pieces, 0);
	     tally->size_bits < FRAMES_BLOCK_BITS && i < FRAMES_REGION_BLOCKS;
	     i = bitset_next(&region->pieces, i + 1))
		tally_block(tally, first + i);
}

static uint64_t available_in(const struct frames *frames, uint64_t number, unsigned size_bits)
{
	struct tally tally = { &frames->layout, size_bits, 0 };
	const struct frames_visitor visitor = { tally_whole, tally_fragmented, &tally };

	if (frames->region[number])
		tally_opened(&tally, frames->region[number], number);
	else if (!bitset_has(&frames->taken, number))
		frames_layout_visit(&frames->layout, number, &visitor);
	return tally.frames;
}

static uint64_t available_in_run(const struct frames_run *run, unsigned size_bits)
{
	uint64_t available = 0;
	unsigned bits;

	for (uint64_t at = run->next; at < run->end; at += UINT64_C(1) << bits) {
		bits = (unsigned)__builtin_ctzll(at);
		available += bits < size_bits ? 0 : UINT64_C(1) << (bits - size_bits);
	}
	return available;
}

/* Aligned runs of `count` wholly free regions. */
static uint64_t available_runs(const struct frames *frames, uint64_t count)
{
	uint64_t runs = 0, run = 0;

	for (uint64_t i = 0; i < frames->regions; i++) {
		run = (i % count ? run : 0) + available_in(frames, i, FRAMES_REGION_BITS);
		runs += run == count;
	}
	return runs;
}

uint64_t frames_available(const struct frames *frames, unsigned size_bits)
{
	uint64_t available = available_in_run(&frames->run, size_bits);

	if (size_bits == FRAMES_PAGE_BITS)
		return frames->free_bytes >> FRAMES_PAGE_BITS;
	if (size_bits == FRAMES_BLOCK_BITS)
		return frames->whole_blocks;
	if (size_bits > FRAMES_REGION_BITS)
		return available_runs(frames, UINT64_C(1) << (size_bits - FRAMES_REGION_BITS));
	for (uint64_t i = 0; i < frames->regions; i++)
		available += available_in(frames, i, size_bits);
	return available;
}

unsigned frames_unusable_permille(const struct frames *frames, unsigned size_bits)
{
	const uint64_t total = frames->free_bytes;
	const uint64_t usable = frames_available(frames, size_bits) << size_bits;

	/* The quotient is at most 1000; memory has 52 bits, 1000 has 10. */
	return total ? (unsigned)((total - usable) * 1000 / total) : 0;
}

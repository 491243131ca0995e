/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/forecast_pages.h"

#include <stdlib.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum {
	BLOCKS_LOOKED_AT = 64,
	PAGE_BITS = 12,
	REGION_BITS = 21,
	TABLE_BYTES = 4096,
	STAGES = 2,
	/* Of a block's pages at most about so many are looked at, the same ones in all blocks. */
	PAGES_KEPT = 4096,
	/*
	 * What a record takes, and what it takes more if it misses the TLBs. The more distinct keys
	 * a block has, the more do: with these the ten traces of traces/ take 0.6 to 2 times the
	 * guess, but for the shortest, where making the machine is most of it.
	 */
	RECORD_NANOS = 3,
	KEY_NANOS = 800,
};

/* Numbers that stand for addresses; sorted after tidy(). */
struct numbers {
	uint64_t *number;
	size_t n, room;
};

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool add(struct numbers *numbers, uint64_t number)
{
	const size_t room = numbers->room ? 2 * numbers->room : PAGES_KEPT;
	uint64_t *grown = numbers->number;

	if (numbers->n == numbers->room) {
		grown = reallocarray(grown, room, sizeof(*grown));
		if (!grown)
			return false;
		numbers->number = grown;
		numbers->room = room;
	}
	grown[numbers->n++] = number;
	return true;
}

/* Sorts those from `begin` on and keeps each once. */
static void tidy(struct numbers *numbers, size_t begin)
{
	uint64_t *number = numbers->number;
	size_t kept = begin;

	if (numbers->n == begin)
		return;
	qsort(number + begin, numbers->n - begin, sizeof(*number), by_number);
	for (size_t i = begin; i < numbers->n; i++)
		if (kept == begin || number[i] != number[kept - 1])
			number[kept++] = number[i];
	numbers->n = kept;
}

/* What two address spaces map is two things, wherever it lies. */
static uint64_t number_of(const struct trace_key *key, unsigned bits)
{
	const uint64_t parts[2] = { (uint64_t)key->vm << 16 | key->asid, key->va >> bits };

	return XXH3_64bits(parts, sizeof(parts));
}

/* What is looked at. */
struct look {
	struct numbers pages; /* those of a block after those of the block before, each once */
	struct numbers regions;
	uint64_t below;		    /* pages with smaller numbers are looked at */
	uint64_t n_keys, n_records; /* of all blocks */
};

static bool look_at(struct look *look, const struct trace_block *block)
{
	const size_t begin = look->pages.n;

	for (uint32_t i = 0; i < block->n_keys; i++) {
		const uint64_t page = number_of(&block->keys[i], PAGE_BITS);

		if (page <= look->below && !add(&look->pages, page))
			return false;
		if (!add(&look->regions, number_of(&block->keys[i], REGION_BITS)))
			return false;
	}
	tidy(&look->pages, begin);
	tidy(&look->regions, 0);
	return true;
}

static enum exit_status look_at_blocks(struct look *look, const struct trace_reader *trace,
				       const uint64_t *blocks, size_t n, struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	struct trace_block block = { 0 };

	for (size_t i = 0; status == STATUS_OK && i < n; i++) {
		status = trace_read_block(trace, blocks[i], COLUMN_KEYS_ALONE, &block, diag);
		if (status == STATUS_OK && !look->below)
			look->below = block.n_keys > PAGES_KEPT
					      ? UINT64_MAX / block.n_keys * PAGES_KEPT
					      : UINT64_MAX;
		look->n_keys += block.n_keys;
		look->n_records += trace_block_totals(trace, blocks[i]).records;
		if (status == STATUS_OK && !look_at(look, &block))
			status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	}
	trace_block_free(&block);
	return status;
}

/* In how many blocks each page is: `in[0]` in any, `in[1]` in one alone, `in[2]` in two. */
static void count(struct numbers *pages, uint64_t in[3])
{
	in[0] = in[1] = in[2] = 0;
	if (pages->n)
		qsort(pages->number, pages->n, sizeof(*pages->number), by_number);
	for (size_t i = 0, next; i < pages->n; i = next) {
		for (next = i + 1; next < pages->n && pages->number[next] == pages->number[i];)
			next++;
		in[0]++;
		if (next - i <= 2)
			in[next - i]++;
	}
}

static uint64_t guess_micros(uint64_t records, const struct look *look)
{
	/* A thousandth of a key for each record. */
	const uint64_t keys = look->n_records ? 1000 * look->n_keys / look->n_records : 0;

	return records / 1000 * (1000 * RECORD_NANOS + keys * KEY_NANOS) / 1000 + 1;
}

void forecast_spread(uint64_t all, size_t n, uint64_t *blocks)
{
	for (size_t i = 0; i < n; i++)
		blocks[i] = (2 * i + 1) * all / (2 * n);
}

enum exit_status forecast_pages(const struct trace_reader *trace, struct forecast_pages *pages,
				struct diag *diag)
{
	const uint64_t all = trace_info(trace)->blocks;
	const size_t n = all < BLOCKS_LOOKED_AT ? (size_t)all : BLOCKS_LOOKED_AT;
	uint64_t blocks[BLOCKS_LOOKED_AT] = { 0 }, in[3];
	struct look look = { 0 };
	enum exit_status status;
	double more, at_most;

	forecast_spread(all, n, blocks);
	status = look_at_blocks(&look, trace, blocks, n, diag);
	count(&look.pages, in);
	/* Chao's estimate of what none of the blocks showed. As many new pages in each block as on
	 * average in those, at most. */
	more = (double)in[1] * ((double)in[1] - 1) / (2 * ((double)in[2] + 1));
	at_most = n ? (double)in[0] * (double)(all - n) / (double)n : 0;
	more = more < 0 ? 0 : more;
	*pages = (struct forecast_pages){
		.below = look.below,
		.pages = in[0] + (uint64_t)(more < at_most ? more : at_most),
		.guess_micros = guess_micros(trace_info(trace)->totals.records, &look),
		.table_bytes = look.regions.n * TABLE_BYTES * STAGES,
	};
	free(look.pages.number);
	free(look.regions.number);
	return status;
}

enum exit_status forecast_pages_in(const struct trace_reader *trace,
				   const struct forecast_pages *pages, const uint64_t *blocks,
				   size_t n, uint64_t *n_pages, struct diag *diag)
{
	struct look look = { .below = pages->below };
	enum exit_status status = look_at_blocks(&look, trace, blocks, n, diag);
	uint64_t in[3];

	count(&look.pages, in);
	*n_pages = in[0];
	free(look.pages.number);
	free(look.regions.number);
	return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "run/forecast.h"

enum { BLOCKS_LOOKED_AT = 64, REGION_BITS = 21, TABLE_BYTES = 4096, STAGES = 2 };

struct regions {
	uint64_t *id; /* sorted, each once, after tidy() */
	size_t n, room;
};

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void tidy(struct regions *regions)
{
	size_t kept = 0;

	qsort(regions->id, regions->n, sizeof(*regions->id), by_number);
	for (size_t i = 0; i < regions->n; i++)
		if (kept == 0 || regions->id[i] != regions->id[kept - 1])
			regions->id[kept++] = regions->id[i];
	regions->n = kept;
}

/* Tables of two address spaces are two, whatever they map. */
static uint64_t region_of(const struct trace_key *key)
{
	const uint64_t space = (uint64_t)key->vm << 16 | key->asid;

	return space * UINT64_C(0x9e3779b97f4a7c15) ^ key->va >> REGION_BITS;
}

static enum exit_status add_block(struct regions *regions, const struct trace_block *block,
				  struct diag *diag)
{
	uint64_t *grown;

	if (regions->n + block->n_keys > regions->room) {
		regions->room = 2 * (regions->n + block->n_keys);
		grown = reallocarray(regions->id, regions->room, sizeof(*grown));
		if (!grown)
			return diag_set(diag, STATUS_INTERNAL, "out of memory");
		regions->id = grown;
	}
	for (uint32_t i = 0; i < block->n_keys; i++)
		regions->id[regions->n++] = region_of(&block->keys[i]);
	tidy(regions);
	return STATUS_OK;
}

enum exit_status forecast_tables(const struct trace_reader *trace, uint64_t *bytes,
				 struct diag *diag)
{
	const uint64_t all = trace_info(trace)->blocks;
	const uint64_t n = all < BLOCKS_LOOKED_AT ? all : BLOCKS_LOOKED_AT;
	enum exit_status status = STATUS_OK;
	struct trace_block block = { 0 };
	struct regions regions = { 0 };

	for (uint64_t i = 0; status == STATUS_OK && i < n; i++) {
		status = trace_read_block(trace, i * all / n, COLUMN_KEY, &block, diag);
		if (status == STATUS_OK && block.n_keys)
			status = add_block(&regions, &block, diag);
	}
	*bytes = (uint64_t)regions.n * TABLE_BYTES * STAGES;
	trace_block_free(&block);
	free(regions.id);
	return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Native traces to the same or a coarser granularity. */
#include "trace/trace.h"

struct trace_run trace_block_run(const struct trace_block *b, uint32_t i)
{
	return (struct trace_run){
		.key = b->keys[b->key[i]],
		.reads = b->reads[i],
		.stores = b->stores[i],
		.splits = b->splits[i],
		.instructions = b->instructions[i],
		.ordinal = b->ordinal[i],
		.last_ordinal = b->last_ordinal[i],
		.store_ordinal = b->store_ordinal[i],
	};
}

/* Blocks are decoded one by one, so their order among each other is checked here. */
static enum exit_status check_order(const struct trace_reader *reader, uint64_t index,
				    const struct trace_block *block, uint64_t *next_ordinal,
				    struct diag *diag)
{
	if (!block->n_records)
		return STATUS_OK;
	if (block->ordinal[0] < *next_ordinal)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: block %llu: expected records that begin after those of the "
				"block before",
				trace_path(reader), (unsigned long long)index);
	*next_ordinal = block->ordinal[block->n_records - 1] + 1;
	return STATUS_OK;
}

static enum exit_status collapse_block(struct trace_collapser *collapser,
				       const struct trace_block *block, struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	uint32_t event = 0;

	for (uint32_t i = 0; i <= block->n_records && !status; i++) {
		while (!status && event < block->n_events && block->events[event].before == i)
			status = trace_collapse_event(collapser, &block->events[event++], diag);
		if (!status && i < block->n_records) {
			struct trace_run run = trace_block_run(block, i);

			status = trace_collapse_run(collapser, &run, diag);
		}
	}
	return status;
}

enum exit_status trace_collapse_trace(struct trace_collapser *collapser,
				      const struct trace_reader *reader, struct diag *diag)
{
	struct trace_block block = { 0 };
	enum exit_status status = STATUS_OK;
	uint64_t next_ordinal = 0;

	for (uint64_t i = 0; i < trace_info(reader)->blocks && !status; i++) {
		status = trace_read_block(reader, i, COLUMN_ALL, &block, diag);
		if (!status)
			status = check_order(reader, i, &block, &next_ordinal, diag);
		if (!status)
			status = collapse_block(collapser, &block, diag);
	}
	trace_block_free(&block);
	return status;
}

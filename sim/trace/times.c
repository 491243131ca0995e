/* SPDX-License-Identifier: BSD-2-Clause */
/* Ordinals of a few records of a block, from the columns as they are stored. */
#include <string.h>

#include "trace/trace.h"

bool trace_has_times(const struct trace_block *block)
{
	return block->last_ordinal || block->times;
}

#define SUM(type)                                                                                  \
	for (uint32_t i = first; i < end; i++) {                                                   \
		type v;                                                                            \
		memcpy(&v, column + i * sizeof(v), sizeof(v));                                     \
		sum += v;                                                                          \
	}

static uint64_t sum_of(const unsigned char *column, unsigned width, uint32_t first, uint32_t end)
{
	uint64_t sum = 0;

	if (width == 1)
		SUM(uint8_t)
	else if (width == 2)
		SUM(uint16_t)
	else
		SUM(uint32_t)
	return sum;
}

uint64_t trace_first_ordinal(const struct trace_block *block, uint32_t i)
{
	struct trace_times *t = block->times;

	if (block->ordinal)
		return block->ordinal[i];
	if (i >= t->at)
		t->ordinal += sum_of(t->step, t->step_bytes, t->at + 1, i + 1);
	else
		t->ordinal -= sum_of(t->step, t->step_bytes, i + 1, t->at + 1);
	t->at = i;
	return t->ordinal;
}

uint64_t trace_last_ordinal(const struct trace_block *block, uint32_t i)
{
	const struct trace_times *t = block->times;

	if (block->last_ordinal)
		return block->last_ordinal[i];
	return trace_first_ordinal(block, i) + sum_of(t->reach, t->reach_bytes, i, i + 1);
}

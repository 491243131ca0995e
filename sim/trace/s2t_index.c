/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of blocks, for the writer and the reader of the native trace format. */
#include <xxhash.h>

#include "trace/s2t.h"

uint64_t s2t_digest(const struct s2t_index_entry *entries, uint64_t n)
{
	XXH3_state_t *state = XXH3_createState();
	uint64_t digest;

	if (!state)
		return 0;
	XXH3_64bits_reset(state);
	for (uint64_t i = 0; i < n; i++)
		XXH3_64bits_update(state, &entries[i].checksum, sizeof(entries[i].checksum));
	digest = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return digest;
}

static bool add(uint64_t *sum, uint64_t more)
{
	return !__builtin_add_overflow(*sum, more, sum);
}

bool s2t_count_entry(struct trace_totals *t, const struct s2t_index_entry *e)
{
	return add(&t->records, e->n_records) && add(&t->events, e->n_events) &&
	       add(&t->instructions, e->instructions) && add(&t->fetches, e->fetches) &&
	       add(&t->loads, e->loads) && add(&t->stores, e->stores) && add(&t->splits, e->splits);
}

bool s2t_count_block(struct trace_info *info, struct s2t_index_entry *entry,
		     const struct s2t_block_header *block, uint64_t offset)
{
	*entry = (struct s2t_index_entry){
		.offset = offset,
		.block_bytes = block->block_bytes,
		.n_records = block->n_records,
		.n_events = block->n_events,
		.first_ordinal = block->first_ordinal,
		.checksum = block->checksum,
		.instructions = block->instructions,
		.fetches = block->fetches,
		.loads = block->loads,
		.stores = block->stores,
		.splits = block->splits,
	};
	if (!s2t_count_entry(&info->totals, entry))
		return false;
	info->blocks++;
	info->va_bits = block->va_bits > info->va_bits ? block->va_bits : info->va_bits;
	info->ipa_bits = block->ipa_bits > info->ipa_bits ? block->ipa_bits : info->ipa_bits;
	info->vcpus = block->vcpus > info->vcpus ? block->vcpus : info->vcpus;
	info->vms = block->vms > info->vms ? block->vms : info->vms;
	return true;
}

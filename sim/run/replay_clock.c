/* SPDX-License-Identifier: BSD-2-Clause */
/* Records on the clock of the core whose walkers work side by side (docs/model.md, M41, M42). */
#include "run/replay_private.h"

/*
 * Instructions that the record's vCPU has begun since the record before. All between the first
 * accesses of the two are taken for its own: exact on a raw trace, and with one vCPU.
 */
static uint64_t distance(struct replay *replay, const struct trace_block *block, uint32_t i)
{
	const uint64_t before = replay->ordinal;

	if (replay->has_instructions)
		return block->instructions[i];
	replay->ordinal = block->ordinal[i];
	return replay->ordinal - before;
}

enum exit_status replay_clocked(struct replay *replay, const struct trace_block *block,
				uint32_t first, uint32_t end)
{
	struct walkers *walkers = replay->machine->walkers;
	const uint64_t *l1i_misses = &replay->mmu->stats.v[STAT_l1i_tlb_misses];

	for (uint32_t i = first; i < end; i++) {
		const struct trace_key *key = &block->keys[block->key[i]];
		const uint64_t missed = *l1i_misses;
		enum exit_status status;

		walkers_reach(walkers, key->vcpu, distance(replay, block, i));
		walkers_run(walkers, key->vcpu, (uint64_t)replay_vm(replay, key) << 16 | key->asid);
		status = replay_untimed(replay, block, i, i + 1);
		if (status != STATUS_OK)
			return status;
		if (walkers_busy(walkers, key->vcpu) &&
		    (key->stream == STREAM_DATA || *l1i_misses != missed))
			walkers_touch(walkers, key->vcpu, replay_side(key),
				      va_sign_extend(key->va));
	}
	return STATUS_OK;
}

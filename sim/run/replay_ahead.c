/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What records to come will want is fetched into the host's caches, in three steps: their keys;
 * the stage-1 descriptors of those that no L1 TLB seems to hold; the stage-2 descriptors that these
 * lead to, and the set of the L2 TLB. Changes nothing but the time it takes.
 */
#include "run/replay_private.h"

static bool seems_held(const struct replay *replay, const struct replay_hint *hint)
{
	return replay->mmu->l1_generation[hint->index] + 1 == hint->seen;
}

/* Records [first, first + REPLAY_BATCH) as far as there are so many. */
static uint32_t batch_end(uint32_t first, uint32_t end)
{
	return end - first < REPLAY_BATCH ? end : first + REPLAY_BATCH;
}

static void fetch_keys(const struct replay *replay, const struct trace_block *block, uint32_t first,
		       uint32_t end)
{
	const uint32_t last = batch_end(first, end);

	for (uint32_t i = first; i < last; i++) {
		__builtin_prefetch(&replay->hints[block->key[i]]);
		__builtin_prefetch(&block->keys[block->key[i]]);
	}
}

/* Those that are not held, for the steps to come. */
static void list_misses(struct replay *replay, const struct trace_block *block, uint32_t first,
			uint32_t end)
{
	const uint32_t last = batch_end(first, end);
	uint32_t n = 0;

	for (uint32_t i = first; i < last; i++) {
		const uint32_t index = block->key[i];
		const struct trace_key *key = &block->keys[index];

		if (seems_held(replay, &replay->hints[index]))
			continue;
		replay->ahead.access[n].va = va_of(va_sign_extend(key->va));
		replay->ahead.access[n++].vcpu = key->vcpu;
	}
	replay->ahead.n = n;
}

/* What the batch before has listed is one batch nearer by now. */
void replay_look_ahead(struct replay *replay, const struct trace_block *block, uint32_t first,
		       uint32_t end)
{
	struct replay_ahead *ahead = &replay->ahead;

	if (end - first > 3 * REPLAY_BATCH)
		fetch_keys(replay, block, first + 3 * REPLAY_BATCH, end);
	mmu_fetch_stage2(replay->mmu, ahead->access, ahead->n);
	ahead->n = 0;
	if (end - first <= 2 * REPLAY_BATCH)
		return;
	list_misses(replay, block, first + 2 * REPLAY_BATCH, end);
	mmu_fetch_stage1(replay->mmu, ahead->access, ahead->n);
}

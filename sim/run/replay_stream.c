/* SPDX-License-Identifier: BSD-2-Clause */
/* Replay of what got through the L1 TLBs of another point. */
#include "run/replay_private.h"

bool replay_is_retimable(const struct replay *replay)
{
	return !replay->machine->walkers && !replay->timing && !replay->scheduled &&
	       !replay->timeline && !replay->sampler && replay->session.due == UINT64_MAX;
}

bool replay_is_recordable(const struct replay *replay)
{
	const struct config *config = &replay->machine->config;

	/* What can share an entry of a group depends on physical addresses, which are not compared.
	 */
	if (config->tlb.l1i.coalesce > 1 || config->tlb.l1d.coalesce > 1)
		return false;
	/* So does what is prefetched into L1 at the time of another fill. */
	if (replay->mmu->shape.l1i.prefetch || replay->mmu->shape.l1d.prefetch)
		return false;
	/* What L1 evicts goes below, or the other way round. */
	if (replay->mmu->shape.inclusion != MMU_NON_INCLUSIVE)
		return false;
	return replay->fast && !replay->lines && replay_is_retimable(replay);
}

/* Through the whole hierarchy. */
static bool walk(struct replay *replay, struct tlb *l1, const struct miss_kind *kind,
		 const struct mmu_request *request)
{
	uint32_t slot;

	/* Its one entry may be an older one than that of the miss before. */
	if (l1->used)
		tlb_drop(l1, 0);
	recorder_begin(replay->record);
	slot = mmu_access(replay->mmu, kind->vcpu, request);
	return slot != TLB_NONE && slot != MMU_EMULATED &&
	       miss_filled(&kind->fill, &l1->leaf[slot]);
}

/* Make the access that missed; does it fill the same entry, after the same TLBIs? */
static bool follow(struct replay *replay, const struct miss_stream *stream, size_t i)
{
	const struct trace_key key = miss_key(stream, i);
	const struct miss_kind *kind = miss_kind(stream, i);
	struct tlb *l1 = mmu_l1(replay->mmu, key.vcpu, replay_side(&key));
	const struct tlb_leaf *answer;
	struct mmu_request request;
	bool filled;

	if (!replay_request(replay, &key, &request))
		return false;
	answer = mmu_l2_answer(replay->mmu, key.vcpu, &request);
	filled = answer ? miss_fills(&kind->fill, l1, answer) : walk(replay, l1, kind, &request);
	recorder_follow(replay->record, kind->space, request.space);
	return filled && recorder_digest(replay->record) == stream->miss[i].tlbis;
}

bool replay_stream(struct replay *replay, const struct miss_stream *stream)
{
	struct miss_ahead ahead = { .n = 0 };
	size_t e = 0;

	for (size_t i = 0; i <= stream->misses; i++) {
		for (; e < stream->events && stream->event[e].before == i; e++)
			if (replay_event(replay, &stream->event[e].event) != STATUS_OK)
				return false;
		if (i == stream->misses)
			break;
		miss_stream_look_ahead(stream, i, replay->mmu, &ahead);
		if (!follow(replay, stream, i))
			return false;
	}
	return recorder_digest(replay->record) == stream->tlbis;
}

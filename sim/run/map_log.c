/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/map_log.h"

#include <string.h>

#include <xxhash.h>

void map_log_fini(struct map_log *log)
{
	free(log->op);
	free(log->tlbi);
	free(log->space);
	free(log->newest);
	memset(log, 0, sizeof(*log));
}

size_t map_log_bytes(const struct map_log *log)
{
	return log->room * sizeof(*log->op) + log->tlbi_room * sizeof(*log->tlbi) +
	       log->space_room * sizeof(*log->space) + log->newest_room * sizeof(*log->newest);
}

static void put(struct map_log *log, struct budget *budget, struct map_op op)
{
	struct map_op *grown;

	if (log->overflow)
		return;
	grown = budget_grow(budget, log->op, log->ops, &log->room, sizeof(*log->op));
	if (!grown) {
		log->overflow = true;
		return;
	}
	log->op = grown;
	log->op[log->ops++] = op;
}

void map_log_change(struct map_log *log, struct budget *budget, enum map_when when, uint32_t miss,
		    struct map_op op)
{
	if (when == MAP_BETWEEN && log->at != miss + 1) {
		put(log, budget, (struct map_op){ .word = MAP_AT, .value = miss });
		log->at = miss + 1;
	}
	put(log, budget, op);
}

void map_log_tlbi(struct map_log *log, struct budget *budget, enum map_when when, uint32_t miss,
		  const struct mmu_invalidation *what)
{
	struct mmu_invalidation *grown =
		budget_grow(budget, log->tlbi, log->tlbis, &log->tlbi_room, sizeof(*log->tlbi));

	if (!grown || log->overflow) {
		log->overflow = true;
		return;
	}
	log->tlbi = grown;
	log->tlbi[log->tlbis] = *what;
	map_log_change(log, budget, when, miss,
		       (struct map_op){ .word = MAP_TLBI, .value = log->tlbis++ });
}

struct map_op map_fault_op(uint32_t miss, const struct fault *fault)
{
	return (struct map_op){
		.word = MAP_FAULT | (uint64_t)fault->type << 3 | (uint64_t)fault->s1ptw << 7 |
			(uint64_t)(uint8_t)fault->stage << 8 |
			(uint64_t)(uint8_t)fault->level << 16 | (uint64_t)miss << 32,
		.value = fault->ipa,
	};
}

void map_log_fault(struct map_log *log, struct budget *budget, uint32_t miss,
		   const struct fault *fault)
{
	put(log, budget, map_fault_op(miss, fault));
	log->at = 0;
}

void map_log_done(struct map_log *log, struct budget *budget)
{
	put(log, budget, (struct map_op){ .word = MAP_DONE });
}

static bool grow_newest(struct map_log *log, struct budget *budget, uint32_t index)
{
	while (index >= log->newest_room) {
		const size_t had = log->newest_room;
		uint32_t *grown = budget_grow(budget, log->newest, had, &log->newest_room,
					      sizeof(*log->newest));

		if (!grown)
			return false;
		log->newest = grown;
		memset(grown + had, 0, (log->newest_room - had) * sizeof(*grown));
	}
	return true;
}

void map_log_space(struct map_log *log, struct budget *budget, uint32_t miss, uint32_t index,
		   const struct mmu_space *space)
{
	const struct map_space *last;
	struct map_space *grown;

	if (log->overflow)
		return;
	if (!grow_newest(log, budget, index)) {
		log->overflow = true;
		return;
	}
	last = log->newest[index] ? &log->space[log->newest[index] - 1] : NULL;
	/* Tables stay where they are: only an image has registers that change. */
	if (last && last->context.vmid == space->context.vmid &&
	    last->context.asid == space->context.asid)
		return;
	grown = budget_grow(budget, log->space, log->spaces, &log->space_room, sizeof(*log->space));
	if (!grown) {
		log->overflow = true;
		return;
	}
	log->space = grown;
	log->space[log->spaces++] = (struct map_space){
		.from = miss,
		.index = index,
		.context = space->context,
		.regime = *space->regime,
	};
	log->newest[index] = (uint32_t)log->spaces;
}

static uint64_t stage_digest(const struct regime_stage *stage, uint64_t seed)
{
	const uint64_t what[] = { stage->base,	       (uint64_t)stage->start_level,
				  stage->granule_bits, stage->ia_bits,
				  stage->oa_bits,      stage->walk_attr };

	return XXH3_64bits_withSeed(what, sizeof(what), seed);
}

uint64_t map_log_digest(const struct map_log *log)
{
	uint64_t digest = XXH3_64bits(log->op, log->ops * sizeof(*log->op));

	for (size_t i = 0; i < log->tlbis; i++)
		digest = XXH3_64bits_withSeed(&log->tlbi[i].match.first, 2 * sizeof(uint64_t),
					      digest ^ log->tlbi[i].vcpu);
	for (size_t i = 0; i < log->spaces; i++) {
		const struct regime *regime = &log->space[i].regime;

		digest = stage_digest(&regime->s1[0], digest);
		digest = stage_digest(&regime->s1[1], digest);
		digest = stage_digest(&regime->s2, digest);
	}
	return digest;
}

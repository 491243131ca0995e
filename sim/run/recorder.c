/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/recorder.h"

#include "run/timeline.h"

static enum map_when when(const struct recorder *recorder)
{
	return recorder->state == RECORDER_HANDLING ? MAP_HANDLING : MAP_BETWEEN;
}

void recorder_spoil(struct recorder *recorder)
{
	if (recorder->stream)
		recorder->stream->overflow = true;
	if (recorder->map)
		recorder->map->overflow = true;
}

void recorder_spoil_walks(struct recorder *recorder)
{
	if (recorder->walks)
		recorder->walks->overflow = true;
	if (recorder->times)
		recorder->times->overflow = true;
}

static void changed(void *ctx, enum phys_change change, pa_t pa, uint64_t value)
{
	struct recorder *recorder = ctx;
	const struct map_op op = { .word = pa.v | (change == PHYS_FREED ? MAP_FREE : MAP_WRITE),
				   .value = value };

	/* Hardware updates depend on which walks are made; contents of images are not kept. */
	if (recorder->state == RECORDER_WALKING || change == PHYS_MAPPED)
		recorder->map->overflow = true;
	else
		map_log_change(recorder->map, recorder->budget, when(recorder), recorder->misses,
			       op);
}

static void visited(void *ctx, pa_t pa, uint64_t value)
{
	changed(ctx, PHYS_WRITTEN, pa, value);
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
	digest = (digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return digest ^ digest >> 29;
}

/* L1 does not hear of an operation by IPA, but open runs are looked up again for it. */
static void invalidated(void *ctx, const struct mmu_invalidation *what)
{
	const struct tlb_match *match = &what->match;
	struct recorder *recorder = ctx;
	uint64_t digest = mix(recorder->tlbis, what->by_ipa);

	if (!what->by_ipa) {
		digest = mix(digest, (uint64_t)what->vcpu << 32 | (uint64_t)match->scope << 8 |
					     match->s1_bits);
		digest = mix(digest, (uint64_t)match->context.vmid << 16 | match->context.asid);
		digest = mix(mix(digest, match->first), match->last);
	}
	recorder->tlbis = digest;
	if (recorder->map)
		map_log_tlbi(recorder->map, recorder->budget, when(recorder), recorder->misses,
			     what);
}

static void begin_fault(struct recorder *recorder, const struct fault *fault)
{
	if (recorder->map)
		map_log_fault(recorder->map, recorder->budget, recorder->misses, fault);
	recorder->state = RECORDER_HANDLING;
}

static enum mmu_fault_result end_fault(struct recorder *recorder, enum mmu_fault_result result)
{
	recorder->state = RECORDER_WALKING;
	if (recorder->map)
		map_log_done(recorder->map, recorder->budget);
	return result;
}

static enum mmu_fault_result s1_fault(void *ctx, const struct mmu_request *request,
				      const struct fault *fault)
{
	struct recorder *recorder = ctx;

	begin_fault(recorder, fault);
	return end_fault(recorder, recorder->os.s1_fault(recorder->os.ctx, request, fault));
}

static enum mmu_fault_result s2_fault(void *ctx, const struct mmu_request *request, ipa_t ipa,
				      const struct fault *fault)
{
	struct recorder *recorder = ctx;

	begin_fault(recorder, fault);
	return end_fault(recorder, recorder->os.s2_fault(recorder->os.ctx, request, ipa, fault));
}

static void walked(void *ctx, uint32_t vcpu, const struct walk_log *log,
		   const struct latency_result *found, const struct walk_account *account,
		   enum account_leaf s1, enum account_leaf s2)
{
	struct recorder *recorder = ctx;

	if (recorder->walks)
		read_log_put(recorder->walks, recorder->budget, vcpu, log, account, s1, s2);
	if (recorder->times)
		time_log_put(recorder->times, recorder->budget, log, found, account, s1, s2);
}

void recorder_attach_walks(struct recorder *recorder, struct mmu *mmu)
{
	if (!recorder->walks && !recorder->times)
		return;
	mmu->tap.walked = walked;
	mmu->tap.ctx = recorder;
}

void recorder_detach_walks(struct recorder *recorder, struct mmu *mmu)
{
	mmu->tap = (struct mmu_tap){ 0 };
	recorder->s2_idle = mmu->shape.s2.serves == WALK_CACHE_SERVES_ALL;
	for (uint32_t i = 0; i < mmu->shape.vcpus; i++) {
		const struct walk_cache *s2 = &mmu->vcpu[i].s2;

		recorder->s2_idle = recorder->s2_idle && s2->ways && walk_cache_is_unused(s2);
	}
}

void recorder_attach(struct recorder *recorder, struct machine *machine)
{
	struct mmu *mmu = &machine->mmu;

	recorder->machine = machine;
	recorder->state = RECORDER_BETWEEN;
	recorder->os = mmu->os;
	mmu->os = (struct mmu_os){ .ctx = recorder, .s1_fault = s1_fault, .s2_fault = s2_fault };
	mmu->tap.invalidated = invalidated;
	mmu->tap.ctx = recorder;
	recorder_attach_walks(recorder, mmu);
	if (recorder->map && machine->config.guest.image)
		recorder->map->overflow = true;
	if (!recorder->map || recorder->map->overflow)
		return;
	phys_visit(machine->mem, visited, recorder);
	machine->mem->watch = (struct phys_watch){ changed, recorder };
}

void recorder_detach(struct recorder *recorder)
{
	struct mmu *mmu = &recorder->machine->mmu;

	if (recorder->stream)
		recorder->stream->tlbis = recorder_digest(recorder);
	mmu->os = recorder->os;
	recorder_detach_walks(recorder, mmu);
	recorder->machine->mem->watch = (struct phys_watch){ 0 };
}

void recorder_count(struct recorder *recorder, struct machine *machine,
		    const struct trace_totals *totals, struct stats *stats)
{
	mmu_count(&machine->mmu, stats);
	timeline_count_totals(&machine->mmu.shape, totals, stats);
	machine_tally(machine, recorder->tally);
	machine_tally_count(recorder->tally, &machine->config.cost, stats);
}

void recorder_begin(struct recorder *recorder)
{
	recorder->state = RECORDER_WALKING;
	recorder->walks_before = recorder->machine->mmu.stats.v[STAT_walks];
}

/* An access that hits L1 walks only where it is not allowed: no miss says so. */
void recorder_end(struct recorder *recorder)
{
	recorder->state = RECORDER_BETWEEN;
	if (recorder->machine->mmu.stats.v[STAT_walks] != recorder->walks_before)
		recorder_spoil(recorder);
}

void recorder_miss(struct recorder *recorder, const struct trace_key *key,
		   const struct mmu_space *space, const struct tlb_leaf *leaf)
{
	struct miss_stream *stream = recorder->stream;

	recorder->state = RECORDER_BETWEEN;
	miss_stream_put(stream, recorder->budget, key, leaf, recorder_digest(recorder));
	if (stream->overflow)
		recorder_spoil(recorder);
	else
		recorder_follow(recorder, miss_kind(stream, stream->misses - 1)->space, space);
}

void recorder_follow(struct recorder *recorder, uint32_t index, const struct mmu_space *space)
{
	const struct tlb_context *context = &space->context;

	recorder->state = RECORDER_BETWEEN;
	if (recorder->map && (!recorder->misses || recorder->space != index ||
			      recorder->vmid != context->vmid || recorder->asid != context->asid)) {
		map_log_space(recorder->map, recorder->budget, recorder->misses, index, space);
		recorder->space = index;
		recorder->vmid = context->vmid;
		recorder->asid = context->asid;
	}
	recorder->misses++;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The walks of the hierarchy: what each reads, costs and finds, and the faults it takes. */
#include "mmu/hierarchy_private.h"

#include <stdlib.h>

#include "mmu/account.h"
#include "mmu/regime.h"

/* No legal access faults more often than each table and the page themselves: twice five levels. */
enum { MAX_RETRIES = 64 };

/* The walker of a vCPU: what its hooks want to know, and what the walk under way did so far. */
struct mmu_walker {
	struct mmu *mmu;
	struct mmu_vcpu *vcpu;
	struct walk_hooks hooks;
	uint32_t s1_context, s2_context;
	struct walk_log log;
	/* Where its reads were found if nobody but the statistics wants to know: not in `account`.
	 */
	struct latency_result found[WALK_READS_MOST];
	bool plain; /* so it is */
	struct walk_account account;
	/* With a listener: cycles of the account that it knows of, and reads that it was told. */
	uint64_t passed_cycles;
	uint32_t told_reads;
};

static bool probe_stage1(struct mmu_walker *walker, uint64_t va, struct walk_point *out)
{
	struct walk_cache *cache = &walker->vcpu->s1;

	if (walk_cache_is_unused(cache) || !walk_cache_probe(cache, walker->s1_context, va, out))
		return false;
	walker->account.cycles += cache->hit_cycles;
	walker->account.s1_hits++;
	return true;
}

static bool probe_stage2(struct mmu_walker *walker, uint64_t ipa, struct walk_point *out)
{
	struct walk_cache *cache = &walker->vcpu->s2;
	struct walk_account *account = &walker->account;

	if (walk_cache_is_unused(cache) || !walk_cache_probe(cache, walker->s2_context, ipa, out)) {
		account->s2_misses += cache->ways != 0;
		return false;
	}
	account->cycles += cache->hit_cycles;
	if (out->leaf)
		account->s2_leaf_hits++;
	else
		account->s2_table_hits++;
	return true;
}

static bool hook_probe(void *ctx, int stage, uint64_t ia, struct walk_point *out)
{
	return stage == 1 ? probe_stage1(ctx, ia, out) : probe_stage2(ctx, ia, out);
}

static void hook_learn(void *ctx, int stage, uint64_t ia, const struct walk_point *point)
{
	struct mmu_walker *walker = ctx;

	if (stage == 1)
		walk_cache_learn(&walker->vcpu->s1, walker->s1_context, ia, point);
	else
		walk_cache_learn(&walker->vcpu->s2, walker->s2_context, ia, point);
}

static bool is_final(const struct walk_read *read)
{
	return read->stage == 2 && read->for_level == WALK_FOR_FINAL;
}

/* With a listener: the cycles of this walk since it was last told. */
static void pass_cycles(struct mmu_walker *walker)
{
	mmu_pass(walker->mmu, walker->vcpu->index, walker->account.cycles - walker->passed_cycles);
	walker->passed_cycles = walker->account.cycles;
}

/* With a listener: where the vCPU's own caches hold a descriptor, or that the listener was told. */
static struct latency_result find_or_tell(struct mmu_walker *walker,
					  const struct latency_query *query)
{
	struct mmu *mmu = walker->mmu;
	const struct latency_result own =
		mmu->shape.latency->read(walker->vcpu->latency_state, query->pa, query->cacheable);

	if (own.found_in != FOUND_DRAM)
		return own;
	pass_cycles(walker);
	walker->told_reads++;
	mmu_tell(mmu, walker->vcpu->index, MMU_EVENT_READ,
		 mmu_read_value(query->pa, query->cacheable, query->row, query->final));
	return (struct latency_result){ .found_in = (enum found_in)ACCOUNT_LATER };
}

/* Where a descriptor is found, and how long that takes while no other vCPU is in the way. */
static struct latency_result find(struct mmu_walker *walker, const struct latency_query *query)
{
	struct mmu *mmu = walker->mmu;

	if (mmu->listener.event)
		return find_or_tell(walker, query);
	return latency_read(mmu->shape.latency, walker->vcpu->latency_state, mmu->latency_state,
			    query->pa, query->cacheable);
}

/* A watcher hears of each read at its place in the walk. */
static void hook_read(void *ctx, const struct walk_read *read)
{
	struct mmu_walker *walker = ctx;
	struct mmu *mmu = walker->mmu;
	const struct latency_query query = {
		.pa = read->pa,
		.cacheable = read->cacheable,
		.row = (uint8_t)walk_row(read->stage, read->level),
		.final = is_final(read),
	};
	const struct latency_result found = find(walker, &query);

	account_add_read(&walker->account, query.row, query.final, found);
	if (mmu->watch)
		mmu->watch(mmu->watch_ctx, read, found);
}

/* Else all of them are looked up at once behind the walk, completed or not. */
static inline void find_log(struct mmu_walker *walker)
{
	struct walk_log *log = &walker->log;

	latency_read_all(walker->mmu->shape.latency, walker->vcpu->latency_state,
			 walker->mmu->latency_state, log->query, log->reads, walker->found);
	walker->plain = true;
	walker->account.reads = log->reads;
}

static inline void tap(const struct mmu_walker *walker, enum account_leaf s1, enum account_leaf s2)
{
	const struct mmu_tap *tap = &walker->mmu->tap;

	if (tap->walked)
		tap->walked(tap->ctx, walker->vcpu->index, &walker->log,
			    walker->plain ? walker->found : NULL, &walker->account, s1, s2);
}

static void tell_log(struct mmu_walker *walker)
{
	const struct walk_log *log = &walker->log;
	const struct latency_ops *latency = walker->mmu->shape.latency;

	if (latency->read_soon)
		latency->read_soon(walker->vcpu->latency_state, log->query, log->reads);
	for (uint32_t i = 0; i < log->reads; i++) {
		const struct latency_query *query = &log->query[i];

		account_add_read(&walker->account, query->row, query->final,
				 find_or_tell(walker, query));
	}
}

/* hook_read() behind a cache of descriptors by address. */
static void hook_read_pwc(void *ctx, const struct walk_read *read)
{
	struct mmu_walker *walker = ctx;
	struct walk_account *account = &walker->account;
	struct pwc *pwc = &walker->vcpu->pwc;

	if (pwc_keeps(pwc, read)) {
		if (pwc_read(pwc, (uint16_t)(walker->s2_context >> 16), read)) {
			account->pwc_hits[read->stage - 1]++;
			account->cycles += pwc->hit_cycles;
			return;
		}
		account->pwc_misses++;
	}
	hook_read(ctx, read);
}

/* What the walk caches have no use for. Stage-1 leaves belong to the TLBs. */
static void set_unwanted(struct walk_hooks *hooks, const struct mmu_vcpu *vcpu,
			 enum walk_cache_serves serves)
{
	enum {
		FINAL = 1 << WALK_FOR_ACCESS,
		TABLES = 1 << WALK_FOR_TABLE_READ | 1 << WALK_FOR_TABLE_UPDATE,
	};
	static const uint8_t unserved[] = {
		[WALK_CACHE_SERVES_TABLES] = FINAL,
		[WALK_CACHE_SERVES_DATA] = TABLES,
	};
	struct walk_unwanted *s1 = &hooks->unwanted[0], *s2 = &hooks->unwanted[1];

	hooks->unserved = unserved[serves];
	for (int level = 0; level <= 3; level++) {
		s1->leaves |= (uint8_t)(1 << (level + 1));
		s1->tables |= (uint8_t)(!walk_cache_keeps(&vcpu->s1, level, false) << (level + 1));
		s2->tables |= (uint8_t)(!walk_cache_keeps(&vcpu->s2, level, false) << (level + 1));
		s2->leaves |= (uint8_t)(!walk_cache_keeps(&vcpu->s2, level, true) << (level + 1));
	}
}

bool mmu_walker_init(struct mmu *mmu, struct mmu_vcpu *vcpu)
{
	const bool caches = vcpu->s1.ways || vcpu->s2.ways;
	struct mmu_walker *walker = calloc(1, sizeof(*walker));

	if (!walker)
		return false;
	walker->mmu = mmu;
	walker->vcpu = vcpu;
	walker->hooks = (struct walk_hooks){
		.ctx = walker,
		.probe = caches ? hook_probe : NULL,
		.learn = caches ? hook_learn : NULL,
		.read = vcpu->pwc.ways ? hook_read_pwc : hook_read,
		.hints = mmu->hints,
	};
	set_unwanted(&walker->hooks, vcpu, mmu->shape.s2.serves);
	vcpu->walker = walker;
	return true;
}

/* The exception level whose permissions count (docs/model.md): user pages below, kernel above. */
static uint8_t level_of(const struct mmu_request *request)
{
	return (uint8_t)(request->va.v >> 55 & 1);
}

static inline void leaf_of(const struct mmu_walker *walker, const struct mmu_request *request,
			   const struct translation *result, struct tlb_leaf *leaf)
{
	const uint8_t s1 = result->s1_bits, s2 = result->s2_bits;
	const uint8_t bits = !s1 || (s2 && s2 < s1) ? s2 : s1;
	/* A set of stage 1 is one only as far as stage 2 is, and the other way round. */
	const uint8_t s1_span = result->s1_span_bits, s2_span = result->s2_span_bits;
	/* Of the exception level that it is for; see level_of(). */
	const unsigned perms = level_of(request) ? result->perms : result->perms >> 3;

	*leaf = (struct tlb_leaf){
		.pa = pa_of(result->pa.v >> bits << bits),
		.size_bits = bits,
		.span_bits = !s1 || (s2 && s2_span < s1_span) ? s2_span : s1_span,
		.leaf_bits = bits,
		.s1_bits = s1,
		.s2_bits = s2,
		.perms = result->perms,
		.global = result->global,
		.dirty_clear = result->dirty_clear || !(perms & PERM_W1),
		.no_fetch = !(perms & PERM_X1),
		.filled_by = walker->vcpu->pe,
	};
}

static enum mmu_fault_result handle_fault(struct mmu *mmu, const struct mmu_request *request,
					  const struct translation *result)
{
	if (result->fault.stage == 1)
		return mmu->os.s1_fault(mmu->os.ctx, request, &result->fault);
	return mmu->os.s2_fault(mmu->os.ctx, request, ipa_of(result->fault.ipa), &result->fault);
}

/* The walk is over; the listener hears of it if it has to do with it. */
static void tell_end(struct mmu_walker *walker, enum mmu_event_type type, uint64_t value)
{
	pass_cycles(walker);
	if (walker->told_reads)
		mmu_tell(walker->mmu, walker->vcpu->index, type, value);
	walker->told_reads = 0;
	walker->passed_cycles = 0;
}

/* Returns the walk's latency, but for reads that the listener was told. */
static uint64_t complete(struct mmu_walker *walker, const struct translation *result)
{
	struct mmu *mmu = walker->mmu;
	const enum account_leaf s1 = account_leaf_of(mmu->shape.s1_granule, result->s1_bits);
	const enum account_leaf s2 = account_leaf_of(mmu->shape.s2_granule, result->s2_bits);
	struct walk_account *account = &walker->account;
	uint64_t cycles;

	if (walker->told_reads)
		account_count(account, &mmu->stats, s1, s2);
	else if (walker->plain)
		account_commit_found(account, walker->log.query, walker->found, &mmu->stats,
				     mmu->latencies, s1, s2);
	else
		account_commit(account, &mmu->stats, mmu->latencies, s1, s2);
	cycles = account->cycles;
	if (mmu->listener.event)
		tell_end(walker, MMU_EVENT_WALK,
			 mmu_walk_value((unsigned)s1 * LEAF_SIZES + s2, cycles));
	tap(walker, s1, s2);
	account_clear(account);
	return cycles;
}

/* The walk ended in a fault. */
static void give_up(struct mmu_walker *walker)
{
	struct mmu *mmu = walker->mmu;

	tap(walker, LEAF_SIZES, LEAF_SIZES);
	if (mmu->listener.event)
		tell_end(walker, MMU_EVENT_RETRY, 0);
	account_discard(&walker->account, &mmu->stats);
}

/* In a level-2 TLB of several PEs: whose entries the walk may use and makes. */
static void choose_entries(struct mmu_vcpu *vcpu, const struct regime *regime, va_t va)
{
	vcpu->s1.common = regime_is_common(regime, va);
	vcpu->s2.common = regime->s2.cnp;
}

/* From its beginning: a fault may have ended with another VMID. */
static inline void walk_once(struct mmu_walker *walker, const struct mmu_space *space,
			     const struct access *access, struct translation *result)
{
	const struct mmu *mmu = walker->mmu;

	walker->s2_context = (uint32_t)space->context.vmid << 16;
	walker->s1_context = walker->s2_context | space->context.asid;
	if (walker->vcpu->pe)
		choose_entries(walker->vcpu, space->regime, access->va);
	walker->log.reads = 0;
	walker->log.unasked = 0;
	walker->plain = false;
	walker->hooks.idle_stage2 = walk_cache_is_unused(&walker->vcpu->s2);
	walker->hooks.log = mmu->watch || walker->vcpu->pwc.ways ? NULL : &walker->log;
	mmu_walk(space->regime, mmu->mem, access, &walker->hooks, result);
	walker->account.s2_misses += walker->vcpu->s2.ways ? walker->log.unasked : 0;
	if (!walker->log.reads)
		return;
	if (mmu->listener.event)
		tell_log(walker);
	else
		find_log(walker);
}

bool mmu_walk_ahead(struct mmu *mmu, const struct mmu_request *request, struct tlb_leaf *leaf)
{
	const struct access access = {
		.va = request->va,
		.kind = request->kind,
		.el = level_of(request),
		.speculative = true,
	};
	struct mmu_walker *walker = mmu->vcpu[request->vcpu].walker;
	void (*const watch)(void *, const struct walk_read *, struct latency_result) = mmu->watch;
	struct translation result;

	mmu->watch = NULL; /* that of the walk which is waited for */
	walk_once(walker, request->space, &access, &result);
	mmu->watch = watch;
	mmu->stats.v[STAT_prefetch_walks]++;
	mmu->stats.v[STAT_prefetch_reads] += walker->account.reads;
	tap(walker, LEAF_SIZES, LEAF_SIZES);
	account_clear(&walker->account);
	if (result.fault.type != FAULT_NONE) {
		mmu->stats.v[STAT_prefetch_drops]++;
		return false;
	}
	leaf_of(walker, request, &result, leaf);
	return true;
}

enum mmu_fault_result mmu_walk_for(struct mmu *mmu, const struct mmu_request *request,
				   struct tlb_leaf *leaf)
{
	const struct mmu_space *space = request->space;
	const struct access access = {
		.va = request->va,
		.kind = request->kind,
		.el = level_of(request),
	};
	struct mmu_walker *walker = mmu->vcpu[request->vcpu].walker;
	struct translation result;

	for (int tries = 0; tries < MAX_RETRIES; tries++) {
		enum mmu_fault_result handled;
		uint64_t cycles;

		walk_once(walker, space, &access, &result);
		if (result.fault.type == FAULT_NONE) {
			leaf_of(walker, request, &result, leaf);
			cycles = complete(walker, &result);
			if (mmu->walk_timed)
				mmu->walk_timed(mmu->walk_timed_ctx, request, leaf->size_bits,
						cycles);
			return MMU_FAULT_HANDLED;
		}
		give_up(walker);
		handled = handle_fault(mmu, request, &result);
		if (handled != MMU_FAULT_HANDLED)
			return handled;
	}
	return MMU_FAULT_FAILED;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/hierarchy.h"

#include <stdlib.h>
#include <string.h>

#include "mmu/smmu.h"

/* No legal access faults more often than each table and the page themselves: twice five levels. */
enum { MAX_RETRIES = 64 };

/* The walker of a vCPU: what its hooks want to know, and what the walk under way did so far. */
struct mmu_walker {
	struct mmu *mmu;
	struct mmu_vcpu *vcpu;
	struct walk_hooks hooks;
	uint32_t s1_context, s2_context;
	struct walk_account account;
};

static uint32_t slots_of(const struct tlb_shape *shape)
{
	return shape->sets * shape->ways;
}

static bool hook_probe(void *ctx, int stage, uint64_t ia, struct walk_point *out)
{
	struct mmu_walker *walker = ctx;
	struct walk_account *account = &walker->account;
	struct walk_cache *cache = stage == 1 ? &walker->vcpu->s1 : &walker->vcpu->s2;
	const uint32_t context = stage == 1 ? walker->s1_context : walker->s2_context;
	const bool hit = walk_cache_probe(cache, context, ia, out);

	account->cycles += hit ? cache->hit_cycles : 0;
	if (stage == 1)
		account->s1_hits += hit;
	else if (!hit)
		account->s2_misses += cache->ways != 0;
	else if (out->leaf)
		account->s2_leaf_hits++;
	else
		account->s2_table_hits++;
	return hit;
}

/* Stage-1 leaves belong to the TLBs, not to the walk cache. */
static void hook_learn(void *ctx, int stage, uint64_t ia, const struct walk_point *point)
{
	struct mmu_walker *walker = ctx;

	if (stage == 2)
		walk_cache_learn(&walker->vcpu->s2, walker->s2_context, ia, point);
	else if (!point->leaf)
		walk_cache_learn(&walker->vcpu->s1, walker->s1_context, ia, point);
}

static void hook_read(void *ctx, const struct walk_read *read)
{
	struct mmu_walker *walker = ctx;
	struct mmu *mmu = walker->mmu;
	const struct latency_result found =
		mmu->shape.latency->read(mmu->latency_state, read->pa, read->cacheable);

	account_read(&walker->account, read, found);
	if (mmu->watch)
		mmu->watch(mmu->watch_ctx, read, found);
}

static bool walker_init(struct mmu *mmu, struct mmu_vcpu *vcpu)
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
		.read = hook_read,
	};
	vcpu->walker = walker;
	return true;
}

/* `first`: index of this vCPU's first L1 slot. */
static bool vcpu_init(struct mmu *mmu, uint32_t index, uint32_t first)
{
	const struct mmu_shape *shape = &mmu->shape;
	struct mmu_vcpu *vcpu = &mmu->vcpu[index];
	struct tlb_shape l1i = shape->l1i, l1d = shape->l1d, l2 = shape->l2;
	const uint32_t data = first + slots_of(&l1i);
	const struct tlb_slab slab[2] = {
		[MMU_FETCH] = { &mmu->l1_generation[first], &mmu->l1_stamp[first] },
		[MMU_DATA] = { &mmu->l1_generation[data], &mmu->l1_stamp[data] },
	};

	l1i.seed += index;
	l1d.seed += index;
	l2.seed += index;
	return tlb_init_in(&vcpu->l1[MMU_FETCH], &l1i, &slab[MMU_FETCH]) &&
	       tlb_init_in(&vcpu->l1[MMU_DATA], &l1d, &slab[MMU_DATA]) &&
	       (!l2.sets || tlb_init(&vcpu->l2, &l2)) &&
	       walk_cache_init(&vcpu->s1, shape->s1.entries, shape->s1.ways, shape->s1.hit_cycles,
			       shape->s1_granule) &&
	       walk_cache_init(&vcpu->s2, shape->s2.entries, shape->s2.ways, shape->s2.hit_cycles,
			       shape->s2_granule) &&
	       walker_init(mmu, vcpu);
}

bool mmu_init(struct mmu *mmu, const struct mmu_shape *shape, struct phys_mem *mem,
	      const struct mmu_os *os)
{
	const uint32_t slots = slots_of(&shape->l1i) + slots_of(&shape->l1d);

	memset(mmu, 0, sizeof(*mmu));
	mmu->shape = *shape;
	mmu->mem = mem;
	mmu->os = *os;
	mmu->vcpu = calloc(shape->vcpus, sizeof(*mmu->vcpu));
	mmu->latencies = calloc(1, sizeof(*mmu->latencies));
	mmu->latency_state = malloc(shape->latency->state_bytes(&shape->latency_config));
	mmu->l1_generation = calloc((size_t)slots * shape->vcpus, sizeof(*mmu->l1_generation));
	mmu->l1_stamp = calloc((size_t)slots * shape->vcpus, sizeof(*mmu->l1_stamp));
	if (!mmu->vcpu || !mmu->latencies || !mmu->latency_state || !mmu->l1_generation ||
	    !mmu->l1_stamp) {
		mmu_fini(mmu);
		return false;
	}
	shape->latency->init(mmu->latency_state, &shape->latency_config);
	for (uint32_t i = 0; i < shape->vcpus; i++) {
		if (!vcpu_init(mmu, i, i * slots)) {
			mmu_fini(mmu);
			return false;
		}
	}
	return true;
}

void mmu_fini(struct mmu *mmu)
{
	for (uint32_t i = 0; mmu->vcpu && i < mmu->shape.vcpus; i++) {
		struct mmu_vcpu *vcpu = &mmu->vcpu[i];

		tlb_fini(&vcpu->l1[MMU_FETCH]);
		tlb_fini(&vcpu->l1[MMU_DATA]);
		tlb_fini(&vcpu->l2);
		walk_cache_fini(&vcpu->s1);
		walk_cache_fini(&vcpu->s2);
		free(vcpu->walker);
	}
	free(mmu->vcpu);
	free(mmu->latencies);
	free(mmu->latency_state);
	free(mmu->l1_generation);
	free(mmu->l1_stamp);
	mmu->vcpu = NULL;
	mmu->latencies = NULL;
	mmu->latency_state = NULL;
	mmu->l1_generation = NULL;
	mmu->l1_stamp = NULL;
}

/* The exception level whose permissions count (docs/model.md): user pages below, kernel above. */
static uint8_t level_of(const struct mmu_request *request)
{
	return (uint8_t)(request->va.v >> 55 & 1);
}

static void leaf_of(const struct mmu_request *request, const struct translation *result,
		    struct tlb_leaf *leaf)
{
	const uint8_t el1 = level_of(request);
	const uint8_t s1 = result->s1_bits, s2 = result->s2_bits;
	const uint8_t bits = !s1 || (s2 && s2 < s1) ? s2 : s1;

	*leaf = (struct tlb_leaf){
		.pa = pa_of(result->pa.v & ~low_mask(bits)),
		.size_bits = bits,
		.leaf_bits = bits,
		.s1_bits = s1,
		.s2_bits = s2,
		.perms = result->perms,
		.global = result->global,
		.dirty_clear = result->dirty_clear || !(result->perms & (el1 ? PERM_W1 : PERM_W0)),
		.no_fetch = !(result->perms & (el1 ? PERM_X1 : PERM_X0)),
	};
}

static enum mmu_fault_result handle_fault(struct mmu *mmu, const struct mmu_request *request,
					  const struct translation *result)
{
	if (result->fault.stage == 1)
		return mmu->os.s1_fault(mmu->os.ctx, request, &result->fault);
	return mmu->os.s2_fault(mmu->os.ctx, request, ipa_of(result->fault.ipa), &result->fault);
}

/* Walk until it completes, or until the OS emulates the access or gives up. */
static enum mmu_fault_result walk(struct mmu *mmu, const struct mmu_request *request,
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

		/* A fault may end with another VMID. */
		walker->s2_context = (uint32_t)space->context.vmid << 16;
		walker->s1_context = walker->s2_context | space->context.asid;
		mmu_walk(space->regime, mmu->mem, &access, &walker->hooks, &result);
		if (result.fault.type == FAULT_NONE) {
			account_commit(&walker->account, &mmu->stats, mmu->latencies,
				       account_leaf_of(mmu->shape.s1_granule, result.s1_bits),
				       account_leaf_of(mmu->shape.s2_granule, result.s2_bits));
			leaf_of(request, &result, leaf);
			return MMU_FAULT_HANDLED;
		}
		account_discard(&walker->account, &mmu->stats);
		handled = handle_fault(mmu, request, &result);
		if (handled != MMU_FAULT_HANDLED)
			return handled;
	}
	return MMU_FAULT_FAILED;
}

static enum mmu_stream stream_of(const struct mmu_request *request)
{
	return request->kind == ACCESS_FETCH ? MMU_FETCH : MMU_DATA;
}

static uint32_t no_slot(struct mmu *mmu, enum mmu_fault_result result)
{
	if (result != MMU_FAULT_EMULATED)
		return TLB_NONE;
	mmu->stats.v[STAT_mmio_exits]++;
	return MMU_EMULATED;
}

static bool allows(const struct tlb_leaf *leaf, enum access_kind kind)
{
	return kind == ACCESS_LOAD || !(kind == ACCESS_STORE ? leaf->dirty_clear : leaf->no_fetch);
}

/* Give the entry of va what a new walk found. Its page, size and replacement state stay. */
static void renew(struct tlb *tlb, uint32_t slot, const struct tlb_leaf *leaf)
{
	tlb->leaf[slot].perms = leaf->perms;
	tlb->leaf[slot].dirty_clear = leaf->dirty_clear;
	tlb->leaf[slot].no_fetch = leaf->no_fetch;
}

uint32_t mmu_rewalk(struct mmu *mmu, uint32_t vcpu, const struct mmu_request *request,
		    uint32_t slot)
{
	const struct tlb_context context = request->space->context;
	struct mmu_request own = *request;
	struct mmu_vcpu *cpu = &mmu->vcpu[vcpu];
	struct tlb *l1 = &cpu->l1[stream_of(request)], *l2 = &cpu->l2;
	const uint32_t generation = l1->generation[slot];
	enum mmu_fault_result result;
	struct tlb_leaf leaf;
	uint32_t l2_slot;

	own.vcpu = vcpu;
	mmu->stats.v[STAT_dirty_rewalks]++;
	result = walk(mmu, &own, &leaf);
	if (result != MMU_FAULT_HANDLED)
		return no_slot(mmu, result);
	l2_slot = l2->shape.sets ? tlb_find(l2, context, request->va) : TLB_NONE;
	if (l2_slot != TLB_NONE)
		renew(l2, l2_slot, &leaf);
	if (l1->generation[slot] == generation) {
		renew(l1, slot, &leaf);
		return slot;
	}
	/* A TLBI on the way took the entries. */
	if (l2->shape.sets && l2_slot == TLB_NONE)
		tlb_fill(l2, context, request->va, &leaf);
	return tlb_fill(l1, context, request->va, &leaf);
}

/* The levels below L1, for an access that missed it. */
static uint32_t l1_miss(struct mmu *mmu, const struct mmu_request *request)
{
	const struct tlb_context context = request->space->context;
	struct mmu_vcpu *own = &mmu->vcpu[request->vcpu];
	struct tlb *l1 = &own->l1[stream_of(request)], *l2 = &own->l2;
	enum mmu_fault_result result;
	struct tlb_leaf leaf;
	uint32_t slot;

	mmu->stats.v[l1 == &own->l1[MMU_FETCH] ? STAT_l1i_tlb_misses : STAT_l1d_tlb_misses]++;
	slot = l2->shape.sets ? tlb_find(l2, context, request->va) : TLB_NONE;
	if (slot != TLB_NONE) {
		mmu->stats.v[STAT_l2_tlb_hits]++;
		tlb_touch(l2, slot);
		slot = tlb_fill(l1, context, request->va, &l2->leaf[slot]);
		if (!allows(&l1->leaf[slot], request->kind))
			return mmu_rewalk(mmu, request->vcpu, request, slot);
		return slot;
	}
	mmu->stats.v[STAT_l2_tlb_misses]++;
	result = walk(mmu, request, &leaf);
	if (result != MMU_FAULT_HANDLED)
		return no_slot(mmu, result);
	if (l2->shape.sets)
		tlb_fill(l2, context, request->va, &leaf);
	return tlb_fill(l1, context, request->va, &leaf);
}

uint32_t mmu_access(struct mmu *mmu, uint32_t vcpu, const struct mmu_request *request)
{
	struct tlb *l1 = mmu_l1(mmu, vcpu, stream_of(request));
	const uint32_t slot = tlb_find(l1, request->space->context, request->va);
	struct mmu_request own;

	if (slot == TLB_NONE) {
		own = *request;
		own.vcpu = vcpu;
		return l1_miss(mmu, &own);
	}
	tlb_touch(l1, slot);
	if (!allows(&l1->leaf[slot], request->kind))
		return mmu_rewalk(mmu, vcpu, request, slot);
	return slot;
}

/* The vCPUs that an operation reaches: first to end. */
static uint32_t first_of(uint32_t vcpu)
{
	return vcpu == MMU_ALL_VCPUS ? 0 : vcpu;
}

static uint32_t end_of(const struct mmu *mmu, uint32_t vcpu)
{
	return vcpu == MMU_ALL_VCPUS ? mmu->shape.vcpus : vcpu + 1;
}

static void count_tlbi(struct mmu *mmu, uint32_t vcpu)
{
	mmu->stats.v[STAT_tlbis]++;
	mmu->stats.v[STAT_tlbis_broadcast] += vcpu == MMU_ALL_VCPUS;
}

/* The SMMU's entries are of stage 2 alone: what names VAs or stage 1 does not concern it. */
static void tell_smmu(const struct mmu *mmu, const struct tlb_match *match)
{
	const struct smmu_tlbi tlbi = {
		.scope = match->scope == TLB_SCOPE_ALL ? SMMU_SCOPE_ALL : SMMU_SCOPE_VMID,
		.vmid = match->context.vmid,
	};

	smmu_invalidate(mmu->smmu, &tlbi);
}

void mmu_invalidate(struct mmu *mmu, uint32_t vcpu, const struct tlb_match *match,
		    enum walk_cache_scope scope)
{
	const uint32_t context = (uint32_t)match->context.vmid << 16 | match->context.asid;
	const uint32_t mask = match->scope == TLB_SCOPE_ALL ? 0
			      : match->scope == TLB_SCOPE_ASID || match->scope == TLB_SCOPE_VA
				      ? UINT32_MAX
				      : UINT32_C(0xffff0000);
	const bool by_va = match->scope == TLB_SCOPE_VA || match->scope == TLB_SCOPE_VAA;

	count_tlbi(mmu, vcpu);
	if (mmu->smmu && vcpu == MMU_ALL_VCPUS && scope == WALK_CACHE_BOTH)
		tell_smmu(mmu, match);
	for (uint32_t i = first_of(vcpu); i < end_of(mmu, vcpu); i++) {
		struct mmu_vcpu *own = &mmu->vcpu[i];

		tlb_invalidate(&own->l1[MMU_FETCH], match);
		tlb_invalidate(&own->l1[MMU_DATA], match);
		if (own->l2.shape.sets)
			tlb_invalidate(&own->l2, match);
		if (scope != WALK_CACHE_KEEP)
			walk_cache_invalidate(&own->s1, context, mask, WALK_POINTS_ALL,
					      by_va ? match->first : 0,
					      by_va ? match->last : UINT64_MAX);
		if (scope == WALK_CACHE_BOTH)
			walk_cache_invalidate(&own->s2, context, mask & UINT32_C(0xffff0000),
					      WALK_POINTS_ALL, 0, UINT64_MAX);
	}
}

void mmu_invalidate_ipa(struct mmu *mmu, uint32_t vcpu, uint16_t vmid, enum walk_points points,
			uint64_t first, uint64_t last)
{
	count_tlbi(mmu, vcpu);
	for (uint32_t i = first_of(vcpu); i < end_of(mmu, vcpu); i++)
		walk_cache_invalidate(&mmu->vcpu[i].s2, (uint32_t)vmid << 16, UINT32_C(0xffff0000),
				      points, first, last);
	if (mmu->smmu && vcpu == MMU_ALL_VCPUS) {
		const struct smmu_tlbi tlbi = { SMMU_SCOPE_IPA, vmid, first, last, points };

		smmu_invalidate(mmu->smmu, &tlbi);
	}
}

static void finish_splintered(struct mmu *mmu)
{
	uint64_t *v = mmu->stats.v;

	for (uint32_t i = 0; i < mmu->shape.vcpus; i++) {
		v[STAT_l1i_splintered] += mmu->vcpu[i].l1[MMU_FETCH].splintered;
		v[STAT_l1d_splintered] += mmu->vcpu[i].l1[MMU_DATA].splintered;
		v[STAT_l2_splintered] += mmu->vcpu[i].l2.splintered;
	}
}

void mmu_finish(struct mmu *mmu)
{
	account_finish(mmu->latencies, &mmu->stats);
	finish_splintered(mmu);
}

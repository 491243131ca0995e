/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/hierarchy_private.h"

#include <stdlib.h>
#include <string.h>

#include "mmu/walk_hints.h"

static uint32_t slots_of(const struct tlb_shape *shape)
{
	return shape->sets * shape->ways;
}

static uint32_t sharers_of(const struct mmu_shape *shape)
{
	return shape->l2_sharers ? shape->l2_sharers : 1;
}

/* Of level-2 TLBs. */
static uint32_t groups_of(const struct mmu_shape *shape)
{
	return (shape->vcpus + sharers_of(shape) - 1) / sharers_of(shape);
}

/* Walk caches in a level-2 TLB that other vCPUs use as well. */
static void share_walk_cache(struct walk_cache *cache, const struct walk_cache *first, uint8_t pe)
{
	if (pe > 1)
		walk_cache_init_shared(cache, first);
	walk_cache_expect_all(cache);
	cache->pe = pe;
}

/* `first`: of the vCPUs that share the level-2 TLB. */
static bool walk_caches_init(struct mmu_vcpu *vcpu, const struct mmu_vcpu *first,
			     const struct mmu_shape *shape)
{
	const struct walk_cache_shape *s1 = &shape->s1, *s2 = &shape->s2;
	const bool s1_in_l2 = s1->entries && s1->place == WALK_CACHE_IN_L2;
	const bool s2_in_s1 = s2->entries && s2->place == WALK_CACHE_IN_S1 && !s1_in_l2;
	const bool s2_in_l2 = s2->entries && s2->place != WALK_CACHE_OWN && !s2_in_s1;
	bool done = true;

	if (!s1_in_l2)
		done = walk_cache_init(&vcpu->s1, s1->entries, s1->ways, s1->hit_cycles,
				       shape->s1_granule);
	else if (vcpu == first)
		done = walk_cache_init_in_tlb(&vcpu->s1, vcpu->l2, 1, s1->hit_cycles,
					      shape->s1_granule);
	if (!done)
		return false;
	if (s2_in_s1)
		walk_cache_init_joined(&vcpu->s2, &vcpu->s1, s2->hit_cycles, shape->s2_granule);
	else if (!s2_in_l2)
		done = walk_cache_init(&vcpu->s2, s2->entries, s2->ways, s2->hit_cycles,
				       shape->s2_granule);
	else if (vcpu == first)
		done = walk_cache_init_in_tlb(&vcpu->s2, vcpu->l2, 2, s2->hit_cycles,
					      shape->s2_granule);
	vcpu->s1.limits = s1->limits;
	vcpu->s2.limits = s2->limits;
	if (vcpu->pe && s1_in_l2)
		share_walk_cache(&vcpu->s1, &first->s1, vcpu->pe);
	if (vcpu->pe && s2_in_l2)
		share_walk_cache(&vcpu->s2, &first->s2, vcpu->pe);
	return done;
}

/* L2 is inclusive: what it evicts leaves L1, too. */
static void leave_l1(void *ctx, const struct tlb_evicted *entry)
{
	struct mmu_vcpu *vcpu = ctx;

	vcpu->back_invalidated += tlb_drop_within(&vcpu->l1[MMU_FETCH], entry);
	vcpu->back_invalidated += tlb_drop_within(&vcpu->l1[MMU_DATA], entry);
}

/* L2 is exclusive: what L1 evicts goes there, unless a larger piece stayed. */
static void enter_l2(void *ctx, const struct tlb_evicted *entry)
{
	struct mmu_vcpu *vcpu = ctx;

	if (tlb_find(vcpu->l2, entry->context, entry->va) == TLB_NONE)
		tlb_fill(vcpu->l2, entry->context, entry->va, &entry->leaf);
}

static void connect_levels(struct mmu_vcpu *vcpu, enum mmu_inclusion inclusion)
{
	if (inclusion == MMU_INCLUSIVE)
		tlb_tell(vcpu->l2, leave_l1, vcpu);
	if (inclusion != MMU_EXCLUSIVE)
		return;
	tlb_tell(&vcpu->l1[MMU_FETCH], enter_l2, vcpu);
	tlb_tell(&vcpu->l1[MMU_DATA], enter_l2, vcpu);
}

/* `first`: index of this vCPU's first L1 slot. */
static bool vcpu_init(struct mmu *mmu, uint32_t index, uint32_t first)
{
	const struct mmu_shape *shape = &mmu->shape;
	struct mmu_vcpu *vcpu = &mmu->vcpu[index];
	struct tlb_shape l1i = shape->l1i, l1d = shape->l1d, l2 = shape->l2;
	const uint32_t sharers = sharers_of(shape), among = index % sharers;
	const struct latency_config own = latency_private(&shape->latency_config);
	const uint32_t data = first + slots_of(&l1i);
	const struct tlb_slab slab[2] = {
		[MMU_FETCH] = { &mmu->l1_generation[first], &mmu->l1_stamp[first] },
		[MMU_DATA] = { &mmu->l1_generation[data], &mmu->l1_stamp[data] },
	};

	vcpu->index = index;
	vcpu->l2 = &mmu->l2[index / sharers];
	vcpu->pe = sharers > 1 ? (uint8_t)(among + 1) : 0;
	vcpu->latency_state = latency_create(shape->latency, &own);
	l1i.seed += index;
	l1d.seed += index;
	l2.seed += index;
	const bool done = vcpu->latency_state &&
			  tlb_init_in(&vcpu->l1[MMU_FETCH], &l1i, &slab[MMU_FETCH]) &&
			  tlb_init_in(&vcpu->l1[MMU_DATA], &l1d, &slab[MMU_DATA]) &&
			  (!l2.sets || among || tlb_init(vcpu->l2, &l2)) &&
			  walk_caches_init(vcpu, vcpu - among, shape) &&
			  pwc_init(&vcpu->pwc, &shape->pwc) && mmu_walker_init(mmu, vcpu);

	if (done && l2.sets)
		connect_levels(vcpu, shape->inclusion);
	return done;
}

bool mmu_init(struct mmu *mmu, const struct mmu_shape *shape, struct phys_mem *mem,
	      const struct mmu_os *os)
{
	const uint32_t slots = slots_of(&shape->l1i) + slots_of(&shape->l1d);
	const struct latency_config shared = latency_shared(&shape->latency_config);

	memset(mmu, 0, sizeof(*mmu));
	mmu->shape = *shape;
	mmu->mem = mem;
	mmu->os = *os;
	mmu->vcpu = calloc(shape->vcpus, sizeof(*mmu->vcpu));
	mmu->l2 = calloc(groups_of(shape), sizeof(*mmu->l2));
	mmu->latencies = calloc(1, sizeof(*mmu->latencies));
	mmu->hints = calloc(1, sizeof(*mmu->hints));
	mmu->latency_state = latency_create(shape->latency, &shared);
	mmu->l1_generation = calloc((size_t)slots * shape->vcpus, sizeof(*mmu->l1_generation));
	mmu->l1_stamp = calloc((size_t)slots * shape->vcpus, sizeof(*mmu->l1_stamp));
	if (!mmu->vcpu || !mmu->l2 || !mmu->latencies || !mmu->hints || !mmu->latency_state ||
	    !mmu->l1_generation || !mmu->l1_stamp) {
		mmu_fini(mmu);
		return false;
	}
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
		walk_cache_fini(&vcpu->s1);
		walk_cache_fini(&vcpu->s2);
		pwc_fini(&vcpu->pwc);
		free(vcpu->walker);
		free(vcpu->latency_state);
	}
	for (uint32_t i = 0; mmu->l2 && i < groups_of(&mmu->shape); i++)
		tlb_fini(&mmu->l2[i]);
	free(mmu->vcpu);
	free(mmu->l2);
	free(mmu->latencies);
	free(mmu->hints);
	free(mmu->latency_state);
	free(mmu->l1_generation);
	free(mmu->l1_stamp);
	mmu->vcpu = NULL;
	mmu->l2 = NULL;
	mmu->latencies = NULL;
	mmu->hints = NULL;
	mmu->latency_state = NULL;
	mmu->l1_generation = NULL;
	mmu->l1_stamp = NULL;
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

static void take_ahead(struct mmu *mmu, struct tlb *tlb, uint32_t slot, va_t va)
{
	mmu->stats.v[STAT_prefetch_hits] += tlb_take_ahead(tlb, slot, va);
}

/* What a walk found goes into both levels. Returns the slot of L1. */
static uint32_t fill_levels(struct mmu *mmu, struct mmu_vcpu *vcpu, struct tlb *l1,
			    const struct mmu_request *request, const struct tlb_leaf *leaf)
{
	const struct tlb_context context = request->space->context;
	const struct tlb_context l2_context = mmu_l2_context(vcpu, request);
	struct tlb *l2 = vcpu->l2;
	uint32_t slot;

	if (!l2->shape.sets)
		return tlb_fill(l1, context, request->va, leaf);
	if (mmu->shape.inclusion == MMU_EXCLUSIVE) {
		slot = tlb_fill(l1, context, request->va, leaf);
		/* What L1 holds in part only stays whole in L2. */
		if (tlb_entry_bits(l1, leaf) < tlb_entry_bits(l2, leaf) &&
		    tlb_find(l2, l2_context, request->va) == TLB_NONE)
			tlb_fill(l2, l2_context, request->va, leaf);
		return slot;
	}
	slot = tlb_fill(l2, l2_context, request->va, leaf);
	if (mmu->shape.inclusion == MMU_NON_INCLUSIVE)
		return tlb_fill(l1, context, request->va, leaf);
	const struct tlb_leaf held = tlb_leaf_for(l2, slot, request->va);

	return tlb_fill(l1, context, request->va, &held);
}

uint32_t mmu_rewalk(struct mmu *mmu, uint32_t vcpu, const struct mmu_request *request,
		    uint32_t slot)
{
	const struct tlb_context context = request->space->context;
	struct mmu_request own = *request;
	struct mmu_vcpu *cpu = &mmu->vcpu[vcpu];
	struct tlb *l1 = &cpu->l1[stream_of(request)], *l2 = cpu->l2;
	const struct tlb_context l2_context = mmu_l2_context(cpu, request);
	const uint32_t generation = l1->generation[slot];
	enum mmu_fault_result result;
	struct tlb_leaf leaf;
	uint32_t l2_slot;

	own.vcpu = vcpu;
	mmu->stats.v[STAT_dirty_rewalks]++;
	result = mmu_walk_for(mmu, &own, &leaf);
	if (result != MMU_FAULT_HANDLED)
		return no_slot(mmu, result);
	l2_slot = l2->shape.sets ? tlb_find(l2, l2_context, request->va) : TLB_NONE;
	if (l2_slot != TLB_NONE)
		tlb_renew(l2, l2_slot, l2_context, request->va, &leaf);
	if (l1->generation[slot] == generation)
		return tlb_renew(l1, slot, context, request->va, &leaf);
	/* A TLBI on the way took the entries. */
	if (l2_slot == TLB_NONE)
		return fill_levels(mmu, cpu, l1, request, &leaf);
	return tlb_fill(l1, context, request->va, &leaf);
}

/* A hit in L2 that is more than an entry to copy: `slot` may change hands before L1 is filled. */
static __attribute__((noinline)) uint32_t move_up(struct mmu *mmu, struct mmu_vcpu *own,
						  struct tlb *l1, const struct mmu_request *request,
						  uint32_t slot)
{
	struct tlb *l2 = own->l2;
	struct tlb_leaf leaf = tlb_leaf_for(l2, slot, request->va);
	struct mmu_request owned = *request;

	owned.vcpu = own->index;
	if (l2->leaf[slot].ahead)
		take_ahead(mmu, l2, slot, request->va);
	leaf.ahead = 0;
	if (mmu->shape.inclusion == MMU_EXCLUSIVE && tlb_entry_bits(l1, &leaf) == leaf.size_bits)
		tlb_drop(l2, slot);
	if (l1->shape.prefetch)
		mmu_prefetch(mmu, &owned, &leaf, MMU_MISSED_L1);
	return tlb_fill(l1, request->space->context, request->va, &leaf);
}

static uint32_t l2_hit(struct mmu *mmu, struct mmu_vcpu *own, struct tlb *l1,
		       const struct mmu_request *request, uint32_t slot)
{
	struct tlb *l2 = own->l2;
	const struct tlb_leaf *leaf = &l2->leaf[slot];

	mmu->stats.v[STAT_l2_tlb_hits]++;
	if (own->pe)
		mmu->stats.v[STAT_l2_common_hits] += leaf->filled_by != own->pe;
	tlb_touch(l2, slot);
	if (l2->held || leaf->ahead || l1->shape.prefetch || mmu->shape.inclusion == MMU_EXCLUSIVE)
		slot = move_up(mmu, own, l1, request, slot);
	else
		slot = tlb_fill(l1, request->space->context, request->va, leaf);
	if (!allows(&l1->leaf[slot], request->kind))
		return mmu_rewalk(mmu, own->index, request, slot);
	return slot;
}

static uint32_t l2_miss(struct mmu *mmu, struct mmu_vcpu *own, struct tlb *l1,
			const struct mmu_request *request)
{
	struct mmu_request owned = *request;
	enum mmu_fault_result result;
	struct tlb_leaf leaf;

	owned.vcpu = own->index;
	mmu->stats.v[STAT_l2_tlb_misses]++;
	result = mmu_walk_for(mmu, &owned, &leaf);
	if (result != MMU_FAULT_HANDLED)
		return no_slot(mmu, result);
	if (own->l2->shape.prefetch || l1->shape.prefetch)
		mmu_prefetch(mmu, &owned, &leaf, MMU_MISSED_ALL);
	return fill_levels(mmu, own, l1, &owned, &leaf);
}

/* The levels below L1, for an access that missed it. */
static uint32_t l1_miss(struct mmu *mmu, struct mmu_vcpu *own, struct tlb *l1,
			const struct mmu_request *request)
{
	struct tlb *l2 = own->l2;
	uint32_t slot = TLB_NONE;

	mmu->stats.v[l1 == &own->l1[MMU_FETCH] ? STAT_l1i_tlb_misses : STAT_l1d_tlb_misses]++;
	if (l2->shape.sets) {
		mmu_pass(mmu, own->index, l2->shape.hit_cycles);
		slot = tlb_find(l2, mmu_l2_context(own, request), request->va);
	}
	if (mmu->shape.l2_serial) {
		const uint64_t rehashes = tlb_rehashes(l2, slot);

		mmu->stats.v[STAT_l2_rehashes] += rehashes;
		mmu_pass(mmu, own->index, rehashes * mmu->shape.l2_rehash_cycles);
	}
	return slot == TLB_NONE ? l2_miss(mmu, own, l1, request)
				: l2_hit(mmu, own, l1, request, slot);
}

const struct tlb_leaf *mmu_l2_answer(struct mmu *mmu, uint32_t vcpu,
				     const struct mmu_request *request)
{
	const struct mmu_vcpu *own = &mmu->vcpu[vcpu];
	struct tlb *l2 = own->l2;
	uint32_t slot;

	if (!l2->shape.sets || l2->held || l2->shape.prefetch || own->pe)
		return NULL;
	slot = tlb_find(l2, request->space->context, request->va);
	if (slot == TLB_NONE || !allows(&l2->leaf[slot], request->kind))
		return NULL;
	mmu->stats.v[request->kind == ACCESS_FETCH ? STAT_l1i_tlb_misses : STAT_l1d_tlb_misses]++;
	mmu->stats.v[STAT_l2_tlb_hits]++;
	if (mmu->shape.l2_serial)
		mmu->stats.v[STAT_l2_rehashes] += tlb_rehashes(l2, slot);
	tlb_touch(l2, slot);
	return &l2->leaf[slot];
}

uint32_t mmu_access(struct mmu *mmu, uint32_t vcpu, const struct mmu_request *request)
{
	struct mmu_vcpu *own = &mmu->vcpu[vcpu];
	struct tlb *l1 = &own->l1[stream_of(request)];
	const uint32_t slot = tlb_find(l1, request->space->context, request->va);

	if (slot == TLB_NONE)
		return l1_miss(mmu, own, l1, request);
	tlb_touch(l1, slot);
	if (l1->leaf[slot].ahead)
		take_ahead(mmu, l1, slot, request->va);
	if (!allows(&l1->leaf[slot], request->kind))
		return mmu_rewalk(mmu, vcpu, request, slot);
	return slot;
}

void mmu_forget_caches(struct mmu *mmu)
{
	const struct latency_config own = latency_private(&mmu->shape.latency_config);
	const struct latency_config shared = latency_shared(&mmu->shape.latency_config);

	for (uint32_t i = 0; i < mmu->shape.vcpus; i++)
		mmu->shape.latency->init(mmu->vcpu[i].latency_state, &own);
	mmu->shape.latency->init(mmu->latency_state, &shared);
}

void mmu_count_sums(const struct mmu *mmu, struct stats *stats)
{
	uint64_t *v = stats->v;

	*stats = mmu->stats;
	account_sums(stats);
	for (uint32_t i = 0; i < mmu->shape.vcpus; i++) {
		v[STAT_l1i_splintered] += mmu->vcpu[i].l1[MMU_FETCH].splintered;
		v[STAT_l1d_splintered] += mmu->vcpu[i].l1[MMU_DATA].splintered;
		v[STAT_back_invalidations] += mmu->vcpu[i].back_invalidated;
		v[STAT_contiguous_fills] += mmu->vcpu[i].l1[MMU_FETCH].contiguous +
					    mmu->vcpu[i].l1[MMU_DATA].contiguous;
		v[STAT_coalesced_fills] +=
			mmu->vcpu[i].l1[MMU_FETCH].coalesced + mmu->vcpu[i].l1[MMU_DATA].coalesced;
	}
	for (uint32_t i = 0; i < groups_of(&mmu->shape); i++) {
		v[STAT_l2_splintered] += mmu->l2[i].splintered;
		v[STAT_contiguous_fills] += mmu->l2[i].contiguous;
		v[STAT_coalesced_fills] += mmu->l2[i].coalesced;
	}
}

void mmu_count(const struct mmu *mmu, struct stats *stats)
{
	mmu_count_sums(mmu, stats);
	account_quantiles(mmu->latencies, stats);
}

void mmu_reset_percentiles(struct mmu *mmu)
{
	memset(mmu->latencies, 0, sizeof(*mmu->latencies));
}

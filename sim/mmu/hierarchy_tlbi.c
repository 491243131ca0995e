/* SPDX-License-Identifier: BSD-2-Clause */
/* TLB invalidations: which structures of which vCPUs they reach. */
#include "mmu/hierarchy_private.h"

#include "mmu/smmu.h"

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
	if (vcpu == MMU_ALL_VCPUS)
		mmu_tell(mmu, vcpu, MMU_EVENT_BROADCAST, 0);
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

static void invalidate_pwc(struct pwc *pwc, const struct tlb_match *match,
			   enum walk_cache_scope scope)
{
	const struct pwc_match what = {
		.any_vmid = match->scope == TLB_SCOPE_ALL,
		.vmid = match->context.vmid,
		.stage1 = true,
		.stage2 = scope == WALK_CACHE_BOTH,
		.leaves_only = scope == WALK_CACHE_KEEP,
	};

	pwc_invalidate(pwc, &what);
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
	const struct mmu_invalidation what = { .vcpu = vcpu, .match = *match, .scope = scope };
	struct tlb_match own_match = *match;

	if (mmu->tap.invalidated)
		mmu->tap.invalidated(mmu->tap.ctx, &what);
	count_tlbi(mmu, vcpu);
	if (mmu->smmu && vcpu == MMU_ALL_VCPUS && scope == WALK_CACHE_BOTH)
		tell_smmu(mmu, match);
	for (uint32_t i = first_of(vcpu); i < end_of(mmu, vcpu); i++) {
		struct mmu_vcpu *own = &mmu->vcpu[i];

		tlb_invalidate(&own->l1[MMU_FETCH], match);
		tlb_invalidate(&own->l1[MMU_DATA], match);
		/* Of a level-2 TLB of several: what this one can use. */
		own_match.context.pe = own->pe;
		if (own->l2->shape.sets)
			tlb_invalidate(own->l2, &own_match);
		if (scope != WALK_CACHE_KEEP)
			walk_cache_invalidate(&own->s1, context, mask, WALK_POINTS_ALL,
					      by_va ? match->first : 0,
					      by_va ? match->last : UINT64_MAX);
		if (scope == WALK_CACHE_BOTH)
			walk_cache_invalidate(&own->s2, context, mask & UINT32_C(0xffff0000),
					      WALK_POINTS_ALL, 0, UINT64_MAX);
		if (own->pwc.ways)
			invalidate_pwc(&own->pwc, match, scope);
	}
}

void mmu_invalidate_ipa(struct mmu *mmu, uint32_t vcpu, uint16_t vmid, enum walk_points points,
			uint64_t first, uint64_t last)
{
	const struct pwc_match descriptors = {
		.vmid = vmid,
		.stage2 = true,
		.leaves_only = points == WALK_POINTS_LEAVES,
	};
	const struct mmu_invalidation what = {
		.vcpu = vcpu,
		.by_ipa = true,
		.match = { .context = { .vmid = vmid }, .first = first, .last = last },
		.points = points,
	};

	if (mmu->tap.invalidated)
		mmu->tap.invalidated(mmu->tap.ctx, &what);
	count_tlbi(mmu, vcpu);
	for (uint32_t i = first_of(vcpu); i < end_of(mmu, vcpu); i++) {
		walk_cache_invalidate(&mmu->vcpu[i].s2, (uint32_t)vmid << 16, UINT32_C(0xffff0000),
				      points, first, last);
		pwc_invalidate(&mmu->vcpu[i].pwc, &descriptors);
	}
	if (mmu->smmu && vcpu == MMU_ALL_VCPUS) {
		const struct smmu_tlbi tlbi = { SMMU_SCOPE_IPA, vmid, first, last, points };

		smmu_invalidate(mmu->smmu, &tlbi);
	}
}

void mmu_invalidate_again(struct mmu *mmu, const struct mmu_invalidation *what)
{
	const struct tlb_match *match = &what->match;

	if (what->by_ipa)
		mmu_invalidate_ipa(mmu, what->vcpu, match->context.vmid, what->points, match->first,
				   match->last);
	else
		mmu_invalidate(mmu, what->vcpu, match, what->scope);
}

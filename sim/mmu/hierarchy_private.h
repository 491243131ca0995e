/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the hierarchy: hierarchy.c, hierarchy_walk.c, hierarchy_tlbi.c. */
#ifndef TWOSTAGE_MMU_HIERARCHY_PRIVATE_H
#define TWOSTAGE_MMU_HIERARCHY_PRIVATE_H

#include "mmu/hierarchy.h"
#include "mmu/regime.h"

static inline void mmu_tell(const struct mmu *mmu, uint32_t vcpu, enum mmu_event_type type,
			    uint64_t value)
{
	if (mmu->listener.event)
		mmu->listener.event(mmu->listener.ctx, vcpu, type, value);
}

/* The vCPU spends so many cycles on what is its own. */
static inline void mmu_pass(const struct mmu *mmu, uint32_t vcpu, uint64_t cycles)
{
	if (mmu->listener.event)
		mmu->listener.passed[vcpu] += cycles;
}

/* The tag of a page in the level-2 TLB. L1 TLBs have no entries of other PEs. */
static inline struct tlb_context mmu_l2_context(const struct mmu_vcpu *vcpu,
						const struct mmu_request *request)
{
	struct tlb_context context = request->space->context;

	if (vcpu->pe && !regime_is_common(request->space->regime, request->va))
		context.pe = vcpu->pe;
	return context;
}

/* Makes vcpu->walker, which the caller frees. False when out of memory. */
bool mmu_walker_init(struct mmu *mmu, struct mmu_vcpu *vcpu);

/* Walk until it completes, or until the OS emulates the access or gives up. */
enum mmu_fault_result mmu_walk_for(struct mmu *mmu, const struct mmu_request *request,
				   struct tlb_leaf *leaf);

/*
 * Translate the page of `request` for a TLB that prefetches it: without time and without faults.
 * False: the walk met one, which nobody hears of.
 */
bool mmu_walk_ahead(struct mmu *mmu, const struct mmu_request *request, struct tlb_leaf *leaf);

/* Whether the demand miss that a prefetch follows went as far as a walk. */
enum mmu_missed { MMU_MISSED_L1, MMU_MISSED_ALL };

/*
 * The page behind that of `request`, which is about to be filled out of `leaf`, into the TLBs that
 * prefetch and have missed. Before the fill, so that a page runs' first access leaves the same
 * state as its last.
 */
void mmu_prefetch(struct mmu *mmu, const struct mmu_request *request, const struct tlb_leaf *leaf,
		  enum mmu_missed missed);

#endif

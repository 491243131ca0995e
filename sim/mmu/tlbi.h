/* SPDX-License-Identifier: BSD-2-Clause */
/* TLBI instructions by their A64 encoding, applied to TLBs and walk caches. */
#ifndef TWOSTAGE_MMU_TLBI_H
#define TWOSTAGE_MMU_TLBI_H

#include "mmu/hierarchy.h"

/* The instruction, and the VM that executes it; operations by ASID or VA take the ASID from Xt. */
struct tlbi {
	uint32_t encoding; /* op1:CRn:CRm:op2, 14 bits, of the SYS alias */
	uint64_t xt;	   /* its operand; ignored by operations without one */
	uint16_t vmid;
	uint32_t vcpu;		     /* that executes it; MMU_ALL_VCPUS: not known, so all do */
	const struct regime *regime; /* granules, DS, hints, FB; not kept */
};

/* What an operation is about, of what is modelled. */
enum tlbi_target {
	TLBI_UNKNOWN, /* no TLBI of Armv8-A has this encoding */
	TLBI_NOTHING, /* another regime (EL2, EL3), or a range of another granule */
	TLBI_STAGE2,  /* entries of the stage-2 caches, by IPA */
	TLBI_ENTRIES, /* TLB entries */
};

/*
 * Decode. *match: what it removes; by IPA only its VMID, first and last count. *scope: what of the
 * walk caches; by IPA WALK_CACHE_KEEP says leaves only.
 */
enum tlbi_target mmu_tlbi_decode(const struct tlbi *tlbi, struct tlb_match *match,
				 enum walk_cache_scope *scope);

/*
 * Does it stay on the vCPU that executes it? The forms that are neither inner nor outer shareable
 * do, unless HCR_EL2.FB makes those of EL1 inner shareable.
 */
bool mmu_tlbi_is_local(const struct tlbi *tlbi);

/*
 * Execute, on one vCPU or on all: mmu_tlbi_is_local(). Operations on other regimes (EL2, EL3) touch
 * nothing here. False: no TLBI of Armv8-A has this encoding.
 */
bool mmu_tlbi(struct mmu *mmu, const struct tlbi *tlbi);

#endif

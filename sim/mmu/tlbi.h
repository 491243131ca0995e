/* SPDX-License-Identifier: BSD-2-Clause */
/* TLBI instructions by their A64 encoding, applied to the TLBs and walk caches of all vCPUs. */
#ifndef TWOSTAGE_MMU_TLBI_H
#define TWOSTAGE_MMU_TLBI_H

#include "mmu/hierarchy.h"

/* The instruction, and the VM that executes it; operations by ASID or VA take the ASID from Xt. */
struct tlbi {
	uint32_t encoding; /* op1:CRn:CRm:op2, 14 bits, of the SYS alias */
	uint64_t xt;	   /* its operand; ignored by operations without one */
	uint16_t vmid;
	const struct regime *regime; /* granules and DS say what Xt means; not kept */
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
 * Execute on every vCPU, whatever the shareability form (docs/model.md). Operations on other
 * regimes (EL2, EL3) touch nothing here. False: no TLBI of Armv8-A has this encoding.
 */
bool mmu_tlbi(struct mmu *mmu, const struct tlbi *tlbi);

#endif

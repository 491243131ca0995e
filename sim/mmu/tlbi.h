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

/*
 * Execute on every vCPU, whatever the shareability form (docs/model.md). Operations on other
 * regimes (EL2, EL3) touch nothing here. False: no TLBI of Armv8-A has this encoding.
 */
bool mmu_tlbi(struct mmu *mmu, const struct tlbi *tlbi);

#endif

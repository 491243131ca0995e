/* SPDX-License-Identifier: BSD-2-Clause */
/* The system registers that control translation, as raw 64-bit values. */
#ifndef TWOSTAGE_ARCH_REGS_H
#define TWOSTAGE_ARCH_REGS_H

#include <stdbool.h>
#include <stdint.h>

struct mmu_regs {
	uint64_t sctlr_el1, tcr_el1, ttbr0_el1, ttbr1_el1, mair_el1;
	uint64_t hcr_el2, vtcr_el2, vttbr_el2;
	uint64_t sctlr_el2, tcr_el2, ttbr0_el2, ttbr1_el2, mair_el2; /* EL2&0 with HCR_EL2.E2H */
	bool pan;						     /* PSTATE.PAN */
};

#endif

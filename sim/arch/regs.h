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

#define SCTLR_EL1_M UINT64_C(1)
#define SCTLR_EL1_C (UINT64_C(1) << 2)
#define SCTLR_EL1_I (UINT64_C(1) << 12)

/* IRGN0, ORGN0; IRGN1, ORGN1. All 0: descriptors are read as Non-cacheable. */
#define TCR_EL1_WALKS  (UINT64_C(15) << 8 | UINT64_C(15) << 24)
#define VTCR_EL2_WALKS (UINT64_C(15) << 8)
#define TCR_EL1_AS     (UINT64_C(1) << 36) /* 16-bit ASIDs */
#define TCR_EL1_HA     (UINT64_C(1) << 39)
#define TCR_EL1_HD     (UINT64_C(1) << 40)

#define HCR_EL2_VM  UINT64_C(1)
#define HCR_EL2_PTW (UINT64_C(1) << 2)
#define HCR_EL2_FB  (UINT64_C(1) << 9)
#define HCR_EL2_RW  (UINT64_C(1) << 31)
#define HCR_EL2_FWB (UINT64_C(1) << 46)

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of the example and the translation tables in it. C and C++ include this. */
#ifndef TABLES_H
#define TABLES_H

#ifdef __cplusplus
extern "C" {
#endif

#include "arch/regs.h"

#define MEMORY_BASE  UINT64_C(0x80000000) /* PA; the guest sees it at IPA 0x40000000 */
#define MEMORY_BYTES UINT64_C(0x1000000)

#define VA_PAGE	     UINT64_C(0x10000000) /* a page at IPA 0x40200000 */
#define VA_READ_ONLY UINT64_C(0x10001000) /* a page at IPA 0x40201000 that EL0 may not write */
#define VA_UNMAPPED  UINT64_C(0x10002000)
#define VA_BLOCK     UINT64_C(0x10200000) /* 2 MiB at IPA 0x40400000 */

/* Writes both stages' tables into `memory` and fills in the registers that turn them on. */
void tables_build(unsigned char *memory, struct mmu_regs *regs);

/* The page of VA_PAGE is another one now, at IPA 0x40203000. TLBs do not know of that. */
void tables_move_page(unsigned char *memory);

#ifdef __cplusplus
}
#endif

#endif

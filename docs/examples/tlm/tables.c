/* SPDX-License-Identifier: BSD-2-Clause */
#include "tables.h"

#include <string.h>

/* Where the tables lie: stage 1 by IPA, since stage 2 maps that, too. */
#define IPA_BASE  UINT64_C(0x40000000)
#define S1_LEVEL1 UINT64_C(0x40100000)
#define S1_LEVEL2 UINT64_C(0x40101000)
#define S1_LEVEL3 UINT64_C(0x40102000)
#define S2_LEVEL1 UINT64_C(0x80f00000) /* two concatenated tables */
#define S2_LEVEL2 UINT64_C(0x80f02000)

#define TABLE_OR_PAGE UINT64_C(3)
#define BLOCK	      UINT64_C(1)
/* Access flag, inner shareable; stage 1: EL0 may access; stage 2: writable, write-back memory. */
#define S1_LEAF	     (UINT64_C(1) << 10 | UINT64_C(3) << 8 | UINT64_C(1) << 6)
#define S1_READ_ONLY (UINT64_C(1) << 7)
#define S2_LEAF	     (UINT64_C(1) << 10 | UINT64_C(3) << 8 | UINT64_C(3) << 6 | UINT64_C(15) << 2)

static void put(unsigned char *memory, uint64_t pa, unsigned index, uint64_t descriptor)
{
	memcpy(memory + (pa - MEMORY_BASE) + 8 * index, &descriptor, sizeof(descriptor));
}

static uint64_t pa_of_ipa(uint64_t ipa)
{
	return ipa - IPA_BASE + MEMORY_BASE;
}

void tables_build(unsigned char *memory, struct mmu_regs *regs)
{
	put(memory, pa_of_ipa(S1_LEVEL1), 0, S1_LEVEL2 | TABLE_OR_PAGE);
	put(memory, pa_of_ipa(S1_LEVEL2), 128, S1_LEVEL3 | TABLE_OR_PAGE);
	put(memory, pa_of_ipa(S1_LEVEL2), 129, UINT64_C(0x40400000) | S1_LEAF | BLOCK);
	put(memory, pa_of_ipa(S1_LEVEL3), 0, UINT64_C(0x40200000) | S1_LEAF | TABLE_OR_PAGE);
	put(memory, pa_of_ipa(S1_LEVEL3), 1,
	    UINT64_C(0x40201000) | S1_LEAF | S1_READ_ONLY | TABLE_OR_PAGE);
	put(memory, S2_LEVEL1, 1, S2_LEVEL2 | TABLE_OR_PAGE);
	for (unsigned i = 0; i < MEMORY_BYTES >> 21; i++)
		put(memory, S2_LEVEL2, i, (MEMORY_BASE + ((uint64_t)i << 21)) | S2_LEAF | BLOCK);

	memset(regs, 0, sizeof(*regs));
	regs->sctlr_el1 = SCTLR_EL1_M | SCTLR_EL1_C | SCTLR_EL1_I;
	regs->mair_el1 = 0xff;
	/* 39-bit VAs and 4K pages in the lower half, none in the upper; 40-bit IPAs. */
	regs->tcr_el1 = 25 | UINT64_C(1) << 8 | UINT64_C(1) << 10 | UINT64_C(3) << 12 |
			UINT64_C(1) << 23 | UINT64_C(2) << 32;
	regs->ttbr0_el1 = S1_LEVEL1;
	regs->hcr_el2 = HCR_EL2_VM | HCR_EL2_RW;
	/* 40-bit IPAs from level 1 on, 4K pages, 40-bit PAs. */
	regs->vtcr_el2 = UINT64_C(1) << 31 | UINT64_C(2) << 16 | UINT64_C(3) << 12 |
			 UINT64_C(1) << 10 | UINT64_C(1) << 8 | UINT64_C(1) << 6 | 24;
	regs->vttbr_el2 = S2_LEVEL1 | UINT64_C(1) << 48;
}

void tables_move_page(unsigned char *memory)
{
	put(memory, pa_of_ipa(S1_LEVEL3), 0, UINT64_C(0x40203000) | S1_LEAF | TABLE_OR_PAGE);
}

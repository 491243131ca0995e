/* SPDX-License-Identifier: BSD-2-Clause */
/* The A64 instructions that a capture looks at more closely (Arm ARM, section C6.2). */
#ifndef TWOSTAGE_CAPTURE_A64_H
#define TWOSTAGE_CAPTURE_A64_H

#include <stdbool.h>
#include <stdint.h>

/*
 * HINT #imm, unallocated numbers: no operation on any core, so a guest program that marks its
 * region of interest runs everywhere (workloads/roi.h).
 */
enum { A64_HINT_START = 110, A64_HINT_STOP = 111 };

enum a64_special {
	A64_ORDINARY = 0,
	A64_START,
	A64_STOP,
	A64_DC_ZVA,
	A64_MSR_TTBR0_EL1,
	A64_MSR_TTBR1_EL1,
	A64_MSR_TCR_EL1,
	A64_TLBI,
};

static inline enum a64_special a64_classify(uint32_t insn)
{
	const uint32_t no_rt = insn & ~UINT32_C(0x1f);

	if ((insn & 0xfffff01f) == 0xd503201f) {
		uint32_t hint = insn >> 5 & 0x7f;

		if (hint == A64_HINT_START)
			return A64_START;
		return hint == A64_HINT_STOP ? A64_STOP : A64_ORDINARY;
	}
	if (no_rt == 0xd50b7420)
		return A64_DC_ZVA;
	if (no_rt == 0xd5182000)
		return A64_MSR_TTBR0_EL1;
	if (no_rt == 0xd5182020)
		return A64_MSR_TTBR1_EL1;
	if (no_rt == 0xd5182040)
		return A64_MSR_TCR_EL1;
	if ((insn & 0xfff8f000) == 0xd5088000)
		return A64_TLBI;
	return A64_ORDINARY;
}

static inline unsigned a64_rt(uint32_t insn)
{
	return insn & 0x1f;
}

/* op1:CRn:CRm:op2 of a SYS instruction, 14 bits: names a TLBI operation. */
static inline uint32_t a64_sys_operation(uint32_t insn)
{
	return insn >> 5 & 0x3fff;
}

#endif

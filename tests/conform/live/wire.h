/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host tool and the bare-metal guest send each other: little-endian 64-bit words in two
 * files that the guest reads and writes by semihosting. Shared by both, so only stdint types.
 *
 * Requests: WIRE_REQUEST, number of cases, then for each case
 *     words | queries << 32, the registers in the order of enum wire_reg,
 *     (address, value) for each word of memory, (op, VA) for each query.
 * Answers: WIRE_ANSWER, ID_AA64MMFR0..2_EL1, ID_AA64ISAR1_EL1, then for each query a struct
 * wire_answer and as many (index of the word in the case, value) as words changed; at the end
 * WIRE_END. The guest writes them in pieces, so that what it answered before a crash of the
 * emulator is not lost.
 */
#ifndef TWOSTAGE_CONFORM_WIRE_H
#define TWOSTAGE_CONFORM_WIRE_H

#include <stdint.h>

#define WIRE_REQUEST UINT64_C(0x31716572676e7473)
#define WIRE_ANSWER  UINT64_C(0x31736e61676e7473)
#define WIRE_END     UINT64_C(0x31646e65676e7473)

/* Addresses that belong to the guest itself; cases keep out. */
#define WIRE_GUEST_FIRST UINT64_C(0x40000000)
#define WIRE_GUEST_END	 UINT64_C(0x60000000)

#define WIRE_STORED UINT64_C(0x5a5aa5a5c3c33c3c) /* what STR and STTR store */

enum wire_reg {
	WIRE_TCR_EL1,
	WIRE_TTBR0_EL1,
	WIRE_TTBR1_EL1,
	WIRE_MAIR_EL1,
	WIRE_SCTLR_EL1,
	WIRE_HCR_EL2,
	WIRE_VTCR_EL2,
	WIRE_VTTBR_EL2,
	WIRE_REGS
};

enum wire_op {
	WIRE_S12E1R,
	WIRE_S12E1W,
	WIRE_S12E0R,
	WIRE_S12E0W,
	WIRE_S1E1R,
	WIRE_S1E1W,
	WIRE_S1E0R,
	WIRE_S1E0W,
	WIRE_LDR,
	WIRE_STR,
	WIRE_LDTR,
	WIRE_STTR,
	WIRE_IFETCH1,
	WIRE_IFETCH0,
	WIRE_OPS
};

/* How a query came back to the guest's EL2 code. */
enum wire_outcome {
	WIRE_AT_DONE,	/* value: PAR_EL1 */
	WIRE_AT_ABORT,	/* the AT instruction itself took an exception to EL2 */
	WIRE_DONE,	/* value: the data loaded */
	WIRE_EL1_FAULT, /* an exception to EL1, which called EL2 */
	WIRE_EL2_FAULT, /* an exception to EL2 */
};

struct wire_answer {
	uint64_t outcome; /* and the number of changed words << 32 */
	uint64_t value, esr, far, hpfar, elr;
};

#define WIRE_ANSWER_WORDS 6

#endif

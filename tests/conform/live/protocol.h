/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the bare-metal program and the test that drives it agree on. Both files are sequences of
 * 64-bit little-endian words.
 *
 * Input, one case after the other, ends with a word that is not LIVE_MAGIC:
 *   LIVE_MAGIC, LIVE_REGS registers, harness IPA (LIVE_NO_HARNESS: no real accesses), number of
 *   memory words, number of queries, (address, word)..., (operation, VA)...
 * Output, for each query:
 *   kind, value, FAR, HPFAR, number of changed words, (address, word)...
 */
#ifndef TWOSTAGE_CONFORM_LIVE_PROTOCOL_H
#define TWOSTAGE_CONFORM_LIVE_PROTOCOL_H

#define LIVE_MAGIC 0x6576696c65736163
#define LIVE_NO_HARNESS (~0ULL)

enum { LIVE_REGS = 8 }; /* TCR, TTBR0, TTBR1, MAIR, SCTLR _EL1; HCR, VTCR, VTTBR _EL2 */

/* Input and output buffers, and the page that runs at EL1, as physical addresses. Cases use memory
 * from LIVE_RAM_FIRST up. */
#define LIVE_INPUT 0x42000000UL
#define LIVE_INPUT_BYTES 0x6000000UL
#define LIVE_OUTPUT 0x48000000UL
#define LIVE_OUTPUT_BYTES 0x7f00000UL
#define LIVE_HARNESS 0x50000000UL
#define LIVE_RAM_FIRST 0x60000000UL

/* In the harness page: exception vectors, a level-2 table (one entry), then the accesses. */
#define LIVE_HARNESS_TABLE 0x800
#define LIVE_HARNESS_CODE 0x900
/* The page's VA at EL1 when stage 1 is on: a 25-bit upper half, 4K granule, one 2M block. */
#define LIVE_T1SZ 39
#define LIVE_HARNESS_BASE 0xfffffffffe000000UL

enum live_op {
	LIVE_S12E1R,
	LIVE_S12E1W,
	LIVE_S12E0R,
	LIVE_S12E0W,
	LIVE_S1E1R,
	LIVE_S1E1W,
	LIVE_S1E0R,
	LIVE_S1E0W,
	LIVE_LDR, /* the first that is no AT instruction */
	LIVE_STR,
	LIVE_LDTR,
	LIVE_STTR,
	LIVE_IFETCH1,
	LIVE_IFETCH0,
	LIVE_OPS
};

enum live_kind {
	LIVE_PAR,	/* value: PAR_EL1 */
	LIVE_AT_ABORT,	/* an AT instruction took an abort; value: ESR_EL2 */
	LIVE_DONE,	/* value: what a load read */
	LIVE_EL1_ABORT, /* value: ESR_EL1 */
	LIVE_EL2_ABORT, /* value: ESR_EL2 */
	LIVE_OTHER,	/* an exception that no query should cause; value: ESR_ELx */
};

#endif

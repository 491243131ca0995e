/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A naive reference translator: the architected result of one access, written from the rules of the
 * Arm Architecture Reference Manual's pseudocode (the functions named AArch64.S1Translate,
 * AArch64.S2Translate and what they call), one function a rule, with no caches and no thought of
 * speed. It shares no code and no type with sim/, so that a mistake there is not repeated here.
 *
 * Scope: AArch64, Non-secure state, little-endian tables, 64-bit descriptors; the EL1&0 regime with
 * both stages and the EL2&0 regime of HCR_EL2.E2H. Not modelled: FEAT_S1PIE and later.
 */
#ifndef TWOSTAGE_CONFORM_NAIVE_H
#define TWOSTAGE_CONFORM_NAIVE_H

#include <stdbool.h>
#include <stdint.h>

/* What the PE implements, and what it chose where the architecture leaves a choice. */
struct naive_cpu {
	uint64_t mmfr0, mmfr1, mmfr2; /* ID_AA64MMFR{0,1,2}_EL1 */
	bool pauth;		      /* FEAT_PAuth: TCR_ELx.TBIDn exist */
	bool clamp_txsz;	      /* TxSZ out of range is clamped; otherwise a fault */
	bool contiguous_faults;	      /* a contiguous span beyond the input size faults */
	bool device_fetch_faults;     /* a fetch from Device memory is a Permission fault */
};

struct naive_regs {
	uint64_t sctlr_el1, tcr_el1, ttbr0_el1, ttbr1_el1, mair_el1;
	uint64_t hcr_el2, vtcr_el2, vttbr_el2;
	uint64_t sctlr_el2, tcr_el2, ttbr0_el2, ttbr1_el2, mair_el2;
	bool pan;
};

/* Physical memory, as 64-bit words at 8-byte aligned addresses. */
struct naive_memory {
	void *ctx;
	uint64_t (*read)(void *ctx, uint64_t pa);
	void (*write)(void *ctx, uint64_t pa, uint64_t value);
	bool (*aborts)(void *ctx, uint64_t pa); /* an access gives a synchronous External abort */
};

enum naive_kind { NAIVE_FETCH, NAIVE_LOAD, NAIVE_STORE };

struct naive_access {
	uint64_t va;
	enum naive_kind kind;
	int el;		  /* 0, 1 or 2: whose permissions apply */
	bool at;	  /* an AT instruction: no dirty state, PSTATE.PAN ignored */
	bool stage1_only; /* AT S1E*: stop at the IPA */
};

enum naive_fault {
	NAIVE_OK,
	NAIVE_ADDRESS_SIZE,
	NAIVE_TRANSLATION,
	NAIVE_ACCESS_FLAG,
	NAIVE_PERMISSION,
	NAIVE_WALK_ABORT, /* External abort on a descriptor read */
};

struct naive_result {
	enum naive_fault fault;
	int stage, level; /* of a fault; level -1..3 */
	bool s1ptw;	  /* a stage-2 fault on a stage-1 descriptor */
	bool update;	  /* descriptors were written (or had to be) */
	uint64_t far;	  /* the VA; of a fetch as the branch there left it in the PC */
	uint64_t ipa;	  /* input of stage 2, or of the faulting stage-2 translation */
	uint64_t pa;
	uint8_t attr;		  /* as PAR_EL1.ATTR */
	uint8_t sh;		  /* as PAR_EL1.SH */
	uint8_t s1_bits, s2_bits; /* log2 of the leaves, 0: stage off */
	bool global;
	unsigned reads; /* descriptors fetched */
	/* Of the descriptor fetched last, for who makes up memory or watches. */
	int8_t reading; /* its stage */
	int8_t reading_level;
	uint8_t reading_shift; /* bits of the input address below its index */
	uint64_t reading_ia;
};

void naive_translate(const struct naive_cpu *cpu, const struct naive_regs *regs,
		     const struct naive_memory *memory, const struct naive_access *access,
		     struct naive_result *result);

/* The 6-bit fault status code of (fault, level): EncodeLDFSC. */
unsigned naive_fsc(enum naive_fault fault, int level);

/* PAR_EL1 of the result: bits 9 (success), 10 and 11 are left 0. */
uint64_t naive_par(const struct naive_result *result);

#endif

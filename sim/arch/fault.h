/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of translation, as results, and the register values that report them. */
#ifndef TWOSTAGE_ARCH_FAULT_H
#define TWOSTAGE_ARCH_FAULT_H

#include "arch/types.h"

enum fault_type {
	FAULT_NONE,
	FAULT_TRANSLATION,
	FAULT_ADDRESS_SIZE,
	FAULT_ACCESS_FLAG,
	FAULT_PERMISSION,
	FAULT_ALIGNMENT,     /* unaligned access to Device memory */
	FAULT_EXTERNAL_WALK, /* synchronous External abort on a descriptor read */
	FAULT_EXTERNAL,	     /* synchronous External abort on the access itself */
};

struct fault {
	enum fault_type type;
	int8_t stage; /* 1 or 2: whose tables gave the fault */
	int8_t level; /* -1..3, of that stage; 0 for faults before the first read */
	bool s1ptw;   /* stage 2, while locating a stage-1 descriptor */
	uint64_t ipa; /* stage 2: the IPA that was translated */
};

/* Status code of FSC fields (EncodeLDFSC): 6 bits. 0x3f for FAULT_NONE, which has none. */
unsigned fault_fsc(const struct fault *fault);

/* Is it taken to EL2 when EL1 or EL0 makes the access? Stage-2 faults are. */
bool fault_to_el2(const struct fault *fault);

/* HPFAR_EL2 of a fault of stage 2: FIPA[51:12] in [43:4]. */
uint64_t fault_hpfar(const struct fault *fault);

/*
 * Does the architecture define HPFAR_EL2 for it (IPAValid)? Not for a permission fault that is not
 * on a stage-1 walk, and not for External aborts.
 */
bool fault_hpfar_valid(const struct fault *fault);

/* PAR_EL1 of an AT instruction that ended in this fault: F, FST, PTW, S; bit 11 RES1. */
uint64_t fault_par(const struct fault *fault);

/* PAR_EL1 of an AT instruction that succeeded: PA[51:12], SH, ATTR; bit 11 RES1, NS (9) = 1. */
uint64_t fault_par_success(uint64_t pa, uint8_t attr, uint8_t sh);

/*
 * ESR_ELx of the abort: EC by kind of access and whether the exception level changes, IL = 1,
 * S1PTW, WnR (type of the access that was made, not of the walk), FSC; no ISV.
 */
uint64_t fault_esr(const struct fault *fault, enum access_kind kind, unsigned from_el,
		   unsigned to_el);

#endif

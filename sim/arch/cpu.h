/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one PE implements of the translation system, decoded once from its ID registers, and its
 * choices where the architecture leaves one.
 */
#ifndef TWOSTAGE_ARCH_CPU_H
#define TWOSTAGE_ARCH_CPU_H

#include "arch/types.h"

/* Raw values of the AArch64 ID registers that describe the translation system. */
struct arch_id {
	uint64_t mmfr0, mmfr1, mmfr2; /* ID_AA64MMFR0..2_EL1 */
	uint64_t isar0;		      /* ID_AA64ISAR0_EL1 */
};

/* TCR.TxSZ or VTCR.T0SZ out of range: CONSTRAINED UNPREDICTABLE without FEAT_LPA/FEAT_LVA. */
enum txsz_choice { TXSZ_FAULT, TXSZ_CLAMP };

/* Contiguous span larger than the input address space. */
enum contiguous_choice { CONTIGUOUS_IGNORE, CONTIGUOUS_FAULT };

/* A Block descriptor with nT = 1 (FEAT_BBM levels 1 and 2). */
enum nt_choice { NT_IGNORE, NT_FAULT };

/* An instruction fetch from Device memory: permission fault, or as from Normal memory. */
enum fetch_device_choice { FETCH_DEVICE_ALLOW, FETCH_DEVICE_FAULT };

/*
 * The TTL hint of TLBI by VA says at which level the leaf is. It may be ignored, or leaves of other
 * levels may be kept.
 */
enum ttl_choice { TTL_IGNORE, TTL_KEEP_OTHERS };

struct arch_cpu {
	struct arch_id id;
	uint8_t pa_bits; /* 32, 36, 40, 42, 44, 48 or 52 */
	uint8_t asid_bits, vmid_bits;

	/* Per stage (index 0: stage 1, 1: stage 2): granule sizes, as a mask of log2 bytes. */
	uint32_t granules[2];
	uint32_t lpa2_granules[2]; /* of these, 52-bit addresses with DS = 1 */

	bool lpa2;	 /* FEAT_LPA2: some granule of some stage has the 52-bit form */
	bool lpa;	 /* FEAT_LPA: 52-bit physical addresses */
	bool lva;	 /* FEAT_LVA: 52-bit VAs with 64K granule */
	bool hw_af;	 /* FEAT_HAFDBS: hardware access flag */
	bool hw_dirty;	 /* and dirty state */
	bool hpds;	 /* FEAT_HPDS: TCR.HPDn */
	bool vhe;	 /* FEAT_VHE */
	bool pan;	 /* FEAT_PAN */
	bool epan;	 /* FEAT_PAN3: SCTLR.EPAN */
	bool xnx;	 /* FEAT_XNX: stage-2 XN[1:0] */
	bool cnp;	 /* FEAT_TTCNP: TTBR.CnP and VTTBR.CnP */
	bool ttst;	 /* FEAT_TTST: small translation tables */
	bool fwb;	 /* FEAT_S2FWB */
	bool ttl;	 /* FEAT_TTL */
	bool e0pd;	 /* FEAT_E0PD */
	bool pauth;	 /* FEAT_PAuth, for TCR.TBIDn: implied by the Armv8.4 features above */
	bool tlbi_range; /* FEAT_TLBIRANGE */
	uint8_t bbm;	 /* ID_AA64MMFR2_EL1.BBM: 0, 1 or 2 */

	/* IMPLEMENTATION DEFINED and CONSTRAINED UNPREDICTABLE choices. */
	enum txsz_choice txsz_out_of_range;
	enum contiguous_choice contiguous_misprogrammed;
	enum nt_choice nt_block;
	enum fetch_device_choice fetch_device;
	enum ttl_choice ttl_hint; /* FEAT_TTL */
};

/*
 * Decode ID registers. The choices become those of QEMU and of most cores: TXSZ_FAULT,
 * CONTIGUOUS_IGNORE, NT_IGNORE, FETCH_DEVICE_ALLOW, TTL_IGNORE; change them afterwards if wanted.
 * Reserved field values count as the nearest lower defined one.
 */
void cpu_init(struct arch_cpu *cpu, const struct arch_id *id);

/*
 * Make a choice by the names that docs/translation.md lists, such as "txsz_out_of_range" and
 * "clamp". False: no such choice, or not that value.
 */
bool cpu_choose(struct arch_cpu *cpu, const char *choice, const char *value);

/* Does this stage (1 or 2) have this granule? */
bool cpu_has_granule(const struct arch_cpu *cpu, int stage, enum granule granule);

/* Does this stage have the 52-bit form (TCR.DS, VTCR.DS = 1) of this granule (4K, 16K)? */
bool cpu_has_lpa2(const struct arch_cpu *cpu, int stage, enum granule granule);

/*
 * The granule that a reserved or missing one is treated as: IMPLEMENTATION DEFINED, here the
 * smallest that the stage has.
 */
enum granule cpu_granule_or_default(const struct arch_cpu *cpu, int stage, unsigned granule_bits);

/* Bits of a physical address size field (PARange, IPS, PS) and back; 7 counts as 52 bits. */
unsigned cpu_pa_size_bits(unsigned field);
unsigned cpu_pa_size_field(unsigned bits); /* smallest field whose size is >= bits */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shapes of translation tables: levels, start level, concatenated root tables, alignment, and the
 * control registers that select them. Sizes are log2 (`_bits`) unless named `_bytes`.
 */
#ifndef TWOSTAGE_ARCH_GEOMETRY_H
#define TWOSTAGE_ARCH_GEOMETRY_H

#include "arch/cpu.h"
#include "arch/types.h"

/* As start level: KVM's choice. */
#define GEOMETRY_START_AUTO 127

enum geometry_status {
	GEOMETRY_OK,
	GEOMETRY_NO_GRANULE,	 /* the PE does not have this granule at this stage */
	GEOMETRY_IA_TOO_LARGE,	 /* more input address bits than the PE allows */
	GEOMETRY_IA_TOO_SMALL,	 /* fewer than TxSZ can say */
	GEOMETRY_NO_START_LEVEL, /* this granule has no such start level on this PE */
	GEOMETRY_START_TOO_LOW,	 /* more than 16 concatenated tables */
	GEOMETRY_START_TOO_HIGH, /* the root would resolve no address bit */
};

/* One line, without a full stop. */
const char *geometry_status_text(enum geometry_status status);

struct s2_geometry {
	enum granule granule;
	unsigned ipa_bits;
	int start_level;     /* -1..3 */
	unsigned levels;     /* 4 - start_level */
	bool ds;	     /* VTCR_EL2.DS: 52-bit form of the 4K and 16K granules */
	unsigned pgdir_bits; /* an entry of the root maps 2^pgdir_bits bytes */
	uint64_t root_entries;
	unsigned root_tables;	   /* concatenated tables of one granule each, 1..16 */
	uint64_t root_bytes;	   /* root_entries * 8 */
	uint64_t root_alloc_bytes; /* at least one page, as KVM allocates since v5.10 */
	unsigned root_align_bits;  /* VTTBR_EL2.BADDR alignment: KVM's arm64_vttbr_x */
};

/*
 * Stage-2 tables for `ipa_bits` bits of IPA. start_level GEOMETRY_START_AUTO gives KVM's
 * (stage2_pgtable_levels: as few levels as concatenation allows, at least 2); any other level is
 * checked against AArch64_S2InvalidSL and AArch64_S2InconsistentSL. DS = 1 where it is needed.
 * `out` is set only when the result is GEOMETRY_OK.
 */
enum geometry_status geometry_s2(const struct arch_cpu *cpu, enum granule granule,
				 unsigned ipa_bits, int start_level, struct s2_geometry *out);

/* The same for VTCR values: is this start level valid (S2InvalidSL) and consistent with ia_bits? */
enum geometry_status geometry_s2_check(const struct arch_cpu *cpu, enum granule granule, bool ds,
				       unsigned ia_bits, int start_level);

/* KVM: levels of stage-2 tables before the minimum of 2 (ARM64_HW_PGTABLE_LEVELS(ipa - 4)). */
unsigned geometry_kvm_levels(enum granule granule, unsigned ipa_bits);

/* Linux: levels of stage-1 tables of a kernel with this VA size (ARM64_HW_PGTABLE_LEVELS). */
unsigned geometry_host_levels(enum granule granule, unsigned va_bits);

/* log2 of what Linux calls a PMD and a PUD block: leaves at level 2 and level 1. */
unsigned geometry_pmd_bits(enum granule granule);
unsigned geometry_pud_bits(enum granule granule);

enum geometry_support { SUPPORT_NOT_APPLICABLE, SUPPORT_NO, SUPPORT_YES };

/*
 * Can a host kernel of this granule and VA size set up a VM of this IPA size, by the rule of the
 * "Dynamic IPA and 52bit IPA" series: stage 2 must not have more levels than the host's stage 1;
 * 52 bits need 64K pages there.
 */
enum geometry_support geometry_host_support(enum granule granule, unsigned va_bits,
					    unsigned ipa_bits);

/* Lowest and highest input address size of stage 1 or 2 on this PE with this granule and DS. */
unsigned geometry_min_ia_bits(const struct arch_cpu *cpu, enum granule granule);
unsigned geometry_max_ia_bits(const struct arch_cpu *cpu, int stage, enum granule granule, bool ds);

/* VTCR_EL2.SL0 and SL2 of a start level as a 3-bit value SL2:SL0; 8: there is none. */
unsigned geometry_s2_sl(enum granule granule, int start_level);

/* The inverse; 127 if reserved. SL2 counts only with the 4K granule. */
int geometry_s2_start_level(enum granule granule, unsigned sl2_sl0);

/*
 * VTCR_EL2 as KVM builds it (kvm_get_vtcr): PS from the PE, inner shareable write-back walks, HA
 * always, HD never, VS where the PE has 16-bit VMIDs.
 */
uint64_t geometry_vtcr(const struct arch_cpu *cpu, const struct s2_geometry *geometry);

/* VTTBR_EL2; root must be aligned to root_align_bits. */
uint64_t geometry_vttbr(const struct arch_cpu *cpu, const struct s2_geometry *geometry, pa_t root,
			uint16_t vmid);

struct s1_geometry {
	enum granule granule;
	unsigned va_bits;
	int start_level; /* -1..3, follows from va_bits */
	unsigned levels;
	bool ds; /* TCR_EL1.DS */
	uint64_t root_entries, root_bytes;
	unsigned root_align_bits;
};

/* Stage-1 tables; both halves of the address space have the same size. */
enum geometry_status geometry_s1(const struct arch_cpu *cpu, enum granule granule, unsigned va_bits,
				 struct s1_geometry *out);

/*
 * TCR_EL1 for such tables in both halves: inner shareable write-back walks, 16-bit ASIDs where the
 * PE has them, IPS for `ipa_bits` (at most what the PE has), no TBI, HA and HD 0.
 */
uint64_t geometry_tcr(const struct arch_cpu *cpu, const struct s1_geometry *geometry,
		      unsigned ipa_bits);

/* TTBRn_EL1; root must be aligned to root_align_bits. */
uint64_t geometry_ttbr(const struct arch_cpu *cpu, const struct s1_geometry *geometry,
		       unsigned ipa_bits, ipa_t root, uint16_t asid);

#endif

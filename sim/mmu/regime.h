/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A translation regime: system registers and PE features decoded once into what a walk needs. The
 * stages differ in these values only; one loop walks both.
 */
#ifndef TWOSTAGE_MMU_REGIME_H
#define TWOSTAGE_MMU_REGIME_H

#include "arch/attr.h"
#include "arch/cpu.h"
#include "arch/desc.h"
#include "arch/fault.h"
#include "arch/regs.h"
#include "arch/types.h"

/* What a page is read for: Device and cacheability bits differ by it in stage 2. */
enum regime_use { USE_DATA, USE_FETCH, USE_TABLE, USES };

/* One stage, and of stage 1 one half of the address space. */
struct regime_stage {
	/*
	 * The set-up itself faults, at level 0: FAULT_TRANSLATION for sizes and start levels that
	 * are not legal, FAULT_ADDRESS_SIZE for a table base beyond the output size.
	 */
	enum fault_type setup_fault;
	int8_t start_level;
	uint8_t granule_bits, stride_bits;
	uint8_t start_shift; /* log2 of what an entry of the start table maps */
	uint8_t ia_bits, oa_bits;
	uint64_t ia_mask;    /* ia_bits ones */
	uint64_t index_mask; /* stride_bits ones */
	uint64_t oa_excess;  /* all bits but oa_bits */
	uint64_t base;	     /* of the start table(s), aligned */
	struct desc_format format;
	bool usual; /* 4 KiB granule, addresses of 48 bits in their place, little-endian */
	bool hw_af, hw_dirty; /* HA, and HD with HA, in effect */
	bool big_endian;      /* descriptors */
	bool contiguous_fault, nt_fault;
	bool cnp;	   /* CnP: these tables are the same for all PEs that have it set */
	bool sh_from_regs; /* DS = 1: shareability is `sh` */
	uint8_t sh;
	uint8_t walk_attr;   /* memory attributes of descriptor reads (IRGN, ORGN, C) */
	bool walk_cacheable; /* attr_is_write_back() of these */
	uint8_t perms[16];   /* PERM_* bits of a leaf, by regime_perms_index() */
	/* Stage 1 only. */
	bool closed; /* setup_fault, epd or e0pd: some accesses fault before any read */
	bool epd, e0pd, tbi, tbid;
	bool hpd; /* no hierarchical permissions */
	/* Stage 2 only. */
	bool xnx, fwb;
	bool protect_walk;	   /* HCR_EL2.PTW */
	bool disable_cache;	   /* HCR_EL2.CD: of data and walks */
	bool disable_fetch_cache;  /* HCR_EL2.ID */
	uint8_t s2_attr[USES][16]; /* by MemAttr, without FWB: regime_s2_used() of them */
};

/*
 * What a walk before came to: pages of stage 1 and 2 whose descriptors are these but for their
 * addresses. For walk_usual.c alone, and for speed: no result depends on it.
 */
struct regime_seen {
	uint64_t s1_rest, s2_rest; /* 0: no such walk yet */
	uint64_t table_rest;	   /* of the stage-2 page that held the table of stage 1; 0: none */
	uint8_t table_attr;	   /* of reads of that table */
	uint8_t el, perms, attr, sh;
	bool global;
};

enum regime_kind {
	REGIME_EL10, /* EL1&0, with stage 2 */
	REGIME_EL20, /* EL2&0: a host with HCR_EL2.E2H = 1 */
};

struct regime {
	enum regime_kind kind;
	bool s1_on, s2_on;
	struct regime_stage s1[2]; /* TTBR0, TTBR1 */
	struct regime_stage s2;
	uint8_t pa_bits;
	bool default_cacheable;	   /* HCR_EL2.DC: stage 1 off, Normal write-back */
	bool s1_dcache, s1_icache; /* SCTLR.C and SCTLR.I */
	/* By AttrIndx: as MAIR says, and as it goes to stage 2 for data and for fetches. */
	uint8_t s1_attr[8], s1_data_attr[8], s1_fetch_attr[8];
	bool wxn, pan, epan;
	bool fetch_device_faults;
	bool force_broadcast; /* HCR_EL2.FB: TLBIs of EL1 reach the Inner Shareable domain */
	bool ttl_hints;	      /* TLBI by VA keeps leaves of other levels than its hint's */
	uint16_t asid;	      /* of the TTBR that TCR.A1 chooses; 8 bits if TCR.AS = 0 */
	uint16_t vmid;	      /* 8 bits if VTCR_EL2.VS = 0 */
	/* By half: both stages have their usual form, legal set-ups and no dirty state. */
	bool plain[2];
	struct regime_seen seen[2][ACCESS_STORE + 1]; /* by half and kind of access */
};

/* Decode; any register values are legal. Nothing is kept of the arguments. */
void regime_init(struct regime *regime, const struct arch_cpu *cpu, const struct mmu_regs *regs,
		 enum regime_kind kind);

/* What becomes of stage 2's own attributes. */
static inline uint8_t regime_s2_used(const struct regime_stage *s2, uint8_t own,
				     enum regime_use use)
{
	/* Fetches and walks through Device memory are Non-cacheable, not Device. */
	if (attr_is_device(own))
		return use == USE_DATA ? own : ATTR_NORMAL_NC;
	if (use == USE_FETCH ? s2->disable_fetch_cache : s2->disable_cache)
		return ATTR_NORMAL_NC;
	return own;
}

/* A leaf's bits [54:53] and [7:6]: UXN, PXN and AP[2:1], or XN[1:0] and S2AP of stage 2. */
static inline unsigned regime_perms_index(uint64_t desc)
{
	return (unsigned)((desc >> 51 & 12) | (desc >> 6 & 3));
}

/* The half of the address space (0 or 1) that holds a VA: bit 55. */
static inline unsigned regime_half(va_t va)
{
	return (unsigned)(va.v >> 55 & 1);
}

/*
 * May an entry for va be used by other PEs that have the same VMID and ASID? Yes if both stages
 * have CnP set (Arm ARM, TTBR0_EL1.CnP and VTTBR_EL2.CnP); entries of stage 2 alone look at its.
 */
static inline bool regime_is_common(const struct regime *regime, va_t va)
{
	return (!regime->s1_on || regime->s1[regime_half(va)].cnp) &&
	       (!regime->s2_on || regime->s2.cnp);
}

/*
 * The VA without its tag: with TBI the top byte becomes a copy of bit 55, as TLBs and walk caches
 * compare it.
 */
static inline uint64_t regime_untag(const struct regime *regime, va_t va, enum access_kind kind)
{
	const struct regime_stage *s1 = &regime->s1[regime_half(va)];

	if (!s1->tbi || (s1->tbid && kind == ACCESS_FETCH))
		return va.v;
	return va_sign_extend(va.v);
}

#endif

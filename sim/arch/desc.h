/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMSAv8-64 descriptors of both stages: fields, addresses, and how to make them. The position of
 * output address bits depends on granule and DS; struct desc_format holds that, decoded once.
 */
#ifndef TWOSTAGE_ARCH_DESC_H
#define TWOSTAGE_ARCH_DESC_H

#include "arch/types.h"

/* Fields that both stages have. */
#define DESC_VALID	UINT64_C(1)
#define DESC_TABLE	UINT64_C(2) /* level < 3: table; level 3: page */
#define DESC_AF		(UINT64_C(1) << 10)
#define DESC_NT		(UINT64_C(1) << 16) /* Block descriptors, FEAT_BBM */
#define DESC_DBM	(UINT64_C(1) << 51)
#define DESC_CONTIGUOUS (UINT64_C(1) << 52)
#define DESC_SH_SHIFT	8 /* [9:8]; address bits instead when DS = 1 */

/* Stage-1 leaf. */
#define S1_ATTR_SHIFT 2 /* AttrIndx[2:0] */
#define S1_NS	      (UINT64_C(1) << 5)
#define S1_AP_EL0     (UINT64_C(1) << 6) /* AP[1]: EL0 may access */
#define S1_AP_RO      (UINT64_C(1) << 7) /* AP[2]: read-only; "dirty" when 0 with DBM */
#define S1_NG	      (UINT64_C(1) << 11)
#define S1_PXN	      (UINT64_C(1) << 53)
#define S1_UXN	      (UINT64_C(1) << 54) /* XN in a regime without EL0 */

/* Stage-1 table. */
#define S1_TABLE_PXN	(UINT64_C(1) << 59)
#define S1_TABLE_UXN	(UINT64_C(1) << 60)
#define S1_TABLE_NO_EL0 (UINT64_C(1) << 61) /* APTable[0] */
#define S1_TABLE_RO	(UINT64_C(1) << 62) /* APTable[1] */

/* Stage-2 leaf. */
#define S2_ATTR_SHIFT 2 /* MemAttr[3:0] */
#define S2_AP_R	      (UINT64_C(1) << 6)
#define S2_AP_W	      (UINT64_C(1) << 7)
#define S2_XN_SHIFT   53 /* XN[1:0]; without FEAT_XNX only XN[1] counts */

/* Values of the SH field. */
enum shareability { SH_NON = 0, SH_OUTER = 2, SH_INNER = 3 };

/* Where the output address of a descriptor is. */
struct desc_format {
	enum granule granule;
	uint64_t address_mask;	/* bits that are in their own place */
	uint8_t high_from;	/* lowest descriptor bit of the displaced high bits; 0: none */
	uint8_t high_to;	/* lowest address bit of these */
	uint8_t high_mask;	/* as many ones */
	int8_t min_block_level; /* blocks exist from this level to 2 */
};

/*
 * `ds`: TCR.DS or VTCR.DS in effect, meaningful for 4K and 16K. `pa_bits`: PAMax; with 52 bits the
 * 64K granule has OA[51:48] in [15:12] (FEAT_LPA) and blocks at level 1.
 * Source: StageOA, BlockDescSupported.
 */
static inline struct desc_format desc_format_of(enum granule granule, bool ds, unsigned pa_bits)
{
	struct desc_format f = { .granule = granule,
				 .address_mask = low_mask(48) & ~low_mask(granule),
				 .min_block_level = granule == GRANULE_4K ? 1 : 2 };

	if (granule == GRANULE_64K && pa_bits >= 52) {
		f.high_from = 12;
		f.high_to = 48;
		f.high_mask = 15;
		f.min_block_level = 1;
	} else if (granule != GRANULE_64K && ds) {
		f.address_mask = low_mask(50) & ~low_mask(granule);
		f.high_from = 8;
		f.high_to = 50;
		f.high_mask = 3;
		f.min_block_level = granule == GRANULE_4K ? 0 : 1;
	}
	return f;
}

/* Address of the next-level table, or of a page; block addresses have low bits to clear yet. */
static inline uint64_t desc_address(const struct desc_format *f, uint64_t desc)
{
	uint64_t address = desc & f->address_mask;

	if (f->high_mask)
		address |= (desc >> f->high_from & f->high_mask) << f->high_to;
	return address;
}

/* Output address of a leaf of 2^leaf_bits bytes. */
static inline uint64_t desc_leaf_address(const struct desc_format *f, uint64_t desc,
					 unsigned leaf_bits)
{
	return desc_address(f, desc) & ~low_mask(leaf_bits);
}

static inline uint64_t desc_put_address(const struct desc_format *f, uint64_t address)
{
	return (address & f->address_mask) | (address >> f->high_to & f->high_mask) << f->high_from;
}

/* Does a descriptor read at `level` (-1..3) lead to another table? */
static inline bool desc_is_table(uint64_t desc, int level)
{
	return level < 3 && (desc & (DESC_TABLE | DESC_VALID)) == (DESC_TABLE | DESC_VALID);
}

/* Is it a leaf? A block at a level without blocks is none, and invalid. */
static inline bool desc_is_leaf(const struct desc_format *f, uint64_t desc, int level)
{
	if (level == 3)
		return (desc & (DESC_TABLE | DESC_VALID)) == (DESC_TABLE | DESC_VALID);
	return (desc & (DESC_TABLE | DESC_VALID)) == DESC_VALID && level >= f->min_block_level;
}

enum desc_kind { DESC_KIND_INVALID, DESC_KIND_TABLE, DESC_KIND_LEAF };

static inline enum desc_kind desc_kind(const struct desc_format *f, uint64_t desc, int level)
{
	if (desc_is_table(desc, level))
		return DESC_KIND_TABLE;
	return desc_is_leaf(f, desc, level) ? DESC_KIND_LEAF : DESC_KIND_INVALID;
}

/* Can a leaf be at this level? */
static inline bool desc_leaf_allowed(const struct desc_format *f, int level)
{
	return level == 3 || (level < 3 && level >= f->min_block_level);
}

/* A table descriptor without hierarchical attributes. */
static inline uint64_t desc_table(const struct desc_format *f, uint64_t table)
{
	return desc_put_address(f, table) | DESC_TABLE | DESC_VALID;
}

/* A block (level < 3) or page descriptor; `attributes`: all other fields, AF included. */
static inline uint64_t desc_leaf(const struct desc_format *f, int level, uint64_t address,
				 uint64_t attributes)
{
	return desc_put_address(f, address) | attributes | (level == 3 ? DESC_TABLE : 0) |
	       DESC_VALID;
}

/*
 * log2 of the span of a set of contiguous leaves at `level`; 0 where the hint means nothing
 * (ContiguousSize).
 */
static inline unsigned desc_contiguous_bits(enum granule granule, int level)
{
	switch (granule) {
	case GRANULE_4K:
		return level >= 1 ? level_shift(granule, level) + 4 : 0;
	case GRANULE_16K:
		if (level == 2)
			return level_shift(granule, level) + 5;
		return level == 3 ? level_shift(granule, level) + 7 : 0;
	case GRANULE_64K:
		return level >= 2 ? level_shift(granule, level) + 5 : 0;
	}
	return 0;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory attributes, kept as a MAIR byte: 0b0000dd00 Device (dd: nGnRnE, nGnRE, nGRE, GRE),
 * otherwise outer and inner cacheability with allocation hints.
 */
#ifndef TWOSTAGE_ARCH_ATTR_H
#define TWOSTAGE_ARCH_ATTR_H

#include "arch/desc.h"
#include "arch/types.h"

#define ATTR_DEVICE_NGNRNE 0x00
#define ATTR_NORMAL_NC	   0x44
#define ATTR_NORMAL_WT_RA  0xaa
#define ATTR_NORMAL_WB	   0xff

static inline bool attr_is_device(uint8_t attr)
{
	return (attr & 0xf0) == 0;
}

/* A byte of MAIR as attributes; bit 0 of the Device encodings (FEAT_XS) is dropped. */
static inline uint8_t attr_from_mair(uint64_t mair, unsigned index)
{
	uint8_t attr = (uint8_t)(mair >> 8 * index);

	return attr_is_device(attr) ? attr & 0x0c : attr;
}

/* Walk attributes from the IRGN and ORGN fields: 0 NC, 1 WB RWA, 2 WT RA, 3 WB RA. */
static inline uint8_t attr_from_rgn(unsigned irgn, unsigned orgn)
{
	static const uint8_t nibble[] = { 0x4, 0xf, 0xa, 0xe };

	return (uint8_t)(nibble[orgn & 3] << 4 | nibble[irgn & 3]);
}

/* Both inner and outer write-back: what a data cache may hold. */
static inline bool attr_is_write_back(uint8_t attr)
{
	uint8_t outer = attr >> 4, inner = attr & 15;
	bool outer_wb = outer >= 12 || (outer > 4 && outer < 8);
	bool inner_wb = inner >= 12 || (inner > 4 && inner < 8);

	return outer_wb && inner_wb;
}

/* S2CombineS1AttrHints for one nibble: the weaker cacheability, the hints of stage 1. */
static inline uint8_t attr_combine_nibble(uint8_t s1, uint8_t s2)
{
	if (s1 == 4 || s2 == 4)
		return 4;
	/* Write-through (0b10xx, or transient 0b00xx) wins over write-back. */
	if ((s2 & 12) == 8 && (s1 & 4))
		return (uint8_t)((s1 & 8 ? 8 : 0) | (s1 & 3));
	return s1;
}

/* S2CombineS1MemAttrs: the stronger type wins. */
static inline uint8_t attr_combine(uint8_t s1, uint8_t s2)
{
	if (s1 == s2)
		return s1;
	if (attr_is_device(s1) || attr_is_device(s2)) {
		if (!attr_is_device(s1))
			return s2;
		if (!attr_is_device(s2))
			return s1;
		return s1 < s2 ? s1 : s2;
	}
	return (uint8_t)(attr_combine_nibble(s1 >> 4, s2 >> 4) << 4 |
			 attr_combine_nibble(s1 & 15, s2 & 15));
}

/*
 * MemAttr[3:0] of a stage-2 leaf without FWB, as a byte (S2DecodeMemAttrs). Reserved inner
 * cacheability counts as Normal Non-cacheable.
 */
static inline uint8_t attr_from_s2(unsigned memattr)
{
	static const uint8_t decoded[] = { 0x00, 0x04, 0x08, 0x0c, 0x44, 0x44, 0x4b, 0x4f,
					   0x44, 0xb4, 0xbb, 0xbf, 0x44, 0xf4, 0xfb, 0xff };

	return decoded[memattr & 15];
}

/* MemAttr with HCR_EL2.FWB = 1, combined with stage 1 (AArch64_S2ApplyFWBMemAttrs). */
static inline uint8_t attr_apply_fwb(uint8_t s1, unsigned memattr)
{
	bool cacheable;

	if (!(memattr & 4))
		return attr_combine(s1, (uint8_t)((memattr & 3) << 2));
	if ((memattr & 3) == 3)
		return s1;
	if ((memattr & 3) != 2)
		return attr_is_device(s1) ? s1 : ATTR_NORMAL_NC;
	/* Forced write-back; hints and transience of stage 1 stay where it was cacheable. */
	cacheable = !attr_is_device(s1);
	return (uint8_t)((cacheable && s1 >> 4 != 4 ? (s1 >> 4) | 4 : 15) << 4 |
			 (cacheable && (s1 & 15) != 4 ? (s1 & 15) | 4 : 15));
}

/* S2CombineS1Shareability; the reserved value 1 counts as non-shareable. */
static inline uint8_t attr_combine_sh(uint8_t s1, uint8_t s2)
{
	enum { N = SH_NON, O = SH_OUTER, I = SH_INNER };
	static const uint8_t combined[4][4] = {
		{ N, N, O, I }, { N, N, O, I }, { O, O, O, O }, { I, I, O, I }
	};

	return combined[s1 & 3][s2 & 3];
}

/* EffectiveShareability: Device and Non-cacheable memory is outer shareable. */
static inline uint8_t attr_effective_sh(uint8_t attr, uint8_t sh)
{
	if (attr_is_device(attr) || attr == ATTR_NORMAL_NC)
		return SH_OUTER;
	return sh == 1 ? SH_NON : sh;
}

#endif

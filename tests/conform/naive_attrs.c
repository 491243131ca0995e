/* SPDX-License-Identifier: BSD-2-Clause */
#include "naive_parts.h"

static void decode_nibble(unsigned nibble, enum cacheability *c, unsigned *hints, bool *transient)
{
	if (nibble == 4) {
		*c = NC;
		*hints = 0;
		*transient = false;
		return;
	}
	*c = nibble & 4 ? WB : WT;
	*hints = nibble & 3;
	*transient = !(nibble & 8);
}

static unsigned encode_nibble(enum cacheability c, unsigned hints, bool transient)
{
	if (c == NC)
		return 4;
	return (transient ? 0U : 8U) | (c == WB ? 4U : 0U) | hints;
}

struct attrs attrs_of_mair(unsigned byte, unsigned sh)
{
	struct attrs a = { .sh = sh };

	if (byte >> 4 == 0) {
		a.device = true;
		a.device_type = byte >> 2 & 3;
		return a;
	}
	decode_nibble(byte >> 4, &a.outer, &a.outer_hints, &a.outer_transient);
	decode_nibble(byte & 15, &a.inner, &a.inner_hints, &a.inner_transient);
	return a;
}

uint8_t attrs_byte(const struct attrs *a)
{
	if (a->device)
		return (uint8_t)(a->device_type << 2);
	return (uint8_t)(encode_nibble(a->outer, a->outer_hints, a->outer_transient) << 4 |
			 encode_nibble(a->inner, a->inner_hints, a->inner_transient));
}

uint8_t attrs_sh(const struct attrs *a)
{
	if (a->device || (a->outer == NC && a->inner == NC))
		return 2;
	return a->sh == 1 ? 0 : (uint8_t)a->sh;
}

/* S2CombineS1Shareability: Outer is stronger than Inner, Inner than Non-shareable. */
static unsigned combine_sh(unsigned s1, unsigned s2)
{
	return s1 == 2 || s2 == 2 ? 2 : s1 == 3 || s2 == 3 ? 3 : 0;
}

static struct attrs normal_nc(unsigned sh)
{
	return (struct attrs){ .outer = NC, .inner = NC, .sh = sh };
}

/* S2CombineS1MemAttrs: the weaker cacheability, the stronger Device type, hints of stage 1. */
static struct attrs combine(struct attrs s1, struct attrs s2)
{
	struct attrs a = s1;

	if (s1.device && s2.device) {
		a.device_type = s1.device_type < s2.device_type ? s1.device_type : s2.device_type;
	} else if (s2.device) {
		a = s2;
	} else if (!s1.device) {
		a.outer = s1.outer < s2.outer ? s1.outer : s2.outer;
		a.inner = s1.inner < s2.inner ? s1.inner : s2.inner;
	}
	a.sh = combine_sh(s1.sh, s2.sh);
	return a;
}

/* AArch64.S2ApplyFWBMemAttrs */
static struct attrs force_wb(struct attrs s1, unsigned memattr, unsigned sh)
{
	struct attrs a = s1;

	if (!(memattr & 4)) {
		a = (struct attrs){ .device = true, .device_type = memattr & 3 };
		if (s1.device && s1.device_type < a.device_type)
			a.device_type = s1.device_type;
	} else if ((memattr & 3) == 2) {
		a = (struct attrs){ .outer = WB, .inner = WB, .outer_hints = 3, .inner_hints = 3 };
		if (!s1.device && s1.outer != NC) {
			a.outer_hints = s1.outer_hints;
			a.outer_transient = s1.outer_transient;
		}
		if (!s1.device && s1.inner != NC) {
			a.inner_hints = s1.inner_hints;
			a.inner_transient = s1.inner_transient;
		}
	} else if ((memattr & 3) != 3 && !s1.device) {
		a = normal_nc(0);
	}
	a.sh = combine_sh(s1.sh, sh);
	return a;
}

/* Stage-2 MemAttr without FWB: 00xx Device, else outer and inner cacheability. */
static struct attrs decode_memattr(unsigned memattr, unsigned sh)
{
	static const enum cacheability c[4] = { NC, NC, WT, WB };

	if (memattr >> 2 == 0)
		return (struct attrs){ .device = true, .device_type = memattr & 3, .sh = sh };
	return (struct attrs){ .outer = c[memattr >> 2], .inner = c[memattr & 3], .sh = sh };
}

struct attrs attrs_stage2(uint64_t hcr_el2, const struct params *p, uint64_t desc, struct attrs s1,
			  bool is_fetch)
{
	unsigned memattr = (unsigned)field(desc, 5, 2);
	unsigned sh = p->ds ? p->sh : (unsigned)field(desc, 9, 8);
	struct attrs s2 = p->fwb ? force_wb(s1, memattr, sh) : decode_memattr(memattr, sh);

	/* Fetches from Device, or with HCR_EL2.ID; data with HCR_EL2.CD: Normal Non-cacheable. */
	if (is_fetch ? s2.device || bit(hcr_el2, 33) : !s2.device && bit(hcr_el2, 32))
		s2 = normal_nc(s2.sh);
	return p->fwb ? s2 : combine(s1, s2);
}

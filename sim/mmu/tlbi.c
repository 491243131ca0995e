/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/tlbi.h"

#include "mmu/regime.h"

/* op1, CRn, CRm and op2 of the SYS alias. */
enum { ENCODING_BITS = 14 };

enum tlbi_kind {
	TLBI_VMALL, /* VMALLE1: stage 1 of the VMID */
	TLBI_VA,    /* VAE1, VALE1 */
	TLBI_ASID,  /* ASIDE1 */
	TLBI_VAA,   /* VAAE1, VAALE1 */
	TLBI_ALL,   /* ALLE1 */
	TLBI_S12,   /* VMALLS12E1 */
	TLBI_IPA,   /* IPAS2E1, IPAS2LE1 */
	TLBI_OTHER, /* a regime that is not modelled */
	TLBI_NONE,  /* not an encoding */
};

struct tlbi_form {
	enum tlbi_kind kind;
	bool range;
	bool last_level;
};

/* CRm of the EL1 operations: 1 OS, 3 IS, 7 local; 2, 5, 6 the same as ranges (Arm ARM C5.5). */
static struct tlbi_form form_el1(uint32_t crm, uint32_t op2)
{
	static const enum tlbi_kind kinds[8] = { TLBI_VMALL, TLBI_VA, TLBI_ASID, TLBI_VAA,
						 TLBI_NONE,  TLBI_VA, TLBI_NONE, TLBI_VAA };
	const bool range = crm == 2 || crm == 5 || crm == 6;
	const bool single = crm == 1 || crm == 3 || crm == 7;
	const struct tlbi_form form = { kinds[op2], range, op2 >= 5 };

	if ((!range && !single) || (range && !(op2 & 1)))
		return (struct tlbi_form){ .kind = TLBI_NONE };
	return form;
}

/* Operations on the regimes of EL2 and EL3: all, or by VA. */
static struct tlbi_form form_own(uint32_t crm, uint32_t op2)
{
	const bool range = crm == 2 || crm == 5 || crm == 6;
	const bool single = crm == 1 || crm == 3 || crm == 7;
	const bool known = op2 == 1 || op2 == 5 || (single && op2 == 0);

	return (struct tlbi_form){ .kind = (range || single) && known ? TLBI_OTHER : TLBI_NONE };
}

/* op1 = 4: by IPA (CRm 0 and 4), all of EL1&0 (op2 4 and 6), and EL2's own. */
static struct tlbi_form form_el2(uint32_t crm, uint32_t op2)
{
	if (crm == 0 || crm == 4) {
		const bool range = op2 == 2 || op2 == 6 || (crm == 4 && (op2 == 3 || op2 == 7));
		const bool known = crm == 4 || op2 == 1 || op2 == 2 || op2 == 5 || op2 == 6;

		return (struct tlbi_form){ known ? TLBI_IPA : TLBI_NONE, range, op2 >= 4 };
	}
	if ((crm == 1 || crm == 3 || crm == 7) && (op2 == 4 || op2 == 6))
		return (struct tlbi_form){ .kind = op2 == 4 ? TLBI_ALL : TLBI_S12 };
	return form_own(crm, op2);
}

static struct tlbi_form form_of(uint32_t encoding)
{
	const uint32_t op1 = encoding >> 11 & 7, crn = encoding >> 7 & 15;
	const uint32_t crm = encoding >> 3 & 15, op2 = encoding & 7;

	/* CRn 9: the nXS forms of FEAT_XS invalidate the same entries. */
	if (encoding >> ENCODING_BITS || (crn != 8 && crn != 9))
		return (struct tlbi_form){ .kind = TLBI_NONE };
	if (op1 == 0)
		return form_el1(crm, op2);
	if (op1 == 4)
		return form_el2(crm, op2);
	return op1 == 6 ? form_own(crm, op2) : (struct tlbi_form){ .kind = TLBI_NONE };
}

struct span {
	uint64_t first, last;
	bool none; /* a range of another granule than the one in use: nothing to do */
};

/* One page: Xt[43:0] = VA[55:12], or Xt[39:0] = IPA[51:12]. */
static struct span page_span(const struct regime *regime, uint64_t xt, bool ipa)
{
	const uint64_t address =
		ipa ? bits(xt, 39, 0) << 12 : va_sign_extend(bits(xt, 43, 0) << 12);
	const struct regime_stage *st = ipa ? &regime->s2 : &regime->s1[address >> 63];
	const uint64_t first = address & ~low_mask(st->granule_bits);

	return (struct span){ .first = first, .last = first | low_mask(st->granule_bits) };
}

/*
 * FEAT_TLBIRANGE: TG[47:46] SCALE[45:44] NUM[43:39] TTL[38:37] BaseADDR[36:0], where BaseADDR is in
 * pages of the granule, or of 64 KiB with DS = 1. A range that leaves the address space ends with
 * it.
 */
static struct span range_span(const struct regime *regime, uint64_t xt, bool ipa)
{
	static const uint8_t granules[4] = { 0, GRANULE_4K, GRANULE_16K, GRANULE_64K };
	const bool upper = !ipa && (xt >> 36 & 1);
	const struct regime_stage *st = ipa ? &regime->s2 : &regime->s1[upper];
	const unsigned shift = st->sh_from_regs ? GRANULE_64K : st->granule_bits;
	const uint64_t pages = (bits(xt, 43, 39) + 1) << (5 * bits(xt, 45, 44) + 1);
	/* A VA base has 37 bits above the page: sign-extend from its top. */
	const uint64_t high = upper ? ~low_mask(37u + shift) : 0;
	const uint64_t first = high | bits(xt, 36, 0) << shift;
	const uint64_t last = first + (pages << st->granule_bits) - 1;

	if (granules[bits(xt, 47, 46)] != st->granule_bits)
		return (struct span){ .none = true };
	return (struct span){ .first = first, .last = last < first ? UINT64_MAX : last };
}

/* CRm 7 and 6 (ranges); by IPA CRm 4, less the outer shareable ones. */
bool mmu_tlbi_is_local(const struct tlbi *tlbi)
{
	const uint32_t op1 = tlbi->encoding >> 11 & 7, crm = tlbi->encoding >> 3 & 15;
	const uint32_t op2 = tlbi->encoding & 3;

	if (op1 == 0 && tlbi->regime->force_broadcast)
		return false;
	return crm == 7 || crm == 6 || (op1 == 4 && crm == 4 && (op2 == 1 || op2 == 2));
}

/*
 * FEAT_TTL: granule in the upper two bits, level in the lower; of a range the level alone. log2 of
 * the stage-1 leaf that it names, 0 for any. A hint that is wrong names no leaf.
 */
static uint8_t hinted_bits(const struct tlbi *tlbi, struct tlbi_form form, uint64_t va)
{
	static const uint8_t granules[4] = { 0, GRANULE_4K, GRANULE_16K, GRANULE_64K };
	const struct regime_stage *st = &tlbi->regime->s1[va >> 63];
	const enum granule granule = (enum granule)st->granule_bits;
	const unsigned ttl =
		form.range ? (unsigned)bits(tlbi->xt, 38, 37) : (unsigned)bits(tlbi->xt, 45, 44);
	const unsigned named = form.range ? st->granule_bits : granules[bits(tlbi->xt, 47, 46)];
	const unsigned lowest = named == GRANULE_4K    ? (st->sh_from_regs ? 0 : 1)
				: named == GRANULE_16K ? (st->sh_from_regs ? 1 : 2)
						       : 1;

	if (!tlbi->regime->ttl_hints || !named || ttl < lowest || (form.range && !ttl))
		return 0;
	return named == st->granule_bits ? (uint8_t)level_shift(granule, (int)ttl) : 63;
}

enum tlbi_target mmu_tlbi_decode(const struct tlbi *tlbi, struct tlb_match *match,
				 enum walk_cache_scope *scope)
{
	static const enum tlb_scope scopes[] = {
		[TLBI_VMALL] = TLB_SCOPE_VMID, [TLBI_S12] = TLB_SCOPE_VMID,
		[TLBI_ALL] = TLB_SCOPE_ALL,    [TLBI_ASID] = TLB_SCOPE_ASID,
		[TLBI_VA] = TLB_SCOPE_VA,      [TLBI_VAA] = TLB_SCOPE_VAA,
	};
	const struct tlbi_form form = form_of(tlbi->encoding);
	const bool ipa = form.kind == TLBI_IPA;
	const struct span span = form.range ? range_span(tlbi->regime, tlbi->xt, ipa)
					    : page_span(tlbi->regime, tlbi->xt, ipa);

	if (form.kind == TLBI_NONE)
		return TLBI_UNKNOWN;
	if (form.kind == TLBI_OTHER || span.none)
		return TLBI_NOTHING;
	*match = (struct tlb_match){
		.scope = ipa ? TLB_SCOPE_VMID : scopes[form.kind],
		.context = { .vmid = tlbi->vmid, .asid = (uint16_t)bits(tlbi->xt, 63, 48) },
		.first = span.first,
		.last = span.last,
		.s1_bits = form.kind == TLBI_VA || form.kind == TLBI_VAA
				   ? hinted_bits(tlbi, form, span.first)
				   : 0,
	};
	*scope = form.last_level					 ? WALK_CACHE_KEEP
		 : form.kind == TLBI_S12 || form.kind == TLBI_ALL || ipa ? WALK_CACHE_BOTH
									 : WALK_CACHE_STAGE1;
	return ipa ? TLBI_STAGE2 : TLBI_ENTRIES;
}

bool mmu_tlbi(struct mmu *mmu, const struct tlbi *tlbi)
{
	const uint32_t vcpu = mmu_tlbi_is_local(tlbi) ? tlbi->vcpu : MMU_ALL_VCPUS;
	enum walk_cache_scope scope;
	struct tlb_match match;

	switch (mmu_tlbi_decode(tlbi, &match, &scope)) {
	case TLBI_UNKNOWN:
		return false;
	case TLBI_NOTHING:
		return true;
	case TLBI_STAGE2:
		mmu_invalidate_ipa(mmu, vcpu, tlbi->vmid,
				   scope == WALK_CACHE_KEEP ? WALK_POINTS_LEAVES : WALK_POINTS_ALL,
				   match.first, match.last);
		return true;
	case TLBI_ENTRIES:
		break;
	}
	mmu_invalidate(mmu, vcpu, &match, scope);
	return true;
}

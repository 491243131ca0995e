/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/geometry.h"

#define MAX_CONCAT_BITS	  4 /* 16 tables */
#define DESC_BYTES_BITS	  3
#define BASE52_ALIGN_BITS 6

const char *geometry_status_text(enum geometry_status status)
{
	switch (status) {
	case GEOMETRY_OK:
		return "legal";
	case GEOMETRY_NO_GRANULE:
		return "the core does not have this granule at this stage";
	case GEOMETRY_IA_TOO_LARGE:
		return "the core does not have that many address bits with this granule";
	case GEOMETRY_IA_TOO_SMALL:
		return "fewer address bits than the core can be set up for";
	case GEOMETRY_NO_START_LEVEL:
		return "the core does not have this start level with this granule";
	case GEOMETRY_START_TOO_LOW:
		return "the start level would need more than 16 concatenated tables";
	case GEOMETRY_START_TOO_HIGH:
		return "the table at the start level would resolve no address bit";
	}
	return "unknown";
}

unsigned geometry_kvm_levels(enum granule granule, unsigned ipa_bits)
{
	return ipa_bits < 8 ? 0 : (ipa_bits - 4 - 4) / granule_stride(granule);
}

unsigned geometry_host_levels(enum granule granule, unsigned va_bits)
{
	return va_bits < 4 ? 0 : (va_bits - 4) / granule_stride(granule);
}

unsigned geometry_pmd_bits(enum granule granule)
{
	return level_shift(granule, 2);
}

unsigned geometry_pud_bits(enum granule granule)
{
	return level_shift(granule, 1);
}

enum geometry_support geometry_host_support(enum granule granule, unsigned va_bits,
					    unsigned ipa_bits)
{
	if (ipa_bits > 48 && granule != GRANULE_64K)
		return SUPPORT_NOT_APPLICABLE;
	if (geometry_kvm_levels(granule, ipa_bits) > geometry_host_levels(granule, va_bits))
		return SUPPORT_NO;
	return SUPPORT_YES;
}

/* MaxTxSZ: 39, with FEAT_TTST 48 (4K, 16K) or 47 (64K). */
unsigned geometry_min_ia_bits(const struct arch_cpu *cpu, enum granule granule)
{
	if (!cpu->ttst)
		return 64 - 39;
	return granule == GRANULE_64K ? 64 - 47 : 64 - 48;
}

/* S1MinTxSZ; S2MinTxSZ for a guest whose EL1 is AArch64. */
unsigned geometry_max_ia_bits(const struct arch_cpu *cpu, int stage, enum granule granule, bool ds)
{
	unsigned cap = 48;

	if (stage == 1)
		return ds || (granule == GRANULE_64K && cpu->lva) ? 52 : 48;
	if (granule == GRANULE_64K || ds || !cpu->lpa)
		cap = 52;
	return cpu->pa_bits < cap ? cpu->pa_bits : cap;
}

unsigned geometry_s2_sl(enum granule granule, int start_level)
{
	static const uint8_t sl_4k[] = { 4, 2, 1, 0, 3 }; /* levels -1..3 */

	if (start_level < -1 || start_level > 3)
		return 8;
	if (granule == GRANULE_4K)
		return sl_4k[start_level + 1];
	if (start_level < (granule == GRANULE_16K ? 0 : 1))
		return 8;
	return (unsigned)(3 - start_level);
}

int geometry_s2_start_level(enum granule granule, unsigned sl2_sl0)
{
	for (int level = -1; level <= 3; level++) {
		unsigned sl = granule == GRANULE_4K ? sl2_sl0 & 7 : sl2_sl0 & 3;

		if (geometry_s2_sl(granule, level) == sl)
			return level;
	}
	return GEOMETRY_START_AUTO;
}

/* S2InvalidSL */
static bool start_level_exists(const struct arch_cpu *cpu, enum granule granule, bool ds, int level)
{
	if (geometry_s2_sl(granule, level) == 8)
		return false;
	switch (granule) {
	case GRANULE_4K:
		if (level == -1)
			return ds;
		if (level == 0)
			return cpu->pa_bits >= 44;
		return level != 3 || cpu->ttst;
	case GRANULE_16K:
		if (level == 0)
			return ds;
		return level != 1 || cpu->pa_bits >= 42;
	case GRANULE_64K:
		return level != 1 || cpu->pa_bits >= 44;
	}
	return false;
}

enum geometry_status geometry_s2_check(const struct arch_cpu *cpu, enum granule granule, bool ds,
				       unsigned ia_bits, int start_level)
{
	unsigned entry_bits;

	if (!start_level_exists(cpu, granule, ds, start_level))
		return GEOMETRY_NO_START_LEVEL;
	/* S2InconsistentSL */
	entry_bits = level_shift(granule, start_level);
	if (ia_bits < entry_bits + 1)
		return GEOMETRY_START_TOO_HIGH;
	if (ia_bits > entry_bits + granule_stride(granule) + MAX_CONCAT_BITS)
		return GEOMETRY_START_TOO_LOW;
	return GEOMETRY_OK;
}

static bool s2_needs_ds(enum granule granule, unsigned ipa_bits, int start_level)
{
	if (granule == GRANULE_64K)
		return false;
	return ipa_bits > 48 || start_level == (granule == GRANULE_4K ? -1 : 0);
}

static void s2_fill(const struct arch_cpu *cpu, struct s2_geometry *g)
{
	unsigned page = (unsigned)g->granule;
	unsigned root_bits;

	g->levels = (unsigned)(4 - g->start_level);
	g->pgdir_bits = level_shift(g->granule, g->start_level);
	root_bits = g->ipa_bits - g->pgdir_bits + DESC_BYTES_BITS;
	g->root_entries = UINT64_C(1) << (g->ipa_bits - g->pgdir_bits);
	g->root_bytes = UINT64_C(1) << root_bits;
	g->root_tables = root_bits > page ? 1U << (root_bits - page) : 1;
	g->root_alloc_bytes = UINT64_C(1) << (root_bits > page ? root_bits : page);
	g->root_align_bits = root_bits;
	if ((g->ds || (g->granule == GRANULE_64K && cpu->lpa)) && root_bits < BASE52_ALIGN_BITS)
		g->root_align_bits = BASE52_ALIGN_BITS;
}

enum geometry_status geometry_s2(const struct arch_cpu *cpu, enum granule granule,
				 unsigned ipa_bits, int start_level, struct s2_geometry *out)
{
	struct s2_geometry g = { .granule = granule, .ipa_bits = ipa_bits };
	enum geometry_status status;
	unsigned levels;

	if (!cpu_has_granule(cpu, 2, granule))
		return GEOMETRY_NO_GRANULE;
	levels = geometry_kvm_levels(granule, ipa_bits);
	/* KVM never uses fewer than two levels, so that a host's PMD blocks stay whole. */
	if (start_level == GEOMETRY_START_AUTO)
		start_level = levels < 2 ? 2 : 4 - (int)levels;
	g.start_level = start_level;
	g.ds = s2_needs_ds(granule, ipa_bits, start_level);
	if (g.ds && !cpu_has_lpa2(cpu, 2, granule))
		return ipa_bits > 48 ? GEOMETRY_IA_TOO_LARGE : GEOMETRY_NO_START_LEVEL;
	if (ipa_bits > geometry_max_ia_bits(cpu, 2, granule, g.ds))
		return GEOMETRY_IA_TOO_LARGE;
	if (ipa_bits < geometry_min_ia_bits(cpu, granule))
		return GEOMETRY_IA_TOO_SMALL;
	status = geometry_s2_check(cpu, granule, g.ds, ipa_bits, start_level);
	if (status != GEOMETRY_OK)
		return status;
	s2_fill(cpu, &g);
	*out = g;
	return GEOMETRY_OK;
}

/* TG0 of TCR and VTCR: 0 = 4K, 1 = 64K, 2 = 16K. */
static uint64_t tg0_of(enum granule granule)
{
	return granule == GRANULE_4K ? 0 : granule == GRANULE_64K ? 1 : 2;
}

/* TG1 of TCR: 1 = 16K, 2 = 4K, 3 = 64K. */
static uint64_t tg1_of(enum granule granule)
{
	return granule == GRANULE_16K ? 1 : granule == GRANULE_4K ? 2 : 3;
}

/* PS or IPS field: what the PE has, capped at 48 bits where the tables cannot hold more. */
static uint64_t size_field(const struct arch_cpu *cpu, enum granule granule, bool ds, unsigned want)
{
	unsigned pa_bits = cpu->pa_bits;

	if (granule != GRANULE_64K && !ds && pa_bits > 48)
		pa_bits = 48;
	return cpu_pa_size_field(want < pa_bits ? want : pa_bits);
}

/* Table base field of TTBR and VTTBR: the 52-bit form keeps address bits [51:48] in [5:2]. */
static uint64_t base_field(bool form52, uint64_t base)
{
	if (!form52)
		return base & low_mask(48);
	return (base & low_mask(48) & ~low_mask(BASE52_ALIGN_BITS)) | bits(base, 51, 48) << 2;
}

uint64_t geometry_vtcr(const struct arch_cpu *cpu, const struct s2_geometry *geometry)
{
	uint64_t sl = geometry_s2_sl(geometry->granule, geometry->start_level);
	uint64_t vtcr = UINT64_C(1) << 31; /* RES1 */

	vtcr |= 64 - geometry->ipa_bits;
	vtcr |= (sl & 3) << 6 | (sl >> 2) << 33;
	vtcr |= UINT64_C(1) << 8 | UINT64_C(1) << 10; /* IRGN0, ORGN0: write-back */
	vtcr |= UINT64_C(3) << 12;		      /* SH0: inner shareable */
	vtcr |= tg0_of(geometry->granule) << 14;
	vtcr |= size_field(cpu, geometry->granule, geometry->ds, 64) << 16;
	vtcr |= (uint64_t)(cpu->vmid_bits == 16) << 19;
	vtcr |= UINT64_C(1) << 21; /* HA */
	vtcr |= (uint64_t)geometry->ds << 32;
	return vtcr;
}

uint64_t geometry_vttbr(const struct arch_cpu *cpu, const struct s2_geometry *geometry, pa_t root,
			uint16_t vmid)
{
	bool form52 = geometry->ds || (geometry->granule == GRANULE_64K && cpu->lpa);

	return base_field(form52, root.v) | (uint64_t)vmid << 48;
}

enum geometry_status geometry_s1(const struct arch_cpu *cpu, enum granule granule, unsigned va_bits,
				 struct s1_geometry *out)
{
	struct s1_geometry g = { .granule = granule, .va_bits = va_bits };
	unsigned root_bits;

	if (!cpu_has_granule(cpu, 1, granule))
		return GEOMETRY_NO_GRANULE;
	g.ds = granule != GRANULE_64K && va_bits > 48;
	if (g.ds && !cpu_has_lpa2(cpu, 1, granule))
		return GEOMETRY_IA_TOO_LARGE;
	if (va_bits > geometry_max_ia_bits(cpu, 1, granule, g.ds))
		return GEOMETRY_IA_TOO_LARGE;
	if (va_bits < geometry_min_ia_bits(cpu, granule))
		return GEOMETRY_IA_TOO_SMALL;
	/* S1StartLevel */
	g.start_level = 3 - (int)((va_bits - 1 - granule) / granule_stride(granule));
	g.levels = (unsigned)(4 - g.start_level);
	root_bits = va_bits - level_shift(granule, g.start_level) + DESC_BYTES_BITS;
	g.root_entries = UINT64_C(1) << (root_bits - DESC_BYTES_BITS);
	g.root_bytes = UINT64_C(1) << root_bits;
	g.root_align_bits = root_bits < BASE52_ALIGN_BITS ? BASE52_ALIGN_BITS : root_bits;
	*out = g;
	return GEOMETRY_OK;
}

uint64_t geometry_tcr(const struct arch_cpu *cpu, const struct s1_geometry *geometry,
		      unsigned ipa_bits)
{
	uint64_t txsz = 64 - geometry->va_bits;
	uint64_t half = txsz | UINT64_C(1) << 8 | UINT64_C(1) << 10 | UINT64_C(3) << 12;
	uint64_t tcr = half | half << 16;

	tcr |= tg0_of(geometry->granule) << 14 | tg1_of(geometry->granule) << 30;
	tcr |= size_field(cpu, geometry->granule, geometry->ds, ipa_bits) << 32;
	tcr |= (uint64_t)(cpu->asid_bits == 16) << 36;
	tcr |= (uint64_t)geometry->ds << 59;
	return tcr;
}

uint64_t geometry_ttbr(const struct arch_cpu *cpu, const struct s1_geometry *geometry,
		       unsigned ipa_bits, ipa_t root, uint16_t asid)
{
	bool form52 = geometry->ds;

	if (geometry->granule == GRANULE_64K && cpu->lpa)
		form52 = size_field(cpu, geometry->granule, geometry->ds, ipa_bits) == 6;
	return base_field(form52, root.v) | (uint64_t)asid << 48;
}

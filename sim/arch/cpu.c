/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/cpu.h"

#include <string.h>

static const uint8_t pa_sizes[] = { 32, 36, 40, 42, 44, 48, 52 };

#define PA_SIZES       (sizeof(pa_sizes) / sizeof(pa_sizes[0]))
#define GRANULE_BIT(g) (UINT32_C(1) << (g))

unsigned cpu_pa_size_bits(unsigned field)
{
	return pa_sizes[field < PA_SIZES ? field : PA_SIZES - 1];
}

unsigned cpu_pa_size_field(unsigned bits_wanted)
{
	unsigned field = 0;

	while (field < PA_SIZES - 1 && pa_sizes[field] < bits_wanted)
		field++;
	return field;
}

/* A 4-bit ID field at bit `lo`. */
static unsigned id_field(uint64_t reg, unsigned lo)
{
	return (unsigned)bits(reg, lo + 3, lo);
}

static void decode_granules(struct arch_cpu *cpu, uint64_t mmfr0)
{
	unsigned tgran4 = id_field(mmfr0, 28), tgran64 = id_field(mmfr0, 24);
	unsigned tgran16 = id_field(mmfr0, 20);
	unsigned tgran4_2 = id_field(mmfr0, 40), tgran64_2 = id_field(mmfr0, 36);
	unsigned tgran16_2 = id_field(mmfr0, 32);

	/* TGran4 and TGran64 are signed: 0xf is "not implemented"; TGran16 is unsigned. */
	if (tgran4 < 8)
		cpu->granules[0] |= GRANULE_BIT(GRANULE_4K);
	if (tgran4 >= 1 && tgran4 < 8)
		cpu->lpa2_granules[0] |= GRANULE_BIT(GRANULE_4K);
	if (tgran16 >= 1)
		cpu->granules[0] |= GRANULE_BIT(GRANULE_16K);
	if (tgran16 >= 2)
		cpu->lpa2_granules[0] |= GRANULE_BIT(GRANULE_16K);
	if (tgran64 < 8)
		cpu->granules[0] |= GRANULE_BIT(GRANULE_64K);

	/* Stage 2: 0 = as stage 1, 1 = not implemented, 2 = implemented, 3 = with 52 bits. */
	if (tgran4_2 >= 2)
		cpu->granules[1] |= GRANULE_BIT(GRANULE_4K);
	if (tgran4_2 >= 3)
		cpu->lpa2_granules[1] |= GRANULE_BIT(GRANULE_4K);
	if (tgran16_2 >= 2)
		cpu->granules[1] |= GRANULE_BIT(GRANULE_16K);
	if (tgran16_2 >= 3)
		cpu->lpa2_granules[1] |= GRANULE_BIT(GRANULE_16K);
	if (tgran64_2 >= 2)
		cpu->granules[1] |= GRANULE_BIT(GRANULE_64K);
	if (tgran4_2 == 0) {
		cpu->granules[1] |= cpu->granules[0] & GRANULE_BIT(GRANULE_4K);
		cpu->lpa2_granules[1] |= cpu->lpa2_granules[0] & GRANULE_BIT(GRANULE_4K);
	}
	if (tgran16_2 == 0) {
		cpu->granules[1] |= cpu->granules[0] & GRANULE_BIT(GRANULE_16K);
		cpu->lpa2_granules[1] |= cpu->lpa2_granules[0] & GRANULE_BIT(GRANULE_16K);
	}
	if (tgran64_2 == 0)
		cpu->granules[1] |= cpu->granules[0] & GRANULE_BIT(GRANULE_64K);
}

void cpu_init(struct arch_cpu *cpu, const struct arch_id *id)
{
	unsigned hafdbs = id_field(id->mmfr1, 0);

	memset(cpu, 0, sizeof(*cpu));
	cpu->id = *id;
	cpu->pa_bits = (uint8_t)cpu_pa_size_bits(id_field(id->mmfr0, 0));
	cpu->asid_bits = id_field(id->mmfr0, 4) >= 2 ? 16 : 8;
	decode_granules(cpu, id->mmfr0);
	cpu->lpa2 = (cpu->lpa2_granules[0] | cpu->lpa2_granules[1]) != 0;
	cpu->lpa = cpu->pa_bits >= 52;

	cpu->hw_af = hafdbs >= 1;
	cpu->hw_dirty = hafdbs >= 2;
	cpu->vmid_bits = id_field(id->mmfr1, 4) >= 2 ? 16 : 8;
	cpu->vhe = id_field(id->mmfr1, 8) >= 1;
	cpu->hpds = id_field(id->mmfr1, 12) >= 1;
	cpu->pan = id_field(id->mmfr1, 20) >= 1;
	cpu->epan = id_field(id->mmfr1, 20) >= 3;
	cpu->xnx = id_field(id->mmfr1, 28) >= 1;

	cpu->cnp = id_field(id->mmfr2, 0) >= 1;
	cpu->lva = id_field(id->mmfr2, 16) >= 1;
	cpu->ttst = id_field(id->mmfr2, 28) >= 1;
	cpu->fwb = id_field(id->mmfr2, 40) >= 1;
	cpu->ttl = id_field(id->mmfr2, 48) >= 1;
	cpu->bbm = (uint8_t)(id_field(id->mmfr2, 52) < 2 ? id_field(id->mmfr2, 52) : 2);
	cpu->e0pd = id_field(id->mmfr2, 60) >= 1;
	cpu->pauth = cpu->ttst || cpu->fwb || cpu->ttl;
	cpu->tlbi_range = id_field(id->isar0, 56) >= 2;

	cpu->txsz_out_of_range = TXSZ_FAULT;
	cpu->contiguous_misprogrammed = CONTIGUOUS_IGNORE;
	cpu->nt_block = NT_IGNORE;
	cpu->fetch_device = FETCH_DEVICE_ALLOW;
	cpu->ttl_hint = TTL_IGNORE;
}

bool cpu_has_granule(const struct arch_cpu *cpu, int stage, enum granule granule)
{
	return (cpu->granules[stage - 1] & GRANULE_BIT(granule)) != 0;
}

bool cpu_has_lpa2(const struct arch_cpu *cpu, int stage, enum granule granule)
{
	return (cpu->lpa2_granules[stage - 1] & GRANULE_BIT(granule)) != 0;
}

enum granule cpu_granule_or_default(const struct arch_cpu *cpu, int stage, unsigned granule_bits)
{
	static const enum granule order[] = { GRANULE_4K, GRANULE_16K, GRANULE_64K };
	enum granule wanted = granule_bits ? (enum granule)granule_bits : GRANULE_4K;

	if (granule_bits != 0 && cpu_has_granule(cpu, stage, wanted))
		return wanted;
	for (unsigned i = 0; i < 3; i++) {
		if (cpu_has_granule(cpu, stage, order[i]))
			return order[i];
	}
	/* ID registers without any granule describe no PE; the architecture's 4K then. */
	return GRANULE_4K;
}

bool cpu_choose(struct arch_cpu *cpu, const char *choice, const char *value)
{
	const bool fault = strcmp(value, "fault") == 0;

	if (strcmp(choice, "txsz_out_of_range") == 0) {
		cpu->txsz_out_of_range = fault ? TXSZ_FAULT : TXSZ_CLAMP;
		return fault || strcmp(value, "clamp") == 0;
	}
	if (strcmp(choice, "contiguous_misprogrammed") == 0) {
		cpu->contiguous_misprogrammed = fault ? CONTIGUOUS_FAULT : CONTIGUOUS_IGNORE;
		return fault || strcmp(value, "ignore") == 0;
	}
	if (strcmp(choice, "nt_block") == 0) {
		cpu->nt_block = fault ? NT_FAULT : NT_IGNORE;
		return fault || strcmp(value, "ignore") == 0;
	}
	if (strcmp(choice, "fetch_device") == 0) {
		cpu->fetch_device = fault ? FETCH_DEVICE_FAULT : FETCH_DEVICE_ALLOW;
		return fault || strcmp(value, "allow") == 0;
	}
	return false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void world_init(struct world *w)
{
	struct arch_id id = { .mmfr0 = 0x32310201126,
			      .mmfr1 = 0x11010211122,
			      .mmfr2 = 0x1021011010011011 };

	memset(w, 0, sizeof(*w));
	cpu_init(&w->cpu, &id);
	w->mem = phys_create();
	if (!w->mem)
		abort();
	w->next_table = UINT64_C(0x30000000);
	w->regs.sctlr_el1 = UINT64_C(1) << 2 | UINT64_C(1) << 12; /* C, I */
	w->regs.hcr_el2 = UINT64_C(1) << 31;			  /* RW */
	w->regs.mair_el1 = 0x0404444444ff0044;			  /* 0 NC, 1 Device, 2 WB */
}

void world_free(struct world *w)
{
	phys_destroy(w->mem);
}

void world_stage1(struct world *w, enum granule granule, unsigned va_bits)
{
	if (geometry_s1(&w->cpu, granule, va_bits, &w->g1) != GEOMETRY_OK)
		abort();
	w->regs.sctlr_el1 |= 1;
	w->regs.tcr_el1 = geometry_tcr(&w->cpu, &w->g1, 52);
	w->regs.ttbr0_el1 = geometry_ttbr(&w->cpu, &w->g1, 52, ipa_of(WORLD_S1_ROOT), 1);
	w->regs.ttbr1_el1 = w->regs.ttbr0_el1;
}

void world_stage2(struct world *w, enum granule granule, unsigned ipa_bits, int start_level)
{
	if (geometry_s2(&w->cpu, granule, ipa_bits, start_level, &w->g2) != GEOMETRY_OK)
		abort();
	w->regs.hcr_el2 |= 1;
	w->regs.vtcr_el2 = geometry_vtcr(&w->cpu, &w->g2) & ~(UINT64_C(1) << 21); /* HA off */
	w->regs.vttbr_el2 = geometry_vttbr(&w->cpu, &w->g2, pa_of(WORLD_S2_ROOT), 1);
}

struct shape {
	struct desc_format format;
	uint64_t root;
	int start_level;
	unsigned ia_bits;
};

static uint64_t map(struct world *w, const struct shape *shape, uint64_t ia, int level,
		    uint64_t address, uint64_t attributes)
{
	enum granule granule = shape->format.granule;
	uint64_t table = shape->root;

	if (shape->ia_bits == 0) /* this stage was never switched on */
		abort();
	ia &= low_mask(shape->ia_bits);
	if (shape->format.high_from == 8) /* with DS the field is address bits */
		attributes &= ~(UINT64_C(3) << DESC_SH_SHIFT);
	for (int l = shape->start_level;; l++) {
		uint64_t index = ia >> level_shift(granule, l), entry, desc;

		if (l != shape->start_level)
			index &= low_mask(granule_stride(granule));
		entry = table + index * 8;
		if (l == level) {
			phys_write64(w->mem, pa_of(entry),
				     desc_leaf(&shape->format, level, address, attributes));
			return entry;
		}
		desc = phys_read64(w->mem, pa_of(entry));
		if (!(desc & DESC_VALID)) {
			desc = desc_table(&shape->format, w->next_table);
			w->next_table += 0x10000;
			phys_write64(w->mem, pa_of(entry), desc);
		}
		table = desc_address(&shape->format, desc);
	}
}

uint64_t world_map2(struct world *w, uint64_t ipa, int level, uint64_t address, uint64_t attributes)
{
	struct shape shape = { .format = desc_format_of(w->g2.granule, w->g2.ds, w->cpu.pa_bits),
			       .root = WORLD_S2_ROOT,
			       .start_level = w->g2.start_level,
			       .ia_bits = w->g2.ipa_bits };

	return map(w, &shape, ipa, level, address, attributes);
}

uint64_t world_map1(struct world *w, uint64_t va, int level, uint64_t address, uint64_t attributes)
{
	struct shape shape = { .format = desc_format_of(w->g1.granule, w->g1.ds, w->cpu.pa_bits),
			       .root = WORLD_S1_ROOT,
			       .start_level = w->g1.start_level,
			       .ia_bits = w->g1.va_bits };
	uint64_t first = w->next_table, entry = map(w, &shape, va, level, address, attributes);
	uint64_t end = w->next_table, page = UINT64_C(1) << w->g2.granule;

	if (!(w->regs.hcr_el2 & 1))
		return entry;
	for (uint64_t a = WORLD_S1_ROOT; a < WORLD_S1_ROOT + 0x10000; a += page)
		world_map2(w, a, 3, a, WORLD_S2_RW);
	for (uint64_t a = first; a < end; a += page)
		world_map2(w, a, 3, a, WORLD_S2_RW);
	return entry;
}

static void log_read(void *ctx, const struct walk_read *read)
{
	struct world *w = ctx;

	if (w->reads < sizeof(w->log) / sizeof(w->log[0]))
		w->log[w->reads] = *read;
	w->reads++;
}

struct translation world_access(struct world *w, const struct access *access)
{
	struct walk_hooks hooks = { .ctx = w, .read = log_read };
	struct translation t;
	struct regime regime;

	w->reads = 0;
	regime_init(&regime, &w->cpu, &w->regs, w->kind);
	mmu_walk(&regime, w->mem, access, &hooks, &t);
	return t;
}

struct translation world_walk(struct world *w, uint64_t va, enum access_kind kind, unsigned el)
{
	struct access access = { .va = va_of(va), .kind = kind, .el = (uint8_t)el };

	return world_access(w, &access);
}

void world_expect(struct world *w, uint64_t va, enum access_kind kind, unsigned el,
		  enum fault_type type, int stage, int level)
{
	struct translation t = world_walk(w, va, kind, el);

	assert_int_equal(t.fault.type, type);
	if (type == FAULT_NONE)
		return;
	assert_int_equal(t.fault.stage, stage);
	assert_int_equal(t.fault.level, level);
}

uint64_t world_word(const struct world *w, uint64_t pa)
{
	return phys_read64(w->mem, pa_of(pa));
}

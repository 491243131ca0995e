/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small world for tests of the walker: a PE, registers, memory, and tables made by hand. Nothing
 * is legal or mapped until a test says so.
 */
#ifndef TWOSTAGE_TESTS_WALK_WORLD_H
#define TWOSTAGE_TESTS_WALK_WORLD_H

#include "arch/geometry.h"
#include "mmu/regime.h"
#include "mmu/walk.h"

#define WORLD_S1_ROOT UINT64_C(0x10000000) /* an IPA */
#define WORLD_S2_ROOT UINT64_C(0x20000000)

struct world {
	struct arch_cpu cpu;
	struct mmu_regs regs;
	struct phys_mem *mem;
	enum regime_kind kind;
	struct s1_geometry g1;
	struct s2_geometry g2;
	uint64_t next_table; /* tables are handed out from here upwards, 64K apart */
	unsigned reads;
	struct walk_read log[128];
};

/* ID registers of QEMU's "max": everything there is. */
void world_init(struct world *w);
void world_free(struct world *w);

/* Switch stage 1 (both halves, root at WORLD_S1_ROOT) or stage 2 on. */
void world_stage1(struct world *w, enum granule granule, unsigned va_bits);
void world_stage2(struct world *w, enum granule granule, unsigned ipa_bits, int start_level);

/*
 * Map ia at `level` with `attributes` (AF included) to `address`; tables in between are made.
 * world_map1() also maps, one to one, the stage-2 pages of the tables it makes if stage 2 is on.
 * Both return the address of the leaf descriptor.
 */
uint64_t world_map1(struct world *w, uint64_t va, int level, uint64_t address, uint64_t attributes);
uint64_t world_map2(struct world *w, uint64_t ipa, int level, uint64_t address,
		    uint64_t attributes);

/* Usual attributes. */
#define WORLD_S1_RW (DESC_AF | S1_AP_EL0 | (uint64_t)SH_INNER << DESC_SH_SHIFT)
#define WORLD_S2_RW                                                                                \
	(DESC_AF | S2_AP_R | S2_AP_W | UINT64_C(0xf) << S2_ATTR_SHIFT |                            \
	 (uint64_t)SH_INNER << DESC_SH_SHIFT)

/* Walk with every read logged. `options` fills the rest of struct access. */
struct translation world_walk(struct world *w, uint64_t va, enum access_kind kind, unsigned el);
struct translation world_access(struct world *w, const struct access *access);

/* Walk, and assert that it ends with this fault (FAULT_NONE: with none). */
void world_expect(struct world *w, uint64_t va, enum access_kind kind, unsigned el,
		  enum fault_type type, int stage, int level);

/* The word at `pa`, for descriptors after a walk. */
uint64_t world_word(const struct world *w, uint64_t pa);

#endif

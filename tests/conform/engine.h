/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's walker behind the naive translator's types, and the comparison of their answers. */
#ifndef TWOSTAGE_CONFORM_ENGINE_H
#define TWOSTAGE_CONFORM_ENGINE_H

#include "gen.h"
#include "mmu/regime.h"
#include "mmu/walk.h"

struct engine {
	struct arch_cpu cpu;
	struct regime regime;
	struct phys_mem *mem;
	unsigned reads; /* of the last walk, with hardware updates */
	struct walk_log log;
	struct walk_hints *hints; /* for the walks to come; NULL: none */
};

void engine_cpu(struct engine *e, const struct naive_cpu *cpu);
void engine_regs(struct engine *e, const struct naive_regs *regs, bool el20);
struct access engine_access(const struct naive_access *a);
void engine_walk(struct engine *e, const struct naive_access *a, struct translation *t);

enum { ENGINE_DIFFERENCE_MAX = 200 };

/* True if both say the same; otherwise the first difference as text. */
bool engine_agrees(const struct naive_result *n, const struct translation *t,
		   char difference[ENGINE_DIFFERENCE_MAX]);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>

void engine_cpu(struct engine *e, const struct naive_cpu *cpu)
{
	const struct arch_id id = { .mmfr0 = cpu->mmfr0, .mmfr1 = cpu->mmfr1, .mmfr2 = cpu->mmfr2 };

	cpu_init(&e->cpu, &id);
	e->cpu.pauth = cpu->pauth;
	e->cpu.txsz_out_of_range = cpu->clamp_txsz ? TXSZ_CLAMP : TXSZ_FAULT;
	e->cpu.contiguous_misprogrammed =
		cpu->contiguous_faults ? CONTIGUOUS_FAULT : CONTIGUOUS_IGNORE;
}

void engine_regs(struct engine *e, const struct naive_regs *r, bool el20)
{
	const struct mmu_regs regs = { .sctlr_el1 = r->sctlr_el1,
				       .tcr_el1 = r->tcr_el1,
				       .ttbr0_el1 = r->ttbr0_el1,
				       .ttbr1_el1 = r->ttbr1_el1,
				       .mair_el1 = r->mair_el1,
				       .hcr_el2 = r->hcr_el2,
				       .vtcr_el2 = r->vtcr_el2,
				       .vttbr_el2 = r->vttbr_el2,
				       .sctlr_el2 = r->sctlr_el2,
				       .tcr_el2 = r->tcr_el2,
				       .ttbr0_el2 = r->ttbr0_el2,
				       .ttbr1_el2 = r->ttbr1_el2,
				       .mair_el2 = r->mair_el2,
				       .pan = r->pan };

	regime_init(&e->regime, &e->cpu, &regs, el20 ? REGIME_EL20 : REGIME_EL10);
}

struct access engine_access(const struct naive_access *a)
{
	static const enum access_kind kinds[] = { ACCESS_FETCH, ACCESS_LOAD, ACCESS_STORE };

	return (struct access){ .va = va_of(a->va),
				.kind = kinds[a->kind],
				.el = (uint8_t)a->el,
				.at = a->at,
				.stage1_only = a->stage1_only };
}

void engine_walk(struct engine *e, const struct naive_access *a, struct translation *t)
{
	const struct access access = engine_access(a);
	const struct walk_hooks hooks = { .log = &e->log, .hints = e->hints };

	e->log.reads = 0;
	mmu_walk(&e->regime, e->mem, &access, &hooks, t);
	e->reads = e->log.reads;
}

static enum fault_type fault_of(enum naive_fault fault)
{
	static const enum fault_type types[] = {
		[NAIVE_OK] = FAULT_NONE,
		[NAIVE_ADDRESS_SIZE] = FAULT_ADDRESS_SIZE,
		[NAIVE_TRANSLATION] = FAULT_TRANSLATION,
		[NAIVE_ACCESS_FLAG] = FAULT_ACCESS_FLAG,
		[NAIVE_PERMISSION] = FAULT_PERMISSION,
		[NAIVE_WALK_ABORT] = FAULT_EXTERNAL_WALK,
	};

	return types[fault];
}

static bool equal(const char *what, uint64_t naive, uint64_t engine,
		  char difference[ENGINE_DIFFERENCE_MAX])
{
	if (naive == engine)
		return true;
	snprintf(difference, ENGINE_DIFFERENCE_MAX, "%s: naive %" PRIx64 ", engine %" PRIx64, what,
		 naive, engine);
	return false;
}

bool engine_agrees(const struct naive_result *n, const struct translation *t,
		   char d[ENGINE_DIFFERENCE_MAX])
{
	const struct fault *f = &t->fault;

	if (!equal("fault", fault_of(n->fault), f->type, d))
		return false;
	if (n->fault != NAIVE_OK)
		return equal("stage", (uint64_t)n->stage, (uint64_t)f->stage, d) &&
		       equal("level", (uint64_t)n->level, (uint64_t)f->level, d) &&
		       equal("S1PTW", n->s1ptw, f->s1ptw, d) &&
		       equal("FSC", naive_fsc(n->fault, n->level), fault_fsc(f), d) &&
		       (n->stage == 1 || equal("IPA", n->ipa, f->ipa, d));
	return equal("PA", n->pa, t->pa.v, d) && equal("attributes", n->attr, t->attr, d) &&
	       equal("shareability", n->sh, t->sh, d) &&
	       equal("stage-1 size", n->s1_bits, t->s1_bits, d) &&
	       equal("stage-2 size", n->s2_bits, t->s2_bits, d) &&
	       equal("global", n->global, t->global, d) && equal("IPA", n->ipa, t->ipa.v, d);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cases for the live proof: registers from the shared generator, memory invented while the naive
 * translator walks, all of it within the memory map of the emulated machine.
 */
#include "live.h"

const char *const live_category_names[LIVE_CATEGORIES] = { "s2",     "s1",	"s12",	"badcfg",
							   "hafdbs", "hafexec", "exec", "fetch" };

/* What the memory callbacks of one query see. */
struct inventor {
	const struct live_machine *machine;
	struct gen_case *gen;
	struct words *now; /* words that the query wrote */
	bool clear_af;	   /* leave many access flags for hardware to set */
	bool outside;	   /* the query left the memory map */
};

bool live_pa_is_ram(const struct live_machine *machine, uint64_t pa)
{
	return pa >= WIRE_GUEST_END && pa < machine->ram_end;
}

bool live_pa_is_ext(const struct live_machine *machine, uint64_t pa)
{
	return pa >= machine->ext_first && pa < machine->ext_end;
}

/* Some addresses of stage 2 should miss RAM, for address size faults and aborts. */
static uint64_t spread(struct inventor *v, uint64_t desc)
{
	struct rng *r = &v->gen->rng;
	uint64_t mask = (UINT64_C(1) << 48) - (UINT64_C(1) << (rng_chance(r, 50) ? 32 : 16));

	if (v->clear_af && rng_chance(r, 25))
		desc &= ~(UINT64_C(1) << 10);
	return rng_chance(r, 4) ? (desc & ~mask) | (rng_next(r) & mask) : desc;
}

static uint64_t read_word(void *ctx, uint64_t pa)
{
	struct inventor *v = ctx;

	if (!live_pa_is_ram(v->machine, pa)) {
		v->outside = true;
		return 0;
	}
	if (words_known(v->now, pa))
		return words_read(v->now, pa);
	if (!words_known(&v->gen->words, pa))
		words_write(&v->gen->words, pa,
			    spread(v, v->gen->memory.read(v->gen->memory.ctx, pa)));
	return words_read(&v->gen->words, pa);
}

static void write_word(void *ctx, uint64_t pa, uint64_t value)
{
	words_write(((struct inventor *)ctx)->now, pa, value);
}

static bool aborts(void *ctx, uint64_t pa)
{
	return live_pa_is_ext(((struct inventor *)ctx)->machine, pa);
}

static struct naive_access access_of(enum wire_op op, uint64_t va)
{
	struct naive_access a = { .va = va };

	if (live_op_is_at(op)) {
		a.kind = op & 1 ? NAIVE_STORE : NAIVE_LOAD;
		a.el = op & 2 ? 0 : 1;
		a.at = true;
		a.stage1_only = op >= WIRE_S1E1R;
	} else if (live_op_is_fetch(op)) {
		a.kind = NAIVE_FETCH;
		a.el = op == WIRE_IFETCH1;
	} else {
		a.kind = op == WIRE_STR || op == WIRE_STTR ? NAIVE_STORE : NAIVE_LOAD;
		a.el = op < WIRE_LDTR;
	}
	return a;
}

/*
 * The word that a real access reaches must be RAM or abort. A fetch must find 0, which is an
 * undefined instruction: it comes straight back.
 */
static bool target_fits(struct inventor *v, enum wire_op op, uint64_t pa)
{
	pa &= ~UINT64_C(7);
	if (live_pa_is_ext(v->machine, pa))
		return true;
	if (!live_pa_is_ram(v->machine, pa))
		return false;
	if (live_op_is_fetch(op) && !words_known(&v->gen->words, pa))
		words_write(&v->gen->words, pa, 0);
	return (uint32_t)read_word(v, pa) == 0 || !live_op_is_fetch(op);
}

/* Walk once, so that memory holds what the query needs. False if it cannot be asked. */
static bool query_fits(struct inventor *v, enum wire_op op, uint64_t va)
{
	struct naive_memory memory = { v, read_word, write_word, aborts };
	struct naive_access access = access_of(op, va);
	struct naive_result result = { 0 };

	v->outside = false;
	v->gen->running = &result;
	words_clear(v->now);
	naive_translate(&v->gen->cpu, &v->gen->regs, &memory, &access, &result);
	v->gen->running = NULL;
	if (v->outside)
		return false;
	return live_op_is_at(op) || result.fault != NAIVE_OK || target_fits(v, op, result.pa);
}

static enum wire_op pick_op(struct rng *r, enum live_category category)
{
	switch (category) {
	case LIVE_HAFEXEC:
	case LIVE_EXEC:
		return (enum wire_op)(WIRE_LDR + rng_below(r, 4));
	case LIVE_FETCH:
		return (enum wire_op)(WIRE_IFETCH1 + rng_below(r, 2));
	case LIVE_S1:
		return (enum wire_op)rng_below(r, WIRE_LDR);
	default:
		return (enum wire_op)rng_below(r, rng_chance(r, 25) ? WIRE_LDR : WIRE_S1E1R);
	}
}

/* Real accesses stay in the lower half: the guest's own code is in the upper one. */
static uint64_t pick_va(struct gen_case *gen, enum wire_op op)
{
	uint64_t va = gen_va(gen);

	while (!live_op_is_at(op) && va >> 55 & 1)
		va = gen_va(gen);
	return va;
}

static enum gen_kind kind_of(enum live_category category, uint64_t seed)
{
	static const enum gen_kind any[] = { GEN_S1, GEN_S2, GEN_S12, GEN_S12 };

	switch (category) {
	case LIVE_S2:
		return GEN_S2;
	case LIVE_S1:
		return GEN_S1;
	case LIVE_S12:
		return GEN_S12;
	case LIVE_BADCFG:
		return GEN_BAD;
	default:
		return any[seed / LIVE_CATEGORIES % 4];
	}
}

static void fill(struct live_case *c, const struct gen_case *gen)
{
	const struct naive_regs *r = &gen->regs;
	struct arch_id id = { .mmfr0 = gen->pe->mmfr0,
			      .mmfr1 = gen->pe->mmfr1,
			      .mmfr2 = gen->pe->mmfr2 };

	c->regs = (struct mmu_regs){ .sctlr_el1 = r->sctlr_el1,
				     .tcr_el1 = r->tcr_el1,
				     .ttbr0_el1 = r->ttbr0_el1,
				     .ttbr1_el1 = r->ttbr1_el1,
				     .mair_el1 = r->mair_el1,
				     .hcr_el2 = r->hcr_el2,
				     .vtcr_el2 = r->vtcr_el2,
				     .vttbr_el2 = r->vttbr_el2 };
	cpu_init(&c->cpu, &id);
	c->cpu.pauth = gen->pe->pauth;
	regime_init(&c->regime, &c->cpu, &c->regs, REGIME_EL10);
	c->words_count = 0;
	for (uint32_t i = 0; i < gen->words.count; i++) {
		if (!live_pa_is_ram(c->machine, gen->words.pa[i]))
			continue;
		if (c->words_count == LIVE_WORDS) {
			c->queries_count = 0;
			return;
		}
		c->words[c->words_count++] =
			(struct live_change){ gen->words.pa[i], gen->words.value[i] };
	}
}

void live_generate(struct live_case *c, const struct live_machine *machine,
		   enum live_category category, uint64_t seed)
{
	static struct gen_case gen;
	static struct words now;
	bool updates = machine->pe.mmfr1 & 15;
	struct inventor v = { .machine = machine, .gen = &gen, .now = &now };

	if (!updates && category == LIVE_HAFDBS)
		category = LIVE_S12;
	if (!updates && category == LIVE_HAFEXEC)
		category = LIVE_EXEC;
	c->machine = machine;
	c->category = category;
	c->seed = seed;
	c->queries_count = 0;
	gen.ram_first = WIRE_GUEST_END;
	gen.ram_end = machine->ram_end;
	gen.words.abort_first = machine->ext_first;
	gen.words.abort_end = machine->ext_end;
	gen_case(&gen, seed, &machine->pe, kind_of(category, seed));
	if (category == LIVE_HAFDBS || category == LIVE_HAFEXEC) {
		v.clear_af = true;
		gen.regs.tcr_el1 |= TCR_EL1_HA;
		gen.regs.vtcr_el2 |= UINT64_C(1) << 21;
	}
	for (unsigned tries = 0; tries < 6 * LIVE_QUERIES && c->queries_count < LIVE_QUERIES;
	     tries++) {
		enum wire_op op = pick_op(&gen.rng, category);
		uint64_t va = pick_va(&gen, op);
		struct live_query *q = &c->queries[c->queries_count];

		if (!query_fits(&v, op, va))
			continue;
		q->op = op;
		q->va = va;
		c->queries_count++;
	}
	fill(c, &gen);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "twin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "mmu/tlbi.h"
#include "naive_parts.h"

/* ---- memory of both ------------------------------------------------------------------------ */

static void write_engine(struct twin *w, uint64_t pa, uint64_t value)
{
	if (!phys_write64(w->engine.mem, pa_of(pa), value))
		exit(70);
}

static void note_use(struct twin *w, uint64_t pa)
{
	const struct naive_result *at = w->gen.running;
	bool upper = at->reading == 1 && at->reading_ia >> 55 & 1;
	struct twin_use now = { .met = true,
				.stage = at->reading,
				.level = at->reading_level,
				.shift = at->reading_shift,
				.upper = upper,
				.ia = at->reading_ia };
	struct twin_use *u = &w->use[words_index(&w->gen.words, pa)];

	now.space = (uint16_t)(at->reading == 2 || upper ? w->current / TWIN_ASIDS : w->current);
	if (!u->met) {
		*u = now;
		return;
	}
	if (u->stage != now.stage || u->level != now.level || u->upper != now.upper ||
	    u->space != now.space || (u->ia ^ now.ia) >> u->shift)
		u->mixed = true;
}

/* Leaves of the lower half are never global: two ASIDs have different tables there. */
static uint64_t suitable(const struct naive_result *at, uint64_t word)
{
	bool lower = at->reading == 1 && !(at->reading_ia >> 55 & 1);

	return lower ? word | UINT64_C(1) << 11 : word;
}

static uint64_t read_word(void *ctx, uint64_t pa)
{
	struct twin *w = ctx;
	bool known = words_known(&w->gen.words, pa);
	uint64_t word = known ? words_read(&w->gen.words, pa) : gen_descriptor(&w->gen);

	/* A known word may be met in a new role; bit 11 matters to stage-1 leaves alone. */
	if (!known || word != suitable(w->gen.running, word)) {
		word = suitable(w->gen.running, word);
		words_write(&w->gen.words, pa, word);
		write_engine(w, pa, word);
	}
	if (!known)
		w->use[words_index(&w->gen.words, pa)] = (struct twin_use){ 0 };
	note_use(w, pa);
	return w->reads ? w->reads(words_index(&w->gen.words, pa), word) : word;
}

static void write_word(void *ctx, uint64_t pa, uint64_t value)
{
	words_write(&((struct twin *)ctx)->gen.words, pa, value);
}

static bool aborts(void *ctx, uint64_t pa)
{
	return words_aborts(&((struct twin *)ctx)->gen.words, pa);
}

void twin_naive(struct twin *w, const struct naive_access *a, struct naive_result *r)
{
	struct naive_memory memory = { w, read_word, write_word, aborts };

	w->gen.running = r;
	naive_translate(&w->gen.cpu, &w->regs[w->current], &memory, a, r);
	w->gen.running = NULL;
}

void twin_write(struct twin *w, uint32_t i, uint64_t value)
{
	w->gen.words.value[i] = value;
	write_engine(w, w->gen.words.pa[i], value);
}

uint64_t twin_new_word(struct twin *w, uint32_t i)
{
	uint64_t old = w->gen.words.value[i], word;
	struct naive_result at = { .reading = w->use[i].stage,
				   .reading_level = w->use[i].level,
				   .reading_ia = w->use[i].ia };

	w->gen.running = &at;
	word = rng_chance(&w->gen.rng, 40) ? old ^ (UINT64_C(0xc0) & rng_next(&w->gen.rng))
					   : gen_descriptor(&w->gen);
	w->gen.running = NULL;
	return suitable(&at, word);
}

bool twin_memory_agrees(const struct twin *w, char difference[ENGINE_DIFFERENCE_MAX])
{
	for (uint32_t i = 0; i < w->gen.words.count; i++) {
		uint64_t pa = w->gen.words.pa[i], value = phys_read64(w->engine.mem, pa_of(pa));

		if (value != w->gen.words.value[i]) {
			snprintf(difference, ENGINE_DIFFERENCE_MAX,
				 "word %" PRIx64 ": naive %" PRIx64 ", engine %" PRIx64, pa,
				 w->gen.words.value[i], value);
			return false;
		}
	}
	return true;
}

/* ---- accesses ------------------------------------------------------------------------------ */

static enum mmu_fault_result no_s1_fault(void *ctx, const struct mmu_request *request,
					 const struct fault *fault)
{
	(void)request;
	((struct twin *)ctx)->fault = *fault;
	return MMU_FAULT_FAILED;
}

static enum mmu_fault_result no_s2_fault(void *ctx, const struct mmu_request *request, ipa_t ipa,
					 const struct fault *fault)
{
	(void)request, (void)ipa;
	((struct twin *)ctx)->fault = *fault;
	return MMU_FAULT_FAILED;
}

struct naive_access twin_pick(struct twin *w)
{
	struct rng *r = &w->gen.rng;
	struct naive_access a = { .kind = (enum naive_kind)rng_below(r, 3) };

	if (rng_chance(r, 30))
		w->current = (unsigned)rng_below(r, TWIN_SPACES);
	if (rng_chance(r, 50))
		w->last_va = w->pool[rng_below(r, TWIN_POOL)];
	w->vcpu = (uint32_t)rng_below(r, TWIN_VCPUS);
	a.va = w->last_va;
	a.el = (int)(a.va >> 55 & 1);
	return a;
}

void twin_ask(struct twin *w, const struct naive_access *a, struct twin_answer *answer)
{
	static const enum access_kind kinds[] = { ACCESS_FETCH, ACCESS_LOAD, ACCESS_STORE };
	const struct mmu_request request = { .space = &w->spaces[w->current],
					     .va = va_of(a->va),
					     .kind = kinds[a->kind],
					     .known_ipa = UINT64_MAX };
	struct tlb *l1 = mmu_l1(&w->mmu, w->vcpu, a->kind == NAIVE_FETCH ? MMU_FETCH : MMU_DATA);
	uint32_t slot;

	w->hits += tlb_find(l1, request.space->context, request.va) != TLB_NONE;
	slot = mmu_access(&w->mmu, w->vcpu, &request);
	answer->leaf = slot == TLB_NONE ? NULL : &l1->leaf[slot];
	w->faults += answer->leaf == NULL;
}

static uint8_t needed(const struct naive_access *a)
{
	static const uint8_t perm[] = { PERM_X1, PERM_R1, PERM_W1 };

	return (uint8_t)(a->el == 0 ? perm[a->kind] << 3 : perm[a->kind]);
}

bool twin_agrees(const struct twin *w, const struct naive_access *a,
		 const struct naive_result *naive, const struct twin_answer *answer,
		 char difference[ENGINE_DIFFERENCE_MAX])
{
	struct translation t = { .fault = w->fault };
	uint64_t pa = 0;
	int fault = FAULT_NONE;

	if (!answer->leaf)
		return engine_agrees(naive, &t, difference);
	if (answer->leaf->perms & needed(a))
		pa = answer->leaf->pa.v | (a->va & low_mask(answer->leaf->size_bits));
	else
		fault = FAULT_PERMISSION;
	if (naive->fault == (fault ? NAIVE_PERMISSION : NAIVE_OK) && (fault || naive->pa == pa))
		return true;
	snprintf(difference, ENGINE_DIFFERENCE_MAX,
		 "naive fault %d PA %" PRIx64 ", entry: fault %d PA %" PRIx64, naive->fault,
		 naive->pa, fault, pa);
	return false;
}

void twin_tlbi(struct twin *w, uint32_t encoding, uint64_t xt, unsigned vm)
{
	struct tlbi op = { .encoding = encoding,
			   .regime = &w->regimes[vm * TWIN_ASIDS],
			   .vcpu = MMU_ALL_VCPUS,
			   .xt = xt,
			   .vmid = w->spaces[vm * TWIN_ASIDS].context.vmid };

	if (!mmu_tlbi(&w->mmu, &op))
		exit(70);
}

/* ---- start and end ------------------------------------------------------------------------- */

bool twin_init(struct twin *w)
{
	w->engine.mem = phys_create();
	return w->engine.mem != NULL;
}

void twin_fini(struct twin *w)
{
	phys_destroy(w->engine.mem);
}

/* Spaces of a VM share stage 2 and the upper half; the ASID is that of TTBR0. */
static void make_space(struct twin *w, unsigned i)
{
	struct naive_regs *r = &w->regs[i];
	uint64_t tag = UINT64_C(0xffff) << 48, vm = i / TWIN_ASIDS;

	*r = i % TWIN_ASIDS ? w->regs[i - 1] : w->gen.regs;
	if (i && i % TWIN_ASIDS == 0) {
		r->vttbr_el2 = gen_base(&w->gen, 2);
		r->ttbr1_el1 = gen_base(&w->gen, 1);
	}
	r->ttbr0_el1 = (gen_base(&w->gen, 1) & ~tag) | (uint64_t)(1 + i % TWIN_ASIDS) << 48;
	r->tcr_el1 &= ~(UINT64_C(1) << 22);
	r->vttbr_el2 = (r->vttbr_el2 & ~tag) | (vm + 1) << 48;
	engine_regs(&w->engine, r, false);
	w->regimes[i] = w->engine.regime;
	w->spaces[i] = (struct mmu_space){ .regime = &w->regimes[i],
					   .context = { .vmid = w->regimes[i].vmid,
							.asid = w->regimes[i].asid } };
}

/* Addresses for all spaces; most of them translate in one of the spaces to begin with. */
static uint64_t make_address(struct twin *w, unsigned i)
{
	struct rng *rng = &w->gen.rng;
	struct naive_access a = { .kind = NAIVE_LOAD };

	for (int tries = 0; tries < 8; tries++) {
		struct naive_result r;

		/* Near another one, to share tables and leaves. */
		a.va = i && rng_chance(rng, 50)
			       ? w->pool[rng_below(rng, i)] ^ rng_below(rng, 1 << 16) << 3
			       : gen_va(&w->gen);
		a.va = a.va >> 55 & 1 ? a.va | ~low_mask(56) : a.va & low_mask(56);
		a.el = (int)(a.va >> 55 & 1);
		w->current = (unsigned)rng_below(rng, TWIN_SPACES);
		twin_naive(w, &a, &r);
		if (r.fault == NAIVE_OK)
			break;
	}
	return a.va;
}

static struct tlb_shape tlb_shape(struct rng *r, uint32_t sets, uint32_t ways)
{
	static const uint64_t sizes[] = { UINT64_C(1) << 12, UINT64_C(0x7ffffffff000),
					  UINT64_C(0x201000), UINT64_C(0x40215000) };

	return (struct tlb_shape){ .sets = sets,
				   .ways = ways,
				   .page_sizes = sizes[rng_below(r, 4)],
				   .repl = repl_find("lru"),
				   .seed = 1,
				   .group_bits = (uint8_t)(rng_chance(r, 30) ? rng_below(r, 4) : 0),
				   .page_bits = 12,
				   .prefetch = rng_chance(r, 30) };
}

/* Where walk caches lie and what they hold must not matter to any answer. */
static void place_walk_caches(struct rng *r, struct mmu_shape *shape)
{
	static const uint64_t sizes[] = { 0, ~UINT64_C(0x40200000), ~UINT64_C(0x20012000) };

	if (shape->l2.sets && rng_chance(r, 40))
		shape->s1.place = WALK_CACHE_IN_L2;
	if (shape->l2.sets && rng_chance(r, 40))
		shape->s2.place = WALK_CACHE_IN_L2;
	else if (shape->s1.entries && rng_chance(r, 30))
		shape->s2.place = WALK_CACHE_IN_S1;
	shape->s1.limits.no_levels = rng_chance(r, 30) ? (uint8_t)rng_below(r, 32) : 0;
	shape->s2.limits.no_levels = rng_chance(r, 30) ? (uint8_t)rng_below(r, 32) : 0;
	shape->s2.limits.no_sizes = sizes[rng_below(r, 3)];
	shape->s2.serves = (enum walk_cache_serves)rng_below(r, 3);
}

static void make_mmu(struct twin *w)
{
	struct mmu_os os = { w, no_s1_fault, no_s2_fault };
	struct mmu_shape shape = { .vcpus = TWIN_VCPUS, .latency = latency_find("fixed") };
	struct rng *r = &w->gen.rng;

	shape.l1i = tlb_shape(r, 1, 4);
	shape.l1d = tlb_shape(r, 2, 2);
	shape.l2 = tlb_shape(r, rng_chance(r, 70) ? 4 : 0, 3);
	if (rng_chance(r, 40)) {
		shape.inclusion = (enum mmu_inclusion)rng_below(r, 3);
		shape.l1i.group_bits = shape.l1d.group_bits = shape.l2.group_bits = 0;
		shape.l1i.prefetch = shape.l1d.prefetch = shape.l2.prefetch = false;
	} else {
		shape.l2_sharers = rng_chance(r, 50) ? 2 : 1;
	}
	shape.s1 = (struct walk_cache_shape){ .entries = rng_chance(r, 80) ? 8 : 0, .ways = 4 };
	shape.s2 = (struct walk_cache_shape){ .entries = rng_chance(r, 80) ? 8 : 0 };
	place_walk_caches(r, &shape);
	shape.s1_granule = (enum granule)w->regimes[0].s1[0].granule_bits;
	shape.s2_granule = (enum granule)w->regimes[0].s2.granule_bits;
	if (!mmu_init(&w->mmu, &shape, w->engine.mem, &os))
		exit(70);
}

static bool one_granule(const struct twin *w)
{
	return naive_s1_params(&w->gen.cpu, &w->gen.regs, false, 0).granule ==
	       naive_s1_params(&w->gen.cpu, &w->gen.regs, false, UINT64_MAX).granule;
}

void twin_start(struct twin *w, uint64_t seed, enum twin_updates updates)
{
	const struct gen_pe *pe = &gen_pes[seed % GEN_PES];

	phys_reset(w->engine.mem);
	/* The walk caches of the program know one granule for both halves of the VA space. */
	for (uint64_t i = 0; i == 0 || !one_granule(w); i += UINT64_C(1) << 32)
		gen_case(&w->gen, seed + i, pe, seed % 3 ? GEN_S12 : GEN_S1);
	w->gen.trouble_percent = 12;
	w->gen.regs.hcr_el2 &= ~(UINT64_C(1) << 27 | UINT64_C(1) << 12);
	if (updates == TWIN_NO_UPDATES) {
		w->gen.regs.tcr_el1 &= ~(UINT64_C(3) << 39);
		w->gen.regs.vtcr_el2 &= ~(UINT64_C(3) << 21);
	}
	engine_cpu(&w->engine, &w->gen.cpu);
	for (unsigned i = 0; i < TWIN_SPACES; i++)
		make_space(w, i);
	for (unsigned i = 0; i < TWIN_POOL; i++)
		w->pool[i] = make_address(w, i);
	w->last_va = w->pool[0];
	w->current = 0;
	make_mmu(w);
	/* What the choice of addresses did to descriptors is the beginning for both. */
	for (uint32_t i = 0; i < w->gen.words.count; i++)
		twin_write(w, i, w->gen.words.value[i]);
}

void twin_stop(struct twin *w)
{
	mmu_fini(&w->mmu);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLBs and walk caches against the naive translator, which has none: random accesses of several
 * vCPUs, ASIDs and VMIDs, between them changes of random descriptors, each followed by one of the
 * TLB invalidations that the architecture allows for it. No stale answer may remain: address, fault
 * and permission are the naive translator's, and memory (access flags, dirty state) is the same.
 *
 * test_sequences [SEED STEPS]; without arguments 10^6 steps (TWOSTAGE_LONG: 10^8).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "mmu/hierarchy.h"
#include "mmu/tlbi.h"
#include "naive_parts.h"

enum { VMS = 2, ASIDS = 2, SPACES = VMS * ASIDS, VCPUS = 2, POOL = 24, STEPS_A_CASE = 4000 };

/* Where a word was met in walks. */
struct use {
	bool met, mixed; /* mixed: in more than one role */
	int8_t stage, level;
	uint8_t shift;
	bool upper;
	uint16_t space; /* stage 1, lower half: index; upper half and stage 2: its VM */
	uint64_t ia;
};

static struct gen_case gen;
static struct use use[WORDS_MAX];
static struct naive_regs regs[SPACES];
static struct regime regimes[SPACES];
static struct mmu_space spaces[SPACES];
static struct engine engine;
static struct mmu mmu;
static uint64_t pool[POOL], last_va;
static unsigned current; /* the space that walks */
static unsigned long passed, failed, hits, changes, faults;

static uint16_t owner(const struct naive_result *at)
{
	bool upper = at->reading == 1 && at->reading_ia >> 55 & 1;

	return (uint16_t)(at->reading == 2 || upper ? current / ASIDS : current);
}

static void note_use(uint64_t pa)
{
	const struct naive_result *at = gen.running;
	struct use now = { .met = true,
			   .stage = at->reading,
			   .level = at->reading_level,
			   .shift = at->reading_shift,
			   .upper = at->reading == 1 && at->reading_ia >> 55 & 1,
			   .space = owner(at),
			   .ia = at->reading_ia };
	struct use *u = &use[words_index(&gen.words, pa)];

	if (!u->met) {
		*u = now;
		return;
	}
	if (u->stage != now.stage || u->level != now.level || u->upper != now.upper ||
	    u->space != now.space || (u->ia ^ now.ia) >> u->shift)
		u->mixed = true;
}

/* Leaves of the lower half are never global: two ASIDs have different tables there. */
static uint64_t suitable(uint64_t word)
{
	bool lower = gen.running->reading == 1 && !(gen.running->reading_ia >> 55 & 1);

	return lower ? word | UINT64_C(1) << 11 : word;
}

static uint64_t read_both(void *ctx, uint64_t pa)
{
	struct naive_memory plain = gen.memory;

	(void)ctx;
	if (!words_known(&gen.words, pa)) {
		uint64_t word = suitable(plain.read(&gen, pa));

		words_write(&gen.words, pa, word);
		use[words_index(&gen.words, pa)] = (struct use){ 0 };
		if (!phys_write64(engine.mem, pa_of(pa), word))
			exit(70);
	}
	note_use(pa);
	return words_read(&gen.words, pa);
}

static void naive(const struct naive_access *a, struct naive_result *r)
{
	struct naive_memory memory = gen.memory;

	memory.read = read_both;
	gen.running = r;
	naive_translate(&gen.cpu, &regs[current], &memory, a, r);
	gen.running = NULL;
}

static bool no_s1_fault(void *ctx, const struct mmu_request *request, const struct fault *fault)
{
	(void)request;
	*(struct fault *)ctx = *fault;
	return false;
}

static bool no_s2_fault(void *ctx, const struct mmu_request *request, ipa_t ipa,
			const struct fault *fault)
{
	(void)request, (void)ipa;
	*(struct fault *)ctx = *fault;
	return false;
}

static struct fault last_fault;

static uint8_t needed(const struct naive_access *a)
{
	static const uint8_t perm[] = { PERM_X1, PERM_R1, PERM_W1 };

	return (uint8_t)(a->el == 0 ? perm[a->kind] << 3 : perm[a->kind]);
}

static bool report(const struct naive_access *a, const char *what, uint64_t n, uint64_t e)
{
	printf("space %u va %" PRIx64 " kind %d: %s: naive %" PRIx64 ", engine %" PRIx64 "\n",
	       current, a->va, a->kind, what, n, e);
	return false;
}

/* The answer of the hierarchy; a hit whose entry lacks the permission is a permission fault. */
static bool same_answer(const struct naive_access *a, const struct naive_result *n,
			const struct tlb *l1, uint32_t slot)
{
	const struct tlb_leaf *leaf = &l1->leaf[slot == TLB_NONE ? 0 : slot];
	uint64_t pa;

	if (slot == TLB_NONE) {
		struct translation t = { .fault = last_fault };
		char difference[ENGINE_DIFFERENCE_MAX];

		return engine_agrees(n, &t, difference) ||
		       report(a, difference, (uint64_t)n->level, (uint64_t)last_fault.level);
	}
	if (!(leaf->perms & needed(a)))
		return n->fault == NAIVE_PERMISSION ||
		       report(a, "permission", (uint64_t)n->fault, leaf->perms);
	if (n->fault != NAIVE_OK)
		return report(a, "fault", (uint64_t)n->fault, 0);
	pa = leaf->pa.v | (a->va & low_mask(leaf->size_bits));
	return pa == n->pa || report(a, "address", n->pa, pa);
}

static bool same_memory(void)
{
	for (uint32_t i = 0; i < gen.words.count; i++) {
		uint64_t value = phys_read64(engine.mem, pa_of(gen.words.pa[i]));

		if (value != gen.words.value[i]) {
			printf("word %" PRIx64 ": naive %" PRIx64 ", engine %" PRIx64 "\n",
			       gen.words.pa[i], gen.words.value[i], value);
			return false;
		}
	}
	return true;
}

static bool step_access(void)
{
	static const enum access_kind kinds[] = { ACCESS_FETCH, ACCESS_LOAD, ACCESS_STORE };
	struct rng *r = &gen.rng;
	struct naive_access a = { .va = rng_chance(r, 50) ? last_va : pool[rng_below(r, POOL)],
				  .kind = (enum naive_kind)rng_below(r, 3) };
	struct mmu_request request;
	struct naive_result n;
	uint32_t vcpu = (uint32_t)rng_below(r, VCPUS), slot;
	struct tlb *l1;

	if (rng_chance(r, 30))
		current = (unsigned)rng_below(r, SPACES);
	last_va = a.va;
	a.el = (int)(a.va >> 55 & 1);
	naive(&a, &n);
	request = (struct mmu_request){ .space = &spaces[current],
					.va = va_of(a.va),
					.kind = kinds[a.kind],
					.known_ipa = UINT64_MAX };
	faults += n.fault != NAIVE_OK;
	l1 = mmu_l1(&mmu, vcpu, a.kind == NAIVE_FETCH ? MMU_FETCH : MMU_DATA);
	hits += tlb_find(l1, spaces[current].context, request.va) != TLB_NONE;
	slot = mmu_access(&mmu, vcpu, &request);
	return same_answer(&a, &n, l1, slot);
}

/* ---- changes of descriptors, and what must follow them ------------------------------------- */

enum {
	VMALLE1 = 0x438,
	VAE1 = 0x439,
	ASIDE1 = 0x43a,
	VAAE1 = 0x43b,
	VALE1 = 0x43d,
	VAALE1 = 0x43f,
	VAE1IS = 0x419,
	VMALLE1IS = 0x418,
	ALLE1 = 0x243c,
	VMALLS12E1 = 0x243e,
	VMALLS12E1IS = 0x241e,
	IPAS2E1 = 0x2421,
	IPAS2LE1 = 0x2425,
	IPAS2E1IS = 0x2401,
};

static void tlbi(uint32_t encoding, uint64_t xt, unsigned vm)
{
	struct tlbi op = { .encoding = encoding,
			   .xt = xt,
			   .vmid = spaces[vm * ASIDS].context.vmid };

	if (!mmu_tlbi(&mmu, &op))
		exit(70);
}

/* Any of these is enough, whatever the word was. */
static void invalidate_widely(const struct use *u)
{
	unsigned vm = u->stage == 2 || u->upper ? u->space : u->space / ASIDS;

	if (u->mixed || rng_chance(&gen.rng, 20))
		tlbi(ALLE1, 0, vm);
	else
		tlbi(rng_chance(&gen.rng, 50) ? VMALLS12E1 : VMALLS12E1IS, 0, vm);
}

static void invalidate_s1_leaf(const struct use *u)
{
	static const uint32_t one_asid[] = { VAE1, VALE1, VAE1IS, VAAE1, VAALE1, ASIDE1, VMALLE1 };
	static const uint32_t all_asids[] = { VAAE1, VAALE1, VMALLE1, VMALLE1IS };
	uint64_t xt = u->ia >> 12 & UINT64_C(0xfffffffffff);

	if (u->upper) {
		tlbi(all_asids[rng_below(&gen.rng, 4)], xt, u->space);
		return;
	}
	xt |= (uint64_t)spaces[u->space].context.asid << 48;
	tlbi(one_asid[rng_below(&gen.rng, 7)], xt, u->space / ASIDS);
}

static void invalidate_s2_leaf(const struct use *u)
{
	static const uint32_t forms[] = { IPAS2E1, IPAS2LE1, IPAS2E1IS };

	/* By IPA takes stage-2 entries only; combined ones need the second operation. */
	tlbi(forms[rng_below(&gen.rng, 3)], u->ia >> 12, u->space);
	tlbi(rng_chance(&gen.rng, 50) ? VMALLE1 : VMALLE1IS, 0, u->space);
}

static bool is_leaf(uint64_t word, int level)
{
	return level == 3 || (word & 3) != 3;
}

static void step_change(void)
{
	struct rng *r = &gen.rng;
	uint32_t i = (uint32_t)rng_below(r, gen.words.count);
	struct naive_result pretend = { .reading = use[i].stage,
					.reading_level = use[i].level,
					.reading_ia = use[i].ia };
	uint64_t old = gen.words.value[i], word;

	if (!use[i].met)
		return;
	changes++;
	gen.running = &pretend;
	word = suitable(rng_chance(r, 40) ? old ^ (UINT64_C(0xc0) & rng_next(r))
					  : gen_descriptor(&gen));
	gen.running = NULL;
	gen.words.value[i] = word;
	if (!phys_write64(engine.mem, pa_of(gen.words.pa[i]), word))
		exit(70);
	/* Invalid before and no access flag before: nothing of it was cached. */
	if (!(old & 1) && rng_chance(r, 80))
		return;
	if (use[i].mixed || !is_leaf(old, use[i].level) || rng_chance(r, 15))
		invalidate_widely(&use[i]);
	else if (use[i].stage == 1)
		invalidate_s1_leaf(&use[i]);
	else
		invalidate_s2_leaf(&use[i]);
}

/* ---- cases --------------------------------------------------------------------------------- */

static void make_spaces(void)
{
	for (unsigned i = 0; i < SPACES; i++) {
		unsigned vm = i / ASIDS;
		struct naive_regs *r = &regs[i];

		*r = gen.regs;
		if (i % ASIDS)
			*r = regs[i - 1];
		else if (i)
			r->vttbr_el2 = gen_base(&gen, 2), r->ttbr1_el1 = gen_base(&gen, 1);
		r->ttbr0_el1 = gen_base(&gen, 1) & ~(UINT64_C(0xffff) << 48);
		r->ttbr0_el1 |= (uint64_t)(1 + i % ASIDS) << 48;
		r->tcr_el1 &= ~(UINT64_C(1) << 22); /* A1: the ASID is TTBR0's */
		r->vttbr_el2 = (r->vttbr_el2 & ~(UINT64_C(0xffff) << 48)) | (uint64_t)(vm + 1)
										    << 48;
		engine_regs(&engine, r, false);
		regimes[i] = engine.regime;
		spaces[i] = (struct mmu_space){ .regime = &regimes[i],
						.context = { .vmid = regimes[i].vmid,
							     .asid = regimes[i].asid } };
	}
}

/* Addresses for all spaces; most of them translate in one of the spaces to begin with. */
static void make_pool(void)
{
	for (unsigned i = 0; i < POOL; i++) {
		for (int tries = 0; tries < 8; tries++) {
			struct naive_access a = { .va = gen_va(&gen), .kind = NAIVE_LOAD };
			struct naive_result r;

			/* Near another one, to share tables and leaves. */
			if (i && rng_chance(&gen.rng, 50))
				a.va = pool[rng_below(&gen.rng, i)] ^ rng_below(&gen.rng, 1 << 16)
									      << 3;
			a.va = a.va >> 55 & 1 ? a.va | ~low_mask(56) : a.va & low_mask(56);
			a.el = (int)(a.va >> 55 & 1);
			current = (unsigned)rng_below(&gen.rng, SPACES);
			pool[i] = a.va;
			naive(&a, &r);
			if (r.fault == NAIVE_OK)
				break;
		}
	}
}

static struct tlb_shape tlb_shape(uint32_t sets, uint32_t ways, uint64_t sizes)
{
	return (struct tlb_shape){
		.sets = sets, .ways = ways, .page_sizes = sizes, .repl = repl_find("lru"), .seed = 1
	};
}

static bool one_granule(void)
{
	return naive_s1_params(&gen.cpu, &gen.regs, false, 0).granule ==
	       naive_s1_params(&gen.cpu, &gen.regs, false, UINT64_MAX).granule;
}

static void start_case(uint64_t seed)
{
	static const uint64_t sizes[] = { UINT64_C(1) << 12, UINT64_C(0x7ffffffff000),
					  UINT64_C(0x201000), UINT64_C(0x40215000) };
	struct mmu_os os = { &last_fault, no_s1_fault, no_s2_fault };
	struct mmu_shape shape = { .vcpus = VCPUS };
	struct rng *r = &gen.rng;

	phys_reset(engine.mem);
	/* The walk caches of the program know one granule for both halves of the VA space. */
	for (uint64_t i = 0; i == 0 || !one_granule(); i += UINT64_C(1) << 32)
		gen_case(&gen, seed + i, &gen_pes[seed % GEN_PES], seed % 3 ? GEN_S12 : GEN_S1);
	gen.trouble_percent = 12;
	gen.regs.hcr_el2 &= ~(UINT64_C(1) << 27 | UINT64_C(1) << 12);
	engine_cpu(&engine, &gen.cpu);
	make_spaces();
	make_pool();
	last_va = pool[0];
	current = 0;
	shape.l1i = tlb_shape(1, 4, sizes[rng_below(r, 4)]);
	shape.l1d = tlb_shape(2, 2, sizes[rng_below(r, 4)]);
	shape.l2 = tlb_shape(rng_chance(r, 70) ? 4 : 0, 3, sizes[rng_below(r, 4)]);
	shape.s1 = (struct walk_cache_shape){ .entries = rng_chance(r, 80) ? 8 : 0, .ways = 4 };
	shape.s2 = (struct walk_cache_shape){ .entries = rng_chance(r, 80) ? 8 : 0 };
	shape.s1_granule = (enum granule)regimes[0].s1[0].granule_bits;
	shape.s2_granule = (enum granule)regimes[0].s2.granule_bits;
	shape.latency = latency_find("fixed");
	if (!mmu_init(&mmu, &shape, engine.mem, &os))
		exit(70);
	/* What the pool's choice did to descriptors is the beginning for both. */
	for (uint32_t i = 0; i < gen.words.count; i++)
		phys_write64(engine.mem, pa_of(gen.words.pa[i]), gen.words.value[i]);
}

/* False after a mismatch. */
static bool run_case(uint64_t seed, unsigned steps)
{
	bool good = true;

	start_case(seed);
	for (unsigned i = 0; i < steps && good && gen.words.count < WORDS_MAX - 200; i++) {
		if (gen.words.count && rng_chance(&gen.rng, 3))
			step_change();
		good = step_access() && (i % 64 || same_memory());
		passed += good;
	}
	if (!good) {
		failed++;
		printf("  seed %" PRIu64 " (%s)\n", seed, gen.pe->name);
	}
	mmu_fini(&mmu);
	return good;
}

int main(int argc, char **argv)
{
	const char *more = getenv("TWOSTAGE_LONG");
	uint64_t seed = 1, steps = more && *more ? 100000000 : 1000000;

	if (argc == 3) {
		seed = strtoull(argv[1], NULL, 0);
		steps = strtoull(argv[2], NULL, 0);
	}
	engine.mem = phys_create();
	if (!engine.mem)
		return 70;
	for (; passed < steps && failed < 20; seed++)
		run_case(seed, STEPS_A_CASE);
	phys_destroy(engine.mem);
	printf("%lu L1 TLB hits, %lu faults, %lu descriptors changed\n", hits, faults, changes);
	printf("%lu passed, %lu failed\n", passed, failed);
	return failed != 0;
}

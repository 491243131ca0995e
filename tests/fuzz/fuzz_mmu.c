/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLBs, walk caches and TLB invalidations of any shape and operand: the bytes choose registers and
 * tables by a seed, the shapes, and then accesses, changes of table words and TLBI instructions.
 * The TLBs' counts stay true, and after ALLE1IS an access gives what a walk of its own gives.
 */
#include <string.h>

#include "mmu/tlbi.h"
#include "tests/conform/engine.h"
#include "tests/conform/naive_parts.h"
#include "tests/fuzz/fuzz.h"

enum { ALLE1IS = 0x241c, VCPUS = 2, SPACES = 2, ADDRESSES = 8, OPERATIONS_MAX = 512 };

static struct {
	struct fuzz_input in;
	struct gen_case gen;
	struct naive_result running;
	struct engine engine;
	struct regime regime;
	struct mmu_space spaces[SPACES];
	struct mmu mmu;
	uint64_t va[ADDRESSES];
} f;

static enum mmu_fault_result refuse_s1(void *ctx, const struct mmu_request *request,
				       const struct fault *fault)
{
	(void)ctx, (void)request;
	FUZZ_EXPECT(fault->stage == 1);
	return MMU_FAULT_FAILED;
}

static enum mmu_fault_result refuse_s2(void *ctx, const struct mmu_request *request, ipa_t ipa,
				       const struct fault *fault)
{
	(void)ctx, (void)request, (void)ipa;
	FUZZ_EXPECT(fault->stage == 2);
	return MMU_FAULT_FAILED;
}

/* ---- set-up -------------------------------------------------------------------------------- */

static struct tlb_shape tlb_shape(uint8_t byte, uint64_t seed)
{
	static const char *const policies[4] = { "lru", "plru", "random", "srrip" };
	static const uint8_t sets[4] = { 1, 2, 3, 8 }, ways[4] = { 1, 2, 4, 8 };
	static const uint64_t sizes[4] = { UINT64_C(1) << 12, UINT64_C(0x7ffffffff000),
					   UINT64_C(0x201000), UINT64_C(0x40215000) };

	return (struct tlb_shape){ .sets = sets[byte & 3],
				   .ways = ways[byte >> 2 & 3],
				   .page_sizes = sizes[byte >> 4 & 3],
				   .repl = repl_find(policies[byte >> 6]),
				   .seed = seed };
}

static struct walk_cache_shape cache_shape(uint8_t byte)
{
	const uint32_t ways = UINT32_C(1) << (byte >> 2 & 3);

	return (struct walk_cache_shape){ .entries = (byte & 3) * ways, .ways = ways };
}

/* Tables that translate some addresses: the naive translator makes them up and reads them. */
static void make_tables(void)
{
	struct gen_case *c = &f.gen;

	for (unsigned i = 0; i < ADDRESSES; i++) {
		const struct naive_access a = { .va = gen_va(c), .kind = NAIVE_LOAD, .el = 1 };

		f.va[i] = i % 2 && rng_chance(&c->rng, 50) ? f.va[i - 1] ^ 0x1000 : a.va;
		gen_translate(c, &a, &f.running);
	}
	for (uint32_t i = 0; i < c->words.count; i++)
		FUZZ_EXPECT(phys_write64(f.engine.mem, pa_of(c->words.pa[i]), c->words.value[i]));
}

/* The walk caches of the program know one granule for both halves of the VA space. */
static bool one_granule(void)
{
	return naive_s1_params(&f.gen.cpu, &f.gen.regs, false, 0).granule ==
	       naive_s1_params(&f.gen.cpu, &f.gen.regs, false, UINT64_MAX).granule;
}

static void start(void)
{
	const struct mmu_os os = { NULL, refuse_s1, refuse_s2 };
	struct mmu_shape shape = { .vcpus = VCPUS, .latency = latency_find("fixed") };
	const uint16_t seed = fuzz_u16(&f.in);

	if (!f.engine.mem)
		f.engine.mem = phys_create();
	FUZZ_EXPECT(f.engine.mem);
	phys_reset(f.engine.mem);
	for (uint64_t i = 0; i == 0 || !one_granule(); i += UINT64_C(1) << 32)
		gen_case(&f.gen, seed + i, &gen_pes[seed % GEN_PES], seed % 3 ? GEN_S12 : GEN_S1);
	f.gen.trouble_percent = 12;
	engine_cpu(&f.engine, &f.gen.cpu);
	engine_regs(&f.engine, &f.gen.regs, false);
	make_tables();
	f.regime = f.engine.regime;
	for (unsigned i = 0; i < SPACES; i++)
		f.spaces[i] =
			(struct mmu_space){ .regime = &f.regime,
					    .context = { .vmid = f.regime.vmid,
							 .asid = (uint16_t)(f.regime.asid + i) } };
	shape.l1i = tlb_shape(fuzz_u8(&f.in), 1);
	shape.l1d = tlb_shape(fuzz_u8(&f.in), 2);
	shape.l2 = tlb_shape(fuzz_u8(&f.in), 3);
	shape.s1 = cache_shape(fuzz_u8(&f.in));
	shape.s2 = cache_shape(fuzz_u8(&f.in));
	shape.s1_granule = (enum granule)f.regime.s1[0].granule_bits;
	shape.s2_granule = (enum granule)f.regime.s2.granule_bits;
	FUZZ_EXPECT(mmu_init(&f.mmu, &shape, f.engine.mem, &os));
}

/* ---- operations ---------------------------------------------------------------------------- */

static void expect_sound_tlb(const struct tlb *tlb)
{
	uint32_t used = 0, count[64] = { 0 };
	uint64_t resident = 0;

	for (uint32_t slot = 0; slot < tlb->shape.sets * tlb->shape.ways; slot++) {
		if (tlb->tag[slot].key == UINT64_MAX)
			continue;
		used++;
		count[tlb->tag[slot].key & 63]++;
		resident |= UINT64_C(1) << (tlb->tag[slot].key & 63);
		FUZZ_EXPECT(tlb->leaf[slot].size_bits == (tlb->tag[slot].key & 63));
	}
	FUZZ_EXPECT(used == tlb->used && resident == tlb->resident);
	FUZZ_EXPECT(memcmp(count, tlb->count, sizeof(count)) == 0);
}

static void expect_sound(void)
{
	for (uint32_t i = 0; i < VCPUS; i++) {
		expect_sound_tlb(&f.mmu.vcpu[i].l1[MMU_FETCH]);
		expect_sound_tlb(&f.mmu.vcpu[i].l1[MMU_DATA]);
		expect_sound_tlb(f.mmu.vcpu[i].l2);
	}
}

static void access_memory(uint8_t choice, bool fresh)
{
	static const enum access_kind kinds[4] = { ACCESS_FETCH, ACCESS_LOAD, ACCESS_STORE,
						   ACCESS_STORE };
	const struct mmu_request request = { .space = &f.spaces[choice >> 5 & 1],
					     .va = va_of(f.va[choice & 7]),
					     .kind = kinds[choice >> 3 & 3],
					     .known_ipa = UINT64_MAX };
	const struct access access = { .va = request.va,
				       .kind = request.kind,
				       .el = (uint8_t)(request.va.v >> 55 & 1) };
	const uint32_t vcpu = choice >> 6 & 1;
	const uint32_t slot = mmu_access(&f.mmu, vcpu, &request);
	const struct tlb *l1 =
		mmu_l1(&f.mmu, vcpu, request.kind == ACCESS_FETCH ? MMU_FETCH : MMU_DATA);
	struct translation t;

	if (slot != TLB_NONE) {
		FUZZ_EXPECT(slot == tlb_find(l1, request.space->context, request.va));
		FUZZ_EXPECT(request.kind != ACCESS_STORE || !l1->leaf[slot].dirty_clear);
	}
	if (!fresh)
		return;
	mmu_walk(&f.regime, f.engine.mem, &access, NULL, &t);
	FUZZ_EXPECT((slot == TLB_NONE) == (t.fault.type != FAULT_NONE));
	if (slot != TLB_NONE)
		FUZZ_EXPECT((l1->leaf[slot].pa.v |
			     (request.va.v & low_mask(l1->leaf[slot].size_bits))) == t.pa.v);
}

static void invalidate(void)
{
	struct tlbi op = { .encoding = fuzz_u16(&f.in) & 0x3fff, .regime = &f.regime };

	op.vmid = fuzz_u8(&f.in) & 1 ? f.regime.vmid : fuzz_u16(&f.in);
	op.xt = fuzz_u64(&f.in);
	mmu_tlbi(&f.mmu, &op);
}

static void change_word(void)
{
	const struct words *w = &f.gen.words;
	const uint16_t index = fuzz_u16(&f.in);
	const uint64_t flip = fuzz_u64(&f.in);

	if (w->count) {
		const pa_t pa = pa_of(w->pa[index % w->count]);

		FUZZ_EXPECT(phys_write64(f.engine.mem, pa, phys_read64(f.engine.mem, pa) ^ flip));
	}
}

static void start_afresh(void)
{
	const struct tlbi all = { .encoding = ALLE1IS, .regime = &f.regime };

	FUZZ_EXPECT(mmu_tlbi(&f.mmu, &all));
	for (uint32_t i = 0; i < VCPUS; i++)
		FUZZ_EXPECT(f.mmu.vcpu[i].l1[0].used + f.mmu.vcpu[i].l1[1].used +
				    f.mmu.vcpu[i].l2->used ==
			    0);
	access_memory(fuzz_u8(&f.in), true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	f.in = (struct fuzz_input){ data, n };
	start();
	for (unsigned i = 0; i < OPERATIONS_MAX && f.in.n; i++) {
		const uint8_t what = fuzz_u8(&f.in);

		if (what < 128)
			access_memory(what, false);
		else if (what < 192)
			invalidate();
		else if (what < 248)
			change_word();
		else
			start_afresh();
		expect_sound();
	}
	mmu_fini(&f.mmu);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walker on arbitrary registers and memory: the bytes are a PE, its registers, accesses, and
 * the table words in the order in which walks first read them. Each access is compared with the
 * naive translator where that one has a say, then walked again through walk caches, cold and warm.
 */
#include <stdlib.h>
#include <string.h>

#include "mmu/walk_cache.h"
#include "tests/conform/engine.h"
#include "tests/conform/naive_parts.h"
#include "tests/fuzz/fuzz.h"

/* Documented at mmu_walk(), and as many again for each of a few lost updates. */
enum { READS_MAX = 8 * (5 * 6 + 5), ACCESSES_MAX = 6, SETTLE_TRIES = 4 };

struct role {
	bool met, mixed;
	int8_t stage;
};

static struct {
	struct fuzz_input in;
	struct words words;
	struct role role[WORDS_MAX];
	const struct naive_result *running;
	bool mixed;	    /* some word serves both stages */
	bool reserved_attr; /* a stage-2 descriptor has a reserved inner cacheability */
	struct naive_cpu cpu;
	struct naive_regs regs;
	bool el20, comparable;
	struct engine engine;
	struct walk_cache s1[2], s2; /* of both halves */
	unsigned reads, updates;
} f;

/* ---- memory -------------------------------------------------------------------------------- */

static uint64_t invent(void *ctx, uint64_t pa)
{
	struct role *role;

	(void)ctx;
	if (!words_known(&f.words, pa)) {
		const uint64_t word = fuzz_u64(&f.in);

		words_write(&f.words, pa, word);
		f.role[words_index(&f.words, pa)] = (struct role){ 0 };
		FUZZ_EXPECT(phys_write64(f.engine.mem, pa_of(pa), word));
	}
	role = &f.role[words_index(&f.words, pa)];
	f.mixed |= role->met && role->stage != f.running->reading;
	*role = (struct role){ .met = true, .stage = f.running->reading };
	if (f.running->reading == 2 && (words_read(&f.words, pa) & 0xc) == 0)
		f.reserved_attr = true;
	return words_read(&f.words, pa);
}

static bool same_memory(void)
{
	for (uint32_t i = 0; i < f.words.count; i++)
		if (phys_read64(f.engine.mem, pa_of(f.words.pa[i])) != f.words.value[i])
			return false;
	return true;
}

/* ---- the PE and its registers -------------------------------------------------------------- */

static uint64_t defined(uint64_t value, unsigned low, unsigned max)
{
	const uint64_t mask = UINT64_C(15) << low, field_value = value >> low & 15;

	return field_value <= max ? value : (value & ~mask) | field_value % (max + 1) << low;
}

/* ID registers with no reserved values, where two readings of them could differ. */
static void read_cpu(uint8_t options)
{
	const uint8_t pe = fuzz_u8(&f.in);

	if (pe < 0x80) {
		f.cpu = gen_cpu(&gen_pes[pe % GEN_PES]);
	} else {
		f.cpu.mmfr0 = fuzz_u64(&f.in);
		f.cpu.mmfr1 = defined(fuzz_u64(&f.in), 0, 2);
		f.cpu.mmfr2 = fuzz_u64(&f.in);
		f.cpu.mmfr0 = defined(f.cpu.mmfr0, 0, 6);
		f.cpu.mmfr0 = defined(f.cpu.mmfr0, 20, 2);
		f.cpu.mmfr0 = defined(f.cpu.mmfr0, 24, 0);
		f.cpu.mmfr0 = defined(f.cpu.mmfr0, 28, 1);
		f.cpu.mmfr0 = defined(f.cpu.mmfr0, 32, 3);
		f.cpu.mmfr0 = defined(f.cpu.mmfr0, 36, 2);
		f.cpu.mmfr0 = defined(f.cpu.mmfr0, 40, 3);
		f.cpu.pauth = pe & 1;
	}
	f.cpu.clamp_txsz = options & 2;
	f.cpu.contiguous_faults = options & 4;
	engine_cpu(&f.engine, &f.cpu);
	f.comparable = cpu_has_granule(&f.engine.cpu, 1, GRANULE_4K) &&
		       cpu_has_granule(&f.engine.cpu, 2, GRANULE_4K);
}

static void read_regs(bool pan)
{
	struct naive_regs *r = &f.regs;
	uint64_t *const all[] = { &r->sctlr_el1, &r->tcr_el1, &r->ttbr0_el1, &r->ttbr1_el1,
				  &r->mair_el1,	 &r->hcr_el2, &r->vtcr_el2,  &r->vttbr_el2,
				  &r->sctlr_el2, &r->tcr_el2, &r->ttbr0_el2, &r->ttbr1_el2,
				  &r->mair_el2 };
	const size_t n = sizeof(all) / sizeof(all[0]);
	uint64_t ee = UINT64_C(1) << 25;

	memset(r, 0, sizeof(*r));
	r->pan = pan && f.engine.cpu.pan;
	for (size_t i = 0; i < (f.el20 ? n : n - 5); i++)
		*all[i] = fuzz_u64(&f.in);
	/* E2H says which regime EL0 and EL2 use; the accesses below are of that one. */
	r->hcr_el2 &= ~(UINT64_C(1) << 34 | UINT64_C(1) << 27);
	if (f.el20)
		r->hcr_el2 |= UINT64_C(1) << 34 | UINT64_C(1) << 27;
	/* The naive translator reads little-endian tables only. */
	if ((r->sctlr_el1 | r->sctlr_el2) & ee)
		f.comparable = false;
	engine_regs(&f.engine, r, f.el20);
}

static void start(void)
{
	const uint8_t options = fuzz_u8(&f.in);

	if (!f.engine.mem)
		f.engine.mem = phys_create();
	FUZZ_EXPECT(f.engine.mem);
	phys_reset(f.engine.mem);
	words_clear(&f.words);
	f.words.abort_first = f.words.abort_end = 0;
	f.mixed = f.reserved_attr = false;
	f.el20 = options & 1;
	read_cpu(options);
	if (options & 8) {
		f.words.abort_first = UINT64_C(1) << 36;
		f.words.abort_end = UINT64_C(1) << 37;
		phys_add_abort_range(f.engine.mem, pa_of(f.words.abort_first),
				     pa_of(f.words.abort_end));
	}
	read_regs(options & 16);
}

/* ---- walks --------------------------------------------------------------------------------- */

static struct walk_cache *cache_of(int stage, uint64_t ia)
{
	return stage == 2 ? &f.s2 : &f.s1[ia >> 55 & 1];
}

static bool probe(void *ctx, int stage, uint64_t ia, struct walk_point *out)
{
	(void)ctx;
	return walk_cache_probe(cache_of(stage, ia), 0, ia, out);
}

static void learn(void *ctx, int stage, uint64_t ia, const struct walk_point *point)
{
	(void)ctx;
	if (stage == 2 || !point->leaf)
		walk_cache_learn(cache_of(stage, ia), 0, ia, point);
}

static void count_read(void *ctx, const struct walk_read *read)
{
	(void)ctx;
	f.reads++;
	f.updates += read->update;
	FUZZ_EXPECT(f.reads <= READS_MAX);
	FUZZ_EXPECT(read->pa.v >> 52 == 0 && read->level >= -1 && read->level <= 3);
}

enum caching { UNCACHED, CACHED };

/* Reads words that the naive translator never asked for as 0. Returns whether tables were written.
 */
static bool walk(const struct naive_access *a, enum caching caching, struct translation *t)
{
	const struct access access = engine_access(a);
	struct walk_hooks hooks = { .read = count_read };

	if (caching == CACHED) {
		hooks.probe = probe;
		hooks.learn = learn;
	}
	f.reads = f.updates = 0;
	mmu_walk(&f.engine.regime, f.engine.mem, &access, &hooks, t);
	return f.updates != 0;
}

static struct naive_access read_access(void)
{
	const uint8_t flags = fuzz_u8(&f.in);
	struct naive_access a = { .va = fuzz_u64(&f.in),
				  .kind = (enum naive_kind)((flags & 3) % 3),
				  .el = flags >> 2 & 1 };

	if (f.el20)
		a.el *= 2;
	else if (a.kind != NAIVE_FETCH) {
		a.at = flags & 8;
		a.stage1_only = a.at && flags & 16;
	}
	return a;
}

static void drop_caches(void)
{
	for (unsigned i = 0; i < 2; i++)
		walk_cache_invalidate(&f.s1[i], 0, 0, WALK_POINTS_ALL, 0, UINT64_MAX);
	walk_cache_invalidate(&f.s2, 0, 0, WALK_POINTS_ALL, 0, UINT64_MAX);
}

/* Reserved cacheability has no one answer (docs/translation.md). */
static bool excused(const char *difference)
{
	return f.reserved_attr && (strncmp(difference, "attributes", 10) == 0 ||
				   strncmp(difference, "shareability", 12) == 0);
}

static void compare(const struct naive_access *a)
{
	struct naive_memory memory = { &f.words, invent, words_write_cb, words_aborts_cb };
	char difference[ENGINE_DIFFERENCE_MAX] = "";
	struct naive_result n;
	struct translation t;
	bool updated;

	f.running = &n;
	naive_translate(&f.cpu, &f.regs, &memory, a, &n);
	updated = walk(a, UNCACHED, &t);
	/* A table of both stages at once changes under the walk; the naive one does not restart,
	 * and what one stage sets (AP[2]) takes a permission of the other away (S2AP[1]). */
	if (f.mixed && (updated || n.update)) {
		drop_caches();
		return;
	}
	if (!f.comparable)
		return;
	if (!engine_agrees(&n, &t, difference) && !excused(difference))
		fuzz_fail(__FILE__, __LINE__, difference);
	FUZZ_EXPECT(same_memory());
	FUZZ_EXPECT(n.fault != NAIVE_OK || updated || n.update || n.reads == f.reads);
}

static void expect_equal(const struct translation *a, const struct translation *b)
{
	FUZZ_EXPECT(a->fault.type == b->fault.type);
	if (a->fault.type != FAULT_NONE) {
		FUZZ_EXPECT(a->fault.stage == b->fault.stage && a->fault.level == b->fault.level);
		FUZZ_EXPECT(a->fault.s1ptw == b->fault.s1ptw && a->fault.ipa == b->fault.ipa);
		return;
	}
	FUZZ_EXPECT(a->pa.v == b->pa.v && a->ipa.v == b->ipa.v && a->perms == b->perms);
	FUZZ_EXPECT(a->s1_bits == b->s1_bits && a->s2_bits == b->s2_bits);
	FUZZ_EXPECT(a->attr == b->attr && a->sh == b->sh && a->global == b->global);
	FUZZ_EXPECT(a->dirty_clear == b->dirty_clear);
}

/* With tables at rest, what the walk caches hold changes no answer, and costs no read. */
static void walk_cached(const struct naive_access *a)
{
	struct translation plain, cached;
	unsigned tries = 0, reads;

	while (walk(a, UNCACHED, &plain)) {
		drop_caches();
		if (++tries == SETTLE_TRIES)
			return;
	}
	reads = f.reads;
	for (unsigned i = 0; i < 2; i++) {
		walk(a, CACHED, &cached);
		FUZZ_EXPECT(f.updates == 0 && f.reads <= reads);
		expect_equal(&plain, &cached);
	}
}

static void make_caches(uint8_t shape)
{
	static const uint8_t entries[4] = { 0, 1, 4, 12 }, ways[4] = { 0, 1, 2, 4 };
	const uint32_t n1 = entries[shape & 3], n2 = entries[shape >> 4 & 3];
	const uint32_t w1 = ways[shape >> 2 & 3], w2 = ways[shape >> 6 & 3];
	const struct regime *r = &f.engine.regime;
	bool ok = true;

	for (unsigned i = 0; i < 2; i++)
		ok = ok && walk_cache_init(&f.s1[i], n1, w1 > n1 ? n1 : w1, 1,
					   (enum granule)r->s1[i].granule_bits);
	ok = ok &&
	     walk_cache_init(&f.s2, n2, w2 > n2 ? n2 : w2, 1, (enum granule)r->s2.granule_bits);
	FUZZ_EXPECT(ok);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned accesses;
	uint8_t shape;

	f.in = (struct fuzz_input){ data, n };
	start();
	shape = fuzz_u8(&f.in);
	accesses = 1 + fuzz_u8(&f.in) % ACCESSES_MAX;
	make_caches(shape);
	for (unsigned i = 0; i < accesses && f.words.count < WORDS_MAX / 2; i++) {
		const struct naive_access a = read_access();

		compare(&a);
		walk_cached(&a);
		/* Whatever was left uncompared must not be held against the next access. */
		for (uint32_t w = 0; w < f.words.count; w++)
			f.words.value[w] = phys_read64(f.engine.mem, pa_of(f.words.pa[w]));
	}
	walk_cache_fini(&f.s1[0]);
	walk_cache_fini(&f.s1[1]);
	walk_cache_fini(&f.s2);
	return 0;
}

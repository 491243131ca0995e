/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walks as most are take a short way (walk_usual.c), the more of it the more alike they are. Each
 * access is made with it and, in a second world with the same tables, without: both come to the
 * same result, read the same descriptors in the same order, ask and tell the walk caches the same,
 * and leave the same tables behind. Leaves of all kinds of attributes, tables that come, go and
 * move, walk caches that know all, a part or what is out of date.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mmu/walk_hints.h"
#include "walk_world.h"

#define IPA_BASE UINT64_C(0x40000000)
#define PA_BASE	 UINT64_C(0xab0000000)

enum { STEPS = 4000, ROUNDS = 8, POINTS = 64, PAGES = 64, READS = 64 };

/* What both walks are given and what came of one of them. */
struct side {
	struct world w;
	struct regime regime;
	struct walk_hints hints;
	struct translation result;
	struct latency_query read[READS];
	uint32_t reads, stage2_probes, learnt;
	struct walk_point point[8];
	bool short_way;
};

struct known {
	bool valid;
	struct walk_point point;
};

static struct side side[2];	      /* the long way, the short way */
static struct known known[2][POINTS]; /* by level 2 and 3, and by low bits of the prefix */
static unsigned hide;		      /* of 8 probes, so many find nothing */
static struct {
	pa_t pa;
	uint64_t bits;
} spoilt;
static uint64_t draw;
static unsigned shorts, completed, faulted[3];

static uint64_t next(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *x >> 33;
}

static bool probe(void *ctx, int stage, uint64_t ia, struct walk_point *out)
{
	struct side *s = ctx;

	if (stage == 2) {
		s->stage2_probes++;
		return false;
	}
	/* The same for both sides. */
	for (int level = 3; level >= 2; level--) {
		const struct known *k =
			&known[level - 2][ia >> level_shift(GRANULE_4K, level - 1) & (POINTS - 1)];

		if (k->valid && (draw >> 3 * (unsigned)level) % 8 >= hide) {
			*out = k->point;
			return true;
		}
	}
	return false;
}

static void learn(void *ctx, int stage, uint64_t ia, const struct walk_point *point)
{
	struct side *s = ctx;

	(void)ia;
	assert_int_equal(stage, 1);
	s->point[s->learnt++ % 8] = *point;
}

static void read_long(void *ctx, const struct walk_read *read)
{
	struct side *s = ctx;

	s->read[s->reads++ % READS] = (struct latency_query){
		.pa = read->pa,
		.cacheable = read->cacheable,
		.row = (uint8_t)walk_row(read->stage, read->level),
		.final = read->stage == 2 && read->for_level == WALK_FOR_FINAL,
	};
}

static void walk_side(struct side *s, const struct access *access, bool with_log)
{
	struct walk_log log = { 0 };
	const struct walk_hooks hooks = {
		.ctx = s,
		.log = with_log ? &log : NULL,
		.hints = with_log ? &s->hints : NULL,
		.unwanted = { { .leaves = 0xff }, { .tables = 0xff, .leaves = 0xff } },
		.unserved = draw >> 20 & 7 ? 0 : 1 << WALK_FOR_ACCESS,
		.idle_stage2 = with_log,
		.probe = probe,
		.learn = learn,
		.read = read_long,
	};

	s->reads = s->stage2_probes = s->learnt = 0;
	mmu_walk(&s->regime, s->w.mem, access, &hooks, &s->result);
	if (!with_log)
		return;
	memcpy(s->read, log.query, sizeof(s->read));
	s->reads = log.reads;
	s->stage2_probes += log.unasked;
	s->short_way = log.unasked > 0;
}

static void compare(void)
{
	const struct side *a = &side[0], *b = &side[1];

	assert_int_equal(a->result.fault.type, b->result.fault.type);
	assert_int_equal(a->reads, b->reads);
	assert_int_equal(a->stage2_probes, b->stage2_probes);
	assert_int_equal(a->learnt, b->learnt);
	for (uint32_t i = 0; i < a->reads; i++) {
		assert_int_equal(a->read[i].pa.v, b->read[i].pa.v);
		assert_int_equal(a->read[i].cacheable, b->read[i].cacheable);
		assert_int_equal(a->read[i].row, b->read[i].row);
		assert_int_equal(a->read[i].final, b->read[i].final);
	}
	for (uint32_t i = 0; i < a->learnt; i++) {
		assert_int_equal(a->point[i].level, b->point[i].level);
		assert_int_equal(a->point[i].table, b->point[i].table);
		assert_int_equal(a->point[i].table_pa.v, b->point[i].table_pa.v);
		assert_int_equal(a->point[i].hierarchy, b->point[i].hierarchy);
		assert_int_equal(a->point[i].table_s2_bits, b->point[i].table_s2_bits);
		assert_int_equal(a->point[i].table_attr, b->point[i].table_attr);
	}
	if (a->result.fault.type != FAULT_NONE) {
		assert_int_equal(a->result.fault.stage, b->result.fault.stage);
		assert_int_equal(a->result.fault.level, b->result.fault.level);
		assert_int_equal(a->result.fault.s1ptw, b->result.fault.s1ptw);
		assert_int_equal(a->result.fault.ipa, b->result.fault.ipa);
		return;
	}
	assert_int_equal(a->result.pa.v, b->result.pa.v);
	assert_int_equal(a->result.ipa.v, b->result.ipa.v);
	assert_int_equal(a->result.s1_bits, b->result.s1_bits);
	assert_int_equal(a->result.s2_bits, b->result.s2_bits);
	assert_int_equal(a->result.s1_span_bits, b->result.s1_span_bits);
	assert_int_equal(a->result.s2_span_bits, b->result.s2_span_bits);
	assert_int_equal(a->result.global, b->result.global);
	assert_int_equal(a->result.dirty_clear, b->result.dirty_clear);
	assert_int_equal(a->result.perms, b->result.perms);
	assert_int_equal(a->result.attr, b->result.attr);
	assert_int_equal(a->result.sh, b->result.sh);
}

/* What the walk has told the walk caches they know from now on. */
static void keep(uint64_t va)
{
	for (uint32_t i = 0; i < side[0].learnt && i < 8; i++) {
		const struct walk_point *point = &side[0].point[i];

		if (point->level >= 2)
			known[point->level - 2][va >> level_shift(GRANULE_4K, point->level - 1) &
						(POINTS - 1)] = (struct known){ true, *point };
	}
}

static void walk_both(uint64_t va, uint64_t *x)
{
	const uint64_t kinds = next(x);
	const struct access access = { .va = va_of(va | (kinds & 0xff8)),
				       .kind = kinds >> 12 & 7	 ? ACCESS_LOAD
					       : kinds >> 15 & 1 ? ACCESS_STORE
								 : ACCESS_FETCH,
				       .el = (kinds >> 16 & 7) == 0,
				       .speculative = (kinds >> 19 & 31) == 0,
				       .size_log2 = (kinds >> 24 & 31) == 0 ? 4 : 0 };

	draw = next(x);
	walk_side(&side[0], &access, false);
	walk_side(&side[1], &access, true);
	compare();
	shorts += side[1].short_way;
	completed += side[0].result.fault.type == FAULT_NONE;
	if (side[0].result.fault.type == FAULT_TRANSLATION && side[1].short_way)
		faulted[side[0].result.fault.stage]++;
	keep(va);
}

/* Bits that leaves differ in. Mostly none. */
static uint64_t odd_bits(const uint64_t *bits, unsigned n, uint64_t *x)
{
	return next(x) % 8 ? 0 : bits[next(x) % n];
}

static void map(uint64_t va, uint64_t *x)
{
	static const uint64_t odd1[] = { S1_AP_RO,	   S1_AP_EL0,	    S1_NG, S1_PXN, S1_UXN,
					 DESC_AF,	   DESC_CONTIGUOUS, 4,	   8,	   DESC_DBM,
					 UINT64_C(1) << 47 };
	static const uint64_t odd2[] = {
		S2_AP_R, S2_AP_W,	    DESC_AF,	      DESC_CONTIGUOUS,	0x14,
		0x3c,	 UINT64_C(1) << 54, UINT64_C(1) << 8, UINT64_C(1) << 47
	};
	const uint64_t ipa =
		IPA_BASE + (next(x) % 4 << 30) + (next(x) % 8 << 21) + (va & low_mask(21));
	const uint64_t bits1 = 8 ^ odd_bits(odd1, sizeof(odd1) / sizeof(odd1[0]), x);
	const uint64_t bits2 = odd_bits(odd2, sizeof(odd2) / sizeof(odd2[0]), x);
	const int level = next(x) % 64 ? 3 : 2;
	const bool lacks_stage2 = next(x) % 8 == 0;

	for (unsigned i = 0; i < 2; i++) {
		world_map1(&side[i].w, va, level, level == 2 ? ipa & ~low_mask(21) : ipa,
			   WORLD_S1_RW ^ bits1);
		if (!lacks_stage2)
			world_map2(&side[i].w, ipa, 3, PA_BASE + (ipa & low_mask(33)),
				   WORLD_S2_RW ^ bits2);
	}
}

static void flip(pa_t pa, uint64_t bits)
{
	for (unsigned i = 0; i < 2; i++)
		phys_write64(side[i].w.mem, pa, phys_read64(side[i].w.mem, pa) ^ bits);
}

/* One of the descriptors that the walk before has read is another now, until the next time. */
static void spoil(uint64_t *x)
{
	static const uint64_t change[] = {
		1, 2, 1024, 4096, UINT64_C(1) << 13, 64, 128, UINT64_C(1) << 61, UINT64_C(1) << 47
	};
	const uint32_t reads = side[0].reads;

	flip(spoilt.pa, spoilt.bits);
	spoilt.bits = 0;
	if (!reads || next(x) % 2)
		return;
	spoilt.pa = side[0].read[next(x) % reads].pa;
	if (next(x) % 64 == 0) {
		phys_free_page(side[0].w.mem, spoilt.pa);
		phys_free_page(side[1].w.mem, spoilt.pa);
		return;
	}
	spoilt.bits = change[next(x) % (sizeof(change) / sizeof(change[0]))];
	flip(spoilt.pa, spoilt.bits);
}

/* As after clearing the access flag of all memory: the next walks set it, or fault. */
static void age_tables(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct world *w = &side[i].w;

		for (uint64_t at = UINT64_C(0x30000000); at < w->next_table; at += 0x10000)
			world_map2(w, at, 3, at, WORLD_S2_RW ^ DESC_AF);
	}
}

static void decode(void)
{
	for (unsigned i = 0; i < 2; i++)
		regime_init(&side[i].regime, &side[i].w.cpu, &side[i].w.regs, side[i].w.kind);
}

/* Registers that decide what leaves mean. */
static void change_registers(uint64_t *x)
{
	const uint64_t bits = next(x);

	for (unsigned i = 0; i < 2; i++) {
		struct mmu_regs *regs = &side[i].w.regs;

		regs->sctlr_el1 ^= (bits & 1) << 19;			 /* WXN */
		regs->mair_el1 ^= (uint64_t)(bits >> 1 & 1) << 20;	 /* index 2 */
		regs->hcr_el2 ^= (uint64_t)(bits >> 2 & 1) << 2;	 /* PTW */
		regs->tcr_el1 ^= (uint64_t)(bits >> 3 & 1) << 39;	 /* HA */
		regs->tcr_el1 ^= (uint64_t)((bits >> 4 & 7) == 0) << 37; /* TBI0 */
		regs->tcr_el1 ^= (uint64_t)((bits >> 7 & 7) == 0) << 40; /* HD */
		regs->vtcr_el2 ^= (uint64_t)(bits >> 10 & 1) << 21;	 /* HA */
	}
	decode();
}

static void start(unsigned ipa_bits, int start_level)
{
	memset(known, 0, sizeof(known));
	memset(&spoilt, 0, sizeof(spoilt));
	for (unsigned i = 0; i < 2; i++) {
		memset(&side[i], 0, sizeof(side[i]));
		world_init(&side[i].w);
		world_stage1(&side[i].w, GRANULE_4K, 48);
		world_stage2(&side[i].w, GRANULE_4K, ipa_bits, start_level);
	}
	decode();
}

static void run_round(unsigned ipa_bits, int start_level, unsigned calm, uint64_t x)
{
	uint64_t pages[PAGES] = { 0 };

	start(ipa_bits, start_level);
	for (unsigned step = 0; step < STEPS; step++) {
		const uint64_t action = next(&x) % (calm * 64);
		uint64_t *page = &pages[next(&x) % PAGES];

		if (action < 32) {
			*page = next(&x) & (low_mask(24) | UINT64_C(3) << 30) & ~low_mask(12);
			if (action < 28)
				map(*page, &x);
		} else if (action < 36) {
			spoil(&x);
		} else if (action == 36) {
			change_registers(&x);
		} else if (action == 37) {
			memset(known, 0, sizeof(known));
			hide = (unsigned)(next(&x) % 8);
		}
		if (action == 38 && side[0].regime.s2.hw_af)
			age_tables();
		walk_both(*page, &x);
	}
	world_free(&side[0].w);
	world_free(&side[1].w);
}

static void run(unsigned ipa_bits, int start_level, unsigned calm)
{
	const unsigned steps = STEPS * ROUNDS;

	shorts = completed = faulted[1] = faulted[2] = 0;
	for (unsigned round = 0; round < ROUNDS; round++)
		run_round(ipa_bits, start_level, calm, round);
	assert_true(shorts > steps / 20 && completed > steps / 10);
	assert_true(faulted[1] > steps / 1000 && faulted[2] > steps / 1000);
}

static void test_short_way(void **state)
{
	(void)state;
	for (unsigned calm = 2; calm <= 32; calm *= 4) {
		run(40, 1, calm);
		run(34, 2, calm);
		run(44, 0, calm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_short_way) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

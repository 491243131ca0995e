/* SPDX-License-Identifier: BSD-2-Clause */
/* Walk caches against a naive model: each set a list of points, youngest first. */
#include "unit.h"

#include "mmu/walk_cache.h"

enum { MAX_SETS = 32, MAX_WAYS = 64 };

struct entry {
	uint32_t context;
	uint64_t first; /* IA */
	unsigned bits;	/* log2 of what it covers */
	struct walk_point point;
};

struct model {
	unsigned sets, ways;
	enum granule granule;
	unsigned used[MAX_SETS];
	struct entry entry[MAX_SETS][MAX_WAYS];
};

/* What one entry of a table at `level` maps; a table point speaks for one entry a level above. */
static unsigned covered_bits(enum granule g, const struct walk_point *p)
{
	const int above = 3 - p->level + (p->leaf ? 0 : 1);

	return (unsigned)g + (unsigned)above * ((unsigned)g - 3);
}

static bool covers(const struct entry *e, uint32_t context, uint64_t ia)
{
	return e->context == context && ia >> e->bits == e->first >> e->bits;
}

static void make_youngest(struct model *m, unsigned set, unsigned at, struct entry e)
{
	memmove(&m->entry[set][1], &m->entry[set][0], at * sizeof(e));
	m->entry[set][0] = e;
}

/* A leaf before any table, then the table that covers least. */
static bool model_probe(struct model *m, uint32_t context, uint64_t ia, struct walk_point *out)
{
	const struct entry *best = NULL;
	unsigned set, at;

	for (set = 0; set < m->sets; set++)
		for (unsigned i = 0; i < m->used[set]; i++) {
			const struct entry *e = &m->entry[set][i];

			if (!covers(e, context, ia))
				continue;
			if (!best || (e->point.leaf && !best->point.leaf) ||
			    (e->point.leaf == best->point.leaf && e->bits < best->bits))
				best = e;
		}
	if (!best)
		return false;
	*out = best->point;
	set = (unsigned)(best - &m->entry[0][0]) / MAX_WAYS;
	at = (unsigned)(best - &m->entry[0][0]) % MAX_WAYS;
	make_youngest(m, set, at, *best);
	return true;
}

static void model_learn(struct model *m, uint32_t context, uint64_t ia,
			const struct walk_point *point)
{
	const struct entry e = { context, ia, covered_bits(m->granule, point), *point };
	const unsigned set = (unsigned)((ia >> e.bits) % m->sets);
	unsigned at = 0;

	while (at < m->used[set] &&
	       !(covers(&m->entry[set][at], context, ia) && m->entry[set][at].bits == e.bits &&
		 m->entry[set][at].point.leaf == point->leaf))
		at++;
	if (at == m->used[set] && at == m->ways)
		at--;
	else if (at == m->used[set])
		m->used[set]++;
	make_youngest(m, set, at, e);
}

static void model_invalidate(struct model *m, uint32_t context, uint32_t mask,
			     enum walk_points points, uint64_t first, uint64_t last)
{
	for (unsigned set = 0; set < m->sets; set++) {
		unsigned kept = 0;

		for (unsigned i = 0; i < m->used[set]; i++) {
			const struct entry e = m->entry[set][i];
			const uint64_t begin = e.first & ~low_mask(e.bits);
			const bool hit = (e.context & mask) == (context & mask) && begin <= last &&
					 (begin | low_mask(e.bits)) >= first &&
					 (e.point.leaf || points == WALK_POINTS_ALL);

			if (!hit)
				m->entry[set][kept++] = e;
		}
		m->used[set] = kept;
	}
}

static uint64_t random_ia(struct rng *rng)
{
	const uint64_t low = (uint64_t)pick(rng, 3) << 40 | (uint64_t)pick(rng, 4) << 30 |
			     (uint64_t)pick(rng, 6) << 21 | (uint64_t)pick(rng, 10) << 12 | 8;

	return chance(rng, 1, 3) ? low | UINT64_C(0xffff000000000000) : low;
}

static uint32_t random_context(struct rng *rng)
{
	return (1 + pick(rng, 2)) << 16 | pick(rng, 2) * 65535;
}

static struct walk_point random_point(struct rng *rng, enum granule g)
{
	struct walk_point p = { .leaf = chance(rng, 1, 2), .hierarchy = (uint8_t)pick(rng, 16) };

	/* Leaves from level 1, tables from the second level on. */
	p.level = (int8_t)(p.leaf || g == GRANULE_64K ? 1 + pick(rng, 3) : pick(rng, 4));
	if (!p.leaf && g == GRANULE_64K && p.level == 1)
		p.level = 2;
	p.desc = p.leaf ? rng_next(rng) : 0;
	p.table = p.leaf ? 0 : rng_next(rng);
	p.table_pa = pa_of(p.leaf ? 0 : rng_next(rng));
	return p;
}

static void check_same(const struct walk_point *a, const struct walk_point *b)
{
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->leaf, b->leaf);
	assert_int_equal(a->desc, b->desc);
	assert_int_equal(a->table, b->table);
	assert_int_equal(a->table_pa.v, b->table_pa.v);
	assert_int_equal(a->hierarchy, b->hierarchy);
}

static void run_sequence(unsigned entries, unsigned ways, enum granule granule)
{
	struct model *m = calloc(1, sizeof(*m));
	struct rng rng = rng_seed(entries * 100 + ways);
	struct walk_cache cache;

	assert_non_null(m);
	m->ways = ways ? ways : entries;
	m->sets = entries / m->ways;
	m->granule = granule;
	assert_true(walk_cache_init(&cache, entries, ways, 3, granule));
	for (unsigned step = 0; step < 30000; step++) {
		const uint64_t ia = random_ia(&rng);
		const uint32_t context = random_context(&rng);

		if (chance(&rng, 1, 200)) {
			const uint32_t mask = chance(&rng, 1, 2) ? UINT32_MAX : 0xffff0000;
			const uint64_t last = ia | low_mask(12 + pick(&rng, 20));
			const enum walk_points points =
				chance(&rng, 1, 2) ? WALK_POINTS_ALL : WALK_POINTS_LEAVES;

			walk_cache_invalidate(&cache, context, mask, points, ia, last);
			model_invalidate(m, context, mask, points, ia, last);
		} else if (chance(&rng, 1, 3)) {
			const struct walk_point p = random_point(&rng, granule);

			walk_cache_learn(&cache, context, ia, &p);
			model_learn(m, context, ia, &p);
		} else {
			struct walk_point got, want = { 0 };
			const bool hit = walk_cache_probe(&cache, context, ia, &got);

			assert_int_equal(hit, model_probe(m, context, ia, &want));
			if (hit)
				check_same(&got, &want);
		}
	}
	walk_cache_fini(&cache);
	free(m);
}

static void against_lists(void **state)
{
	(void)state;
	run_sequence(64, 4, GRANULE_4K);
	run_sequence(64, 0, GRANULE_4K);
	run_sequence(12, 4, GRANULE_16K); /* three sets */
	run_sequence(16, 1, GRANULE_4K);
	run_sequence(1, 1, GRANULE_4K);
	run_sequence(20, 0, GRANULE_64K);
}

/* ---- structures that are shared ------------------------------------------------------------- */

enum kind { VA_TO_PA, S1_TABLE, S2_TABLE, S2_LEAF, KINDS };

/* One list a set for all that lies in it, youngest first. */
struct shared {
	unsigned sets, ways, used[MAX_SETS];
	struct {
		enum kind kind;
		struct entry e;
	} entry[MAX_SETS][MAX_WAYS];
};

static bool shared_find(const struct shared *m, enum kind kind, uint32_t context, uint64_t ia,
			unsigned bits, unsigned *set, unsigned *at)
{
	*set = (unsigned)((ia >> bits) % m->sets);
	for (*at = 0; *at < m->used[*set]; ++*at)
		if (m->entry[*set][*at].kind == kind && m->entry[*set][*at].e.bits == bits &&
		    covers(&m->entry[*set][*at].e, context, ia))
			return true;
	return false;
}

static void shared_use(struct shared *m, enum kind kind, uint32_t context, uint64_t ia,
		       unsigned bits, const struct walk_point *point)
{
	unsigned set, at;

	if (!shared_find(m, kind, context, ia, bits, &set, &at)) {
		if (m->used[set] < m->ways)
			m->used[set]++;
		else
			at--;
	}
	memmove(&m->entry[set][1], &m->entry[set][0], at * sizeof(m->entry[0][0]));
	m->entry[set][0].kind = kind;
	m->entry[set][0].e = (struct entry){ context, ia, bits, *point };
}

static bool shared_probe(struct shared *m, enum kind kind, uint32_t context, uint64_t ia,
			 struct walk_point *out)
{
	for (unsigned bits = 12; bits < 52; bits++) {
		unsigned set, at;

		if (!shared_find(m, kind, context, ia, bits, &set, &at))
			continue;
		*out = m->entry[set][at].e.point;
		shared_use(m, kind, context, ia, bits, out);
		return true;
	}
	return false;
}

static void shared_remove(struct shared *m, unsigned stage, uint32_t context, uint32_t mask,
			  uint64_t first, uint64_t last)
{
	for (unsigned set = 0; set < m->sets; set++)
		for (unsigned i = m->used[set]; i-- > 0;) {
			const struct entry *e = &m->entry[set][i].e;
			const unsigned of = m->entry[set][i].kind == VA_TO_PA	? 0
					    : m->entry[set][i].kind == S1_TABLE ? 1
										: 2;
			const uint64_t begin = e->first & ~low_mask(e->bits);

			if (of != stage || ((e->context ^ context) & mask) || begin > last ||
			    (begin | low_mask(e->bits)) < first)
				continue;
			memmove(&m->entry[set][i], &m->entry[set][i + 1],
				(--m->used[set] - i) * sizeof(m->entry[0][0]));
		}
}

/* Walk caches in one place, a TLB or (tlb = NULL) the slots of the first. */
static void run_shared(struct shared *m, struct tlb *tlb, struct walk_cache cache[2],
		       struct rng *rng)
{
	for (unsigned step = 0; step < 30000; step++) {
		const unsigned stage = 1 + pick(rng, 2);
		const uint32_t context =
			stage == 2 ? (1 + pick(rng, 2)) << 16 : random_context(rng);
		const struct tlb_context tlb_context = { .vmid = (uint16_t)(context >> 16),
							 .asid = (uint16_t)context };
		const uint64_t ia = random_ia(rng);
		struct walk_point got = { 0 }, want = { 0 }, p = random_point(rng, GRANULE_4K);

		if (tlb && chance(rng, 1, 3)) {
			const struct tlb_leaf leaf = { .size_bits = 12, .leaf_bits = 12 };
			const uint32_t slot = tlb_find(tlb, tlb_context, va_of(ia));
			unsigned set, at;

			assert_int_equal(slot != TLB_NONE,
					 shared_find(m, VA_TO_PA, context, ia, 12, &set, &at));
			if (slot != TLB_NONE)
				tlb_touch(tlb, slot);
			else
				tlb_fill(tlb, tlb_context, va_of(ia), &leaf);
			shared_use(m, VA_TO_PA, context, ia, 12, &want);
		} else if (chance(rng, 1, 300)) {
			const uint64_t last = ia | low_mask(12 + pick(rng, 20));
			const uint32_t mask = chance(rng, 1, 2) ? UINT32_MAX : 0xffff0000;

			walk_cache_invalidate(&cache[stage - 1], context, mask, WALK_POINTS_ALL, ia,
					      last);
			shared_remove(m, stage, context, mask, ia, last);
		} else if (tlb && chance(rng, 1, 300)) {
			const struct tlb_match all = { .scope = TLB_SCOPE_ALL };

			tlb_invalidate(tlb, &all);
			shared_remove(m, 0, 0, 0, 0, UINT64_MAX);
		} else if (chance(rng, 1, 3)) {
			const unsigned bits = covered_bits(GRANULE_4K, &p);

			if (stage == 1 && p.leaf)
				continue;
			walk_cache_learn(&cache[stage - 1], context, ia, &p);
			shared_use(m,
				   p.leaf	? S2_LEAF
				   : stage == 2 ? S2_TABLE
						: S1_TABLE,
				   context, ia, bits, &p);
		} else {
			const bool hit = walk_cache_probe(&cache[stage - 1], context, ia, &got);

			assert_int_equal(
				hit,
				stage == 1 ? shared_probe(m, S1_TABLE, context, ia, &want)
					   : shared_probe(m, S2_LEAF, context, ia, &want) ||
						     shared_probe(m, S2_TABLE, context, ia, &want));
			if (hit)
				check_same(&got, &want);
		}
	}
}

/* Entries of both stages and of VA to PA compete for the ways of a TLB, and are told apart. */
static void in_a_tlb(void **state)
{
	static const unsigned shapes[][2] = { { 16, 5 }, { 1, 8 }, { 1, 40 }, { 3, 4 } };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct tlb_shape shape = { .sets = shapes[i][0],
						 .ways = shapes[i][1],
						 .page_sizes = UINT64_C(1) << 12,
						 .repl = repl_find("lru") };
		struct shared *m = calloc(1, sizeof(*m));
		struct rng rng = rng_seed(i);
		struct walk_cache cache[2];
		struct tlb tlb;

		assert_non_null(m);
		m->sets = shape.sets;
		m->ways = shape.ways;
		assert_true(tlb_init(&tlb, &shape));
		assert_true(walk_cache_init_in_tlb(&cache[0], &tlb, 1, 1, GRANULE_4K));
		assert_true(walk_cache_init_in_tlb(&cache[1], &tlb, 2, 1, GRANULE_4K));
		run_shared(m, &tlb, cache, &rng);
		walk_cache_fini(&cache[0]);
		walk_cache_fini(&cache[1]);
		tlb_fini(&tlb);
		free(m);
	}
}

static void in_one_structure(void **state)
{
	struct shared *m = calloc(1, sizeof(*m));
	struct rng rng = rng_seed(9);
	struct walk_cache cache[2];

	(void)state;
	assert_non_null(m);
	m->sets = 6;
	m->ways = 4;
	assert_true(walk_cache_init(&cache[0], 24, 4, 1, GRANULE_4K));
	walk_cache_init_joined(&cache[1], &cache[0], 1, GRANULE_4K);
	run_shared(m, NULL, cache, &rng);
	walk_cache_fini(&cache[1]);
	walk_cache_fini(&cache[0]);
	free(m);
}

#define SIZE(bits) (UINT64_C(1) << (bits))
#define IPA	   UINT64_C(0x1234567000)

/* Neoverse N1: no pages, 2M and 1G as they are. 512G only by the 1G that was asked for. */
static void sizes_of_leaves(void **state)
{
	struct walk_point p = { .leaf = true, .level = 3 }, out;
	struct walk_cache cache;

	(void)state;
	assert_true(walk_cache_init(&cache, 16, 0, 1, GRANULE_4K));
	cache.limits.no_sizes = ~(SIZE(21) | SIZE(30));
	walk_cache_learn(&cache, 1 << 16, IPA, &p);
	assert_false(walk_cache_probe(&cache, 1 << 16, IPA, &out));
	p.level = 2;
	walk_cache_learn(&cache, 1 << 16, IPA, &p);
	assert_true(walk_cache_probe(&cache, 1 << 16, IPA ^ SIZE(20), &out));
	assert_false(walk_cache_probe(&cache, 1 << 16, IPA ^ SIZE(21), &out));
	p.level = 0;
	p.desc = 77;
	walk_cache_learn(&cache, 2 << 16, IPA, &p);
	assert_true(walk_cache_probe(&cache, 2 << 16, IPA ^ SIZE(29), &out));
	assert_int_equal(out.desc, 77);
	assert_false(walk_cache_probe(&cache, 2 << 16, IPA ^ SIZE(30), &out));
	/* By any address of the 512G leaf. */
	walk_cache_invalidate(&cache, 2 << 16, UINT32_MAX, WALK_POINTS_LEAVES, IPA ^ SIZE(38),
			      IPA ^ SIZE(38));
	assert_false(walk_cache_probe(&cache, 2 << 16, IPA, &out));
	assert_true(walk_cache_probe(&cache, 1 << 16, IPA, &out));
	walk_cache_fini(&cache);
}

/* Cortex-A53: pointers to last-level tables alone. */
static void levels_of_tables(void **state)
{
	struct walk_point p = { .level = 2, .table = 0x1000 }, out;
	struct walk_cache cache;

	(void)state;
	assert_true(walk_cache_init(&cache, 16, 0, 1, GRANULE_4K));
	cache.limits.no_levels = 0xf; /* -1 to 2 */
	walk_cache_learn(&cache, 1, IPA, &p);
	assert_false(walk_cache_probe(&cache, 1, IPA, &out));
	p.level = 3;
	walk_cache_learn(&cache, 1, IPA, &p);
	assert_true(walk_cache_probe(&cache, 1, IPA, &out));
	walk_cache_fini(&cache);
}

static const uint64_t some_ia = UINT64_C(0x7f1234567000);

static void deepest_first(void **state)
{
	struct walk_point p = { .level = 1, .table = 0x1000 }, out;
	struct walk_cache cache;

	(void)state;
	assert_true(walk_cache_init(&cache, 16, 0, 1, GRANULE_4K));
	for (p.level = 1; p.level <= 3; p.level++)
		walk_cache_learn(&cache, 7, some_ia, &p);
	assert_true(walk_cache_probe(&cache, 7, some_ia ^ 0x1000, &out));
	assert_int_equal(out.level, 3);
	assert_true(walk_cache_probe(&cache, 7, some_ia ^ 1 << 21, &out));
	assert_int_equal(out.level, 2);
	assert_true(walk_cache_probe(&cache, 7, some_ia ^ 1 << 30, &out));
	assert_int_equal(out.level, 1);
	assert_false(walk_cache_probe(&cache, 7, some_ia ^ UINT64_C(1) << 39, &out));
	assert_false(walk_cache_probe(&cache, 8, some_ia, &out));

	/* A leaf answers before the tables do, even one above them. */
	p = (struct walk_point){ .level = 2, .leaf = true, .desc = 5 };
	walk_cache_learn(&cache, 7, some_ia, &p);
	assert_true(walk_cache_probe(&cache, 7, some_ia, &out));
	assert_true(out.leaf);
	assert_int_equal(out.desc, 5);
	walk_cache_fini(&cache);
}

/* A table at level 1 below a root at level 0, and at level 0 below one at level -1: 52 bits. */
static void widest_addresses(void **state)
{
	const struct walk_point p = { .level = 0, .table = 0x2000 };
	struct walk_cache cache;
	struct walk_point out;

	(void)state;
	assert_true(walk_cache_init(&cache, 16, 4, 1, GRANULE_4K));
	walk_cache_learn(&cache, 7, UINT64_MAX, &p);
	assert_true(walk_cache_probe(&cache, 7, UINT64_C(0xffff) << 48, &out));
	assert_int_equal(out.table, 0x2000);
	assert_false(walk_cache_probe(&cache, 7, UINT64_C(0xfffe) << 48, &out));
	walk_cache_invalidate(&cache, 7, UINT32_MAX, WALK_POINTS_ALL, UINT64_MAX, UINT64_MAX);
	assert_false(walk_cache_probe(&cache, 7, UINT64_C(0xffff) << 48, &out));
	walk_cache_fini(&cache);
}

static void no_cache(void **state)
{
	const struct walk_point p = { .level = 2, .table = 0x1000 };
	struct walk_cache cache;
	struct walk_point out;

	(void)state;
	assert_true(walk_cache_init(&cache, 0, 4, 1, GRANULE_4K));
	walk_cache_learn(&cache, 7, some_ia, &p);
	assert_false(walk_cache_probe(&cache, 7, some_ia, &out));
	walk_cache_invalidate(&cache, 7, 0, WALK_POINTS_ALL, 0, UINT64_MAX);
	walk_cache_fini(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_lists),    cmocka_unit_test(in_a_tlb),
		cmocka_unit_test(in_one_structure), cmocka_unit_test(sizes_of_leaves),
		cmocka_unit_test(levels_of_tables), cmocka_unit_test(deepest_first),
		cmocka_unit_test(widest_addresses), cmocka_unit_test(no_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

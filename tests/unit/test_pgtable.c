/* SPDX-License-Identifier: BSD-2-Clause */
/* The table builder against a flat list of leaves, for all granules, forms and start levels. */
#include "unit.h"

#include "mem/pgtable.h"

enum { MAX_LEAVES = 4096 };

/* ---- tables: bump-allocated above the root, at output addresses other than the physical ones  */

#define OFFSET UINT64_C(0x4000000000) /* physical = output address + OFFSET */

struct pool {
	uint64_t next;
	unsigned granule_bits, given;
	int64_t left; /* tables until alloc fails; negative: for ever */
};

static bool pool_alloc(void *ctx, uint64_t *address)
{
	struct pool *pool = ctx;

	if (pool->left == 0)
		return false;
	pool->left -= pool->left > 0;
	*address = pool->next;
	pool->next += UINT64_C(1) << pool->granule_bits;
	pool->given++;
	return true;
}

static pa_t pool_locate(void *ctx, uint64_t address)
{
	(void)ctx;
	return pa_of(address + OFFSET);
}

static const struct pgtable_ops pool_ops = { pool_alloc, pool_locate };

/* ---- the flat model ------------------------------------------------------------------------- */

struct leaf {
	uint64_t ia, oa, attributes;
	int level;
};

struct model {
	size_t n, n_ever;
	struct leaf leaf[MAX_LEAVES];
	struct leaf ever[MAX_LEAVES]; /* cleared ones, too */
};

struct fixture {
	struct phys_mem *mem;
	struct pool pool;
	struct pgtable table;
	struct model model;
	enum granule g;
	bool ds;
	unsigned ia_bits, pa_bits;
	int start_level;
};

static uint64_t leaf_mask(const struct fixture *f, int level)
{
	return low_mask(level_shift(f->g, level));
}

static struct leaf *model_find(struct fixture *f, uint64_t ia)
{
	for (size_t i = 0; i < f->model.n; i++) {
		struct leaf *leaf = &f->model.leaf[i];

		if ((ia & ~leaf_mask(f, leaf->level)) == leaf->ia)
			return leaf;
	}
	return NULL;
}

/* Was a leaf ever mapped below the place of one of `level` at ia? Its table stays when it goes. */
static bool table_inside(const struct fixture *f, uint64_t ia, int level)
{
	for (size_t i = 0; i < f->model.n_ever; i++)
		if (f->model.ever[i].level > level &&
		    (f->model.ever[i].ia & ~leaf_mask(f, level)) == (ia & ~leaf_mask(f, level)))
			return true;
	return false;
}

/* ---- random maps ---------------------------------------------------------------------------- */

/* BlockDescSupported. */
static bool level_has_leaves(const struct fixture *f, int level)
{
	int first;

	if (f->g == GRANULE_4K)
		first = f->ds ? 0 : 1;
	else if (f->g == GRANULE_16K)
		first = f->ds ? 1 : 2;
	else
		first = f->pa_bits == 52 ? 1 : 2;
	return level >= f->start_level && level >= first;
}

static int random_level(const struct fixture *f, struct rng *rng)
{
	int level;

	do
		level = (int)pick(rng, 4);
	while (!level_has_leaves(f, level));
	return level;
}

/* Few distinct values at each level, so that leaves meet. */
static uint64_t random_ia(const struct fixture *f, struct rng *rng)
{
	uint64_t ia = 0;

	for (int level = f->start_level; level <= 3; level++)
		ia |= (chance(rng, 1, 5) ? rng_next(rng) : pick(rng, 3))
		      << level_shift(f->g, level);
	return ia & low_mask(f->ia_bits) & ~low_mask(f->g);
}

/* The valid leaf descriptor that maps ia, its level in *level; 0: none. */
static uint64_t find(const struct fixture *f, uint64_t ia, int *level)
{
	struct pgtable_leaf leaf;

	if (!pgtable_next(&f->table, ia, ia, &leaf))
		return 0;
	*level = leaf.level;
	return leaf.desc;
}

static void check_found(struct fixture *f, uint64_t ia)
{
	const struct leaf *want = model_find(f, ia);
	int level = -9;
	const uint64_t desc = find(f, ia, &level);
	unsigned bits;

	assert_int_equal(desc != 0, want != NULL);
	if (!want)
		return;
	bits = level_shift(f->g, level);
	assert_int_equal(level, want->level);
	assert_int_equal(desc_leaf_address(&f->table.format, desc, bits), want->oa);
	assert_int_equal(desc & want->attributes, want->attributes);
	assert_int_equal(desc_kind(&f->table.format, desc, level), DESC_KIND_LEAF);
}

static void step_map(struct fixture *f, struct rng *rng)
{
	const uint64_t ia = random_ia(f, rng);
	const int level = random_level(f, rng);
	const unsigned oa_bits = f->ds					  ? 52
				 : f->pa_bits < 48 || f->g != GRANULE_64K ? 48
									  : f->pa_bits;
	const struct leaf leaf = { .ia = ia & ~leaf_mask(f, level),
				   .oa = rng_next(rng) & low_mask(oa_bits) & ~leaf_mask(f, level),
				   .attributes = DESC_AF | S2_AP_R,
				   .level = level };
	const bool occupied = model_find(f, ia) || table_inside(f, ia, level);

	assert_int_equal(pgtable_map(&f->table, leaf.ia, level, leaf.oa, leaf.attributes),
			 occupied ? PGTABLE_OCCUPIED : PGTABLE_OK);
	if (!occupied) {
		assert_true(f->model.n_ever < MAX_LEAVES);
		f->model.leaf[f->model.n++] = leaf;
		f->model.ever[f->model.n_ever++] = leaf;
	}
	check_found(f, ia);
}

static void step_clear(struct fixture *f, struct rng *rng)
{
	const uint64_t ia = f->model.n && chance(rng, 3, 4)
				    ? f->model.leaf[rng_below(rng, f->model.n)].ia
				    : random_ia(f, rng);
	struct leaf *leaf = model_find(f, ia);

	pgtable_replace(&f->table, ia, 0);
	if (leaf)
		*leaf = f->model.leaf[--f->model.n];
	check_found(f, ia);
}

/* The first leaf in a range that begins anywhere. */
static void check_next(struct fixture *f, uint64_t ia, struct rng *rng)
{
	const uint64_t room = low_mask(f->ia_bits) - ia,
		       want_bytes = rng_next(rng) >> pick(rng, 64);
	const uint64_t last = ia + (want_bytes < room ? want_bytes : room);
	const struct leaf *first = NULL;
	struct pgtable_leaf found;

	for (size_t i = 0; i < f->model.n; i++) {
		const struct leaf *leaf = &f->model.leaf[i];

		if (leaf->ia <= last && (leaf->ia | leaf_mask(f, leaf->level)) >= ia &&
		    (!first || leaf->ia < first->ia))
			first = leaf;
	}
	assert_int_equal(pgtable_next(&f->table, ia, last, &found), first != NULL);
	if (!first)
		return;
	assert_int_equal(found.ia, first->ia);
	assert_int_equal(found.level, first->level);
	assert_int_equal(found.bits, level_shift(f->g, first->level));
	assert_int_equal(desc_leaf_address(&f->table.format, found.desc, found.bits), first->oa);
}

/* A leaf fits where no table is, at level 3 a contiguous set where all its places are free. */
static void check_hole(struct fixture *f, uint64_t ia)
{
	const unsigned span_bits = desc_contiguous_bits(f->g, 3);
	const uint64_t first = ia & ~low_mask(span_bits);
	unsigned want = span_bits;
	int level = f->start_level;

	while (level < 3 && table_inside(f, ia, level))
		level++;
	if (level < 3)
		want = level_shift(f->g, level);
	for (uint64_t at = first; level == 3 && at >> span_bits == first >> span_bits;
	     at += UINT64_C(1) << f->g)
		if (model_find(f, at))
			want = f->g;
	if (model_find(f, ia))
		want = 0;
	assert_int_equal(pgtable_hole_bits(&f->table, ia), want);
}

static void check_counts(struct fixture *f)
{
	uint64_t leaves[4] = { 0 };

	for (size_t i = 0; i < f->model.n; i++) {
		leaves[f->model.leaf[i].level]++;
		check_found(f,
			    f->model.leaf[i].ia | (leaf_mask(f, f->model.leaf[i].level) & ~7ull));
	}
	for (unsigned level = 0; level < 4; level++)
		assert_int_equal(f->table.leaves[level], leaves[level]);
	assert_int_equal(f->table.pages, f->pool.given);
}

static struct fixture *make(enum granule g, bool ds, unsigned pa_bits, unsigned ia_bits,
			    int start_level)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const unsigned root_bits = ia_bits - level_shift(g, start_level) + 3;
	const uint64_t root = UINT64_C(1) << 32;

	assert_non_null(f);
	f->mem = phys_create();
	assert_non_null(f->mem);
	f->g = g;
	f->ds = ds;
	f->pa_bits = pa_bits;
	f->ia_bits = ia_bits;
	f->start_level = start_level;
	f->pool = (struct pool){ .next = root + (UINT64_C(1) << (root_bits < 16 ? 16 : root_bits)),
				 .granule_bits = g,
				 .left = -1 };
	pgtable_init(&f->table, f->mem, &pool_ops, &f->pool, desc_format_of(g, ds, pa_bits),
		     start_level, ia_bits, root);
	return f;
}

static void destroy(struct fixture *f)
{
	phys_destroy(f->mem);
	free(f);
}

static void run_random(enum granule g, bool ds, unsigned pa_bits, unsigned ia_bits, int start_level)
{
	struct fixture *f = make(g, ds, pa_bits, ia_bits, start_level);
	struct rng rng = rng_seed(g * 100 + ia_bits);

	for (unsigned step = 0; step < 2500; step++) {
		if (chance(&rng, 1, 4))
			step_clear(f, &rng);
		else
			step_map(f, &rng);
		check_found(f, random_ia(f, &rng));
		check_next(f, random_ia(f, &rng), &rng);
		if (step % 8 == 0)
			check_hole(f, random_ia(f, &rng));
	}
	check_counts(f);
	destroy(f);
}

static void granules_and_forms(void **state)
{
	(void)state;
	run_random(GRANULE_4K, false, 48, 48, 0);
	run_random(GRANULE_4K, false, 48, 39, 1);
	run_random(GRANULE_4K, false, 48, 30, 2);
	run_random(GRANULE_4K, false, 48, 21, 3);
	run_random(GRANULE_16K, false, 48, 47, 1);
	run_random(GRANULE_16K, false, 48, 36, 2);
	run_random(GRANULE_64K, false, 48, 42, 2);
	run_random(GRANULE_64K, false, 48, 48, 1);
}

static void wide_forms(void **state)
{
	(void)state;
	run_random(GRANULE_4K, true, 52, 52, -1);
	run_random(GRANULE_4K, true, 52, 48, 0);
	run_random(GRANULE_16K, true, 52, 52, 0);
	run_random(GRANULE_16K, true, 52, 47, 1);
	run_random(GRANULE_64K, false, 52, 52, 1);
	run_random(GRANULE_64K, false, 52, 42, 2);
}

/* 2 to 16 tables side by side at the start level. */
static void concatenated_roots(void **state)
{
	(void)state;
	run_random(GRANULE_4K, false, 48, 40, 1);
	run_random(GRANULE_4K, false, 48, 43, 1);
	run_random(GRANULE_4K, false, 48, 34, 2);
	run_random(GRANULE_4K, true, 52, 52, 0);
	run_random(GRANULE_16K, false, 48, 40, 2);
	run_random(GRANULE_16K, false, 48, 48, 1);
	run_random(GRANULE_64K, false, 48, 46, 2);
}

/* ---- by hand -------------------------------------------------------------------------------- */

static void occupied(void **state)
{
	struct fixture *f = make(GRANULE_4K, false, 48, 40, 1);
	const uint64_t gib = UINT64_C(1) << 30;
	int level;

	(void)state;
	assert_int_equal(pgtable_map(&f->table, gib, 1, 4 * gib, DESC_AF), PGTABLE_OK);
	assert_int_equal(pgtable_map(&f->table, gib, 1, 4 * gib, DESC_AF), PGTABLE_OCCUPIED);
	assert_int_equal(pgtable_map(&f->table, gib + 4096, 3, 0, DESC_AF), PGTABLE_OCCUPIED);
	assert_int_equal(pgtable_map(&f->table, 2 * gib + 4096, 3, 0x9000, DESC_AF), PGTABLE_OK);
	assert_int_equal(pgtable_map(&f->table, 2 * gib, 1, 0, DESC_AF), PGTABLE_OCCUPIED);
	assert_int_equal(pgtable_map(&f->table, 2 * gib, 2, 0, DESC_AF), PGTABLE_OCCUPIED);
	assert_int_equal(f->table.leaves[1], 1);
	assert_int_equal(f->table.leaves[2], 0);
	assert_int_equal(f->table.leaves[3], 1);
	assert_int_equal(f->table.pages, 2);
	/* Nothing of what was refused changed what is there. */
	assert_int_not_equal(find(f, gib + 4096, &level), 0);
	assert_int_equal(level, 1);
	assert_int_equal(find(f, 2 * gib, &level), 0);
	destroy(f);
}

/* Output address 0 and index 0 are as good as any. */
static void address_zero(void **state)
{
	struct fixture *f = make(GRANULE_4K, false, 48, 48, 0);
	int level;

	(void)state;
	assert_int_equal(pgtable_map(&f->table, 0, 3, 0, DESC_AF), PGTABLE_OK);
	assert_int_equal(find(f, 0xfff, &level), DESC_AF | DESC_TABLE | DESC_VALID);
	assert_int_equal(find(f, 0x1000, &level), 0);
	pgtable_replace(&f->table, 0x1000, 0);
	assert_int_equal(f->table.leaves[3], 1);
	pgtable_replace(&f->table, 0x234, 0);
	assert_int_equal(f->table.leaves[3], 0);
	assert_int_equal(pgtable_map(&f->table, 0, 3, 0x5000, DESC_AF), PGTABLE_OK);
	destroy(f);
}

struct released {
	uint64_t address[8];
	unsigned n;
};

static void release(void *ctx, uint64_t address)
{
	struct released *released = ctx;

	assert_true(released->n < 8);
	released->address[released->n++] = address;
}

/* A block becomes a table that says the same; without leaves it goes, and those above it. */
static void split_and_prune(enum granule g, unsigned ia_bits, int start_level)
{
	struct fixture *f = make(g, false, 48, ia_bits, start_level);
	const unsigned block_bits = level_shift(g, 2);
	const uint64_t ia = UINT64_C(3) << block_bits, oa = UINT64_C(5) << block_bits;
	const uint64_t pages = UINT64_C(1) << granule_stride(g),
		       tables = (uint64_t)(2 - start_level);
	const uint64_t attributes = DESC_AF | S1_NG | S1_PXN | DESC_DBM;
	struct released released = { 0 };
	struct pgtable_leaf leaf;

	assert_int_equal(pgtable_map(&f->table, ia, 2, oa, attributes), PGTABLE_OK);
	f->pool.left = 0;
	assert_false(pgtable_split(&f->table, ia + 123));
	assert_true(pgtable_next(&f->table, ia, ia, &leaf));
	assert_int_equal(leaf.level, 2);
	f->pool.left = -1;
	assert_true(pgtable_split(&f->table, ia + 123));
	assert_int_equal(f->table.leaves[2], 0);
	assert_int_equal(f->table.leaves[3], pages);
	assert_int_equal(f->table.pages, tables + 1);
	for (uint64_t i = 0; i < pages; i++) {
		assert_true(pgtable_next(&f->table, ia + (i << g), UINT64_MAX >> 16, &leaf));
		assert_int_equal(leaf.ia, ia + (i << g));
		assert_int_equal(leaf.desc, (oa + (i << g)) | attributes | DESC_TABLE | DESC_VALID);
	}
	/* One leaf is left: nothing goes. */
	for (uint64_t i = 1; i < pages; i++)
		pgtable_replace(&f->table, ia + (i << g), 0);
	pgtable_prune(&f->table, 0, low_mask(ia_bits), release, &released);
	assert_int_equal(released.n, 0);
	pgtable_replace(&f->table, ia, 0);
	pgtable_prune(&f->table, 0, ia - 1, release, &released);
	assert_int_equal(released.n, 0);
	pgtable_prune(&f->table, ia + 5, ia + 5, release, &released);
	assert_int_equal(released.n, tables + 1);
	assert_int_equal(f->table.pages, 0);
	assert_int_equal(pgtable_hole_bits(&f->table, ia), level_shift(g, start_level));
	/* Nothing of the tables that went is remembered. */
	assert_int_equal(pgtable_map(&f->table, ia, 3, oa, attributes), PGTABLE_OK);
	assert_int_equal(f->table.pages, tables + 1);
	destroy(f);
}

static void splitting(void **state)
{
	(void)state;
	split_and_prune(GRANULE_4K, 48, 0);
	split_and_prune(GRANULE_4K, 39, 1);
	split_and_prune(GRANULE_4K, 30, 2);
	split_and_prune(GRANULE_16K, 47, 1);
	split_and_prune(GRANULE_64K, 42, 2);
}

/* Without tables left a map fails, changes no leaf, and goes through once there are some again. */
static void allocation_failure(void **state)
{
	(void)state;
	for (int64_t given = 0; given < 3; given++) {
		struct fixture *f = make(GRANULE_4K, false, 48, 48, 0);
		int level;

		f->pool.left = given;
		assert_int_equal(pgtable_map(&f->table, 0x7000, 3, 0x9000, DESC_AF),
				 PGTABLE_NO_MEMORY);
		assert_int_equal(find(f, 0x7000, &level), 0);
		assert_int_equal(f->table.leaves[3], 0);
		f->pool.left = 3 - given;
		assert_int_equal(pgtable_map(&f->table, 0x7000, 3, 0x9000, DESC_AF), PGTABLE_OK);
		assert_int_equal(f->table.pages, 3);
		assert_int_not_equal(find(f, 0x7000, &level), 0);
		/* The neighbour needs no table. */
		assert_int_equal(pgtable_map(&f->table, 0x8000, 3, 0xa000, DESC_AF), PGTABLE_OK);
		assert_int_equal(pgtable_map(&f->table, 0x200000, 3, 0, DESC_AF),
				 PGTABLE_NO_MEMORY);
		destroy(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(granules_and_forms), cmocka_unit_test(wide_forms),
		cmocka_unit_test(concatenated_roots), cmocka_unit_test(occupied),
		cmocka_unit_test(address_zero),	      cmocka_unit_test(allocation_failure),
		cmocka_unit_test(splitting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

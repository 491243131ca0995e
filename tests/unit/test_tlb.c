/* SPDX-License-Identifier: BSD-2-Clause */
/* A TLB against a naive model: each set a list of translations, youngest first. */
#include "unit.h"

#include "arch/types.h"
#include "mmu/tlb.h"

enum { MAX_WAYS = 64, MAX_SETS = 64, REGIONS = 24 };

#define SIZE(bits) (UINT64_C(1) << (bits))

/* ---- the naive model ------------------------------------------------------------------------ */

struct entry {
	struct tlb_context context;
	uint64_t first; /* VA */
	struct tlb_leaf leaf;
};

struct model {
	unsigned sets, ways;
	uint64_t page_sizes;
	bool lru; /* else FIFO: a hit does not make an entry younger */
	unsigned used[MAX_SETS];
	struct entry entry[MAX_SETS][MAX_WAYS];
	uint64_t splintered;
};

static bool covers(const struct entry *e, struct tlb_context context, uint64_t va)
{
	return e->context.vmid == context.vmid &&
	       (e->leaf.global || e->context.asid == context.asid) && va >= e->first &&
	       va - e->first < SIZE(e->leaf.size_bits);
}

static struct entry *model_find(struct model *m, struct tlb_context context, uint64_t va)
{
	for (unsigned set = 0; set < m->sets; set++)
		for (unsigned i = 0; i < m->used[set]; i++)
			if (covers(&m->entry[set][i], context, va))
				return &m->entry[set][i];
	return NULL;
}

static void remove_at(struct model *m, unsigned set, unsigned i)
{
	memmove(&m->entry[set][i], &m->entry[set][i + 1],
		(m->used[set] - i - 1) * sizeof(struct entry));
	m->used[set]--;
}

static void insert_youngest(struct model *m, unsigned set, struct entry e)
{
	memmove(&m->entry[set][1], &m->entry[set][0], m->used[set] * sizeof(struct entry));
	m->entry[set][0] = e;
	m->used[set]++;
}

static void model_touch(struct model *m, struct entry *e)
{
	const unsigned set = (unsigned)((e - &m->entry[0][0]) / MAX_WAYS);
	const unsigned i = (unsigned)((e - &m->entry[0][0]) % MAX_WAYS);
	const struct entry copy = *e;

	if (!m->lru)
		return;
	remove_at(m, set, i);
	insert_youngest(m, set, copy);
}

/* The largest size held that is not above the leaf's; 0: none. */
static unsigned fill_bits(uint64_t page_sizes, unsigned leaf_bits)
{
	unsigned best = 0;

	for (unsigned bits = 12; bits <= leaf_bits; bits++)
		if (page_sizes & SIZE(bits))
			best = bits;
	return best;
}

static bool model_fill(struct model *m, struct tlb_context context, uint64_t va,
		       const struct tlb_leaf *leaf)
{
	const unsigned bits = fill_bits(m->page_sizes, leaf->size_bits);
	struct entry e = { .context = context, .leaf = *leaf };
	unsigned set;

	if (!bits)
		return false;
	e.first = va / SIZE(bits) * SIZE(bits);
	e.leaf.size_bits = (uint8_t)bits;
	/* The part of the leaf that the entry covers. */
	e.leaf.pa = pa_of(leaf->pa.v + e.first % SIZE(leaf->size_bits));
	set = (unsigned)(va / SIZE(bits) % m->sets);
	if (m->used[set] == m->ways)
		m->used[set]--;
	insert_youngest(m, set, e);
	m->splintered += bits < leaf->leaf_bits;
	return true;
}

/* The entry's stage-1 leaf, or the entry where that is larger: a TLBI by VA hits all of it. */
static bool overlaps(const struct entry *e, uint64_t first, uint64_t last)
{
	const unsigned bits =
		e->leaf.s1_bits > e->leaf.size_bits ? e->leaf.s1_bits : e->leaf.size_bits;
	const uint64_t begin = e->first / SIZE(bits) * SIZE(bits);

	return begin <= last && begin + (SIZE(bits) - 1) >= first;
}

static bool model_matches(const struct entry *e, const struct tlb_match *match)
{
	const bool vmid = e->context.vmid == match->context.vmid;
	const bool asid = e->context.asid == match->context.asid;

	switch (match->scope) {
	case TLB_SCOPE_ALL:
		return true;
	case TLB_SCOPE_VMID:
		return vmid;
	case TLB_SCOPE_ASID:
		return vmid && !e->leaf.global && asid;
	case TLB_SCOPE_VA:
		return vmid && (e->leaf.global || asid) && overlaps(e, match->first, match->last);
	case TLB_SCOPE_VAA:
		return vmid && overlaps(e, match->first, match->last);
	}
	return false;
}

static uint32_t model_invalidate(struct model *m, const struct tlb_match *match)
{
	uint32_t removed = 0;

	for (unsigned set = 0; set < m->sets; set++)
		for (unsigned i = m->used[set]; i-- > 0;)
			if (model_matches(&m->entry[set][i], match)) {
				remove_at(m, set, i);
				removed++;
			}
	return removed;
}

/* ---- a world of leaves that do not overlap -------------------------------------------------- */

static const uint8_t region_sizes[] = { 12, 14, 16, 21, 25, 30 };

/* A region of 1 GiB in either half of the address space. Its number decides what maps it. */
static uint64_t random_va(struct rng *rng)
{
	const unsigned region = pick(rng, REGIONS);
	const uint64_t page = chance(rng, 1, 2) ? pick(rng, 24) : pick(rng, SIZE(18) & 0x7fffffff);
	const uint64_t low = (uint64_t)region << 30 | page << 12 | rng_below(rng, 4096);

	return region % 2 ? UINT64_C(0xffff000000000000) | low : low;
}

static struct tlb_leaf leaf_of(struct tlb_context context, uint64_t va)
{
	const unsigned region = (unsigned)(va >> 30 & 31);
	const unsigned bits = region_sizes[region / 2 % 6];
	const unsigned s1 = region % 3 ? bits : bits < 21 ? 21 : 30;
	const bool global = region % 4 >= 2;
	const uint64_t who = (uint64_t)context.vmid * 8 + (global ? 7 : context.asid);

	return (struct tlb_leaf){
		.pa = pa_of((rng_mix((va >> bits) * 64 + who) & low_mask(52)) >> bits << bits),
		.size_bits = (uint8_t)bits,
		.leaf_bits = (uint8_t)bits,
		.s1_bits = (uint8_t)s1,
		.s2_bits = (uint8_t)bits,
		.perms = (uint8_t)(region % 64),
		.global = global,
		.dirty_clear = region % 5 == 0,
	};
}

/* ---- snapshots: which slots changed --------------------------------------------------------- */

struct snapshot {
	struct tlb_tag tag[MAX_SETS * MAX_WAYS];
	uint32_t generation[MAX_SETS * MAX_WAYS];
};

static void snapshot_take(struct snapshot *s, const struct tlb *tlb)
{
	const size_t slots = (size_t)tlb->shape.sets * tlb->shape.ways;

	memcpy(s->tag, tlb->tag, slots * sizeof(*s->tag));
	memcpy(s->generation, tlb->generation, slots * sizeof(*s->generation));
}

/* A slot's generation changed if and only if its entry did. Returns how many did. */
static unsigned snapshot_changes(const struct snapshot *s, const struct tlb *tlb)
{
	unsigned changes = 0;

	for (size_t i = 0; i < (size_t)tlb->shape.sets * tlb->shape.ways; i++) {
		const struct tlb_tag *was = &s->tag[i], *is = &tlb->tag[i];
		const bool invalid = was->key == UINT64_MAX && is->key == UINT64_MAX;
		const bool changed =
			!invalid && (was->key != is->key || was->context != is->context);

		assert_int_equal(changed, s->generation[i] != tlb->generation[i]);
		changes += changed;
	}
	return changes;
}

static void check_leaf(const struct tlb_leaf *got, const struct tlb_leaf *want)
{
	assert_int_equal(got->pa.v, want->pa.v);
	assert_int_equal(got->size_bits, want->size_bits);
	assert_int_equal(got->leaf_bits, want->leaf_bits);
	assert_int_equal(got->s1_bits, want->s1_bits);
	assert_int_equal(got->s2_bits, want->s2_bits);
	assert_int_equal(got->perms, want->perms);
	assert_int_equal(got->global, want->global);
	assert_int_equal(got->dirty_clear, want->dirty_clear);
}

/* ---- random sequences ----------------------------------------------------------------------- */

static void step_access(struct tlb *tlb, struct model *m, struct snapshot *before, struct rng *rng)
{
	const struct tlb_context context = { .vmid = (uint16_t)(pick(rng, 2) * 65535),
					     .asid = (uint16_t)pick(rng, 3) };
	const uint64_t va = random_va(rng);
	const uint32_t slot = tlb_find(tlb, context, va_of(va));
	struct entry *e = model_find(m, context, va);
	const struct tlb_leaf leaf = leaf_of(context, va);
	uint32_t filled;

	assert_int_equal(slot != TLB_NONE, e != NULL);
	snapshot_take(before, tlb);
	if (e) {
		check_leaf(&tlb->leaf[slot], &e->leaf);
		assert_int_equal(tlb->leaf[slot].pa.v + va % SIZE(tlb->leaf[slot].size_bits),
				 leaf.pa.v + va % SIZE(leaf.size_bits));
		tlb_touch(tlb, slot);
		model_touch(m, e);
		assert_int_equal(snapshot_changes(before, tlb), 0);
		return;
	}
	filled = tlb_fill(tlb, context, va_of(va), &leaf);
	assert_int_equal(filled != TLB_NONE, model_fill(m, context, va, &leaf));
	assert_int_equal(snapshot_changes(before, tlb), filled != TLB_NONE);
	if (filled != TLB_NONE) {
		assert_int_equal(tlb_find(tlb, context, va_of(va)), filled);
		check_leaf(&tlb->leaf[filled], &model_find(m, context, va)->leaf);
	}
}

static void step_invalidate(struct tlb *tlb, struct model *m, struct snapshot *before,
			    struct rng *rng)
{
	const uint64_t va = random_va(rng) & ~low_mask(12);
	const struct tlb_match match = {
		.scope = (enum tlb_scope)(chance(rng, 1, 12) ? pick(rng, 3) : 3 + pick(rng, 2)),
		.context = { .vmid = (uint16_t)(pick(rng, 2) * 65535),
			     .asid = (uint16_t)pick(rng, 3) },
		.first = va,
		.last = va | low_mask(chance(rng, 1, 4) ? 24 : 12),
	};
	const uint32_t removed = model_invalidate(m, &match);

	snapshot_take(before, tlb);
	assert_int_equal(tlb_invalidate(tlb, &match), removed);
	assert_int_equal(snapshot_changes(before, tlb), removed);
}

static void check_counts(const struct tlb *tlb, const struct model *m)
{
	uint32_t used = 0, by_size[64] = { 0 };

	for (unsigned set = 0; set < m->sets; set++)
		for (unsigned i = 0; i < m->used[set]; i++) {
			used++;
			by_size[m->entry[set][i].leaf.size_bits]++;
		}
	assert_int_equal(tlb->used, used);
	assert_int_equal(tlb->splintered, m->splintered);
	for (unsigned bits = 0; bits < 64; bits++) {
		assert_int_equal(tlb->count[bits], by_size[bits]);
		assert_int_equal(tlb->resident >> bits & 1, by_size[bits] != 0);
	}
}

static void run_sequence(unsigned sets, unsigned ways, uint64_t page_sizes, const char *policy,
			 unsigned invalidate_permille)
{
	const struct tlb_shape shape = { .sets = sets,
					 .ways = ways,
					 .page_sizes = page_sizes,
					 .repl = repl_find(policy),
					 .seed = 1 };
	struct model *m = calloc(1, sizeof(*m));
	struct snapshot *before = malloc(sizeof(*before));
	struct rng rng = rng_seed(sets * 1000 + ways);
	struct tlb tlb;

	assert_non_null(m);
	assert_non_null(before);
	assert_non_null(shape.repl);
	m->sets = sets;
	m->ways = ways;
	m->page_sizes = page_sizes;
	m->lru = strcmp(policy, "lru") == 0;
	assert_true(tlb_init(&tlb, &shape));
	for (unsigned step = 0; step < 12000; step++) {
		if (chance(&rng, invalidate_permille, 1000))
			step_invalidate(&tlb, m, before, &rng);
		else
			step_access(&tlb, m, before, &rng);
		if (step % 64 == 0)
			check_counts(&tlb, m);
	}
	check_counts(&tlb, m);
	tlb_fini(&tlb);
	free(before);
	free(m);
}

#define SMALL (SIZE(12) | SIZE(14) | SIZE(16))

static void fully_associative(void **state)
{
	(void)state;
	run_sequence(1, 48, SMALL | SIZE(21) | SIZE(25) | SIZE(30), "lru", 20);
	run_sequence(1, 48, SMALL | SIZE(21) | SIZE(25) | SIZE(30), "lru", 2);
	run_sequence(1, 1, SMALL | SIZE(21), "lru", 20);
	run_sequence(1, 5, SIZE(12), "lru", 5);
	run_sequence(1, 16, SMALL | SIZE(21), "lru", 40);
	run_sequence(1, 17, SIZE(12), "lru", 1);
	run_sequence(1, 64, SMALL | SIZE(21) | SIZE(25) | SIZE(30), "lru", 10);
}

static void set_associative(void **state)
{
	(void)state;
	run_sequence(16, 4, SMALL | SIZE(21) | SIZE(25) | SIZE(30), "lru", 20);
	run_sequence(64, 1, SIZE(12) | SIZE(21), "lru", 20);
	run_sequence(8, 5, SIZE(12) | SIZE(25), "lru", 2);
}

static void sets_no_power_of_two(void **state)
{
	(void)state;
	run_sequence(3, 8, SMALL | SIZE(21) | SIZE(25) | SIZE(30), "lru", 20);
	run_sequence(51, 3, SIZE(12) | SIZE(21), "lru", 5);
}

/* Without invalidation FIFO evicts in the order of the fills. */
static void fifo_order(void **state)
{
	(void)state;
	run_sequence(16, 4, SMALL | SIZE(21) | SIZE(25) | SIZE(30), "fifo", 0);
	run_sequence(1, 48, SMALL | SIZE(21), "fifo", 0);
}

/* ---- by hand -------------------------------------------------------------------------------- */

static struct tlb make(uint64_t page_sizes)
{
	const struct tlb_shape shape = {
		.sets = 4, .ways = 2, .page_sizes = page_sizes, .repl = repl_find("lru"), .seed = 1
	};
	struct tlb tlb;

	assert_true(tlb_init(&tlb, &shape));
	return tlb;
}

static void no_size_fits(void **state)
{
	struct tlb tlb = make(SIZE(21) | SIZE(30));
	const struct tlb_context context = { .vmid = 1, .asid = 1 };
	struct tlb_leaf leaf = { .pa = pa_of(0x40000000), .size_bits = 16, .leaf_bits = 16 };

	(void)state;
	assert_int_equal(tlb_fill(&tlb, context, va_of(0x10000), &leaf), TLB_NONE);
	assert_int_equal(tlb.used, 0);
	assert_int_equal(tlb.splintered, 0);
	assert_int_equal(tlb_find(&tlb, context, va_of(0x10000)), TLB_NONE);
	leaf.size_bits = leaf.leaf_bits = 29; /* 512 MiB: held as 2 MiB */
	assert_int_not_equal(tlb_fill(&tlb, context, va_of(0x20345678), &leaf), TLB_NONE);
	assert_int_equal(tlb.splintered, 1);
	tlb_fini(&tlb);
}

static void splinter_address(void **state)
{
	struct tlb tlb = make(SIZE(12));
	const struct tlb_context context = { .vmid = 1, .asid = 1 };
	const struct tlb_leaf leaf = { .pa = pa_of(UINT64_C(0xd80000000)),
				       .size_bits = 30,
				       .leaf_bits = 30,
				       .s1_bits = 30,
				       .s2_bits = 30 };
	const uint64_t va = UINT64_C(0xffffffffd2345678);
	const uint32_t slot = tlb_fill(&tlb, context, va_of(va), &leaf);

	(void)state;
	assert_int_not_equal(slot, TLB_NONE);
	assert_int_equal(tlb.leaf[slot].pa.v, UINT64_C(0xd92345000));
	assert_int_equal(tlb.leaf[slot].size_bits, 12);
	assert_int_equal(tlb.leaf[slot].leaf_bits, 30);
	assert_int_equal(tlb_find(&tlb, context, va_of(va | 0xfff)), slot);
	assert_int_equal(tlb_find(&tlb, context, va_of(va + 0x1000)), TLB_NONE);
	assert_int_equal(tlb_find(&tlb, context, va_of(va & low_mask(48))), TLB_NONE);
	tlb_fini(&tlb);
}

/* The last page of the address space is an entry like any other. */
static void last_page(void **state)
{
	struct tlb tlb = make(SIZE(12) | SIZE(30));
	const struct tlb_context context = { .vmid = 65535, .asid = 65535 };
	struct tlb_leaf leaf = { .pa = pa_of(low_mask(52) & ~low_mask(12)),
				 .size_bits = 12,
				 .leaf_bits = 12 };
	struct tlb_match match = { .scope = TLB_SCOPE_VA,
				   .context = context,
				   .first = UINT64_MAX & ~low_mask(12),
				   .last = UINT64_MAX };
	uint32_t slot = tlb_fill(&tlb, context, va_of(UINT64_MAX), &leaf);

	(void)state;
	assert_int_not_equal(slot, TLB_NONE);
	assert_int_equal(tlb_find(&tlb, context, va_of(UINT64_MAX & ~low_mask(12))), slot);
	match.context.asid = 65534;
	assert_int_equal(tlb_invalidate(&tlb, &match), 0);
	match.context.asid = 65535;
	assert_int_equal(tlb_invalidate(&tlb, &match), 1);
	assert_int_equal(tlb_find(&tlb, context, va_of(UINT64_MAX)), TLB_NONE);
	tlb_fini(&tlb);
}

/*
 * A stage-1 block over small stage-2 pages is held in pieces; one TLBI for any address of the block
 * must take them all, since the guest sends one for each of its own leaves.
 */
static void pieces_of_a_block(void **state)
{
	struct tlb tlb = make(SIZE(12) | SIZE(21));
	const struct tlb_context context = { .vmid = 1, .asid = 1 };
	const struct tlb_leaf leaf = {
		.size_bits = 12, .leaf_bits = 12, .s1_bits = 21, .s2_bits = 12
	};
	const struct tlb_match match = {
		.scope = TLB_SCOPE_VAA, .context = context, .first = 0x40000000, .last = 0x40000fff
	};

	(void)state;
	for (uint64_t page = 0; page < 8; page++)
		tlb_fill(&tlb, context, va_of(0x401fc000 + (page << 12)), &leaf);
	assert_int_equal(tlb.used, 8);
	/* Four lie in the block of 0x40000000, four in the next one. */
	assert_int_equal(tlb_invalidate(&tlb, &match), 4);
	assert_int_equal(tlb_find(&tlb, context, va_of(0x401ff000)), TLB_NONE);
	assert_int_not_equal(tlb_find(&tlb, context, va_of(0x40200000)), TLB_NONE);
	tlb_fini(&tlb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fully_associative),
		cmocka_unit_test(set_associative),
		cmocka_unit_test(sets_no_power_of_two),
		cmocka_unit_test(fifo_order),
		cmocka_unit_test(no_size_fits),
		cmocka_unit_test(splinter_address),
		cmocka_unit_test(last_page),
		cmocka_unit_test(pieces_of_a_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

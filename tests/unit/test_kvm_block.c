/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block decision against brute force: of all block sizes the largest for which every condition
 * holds, recomputed from the set-up alone. Random memslots, backings, geometries and rules.
 */
#include "unit.h"

#include "os/kvm_mmu.h"
#include "os/kvm_snapshot.h"

enum rule { RULE_V10, RULE_RELAXED, RULE_SIZE, RULE_UPSTREAM, RULES };

static const char *const rule_names[] = { "v10", "relaxed", "size", "upstream" };

struct choice {
	enum rule rule;
	enum granule page;
	unsigned ipa_bits, levels;
	struct kvm_slot_setup slot;
	uint64_t ipa;
	enum access_kind kind;
};

static const uint8_t huge_4k[] = { 16, 21, 25, 30 };
static const uint8_t huge_16k[] = { 21, 25, 30 };
static const uint8_t huge_64k[] = { 21, 29, 34 };

static unsigned random_huge(struct rng *rng, enum granule page)
{
	switch (page) {
	case GRANULE_4K:
		return huge_4k[pick(rng, sizeof(huge_4k))];
	case GRANULE_16K:
		return huge_16k[pick(rng, sizeof(huge_16k))];
	case GRANULE_64K:
		break;
	}
	return huge_64k[pick(rng, sizeof(huge_64k))];
}

/* A multiple of a random power of two, at most 2^bits. */
static uint64_t random_aligned(struct rng *rng, enum granule page, unsigned size_bits)
{
	const unsigned align = page + pick(rng, size_bits - page + 1);

	return rng_next(rng) & low_mask(size_bits) & ~low_mask(align);
}

static void random_choice(struct rng *rng, struct choice *c)
{
	static const enum granule pages[] = { GRANULE_4K, GRANULE_16K, GRANULE_64K };
	uint64_t room;

	c->rule = pick(rng, RULES);
	c->page = pages[pick(rng, 3)];
	c->ipa_bits = 32 + pick(rng, 17);
	c->slot = (struct kvm_slot_setup){ .backing = pick(rng, 3) };
	if (chance(rng, 1, 3))
		c->slot.backing = KVM_BACKING_HUGETLB;
	c->slot.hugetlb_bits = random_huge(rng, c->page);
	c->slot.flags = chance(rng, 1, 10) ? KVM_SLOT_LOG : 0;
	c->slot.base = random_aligned(rng, c->page, 32);
	room = (UINT64_C(1) << 32) - c->slot.base;
	c->slot.bytes = random_aligned(rng, c->page, 20 + pick(rng, 12)) + (UINT64_C(1) << c->page);
	if (c->slot.bytes > room || chance(rng, 1, 3))
		c->slot.bytes = room;
	c->slot.user = (UINT64_C(1) << 46) + c->slot.base;
	if (chance(rng, 1, 2))
		c->slot.user += random_aligned(rng, c->page, 36);
	c->ipa = c->slot.base + rng_below(rng, c->slot.bytes);
	c->kind = chance(rng, 1, 3) ? ACCESS_LOAD : ACCESS_STORE;
}

/* ---- brute force -------------------------------------------------------------------------- */

/* Page by page (a sample of large blocks): in the memslot, and at the same offset on both sides. */
static bool lies_in_slot(const struct choice *c, unsigned size_bits)
{
	const uint64_t size = UINT64_C(1) << size_bits, page = UINT64_C(1) << c->page;
	const uint64_t step = size / page > 64 ? size / 64 : page;
	const uint64_t first = c->ipa / size * size;

	for (uint64_t at = first; at < first + size; at += step) {
		for (uint64_t n = at;; n = at + step - page) {
			if (n < c->slot.base || n >= c->slot.base + c->slot.bytes)
				return false;
			if ((n - c->slot.base + c->slot.user) % size != n - first)
				return false;
			if (n == at + step - page)
				break;
		}
	}
	return true;
}

/*
 * For KVM up to v5.0: at the same offset on both sides, whatever lies in the memslot; but a hugetlb
 * block must begin in it.
 */
static bool lies_anywhere(const struct choice *c, unsigned size_bits)
{
	const uint64_t size = UINT64_C(1) << size_bits;
	const uint64_t user = c->slot.user + (c->ipa - c->slot.base);

	return c->ipa % size == user % size &&
	       (c->slot.backing != KVM_BACKING_HUGETLB || c->ipa / size * size >= c->slot.base);
}

/* log2 of what the host maps by one entry, as far as KVM uses it. */
static unsigned host_bits(const struct choice *c)
{
	switch (c->slot.backing) {
	case KVM_BACKING_THP:
		return level_shift(c->page, 2);
	case KVM_BACKING_HUGETLB:
		return c->slot.hugetlb_bits;
	case KVM_BACKING_ANON:
	case KVM_BACKING_DEVICE:
		break;
	}
	return c->page;
}

static bool is_legal(const struct choice *c, unsigned size_bits)
{
	const unsigned host = host_bits(c), pmd = level_shift(c->page, 2);
	const unsigned pud = level_shift(c->page, 1);

	if (size_bits == c->page)
		return true;
	if ((c->slot.flags & KVM_SLOT_LOG) || size_bits > host)
		return false;
	switch (c->rule) {
	case RULE_V10:
		return size_bits == host && lies_anywhere(c, size_bits) &&
		       (size_bits == pmd || c->levels == 4);
	case RULE_RELAXED:
		return size_bits == host && lies_anywhere(c, size_bits) &&
		       (size_bits == pmd || c->levels >= 3);
	case RULE_SIZE:
		/* The whole host page must fit below one entry of the root, and in the slot. */
		return host <= level_shift(c->page, 4 - (int)c->levels) && lies_in_slot(c, host) &&
		       (size_bits == pud || host < pud);
	case RULE_UPSTREAM:
	case RULES:
		break;
	}
	return lies_in_slot(c, size_bits) && (size_bits == pmd || c->page == GRANULE_4K);
}

static unsigned largest_legal(const struct choice *c)
{
	unsigned best = c->page;

	for (int level = 3; level >= 1; level--) {
		if (is_legal(c, level_shift(c->page, level)))
			best = level_shift(c->page, level);
	}
	return best;
}

/* ---- against the VM ----------------------------------------------------------------------- */

static void start_vm(const struct choice *c, struct phys_mem *mem, struct frames *frames,
		     struct kvm_mmu *mmu, struct kvm_slot **slot)
{
	const struct frames_setup memory = { .base = pa_of(UINT64_C(1) << 34), .pa_bits = 38 };
	const struct kvm_host host = { .kernel = KVM_KERNEL(6, 12),
				       .page = c->page,
				       .ipa_limit_bits = 48,
				       .rule = host_find(rule_names[c->rule]) };
	const struct kvm_vm_setup setup = { .ipa_bits = c->ipa_bits };

	assert_true(frames_init(frames, &memory));
	assert_int_equal(kvm_mmu_init(mmu, &host, &setup, mem, frames), KVM_E_NONE);
	assert_int_equal(kvm_mmu_add_slot(mmu, &c->slot, slot), KVM_E_NONE);
}

static void check_choice(const struct choice *c, struct phys_mem *mem)
{
	const unsigned best = largest_legal(c);
	unsigned leaf_bits = best;
	struct kvm_snapshot snapshot;
	struct frames frames;
	struct kvm_mmu mmu;
	struct kvm_slot *slot;
	int level;
	uint64_t desc;

	phys_reset(mem);
	start_vm(c, mem, &frames, &mmu, &slot);
	assert_int_equal(kvm_mmu_access(&mmu, c->ipa, c->kind), KVM_ACCESS_OK);
	assert_int_equal(slot->faults, 1);
	desc = kvm_pgtable_get_leaf(&mmu.pgt, c->ipa, &level);
	assert_true(desc & DESC_VALID);
	/* A block larger than what the root's entries map is made of these. */
	if (leaf_bits > level_shift(c->page, mmu.pgt.start_level))
		leaf_bits = level_shift(c->page, mmu.pgt.start_level);
	assert_int_equal(level_shift(c->page, level), leaf_bits);
	if (c->rule <= RULE_RELAXED) /* blocks may reach beyond the slot */
		kvm_snapshot_take(&snapshot, &mmu.pgt, 0,
				  UINT64_C(1) << (c->ipa_bits < 34 ? c->ipa_bits : 34));
	else
		kvm_snapshot_take(&snapshot, &mmu.pgt, c->slot.base, c->slot.bytes);
	assert_int_equal(snapshot.leaves[level], UINT64_C(1) << (best - leaf_bits));
	assert_int_equal(snapshot.kinds, 1);
	assert_int_equal(snapshot.kind[0].s2ap, c->kind == ACCESS_STORE ? 3 : 1);
	kvm_mmu_fini(&mmu);
	frames_fini(&frames);
}

static void brute_force(void **state)
{
	const char *more = getenv("TWOSTAGE_LONG");
	const unsigned count = more && *more ? 1000000 : 10000;
	struct phys_mem *mem = phys_create();
	struct rng rng = rng_seed(4);
	unsigned found[KVM_LEVELS] = { 0 };

	(void)state;
	assert_non_null(mem);
	for (unsigned i = 0; i < count; i++) {
		struct choice c;

		random_choice(&rng, &c);
		c.levels = kvm_pgtable_levels(c.page, c.ipa_bits);
		check_choice(&c, mem);
		for (int level = 1; level < KVM_LEVELS; level++)
			found[level] += largest_legal(&c) == level_shift(c.page, level);
	}
	/* Every size came up often enough to mean something. */
	for (int level = 1; level < KVM_LEVELS; level++)
		assert_true(found[level] > count / 400);
	phys_destroy(mem);
}

/* What a whole and aligned host page becomes, by rule and levels: the tables of the series. */
static void by_rule(void **state)
{
	static const struct {
		unsigned host_bits, ipa_bits;
		unsigned leaf_bits[RULES]; /* v10, relaxed, size, upstream */
	} rows[] = {
		{ 30, 40, { 12, 30, 30, 30 } }, /* 3 levels: 1G hugetlbfs gets 4K under v10 */
		{ 30, 44, { 30, 30, 30, 30 } }, { 30, 34, { 12, 12, 12, 21 } },
		{ 25, 40, { 12, 12, 21, 21 } }, { 25, 34, { 12, 12, 12, 21 } },
		{ 21, 34, { 21, 21, 21, 21 } }, { 21, 48, { 21, 21, 21, 21 } },
		{ 16, 48, { 12, 12, 12, 12 } },
	};
	struct phys_mem *mem = phys_create();

	(void)state;
	assert_non_null(mem);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (enum rule rule = 0; rule < RULES; rule++) {
			const struct kvm_slot_setup slot = { .base = UINT64_C(1) << 30,
							     .bytes = UINT64_C(2) << 30,
							     .user = UINT64_C(1) << 40,
							     .backing = KVM_BACKING_HUGETLB,
							     .hugetlb_bits = rows[i].host_bits };
			const struct choice c = {
				.rule = rule,
				.page = GRANULE_4K,
				.ipa_bits = rows[i].ipa_bits,
				.levels = kvm_pgtable_levels(GRANULE_4K, rows[i].ipa_bits),
				.slot = slot,
				.ipa = slot.base + UINT64_C(0x12345000),
				.kind = ACCESS_STORE,
			};
			struct kvm_snapshot snapshot;
			struct frames frames;
			struct kvm_slot *out;
			struct kvm_mmu mmu;
			int level = 3;

			phys_reset(mem);
			start_vm(&c, mem, &frames, &mmu, &out);
			assert_int_equal(kvm_mmu_access(&mmu, c.ipa, c.kind), KVM_ACCESS_OK);
			kvm_snapshot_take(&snapshot, &mmu.pgt, slot.base, slot.bytes);
			while (level_shift(GRANULE_4K, level) < rows[i].leaf_bits[rule])
				level--;
			assert_true(snapshot.leaves[level] > 0);
			/* All by one fault, 1G on two levels by 512 leaves of 2M. */
			assert_int_equal(
				snapshot.leaves[level],
				rows[i].host_bits == 30 && rows[i].leaf_bits[rule] == 21 ? 512 : 1);
			assert_int_equal(out->faults, 1);
			kvm_mmu_fini(&mmu);
			frames_fini(&frames);
		}
	}
	phys_destroy(mem);
}

/* A block over the end of the memslot: mapped up to v5.0, but not into another memslot. */
static void beyond_the_slot(void **state)
{
	static const uint64_t past[] = { UINT64_C(0x401ff000), UINT64_C(0x40200000) };
	struct phys_mem *mem = phys_create();

	(void)state;
	assert_non_null(mem);
	for (enum rule rule = 0; rule < RULES; rule++) {
		for (unsigned i = 0; i < 2; i++) {
			const struct kvm_slot_setup slot = { .base = UINT64_C(1) << 30,
							     .bytes = UINT64_C(1) << 20,
							     .user = UINT64_C(1) << 40,
							     .backing = KVM_BACKING_HUGETLB,
							     .hugetlb_bits = 21 };
			const struct kvm_slot_setup other = { .base = past[i], .bytes = 4096 };
			const struct choice c = {
				.rule = rule, .page = GRANULE_4K, .ipa_bits = 40, .slot = slot
			};
			const bool old = rule == RULE_V10 || rule == RULE_RELAXED;
			struct kvm_slot *out;
			struct frames frames;
			struct kvm_mmu mmu;
			int level;

			phys_reset(mem);
			start_vm(&c, mem, &frames, &mmu, &out);
			assert_int_equal(kvm_mmu_add_slot(&mmu, &other, &out), KVM_E_NONE);
			assert_int_equal(kvm_mmu_access(&mmu, slot.base, ACCESS_STORE),
					 KVM_ACCESS_OK);
			kvm_pgtable_get_leaf(&mmu.pgt, slot.base, &level);
			assert_int_equal(level, old && i == 1 ? 2 : 3);
			assert_int_equal(kvm_mmu_access(&mmu, slot.base + slot.bytes, ACCESS_LOAD),
					 level == 2 ? KVM_ACCESS_OK : KVM_ACCESS_MMIO);
			kvm_mmu_fini(&mmu);
			frames_fini(&frames);
		}
	}
	phys_destroy(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_rule),
		cmocka_unit_test(beyond_the_slot),
		cmocka_unit_test(brute_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

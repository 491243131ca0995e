/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache of descriptors by address against lists, and the reads that are left to a walk of four
 * by four levels with each of the walk caches that the literature knows (docs/config.md).
 */
#include "arch/desc.h"
#include "mmu/pwc.h"
#include "rig.h"

enum { SETS = 4, WAYS = 3 };

struct known {
	uint64_t pa;
	uint16_t vmid;
	int stage;
	bool leaf;
};

/* Each set youngest first. */
struct model {
	unsigned used[SETS];
	struct known set[SETS][WAYS];
};

static bool model_read(struct model *m, const struct known *k)
{
	const unsigned set = (unsigned)(k->pa / 8 % SETS);
	unsigned at = 0;
	bool hit;

	while (at < m->used[set] && m->set[set][at].pa != k->pa)
		at++;
	hit = at < m->used[set];
	if (!hit && at < WAYS)
		m->used[set]++;
	else if (!hit)
		at--;
	memmove(&m->set[set][1], &m->set[set][0], at * sizeof(*k));
	m->set[set][0] = *k;
	return hit;
}

static void model_invalidate(struct model *m, const struct pwc_match *match)
{
	for (unsigned s = 0; s < SETS; s++) {
		unsigned kept = 0;

		for (unsigned i = 0; i < m->used[s]; i++) {
			const struct known k = m->set[s][i];

			if ((match->any_vmid || match->vmid == k.vmid) &&
			    (k.stage == 1 ? match->stage1 : match->stage2) &&
			    (k.leaf || !match->leaves_only))
				continue;
			m->set[s][kept++] = k;
		}
		m->used[s] = kept;
	}
}

/* What is at an address says which table of which VM that is. */
static struct known known_at(unsigned index)
{
	return (struct known){ .pa = 0x40000000 + (uint64_t)index * 8,
			       .vmid = (uint16_t)(1 + index % 3),
			       .stage = 1 + (int)(index / 3 % 2),
			       .leaf = index % 4 == 0 };
}

static struct walk_read read_of(const struct known *k)
{
	return (struct walk_read){ .pa = pa_of(k->pa),
				   .desc = 1 | (k->leaf ? DESC_AF : 2),
				   .stage = (int8_t)k->stage,
				   .level = 2 };
}

static void like_lists(void **state)
{
	const struct pwc_shape shape = { .entries = SETS * WAYS,
					 .ways = WAYS,
					 .levels = { 15, 15 } };
	struct model m = { 0 };
	struct rng rng = rng_seed(3);
	unsigned hits = 0;
	struct pwc pwc;

	(void)state;
	assert_true(pwc_init(&pwc, &shape));
	for (unsigned i = 0; i < 40000; i++) {
		const struct known k = known_at(pick(&rng, 30));
		const struct walk_read read = read_of(&k);
		bool hit;

		if (chance(&rng, 1, 40)) {
			const struct pwc_match match = { .any_vmid = chance(&rng, 1, 4),
							 .vmid = (uint16_t)(1 + pick(&rng, 3)),
							 .stage1 = chance(&rng, 1, 2),
							 .stage2 = chance(&rng, 1, 2),
							 .leaves_only = chance(&rng, 1, 2) };

			pwc_invalidate(&pwc, &match);
			model_invalidate(&m, &match);
		}
		hit = model_read(&m, &k);
		hits += hit;
		assert_int_equal(pwc_read(&pwc, k.vmid, &read), hit);
	}
	assert_in_range(hits, 5000, 35000);
	pwc_fini(&pwc);
}

/* Nothing that faults is kept, nor what hardware updates. */
static void what_is_kept(void **state)
{
	static const struct {
		uint64_t desc;
		int8_t level;
		bool kept;
	} rows[] = {
		{ 3, 1, true },		  { 0, 1, false },	    { 2, 1, false },
		{ 1, 1, false },	  { 1 | DESC_AF, 1, true }, { 3, 3, false },
		{ 3 | DESC_AF, 3, true },
	};
	const struct pwc_shape shape = { .entries = 8, .levels = { 0x1f, 0x02 } };
	struct walk_read read = { .stage = 2, .level = 0 };
	struct pwc pwc;

	(void)state;
	assert_true(pwc_init(&pwc, &shape));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct walk_read at = { .pa = pa_of(0x1000 + 64 * i),
					      .desc = rows[i].desc,
					      .stage = 1,
					      .level = rows[i].level };

		assert_false(pwc_read(&pwc, 1, &at));
		assert_int_equal(pwc_read(&pwc, 1, &at), rows[i].kept);
	}
	assert_true(pwc_keeps(&pwc, &read));
	read.update = true;
	assert_false(pwc_keeps(&pwc, &read));
	read = (struct walk_read){ .stage = 2, .level = 1 };
	assert_false(pwc_keeps(&pwc, &read));
	read.stage = 1;
	assert_true(pwc_keeps(&pwc, &read));
	pwc_fini(&pwc);
}

/* Four levels by four. */
#define FOUR "stage2.ipa_bits=48 host.backing=4K guest.pages=4K "
#define BARE FOUR "walk_cache.s1.entries=none walk_cache.s2.entries=none "
#define PWC  "walk_cache.pwc.entries=64 "

/* Reads of the first walk after all TLBs are empty, and of one to the neighbour, whose own
 * descriptors alone are new. */
static void two_walks(const char *settings, uint64_t cold, uint64_t warm)
{
	struct rig *rig = rig_make(settings, 1, 1);

	rig_load(rig, GIB);
	rig_load(rig, GIB + 4096);
	rig_flush(rig);
	rig->reads = 0;
	rig_load(rig, GIB);
	if (rig->reads != cold)
		fail_msg("%s: %d reads, expected %d", settings, (int)rig->reads, (int)cold);
	rig->reads = 0;
	rig_load(rig, GIB + 4096);
	if (rig->reads != warm)
		fail_msg("%s: %d reads, expected %d", settings, (int)rig->reads, (int)warm);
	rig_destroy(rig);
}

static void named_configurations(void **state)
{
	(void)state;
	two_walks(BARE, 24, 24);
	/* The guest's tables of three levels need not be read. */
	two_walks(BARE PWC "walk_cache.pwc.s2_levels=none", 24, 21);
	/*
	 * Of both dimensions: left are the last-level descriptors, five of stage 2 and one of stage
	 * 1. The first walk reads each descriptor once: these, three upper ones of each stage, and
	 * one more of stage 2, as data do not lie in the tables' 2 MiB.
	 */
	two_walks(BARE PWC, 13, 6);
	/* With last-level descriptors of stage 2, but the data page's own. */
	two_walks(BARE PWC "walk_cache.pwc.s2_levels=[0,1,2,3]", 13, 2);
	/* A nested TLB: stage 2 of the tables is known, the guest's tables are read. */
	two_walks(FOUR "walk_cache.s1.entries=none walk_cache.s2.serves=tables "
		       "walk_cache.s2.levels=none",
		  24, 8);
	/* Both. */
	two_walks(FOUR "walk_cache.s1.entries=none walk_cache.s2.serves=tables "
		       "walk_cache.s2.levels=none " PWC,
		  13, 2);
	/* Skip: the walk begins at the last table of stage 1, whose PA is known. */
	two_walks(FOUR "walk_cache.s1.levels=[3] walk_cache.s2.entries=none", 24, 5);
	/* In both dimensions. Cold: the tables' 2 MiB share a last table of stage 2. */
	two_walks(FOUR "walk_cache.s1.levels=[3] walk_cache.s2.page_sizes=[4T] "
		       "walk_cache.s2.levels=[3]",
		  15, 2);
}

/* After a first walk has filled the cache, what `invalidate` takes is read again. */
static uint64_t reads_after(void (*invalidate)(struct mmu *mmu, uint16_t vmid))
{
	struct rig *rig = rig_make(BARE PWC "walk_cache.pwc.s1_levels=[0,1,2,3] "
					    "walk_cache.pwc.s2_levels=[0,1,2,3]",
				   1, 1);
	const struct tlb_match all = { .scope = TLB_SCOPE_ALL };
	struct mmu *mmu = &rig->machine.mmu;
	uint64_t reads;

	rig_load(rig, GIB);
	rig_flush(rig);
	rig_load(rig, GIB);
	/* The TLBs alone, not by a TLBI, which would take leaves along. */
	tlb_invalidate(&mmu->vcpu[0].l1[MMU_DATA], &all);
	tlb_invalidate(mmu->vcpu[0].l2, &all);
	invalidate(mmu, vm_vmid(rig->machine.vms[0]));
	rig->reads = 0;
	rig_load(rig, GIB);
	reads = rig->reads;
	rig_destroy(rig);
	return reads;
}

static void nothing(struct mmu *mmu, uint16_t vmid)
{
	(void)mmu;
	(void)vmid;
}

static void va(struct mmu *mmu, uint16_t vmid, enum walk_cache_scope scope)
{
	const struct tlb_match match = { .scope = TLB_SCOPE_VAA,
					 .context = { .vmid = vmid },
					 .first = GIB,
					 .last = GIB + 4095 };

	mmu_invalidate(mmu, 0, &match, scope);
}

static void vaae1(struct mmu *mmu, uint16_t vmid)
{
	va(mmu, vmid, WALK_CACHE_STAGE1);
}

static void vaale1(struct mmu *mmu, uint16_t vmid)
{
	va(mmu, vmid, WALK_CACHE_KEEP);
}

static void vmalls12e1(struct mmu *mmu, uint16_t vmid)
{
	const struct tlb_match match = { .scope = TLB_SCOPE_VMID, .context = { .vmid = vmid } };

	mmu_invalidate(mmu, 0, &match, WALK_CACHE_BOTH);
}

static void of_another_vm(struct mmu *mmu, uint16_t vmid)
{
	vmalls12e1(mmu, (uint16_t)(vmid + 1));
}

static void ipas2e1(struct mmu *mmu, uint16_t vmid)
{
	mmu_invalidate_ipa(mmu, 0, vmid, WALK_POINTS_ALL, 0, 4095);
}

static void ipas2le1(struct mmu *mmu, uint16_t vmid)
{
	mmu_invalidate_ipa(mmu, 0, vmid, WALK_POINTS_LEAVES, 0, 4095);
}

static void invalidated(void **state)
{
	(void)state;
	assert_int_equal(reads_after(nothing), 0);
	assert_int_equal(reads_after(of_another_vm), 0);
	assert_int_equal(reads_after(vaale1), 1);
	assert_int_equal(reads_after(vaae1), 4);
	/* Four tables and the page. With all of stage 2 gone its upper tables are read once, and
	 * once more where data lie in another 2 MiB. */
	assert_int_equal(reads_after(ipas2le1), 5);
	assert_int_equal(reads_after(ipas2e1), 9);
	assert_int_equal(reads_after(vmalls12e1), 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_lists),
		cmocka_unit_test(what_is_kept),
		cmocka_unit_test(named_configurations),
		cmocka_unit_test(invalidated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

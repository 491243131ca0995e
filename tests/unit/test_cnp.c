/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A level-2 TLB of several vCPUs: whose entries each may use (TTBR.CnP, VTTBR_EL2.CnP), and what a
 * TLBI of one takes from the others.
 */
#include "rig.h"

#define SHARED                                                                                     \
	"tlb.l1i.entries=1 tlb.l1d.entries=1 tlb.l1i.ways=full tlb.l1d.ways=full "                 \
	"tlb.l2.shared_by=2 "
#define PAGE (GIB + 7 * MIB)

/* Does the second vCPU hit in the shared TLB where the first has been? */
static bool hits(const char *settings, struct rig_access first, struct rig_access second)
{
	const struct config config = rig_config2(SHARED, settings);
	struct rig *rig = rig_try(&config, 4, 2, NULL);
	struct stats before, after;

	assert_non_null(rig);
	/* Mapped for both, and nothing of it left. */
	assert_non_null(rig_access(rig, first));
	assert_non_null(rig_access(rig, second));
	rig_flush(rig);
	rig_access(rig, first);
	before = rig_stats(rig);
	rig_access(rig, second);
	after = rig_stats(rig);
	rig_destroy(rig);
	assert_int_equal(after.v[STAT_walks] - before.v[STAT_walks] + after.v[STAT_l2_tlb_hits] -
				 before.v[STAT_l2_tlb_hits],
			 1);
	assert_int_equal(after.v[STAT_l2_common_hits] - before.v[STAT_l2_common_hits],
			 after.v[STAT_l2_tlb_hits] - before.v[STAT_l2_tlb_hits]);
	return after.v[STAT_l2_tlb_hits] != before.v[STAT_l2_tlb_hits];
}

static void who_may_use_what(void **state)
{
	const struct rig_access mine = { 0, 0, 1, PAGE, ACCESS_LOAD };
	const struct rig_access next = { 1, 0, 1, PAGE, ACCESS_LOAD };
	const struct rig_access fetch = { 1, 0, 1, PAGE, ACCESS_FETCH };
	const struct rig_access elsewhere = { 2, 0, 1, PAGE, ACCESS_LOAD };
	const struct rig_access asid = { 1, 0, 2, PAGE, ACCESS_LOAD };
	const struct rig_access vm = { 1, 1, 1, PAGE, ACCESS_LOAD };
	struct rig_access zero = mine, next_zero = next, kernel = mine, next_kernel = asid;

	(void)state;
	assert_true(hits("", mine, next));
	assert_true(hits("", mine, fetch));
	assert_false(hits("", mine, elsewhere)); /* another TLB */
	assert_false(hits("", mine, asid));
	assert_false(hits("", mine, vm));
	/* Both stages must say so, and the core must have it. */
	assert_false(hits("guest.cnp=no", mine, next));
	assert_false(hits("host.cnp=no", mine, next));
	assert_false(hits("core.id_aa64mmfr2=0x1021011010011010", mine, next));
	/* Linux leaves CnP out of TTBR0 for ASID 0. */
	zero.asid = next_zero.asid = 0;
	assert_false(hits("", zero, next_zero));
	/* Global pages of the kernel: any ASID, but TTBR1 has its own CnP. */
	kernel.va = next_kernel.va = ~UINT64_C(0) << 47;
	assert_true(hits("", kernel, next_kernel));
	assert_false(hits("guest.cnp=no", kernel, next_kernel));
	/* All four share one. */
	assert_true(hits("tlb.l2.shared_by=4", mine, elsewhere));
	assert_true(hits("tlb.l2.shared_by=3", mine, elsewhere));
	assert_false(hits("tlb.l2.shared_by=1", mine, next));
}

/* Descriptors that the second vCPU reads for a page next to that of the first. */
static uint64_t reads_next(const char *settings)
{
	const struct config config = rig_config2(SHARED "walk_cache.s1.place=l2_tlb "
							"walk_cache.s2.place=l2_tlb "
							"guest.pages=4K host.backing=4K "
							"stage2.ipa_bits=48 ",
						 settings);
	struct rig *rig = rig_try(&config, 2, 1, NULL);
	uint64_t reads;

	assert_non_null(rig);
	rig_access(rig, (struct rig_access){ 0, 0, 1, PAGE, ACCESS_LOAD });
	rig_access(rig, (struct rig_access){ 0, 0, 1, PAGE + 4096, ACCESS_LOAD });
	rig_flush(rig);
	rig_access(rig, (struct rig_access){ 0, 0, 1, PAGE, ACCESS_LOAD });
	rig->reads = 0;
	rig_access(rig, (struct rig_access){ 1, 0, 1, PAGE + 4096, ACCESS_LOAD });
	reads = rig->reads;
	rig_destroy(rig);
	return reads;
}

/* Entries of walk caches in the TLB follow the same rule; those of stage 2 ask VTTBR_EL2 alone. */
static void walk_caches(void **state)
{
	uint64_t alone;

	(void)state;
	assert_int_equal(reads_next(""), 2);
	alone = reads_next("host.cnp=no");
	assert_true(alone > 8);
	assert_int_equal(reads_next("host.cnp=no guest.cnp=no"), alone);
	assert_int_equal(reads_next("tlb.l2.shared_by=1"), alone);
	/* Stage 1 from its root, with the pages of its four tables known: and the final step. */
	assert_int_equal(reads_next("guest.cnp=no"), 5);
	/* A cache of its own each. */
	assert_int_equal(reads_next("walk_cache.s1.place=own walk_cache.s2.place=own"), alone);
}

/* ---- a naive model ------------------------------------------------------------------------ */

enum { VCPUS = 4, GROUP = 2, ROOM = 12, PAGES = 14 };

struct entry {
	unsigned pe; /* 0: common */
	unsigned asid, page;
};

struct tlb_list {
	unsigned used;
	struct entry entry[ROOM]; /* youngest first */
};

struct model {
	bool common;
	struct tlb_list l2[VCPUS / GROUP];
	struct entry l1[VCPUS]; /* one entry each; page 0: none */
	uint64_t misses, common_hits;
	unsigned filler[VCPUS / GROUP][PAGES + 1][3][GROUP + 1];
};

static bool same(const struct entry *a, const struct entry *b)
{
	return a->pe == b->pe && a->asid == b->asid && a->page == b->page;
}

static void model_access(struct model *m, unsigned vcpu, unsigned asid, unsigned page)
{
	struct tlb_list *l2 = &m->l2[vcpu / GROUP];
	const struct entry l1 = { 0, asid, page };
	const struct entry e = { m->common ? 0 : vcpu % GROUP + 1, asid, page };
	unsigned *filler = &m->filler[vcpu / GROUP][page][asid][e.pe];
	unsigned at = 0;

	if (same(&m->l1[vcpu], &l1))
		return;
	m->l1[vcpu] = l1;
	while (at < l2->used && !same(&l2->entry[at], &e))
		at++;
	if (at == l2->used) {
		m->misses++;
		*filler = vcpu;
		if (l2->used < ROOM)
			l2->used++;
		else
			at--;
	} else {
		m->common_hits += *filler != vcpu;
	}
	memmove(l2->entry + 1, l2->entry, at * sizeof(e));
	l2->entry[0] = e;
}

/* On one vCPU: its own L1, and what it can use of L2. */
static void model_tlbi(struct model *m, unsigned vcpu, unsigned page)
{
	struct tlb_list *l2 = &m->l2[vcpu / GROUP];
	unsigned kept = 0;

	if (m->l1[vcpu].page == page)
		m->l1[vcpu].page = 0;
	for (unsigned i = 0; i < l2->used; i++) {
		const struct entry e = l2->entry[i];

		if (e.page != page || (e.pe && e.pe != vcpu % GROUP + 1))
			l2->entry[kept++] = e;
	}
	l2->used = kept;
}

static uint64_t va_of_page(unsigned page)
{
	return PAGE + (uint64_t)page * 4096;
}

static void tlbi(struct rig *rig, uint32_t vcpu, unsigned page)
{
	const struct tlb_match match = { .scope = TLB_SCOPE_VAA,
					 .context = { .vmid = vm_vmid(rig->machine.vms[0]) },
					 .first = va_of_page(page),
					 .last = va_of_page(page) + 4095 };

	mmu_invalidate(&rig->machine.mmu, vcpu, &match, WALK_CACHE_KEEP);
}

static void like_lists(const char *cnp, bool common)
{
	const struct config config = rig_config2(SHARED "tlb.l2.entries=12 tlb.l2.ways=full ", cnp);
	struct rig *rig = rig_try(&config, VCPUS, 1, NULL);
	struct model m = { .common = common };
	struct rng rng = rng_seed(11);
	struct stats s;

	assert_non_null(rig);
	for (unsigned i = 0; i < 30000; i++) {
		const unsigned vcpu = pick(&rng, VCPUS), asid = 1 + pick(&rng, 2);
		const unsigned page = 1 + pick(&rng, PAGES);

		if (chance(&rng, 1, 30)) {
			tlbi(rig, vcpu, page);
			model_tlbi(&m, vcpu, page);
		} else if (chance(&rng, 1, 60)) {
			tlbi(rig, MMU_ALL_VCPUS, page);
			for (unsigned v = 0; v < VCPUS; v++)
				model_tlbi(&m, v, page);
		}
		rig_access(rig, (struct rig_access){ vcpu, 0, (uint16_t)asid, va_of_page(page),
						     ACCESS_LOAD });
		model_access(&m, vcpu, asid, page);
	}
	s = rig_stats(rig);
	assert_int_equal(s.v[STAT_l2_tlb_misses], m.misses);
	assert_int_equal(s.v[STAT_l2_common_hits], m.common_hits);
	assert_int_equal(m.common_hits > 1000, common);
	rig_destroy(rig);
}

static void common_entries(void **state)
{
	(void)state;
	like_lists("", true);
}

static void private_entries(void **state)
{
	(void)state;
	like_lists("host.cnp=no", false);
}

static void refused(void **state)
{
	const struct config config = rig_config(SHARED "tlb.inclusion=exclusive");
	struct diag diag = DIAG_INIT;

	(void)state;
	assert_null(rig_try(&config, 2, 1, &diag));
	assert_non_null(strstr(diag.text, "tlb.l2.shared_by: 2 vCPUs want"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_use_what), cmocka_unit_test(walk_caches),
		cmocka_unit_test(common_entries),   cmocka_unit_test(private_entries),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

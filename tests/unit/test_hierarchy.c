/* SPDX-License-Identifier: BSD-2-Clause */
/* The hierarchy: what each level counts and holds, dirty state, vCPUs, walk caches, time. */
#include "os/vm_private.h"
#include "rig.h"

#define ONE_PAGE_L1                                                                                \
	"tlb.l1d.entries=1 tlb.l1d.ways=full tlb.l1i.entries=1 tlb.l1i.ways=full "                 \
	"tlb.l1d.page_sizes=[4K] tlb.l1i.page_sizes=[4K] "

static const struct tlb_leaf *load(struct rig *rig, uint32_t vcpu, uint64_t va)
{
	return rig_access(rig, (struct rig_access){ vcpu, 0, 1, va, ACCESS_LOAD });
}

static const struct tlb_leaf *store(struct rig *rig, uint32_t vcpu, uint64_t va)
{
	return rig_access(rig, (struct rig_access){ vcpu, 0, 1, va, ACCESS_STORE });
}

static uint64_t stat(const struct rig *rig, enum stat_id id)
{
	return rig->machine.mmu.stats.v[id];
}

/* ---- two levels against lists of pages, youngest first -------------------------------------- */

struct list {
	unsigned room, used;
	uint64_t page[64];
};

/* Was the page there? It is the youngest afterwards. */
static bool list_use(struct list *l, uint64_t page)
{
	unsigned at = 0;
	bool found;

	while (at < l->used && l->page[at] != page)
		at++;
	found = at < l->used;
	if (!found && l->used < l->room)
		l->used++;
	else if (!found)
		at = l->room - 1;
	memmove(l->page + 1, l->page, at * sizeof(*l->page));
	l->page[0] = page;
	return found;
}

static void levels_against_lists(void **state)
{
	struct rig *rig = rig_make("tlb.l1i.entries=4 tlb.l1i.ways=full tlb.l1d.entries=6 "
				   "tlb.l1d.ways=full tlb.l2.entries=16 tlb.l2.ways=full",
				   2, 1);
	struct list l1[2][2] = { { { .room = 4 }, { .room = 6 } },
				 { { .room = 4 }, { .room = 6 } } };
	struct list l2[2] = { { .room = 16 }, { .room = 16 } };
	uint64_t misses[2] = { 0 }, l2_hits = 0, l2_misses = 0;
	struct rng rng = rng_seed(1);

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		const uint32_t vcpu = pick(&rng, 2);
		const uint64_t page = 1 + pick(&rng, chance(&rng, 1, 2) ? 8 : 24);
		const enum access_kind kind = (enum access_kind)pick(&rng, 3);
		const unsigned data = kind != ACCESS_FETCH;

		assert_non_null(
			rig_access(rig, (struct rig_access){ vcpu, 0, 1, page << 12, kind }));
		if (list_use(&l1[vcpu][data], page))
			continue;
		misses[data]++;
		if (list_use(&l2[vcpu], page))
			l2_hits++;
		else
			l2_misses++;
	}
	assert_int_equal(stat(rig, STAT_l1i_tlb_misses), misses[0]);
	assert_int_equal(stat(rig, STAT_l1d_tlb_misses), misses[1]);
	assert_int_equal(stat(rig, STAT_l2_tlb_hits), l2_hits);
	assert_int_equal(stat(rig, STAT_l2_tlb_misses), l2_misses);
	assert_int_equal(stat(rig, STAT_walks), l2_misses);
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 0);
	rig_destroy(rig);
}

static void without_l2(void **state)
{
	struct rig *rig = rig_make(ONE_PAGE_L1 "tlb.l2.entries=none", 1, 1);

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		rig_load(rig, i % 3 << 12);
	assert_int_equal(stat(rig, STAT_l1d_tlb_misses), 100);
	assert_int_equal(stat(rig, STAT_l2_tlb_misses), 100);
	assert_int_equal(stat(rig, STAT_l2_tlb_hits), 0);
	assert_int_equal(stat(rig, STAT_walks), 100);
	rig_destroy(rig);
}

/* An L2 TLB that cannot hold the leaves, even in pieces, is passed by. */
static void l2_without_fitting_size(void **state)
{
	struct rig *rig = rig_make(ONE_PAGE_L1 "tlb.l2.page_sizes=[2M] host.backing=4K", 1, 1);

	(void)state;
	for (uint64_t i = 0; i < 10; i++)
		rig_load(rig, i % 2 << 12);
	assert_int_equal(stat(rig, STAT_l2_tlb_misses), 10);
	assert_int_equal(rig->machine.mmu.vcpu[0].l2->used, 0);
	rig_destroy(rig);
}

/* Pieces are counted where they are made, against the leaf, also when they come out of the L2. */
static void splintering(void **state)
{
	struct rig *rig = rig_make("guest.pages=1G host.backing=1G tlb.l1d.page_sizes=[4K,2M] "
				   "tlb.l1d.entries=4 tlb.l1d.ways=full tlb.l2.page_sizes=[4K,32M]",
				   1, 1);
	struct stats s;

	(void)state;
	for (uint64_t i = 0; i < 32; i++)
		rig_load(rig, i * 2 * MIB);
	rig_finish(rig);
	s = rig_stats(rig);
	assert_int_equal(s.v[STAT_l1d_splintered], 32);
	assert_int_equal(s.v[STAT_l1i_splintered], 0);
	assert_int_equal(s.v[STAT_l2_splintered], 2);
	assert_int_equal(s.v[STAT_l2_tlb_misses], 2);
	assert_int_equal(s.v[STAT_l2_tlb_hits], 30);
	rig_destroy(rig);
}

/* ---- dirty state ---------------------------------------------------------------------------- */

#define HARDWARE "guest.dirty_state=hardware "

static bool page_is_dirty(struct rig *rig, uint64_t va)
{
	const struct vm *vm = rig->machine.vms[0];
	struct pgtable_leaf leaf;

	assert_true(pgtable_next(&vm_find_space(vm, 1)->low, va, va, &leaf));
	assert_int_not_equal(leaf.desc & DESC_DBM, 0);
	return !(leaf.desc & S1_AP_RO);
}

static void first_store_walks_again(void **state)
{
	struct rig *rig = rig_make(HARDWARE, 1, 1);

	(void)state;
	assert_true(load(rig, 0, 0x1000)->dirty_clear);
	assert_false(page_is_dirty(rig, 0x1000));
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 0);
	assert_false(store(rig, 0, 0x1000)->dirty_clear);
	assert_true(page_is_dirty(rig, 0x1000));
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 1);
	store(rig, 0, 0x1008);
	load(rig, 0, 0x1010);
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 1);
	/* A store that misses sets dirty state in its own walk. */
	assert_false(store(rig, 0, 0x2000)->dirty_clear);
	assert_true(page_is_dirty(rig, 0x2000));
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 1);
	assert_int_equal(stat(rig, STAT_l1d_tlb_misses), 2);
	assert_int_equal(stat(rig, STAT_walks), 3);
	rig_destroy(rig);
}

static void dirty_state_below_l1(void **state)
{
	struct rig *rig = rig_make(HARDWARE ONE_PAGE_L1, 1, 1);

	(void)state;
	load(rig, 0, 0x1000);
	load(rig, 0, 0x2000); /* 0x1000 is in the L2 TLB alone, clean */
	store(rig, 0, 0x1000);
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 1);
	load(rig, 0, 0x2000);
	store(rig, 0, 0x1000); /* comes back from L2, dirty by now */
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 1);
	assert_int_equal(stat(rig, STAT_l2_tlb_hits), 3);
	assert_int_equal(stat(rig, STAT_walks), 3);
	rig_destroy(rig);
}

/* Each vCPU that holds the page as clean walks for itself. */
static void dirty_state_of_vcpus(void **state)
{
	struct rig *rig = rig_make(HARDWARE, 3, 1);

	(void)state;
	load(rig, 0, 0x1000);
	load(rig, 1, 0x1000);
	store(rig, 0, 0x1000);
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 1);
	store(rig, 1, 0x1000);
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 2);
	load(rig, 2, 0x1000); /* reads a dirty descriptor */
	store(rig, 2, 0x1000);
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 2);
	rig_destroy(rig);
}

/* The pieces of one 2 MiB leaf are clean each on its own. */
static void dirty_state_of_pieces(void **state)
{
	struct rig *rig = rig_make(HARDWARE "guest.pages=2M host.backing=4K", 1, 1);

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		load(rig, 0, i << 12);
	for (uint64_t i = 0; i < 8; i++)
		store(rig, 0, (i & 3) << 12);
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 4);
	store(rig, 0, 5 << 12);
	assert_int_equal(stat(rig, STAT_dirty_rewalks), 4);
	rig_destroy(rig);
}

static void preset_never_walks_again(void **state)
{
	struct rig *rig = rig_make("guest.dirty_state=preset", 1, 1);

	(void)state;
	assert_false(load(rig, 0, 0x1000)->dirty_clear);
	store(rig, 0, 0x1000);
	assert_int_equal(stat(rig, STAT_walks), 1);
	rig_destroy(rig);
}

/* ---- vCPUs, invalidation, walk caches ------------------------------------------------------- */

static void vcpus_are_private(void **state)
{
	struct rig *rig = rig_make("", 2, 1);
	const struct tlb_match all = { .scope = TLB_SCOPE_ALL };

	(void)state;
	load(rig, 0, 0x1000);
	load(rig, 1, 0x1000);
	assert_int_equal(stat(rig, STAT_l2_tlb_misses), 2);
	assert_int_equal(stat(rig, STAT_walk_retries),
			 2); /* one fault of each stage, of the first */
	load(rig, 0, 0x1000);
	load(rig, 1, 0x1000);
	assert_int_equal(stat(rig, STAT_l1d_tlb_misses), 2);
	mmu_invalidate(&rig->machine.mmu, MMU_ALL_VCPUS, &all, WALK_CACHE_KEEP);
	assert_int_equal(stat(rig, STAT_tlbis), 1);
	load(rig, 0, 0x1000);
	load(rig, 1, 0x1000);
	assert_int_equal(stat(rig, STAT_l2_tlb_misses), 4);
	rig_destroy(rig);
}

static uint64_t reads_after(struct rig *rig, enum walk_cache_scope scope)
{
	const struct tlb_match vmid = { .scope = TLB_SCOPE_VMID, .context = { .vmid = 1 } };

	mmu_invalidate(&rig->machine.mmu, MMU_ALL_VCPUS, &vmid, scope);
	rig->reads = 0;
	rig_load(rig, 0x1000);
	return rig->reads;
}

/* 4 levels over 4: 24 reads without caches. */
static void walk_caches_spare_reads(void **state)
{
	struct rig *rig = rig_make("stage2.ipa_bits=48 host.backing=4K", 1, 1);

	(void)state;
	rig_load(rig, 0x1000);
	/*
	 * Nothing known: 4 stage-1 reads; 4 stage-2 reads for the root table, one for each further
	 * table beside it, two for the page, which lies in the next 2 MiB.
	 */
	assert_int_equal(reads_after(rig, WALK_CACHE_BOTH), 4 + 4 + 3 + 2);
	/* Stage 2 answers all from its cache. */
	assert_int_equal(reads_after(rig, WALK_CACHE_STAGE1), 4);
	/* The last stage-1 table is known, and where it is. */
	assert_int_equal(reads_after(rig, WALK_CACHE_KEEP), 1);
	rig_destroy(rig);
}

/*
 * One walk, all of it known before: 4 stage-1 levels, stage 2 with pages. Neoverse N1's IPA entries
 * are blocks, so stage 2 of pages is walked in full, by as many reads as the IPA size gives levels:
 * here the last table is known with its PA, and the page's IPA is not.
 */
static uint64_t reads_again(const char *settings)
{
	struct rig *rig = rig_make(settings, 1, 1);
	const struct tlb_match vmid = { .scope = TLB_SCOPE_VMID, .context = { .vmid = 1 } };

	rig_load(rig, 0x1000);
	mmu_invalidate(&rig->machine.mmu, MMU_ALL_VCPUS, &vmid, WALK_CACHE_KEEP);
	rig->reads = 0;
	rig_load(rig, 0x1000);
	const uint64_t reads = rig->reads;

	rig_destroy(rig);
	return reads;
}

#define N1                                                                                         \
	"walk_cache.s1.place=l2_tlb walk_cache.s2.place=l2_tlb walk_cache.s2.levels=none "         \
	"walk_cache.s2.page_sizes=[2M,32M,512M,1G] "
#define ONLY_S2 "walk_cache.s1.entries=none "

static void what_walk_caches_hold(void **state)
{
	(void)state;
	assert_int_equal(reads_again(N1 "stage2.ipa_bits=40 host.backing=4K"), 1 + 3);
	assert_int_equal(reads_again(N1 "stage2.ipa_bits=48 host.backing=4K"), 1 + 4);
	assert_int_equal(reads_again(N1 "stage2.ipa_bits=48 host.backing=2M"), 1);
	/* A nested TLB: the four tables are found, the page is not, and the other way round. */
	assert_int_equal(reads_again(ONLY_S2 "stage2.ipa_bits=48 host.backing=4K "
					     "walk_cache.s2.levels=none "
					     "walk_cache.s2.serves=tables"),
			 4 + 4);
	assert_int_equal(reads_again(ONLY_S2 "stage2.ipa_bits=48 host.backing=4K "
					     "walk_cache.s2.levels=none walk_cache.s2.serves=data"),
			 4 + 4 * 4);
	/* Table pointers alone: of stage 1 the last, of stage 2 the last, for the page. */
	assert_int_equal(reads_again("stage2.ipa_bits=48 host.backing=4K "
				     "walk_cache.s2.page_sizes=[4T]"),
			 1 + 1);
	assert_int_equal(reads_again("stage2.ipa_bits=48 host.backing=4K "
				     "walk_cache.s1.levels=[1] walk_cache.s2.levels=none "
				     "walk_cache.s2.page_sizes=[4T]"),
			 /* the level-1 table, whose PA is known; levels 2 and 3; the page */
			 1 + 2 * (4 + 1) + 4);
	/* All of it in one structure is as good, while there is room. */
	assert_int_equal(reads_again("stage2.ipa_bits=48 host.backing=4K walk_cache.s2.place=s1"),
			 1);
}

static void without_walk_caches(void **state)
{
	struct rig *rig = rig_make("stage2.ipa_bits=48 host.backing=4K walk_cache.s1.entries=none "
				   "walk_cache.s2.entries=none",
				   1, 1);

	(void)state;
	rig_load(rig, 0x1000);
	assert_int_equal(reads_after(rig, WALK_CACHE_KEEP), 24);
	assert_int_equal(stat(rig, STAT_walk_cache_s1_hits), 0);
	assert_int_equal(stat(rig, STAT_walk_cache_s2_leaf_hits), 0);
	rig_destroy(rig);
}

/* ---- time and sums -------------------------------------------------------------------------- */

static void cycles_add_up(void **state)
{
	struct rig *rig = rig_make("latency.model=fixed latency.fixed_cycles=7 "
				   "walk_cache.s1.hit_cycles=3 walk_cache.s2.hit_cycles=2 "
				   "tlb.l2.entries=8 tlb.l2.ways=full",
				   2, 1);
	struct rng rng = rng_seed(3);
	uint64_t *v = rig->machine.mmu.stats.v, by_level = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		load(rig, pick(&rng, 2), (uint64_t)pick(&rng, 400) << 20);
	rig_finish(rig);
	assert_int_equal(
		v[STAT_walk_cycles],
		7 * v[STAT_walk_reads] + 3 * v[STAT_walk_cache_s1_hits] +
			2 * (v[STAT_walk_cache_s2_leaf_hits] + v[STAT_walk_cache_s2_table_hits]));
	assert_int_equal(rig->reads, v[STAT_walk_reads] + v[STAT_retry_reads]);
	for (unsigned id = STAT_walk_reads_s1_lm1; id <= STAT_walk_reads_s2_l3; id++)
		by_level += v[id];
	assert_int_equal(by_level, v[STAT_walk_reads]);
	assert_int_equal(v[STAT_walk_reads_s1] + v[STAT_walk_reads_s2], v[STAT_walk_reads]);
	assert_int_equal(v[STAT_walk_reads_dram], v[STAT_walk_reads]);
	assert_true(v[STAT_walk_reads_s2_final] < v[STAT_walk_reads_s2]);
	assert_int_equal(v[STAT_walk_cache_s1_hits] + v[STAT_walk_cache_s1_misses], v[STAT_walks]);
	assert_int_equal(rig->machine.mmu.latencies->all.total, v[STAT_walks]);
	assert_true(v[STAT_walk_cycles_p50] <= v[STAT_walk_cycles_p90] &&
		    v[STAT_walk_cycles_p90] <= v[STAT_walk_cycles_p99] &&
		    v[STAT_walk_cycles_p99] <= v[STAT_walk_cycles_max]);
	rig_destroy(rig);
}

static void places_add_up(void **state)
{
	struct rig *rig = rig_make("cache.l1d.size=4K cache.l2.size=16K cache.llc.size=64K "
				   "tlb.l2.entries=8 tlb.l2.ways=full",
				   1, 1);
	struct rng rng = rng_seed(4);
	uint64_t *v = rig->machine.mmu.stats.v;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		rig_load(rig, (uint64_t)pick(&rng, 3000) << 14);
	rig_finish(rig);
	assert_int_equal(v[STAT_walk_reads_l1d] + v[STAT_walk_reads_l2] + v[STAT_walk_reads_llc] +
				 v[STAT_walk_reads_dram],
			 v[STAT_walk_reads]);
	assert_true(v[STAT_walk_reads_l1d] && v[STAT_walk_reads_l2] && v[STAT_walk_reads_llc] &&
		    v[STAT_walk_reads_dram]);
	rig_destroy(rig);
}

/* Reads that somebody watches are found one by one, others all at once behind their walk. */
static void watched_or_not(void **state)
{
	static const char settings[] =
		"cache.l1d.size=4K cache.l2.size=16K cache.llc.size=64K walk_cache.s2.entries=8 "
		"tlb.l2.entries=8 tlb.l2.ways=full guest.dirty_state=hardware";
	struct rig *watched = rig_make(settings, 2, 1), *alone = rig_make(settings, 2, 1);
	struct rng rng = rng_seed(5);
	struct stats want, got;

	(void)state;
	alone->machine.mmu.watch = NULL;
	for (unsigned i = 0; i < 5000; i++) {
		const uint64_t va = (uint64_t)pick(&rng, 900) << 14;
		const struct rig_access access = { pick(&rng, 2), 0, 1, va,
						   (enum access_kind)pick(&rng, 3) };

		assert_non_null(rig_access(watched, access));
		assert_non_null(rig_access(alone, access));
	}
	mmu_count(&watched->machine.mmu, &want);
	mmu_count(&alone->machine.mmu, &got);
	assert_true(want.v[STAT_walk_retries] > 100 && alone->reads == 0);
	for (unsigned id = 0; id < STAT_COUNT; id++)
		assert_int_equal(got.v[id], want.v[id]);
	rig_destroy(watched);
	rig_destroy(alone);
}

/* ---- faults that nobody mends --------------------------------------------------------------- */

static enum mmu_fault_result refuse_s1(void *ctx, const struct mmu_request *request,
				       const struct fault *fault)
{
	(void)request;
	assert_int_equal(fault->stage, 1);
	++*(unsigned *)ctx;
	return MMU_FAULT_FAILED;
}

/* Claims to have mapped the page. */
static enum mmu_fault_result pretend_s1(void *ctx, const struct mmu_request *request,
					const struct fault *fault)
{
	(void)request;
	(void)fault;
	++*(unsigned *)ctx;
	return MMU_FAULT_HANDLED;
}

static void unhandled_faults(void **state)
{
	struct rig *rig = rig_make("", 1, 1);
	unsigned calls = 0;

	(void)state;
	rig->machine.mmu.os.ctx = &calls;
	rig->machine.mmu.os.s1_fault = refuse_s1;
	assert_null(load(rig, 0, 0x1000));
	assert_int_equal(calls, 1);
	rig->machine.mmu.os.s1_fault = pretend_s1;
	assert_null(load(rig, 0, 0x1000));
	assert_true(calls > 10 && calls < 1000); /* it gives up */
	assert_int_equal(stat(rig, STAT_walks), 0);
	assert_int_equal(stat(rig, STAT_walk_retries), calls);
	assert_int_equal(rig->machine.mmu.vcpu[0].l2->used, 0);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_against_lists),
		cmocka_unit_test(without_l2),
		cmocka_unit_test(l2_without_fitting_size),
		cmocka_unit_test(splintering),
		cmocka_unit_test(first_store_walks_again),
		cmocka_unit_test(dirty_state_below_l1),
		cmocka_unit_test(dirty_state_of_vcpus),
		cmocka_unit_test(dirty_state_of_pieces),
		cmocka_unit_test(preset_never_walks_again),
		cmocka_unit_test(vcpus_are_private),
		cmocka_unit_test(walk_caches_spare_reads),
		cmocka_unit_test(what_walk_caches_hold),
		cmocka_unit_test(without_walk_caches),
		cmocka_unit_test(cycles_add_up),
		cmocka_unit_test(places_add_up),
		cmocka_unit_test(watched_or_not),
		cmocka_unit_test(unhandled_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

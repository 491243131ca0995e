/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest page policies: what they map, share, split and give back, against a flat model. */
#include <stdio.h>

#include "frames_view.h"
#include "guest_view.h"

#define LINEAR	UINT64_C(0xffff000000000000)
#define VMALLOC UINT64_C(0xffff800000000000)
#define LINUX	"guest.policy=linux guest.memory=2G host.backing=2M "

/* ---- a flat model --------------------------------------------------------------------------- */

enum { PAGES = 8192, SPACES = 3 };

/* Pages of the lower half of each address space: where they are, and which are mapped for sure. */
struct model {
	unsigned page_bits;
	uint64_t base;
	uint64_t ipa[SPACES][PAGES];
	bool touched[SPACES][PAGES];
};

static void model_unmap(struct model *model, unsigned space, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		model->touched[space][i] = false;
}

/* What was touched is still where it was; what is mapped besides came along with a neighbour. */
static void model_check(struct model *model, const struct vm *vm)
{
	struct view view = view_take(vm);

	view_check(vm, &view);
	for (size_t i = 0; i < view.leaves; i++) {
		const struct view_leaf *leaf = &view.leaf[i];

		if (leaf->va >> 63)
			continue;
		for (uint64_t at = 0; at >> leaf->bits == 0;
		     at += UINT64_C(1) << model->page_bits) {
			const uint64_t page = (leaf->va + at - model->base) >> model->page_bits;

			if (page < PAGES && model->touched[leaf->asid - 1][page])
				assert_int_equal(leaf->ipa + at, model->ipa[leaf->asid - 1][page]);
		}
	}
	for (unsigned space = 0; space < SPACES; space++)
		for (unsigned page = 0; page < PAGES; page += 37)
			if (model->touched[space][page])
				assert_non_null(view_find(
					&view, (uint16_t)(space + 1),
					model->base + ((uint64_t)page << model->page_bits)));
	view_free(&view);
}

static void step_touch(struct rig *rig, struct model *model, struct rng *rng)
{
	const struct vm *vm = rig->machine.vms[0];
	const unsigned space = pick(rng, SPACES), page = pick(rng, PAGES);
	const uint64_t va = model->base + ((uint64_t)page << model->page_bits);
	struct pgtable_leaf leaf;

	guest_touch(rig, (uint16_t)(space + 1), va + pick(rng, 4096),
		    (enum access_kind)pick(rng, 3));
	assert_true(pgtable_next(&vm_find_space(vm, space + 1)->low, va, va, &leaf));
	if (!model->touched[space][page])
		model->ipa[space][page] =
			desc_leaf_address(&vm->high.format, leaf.desc, leaf.bits) | (va - leaf.ia);
	model->touched[space][page] = true;
	assert_int_equal(model->ipa[space][page] - va + leaf.ia,
			 desc_leaf_address(&vm->high.format, leaf.desc, leaf.bits));
}

static void step_unmap(struct rig *rig, struct model *model, struct rng *rng)
{
	const unsigned space = pick(rng, SPACES), first = pick(rng, PAGES);
	const unsigned want = 1 + pick(rng, chance(rng, 1, 4) ? 2048 : 24);
	const unsigned count = want < PAGES - first ? want : PAGES - first;
	struct pgtable_leaf leaf;
	const uint64_t va = model->base + ((uint64_t)first << model->page_bits);
	const uint64_t bytes = (uint64_t)count << model->page_bits;

	if (!vm_find_space(rig->machine.vms[0], space + 1))
		return;
	guest_unmap(rig, (uint16_t)(space + 1), va, bytes);
	model_unmap(model, space, first, count);
	assert_false(pgtable_next(&vm_find_space(rig->machine.vms[0], space + 1)->low, va,
				  va + bytes - 1, &leaf));
}

/* Chunks of guest memory for tables. */
static uint64_t chunk_bytes(const struct vm *vm)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < vm->chunks_count; i++)
		sum += UINT64_C(1) << vm->chunks[i]->bits;
	return sum;
}

static void run_model(const char *settings, unsigned page_bits)
{
	struct model *model = calloc(1, sizeof(*model));
	struct rig *rig;
	struct rng rng = rng_seed(page_bits);
	const struct frames *memory;
	uint64_t free_bytes;
	char text[512];

	assert_non_null(model);
	snprintf(text, sizeof(text), "guest.policy=linux host.backing=base %s", settings);
	rig = rig_make(text, 1, 1);
	memory = &rig->machine.vms[0]->guest_memory.frames;
	free_bytes = free_bytes_of(memory) + chunk_bytes(rig->machine.vms[0]);
	model->page_bits = page_bits;
	model->base = UINT64_C(1) << 32;
	for (unsigned i = 0; i < 6000; i++) {
		if (chance(&rng, 1, 20))
			step_unmap(rig, model, &rng);
		else
			step_touch(rig, model, &rng);
		if (i % 1000 == 999)
			model_check(model, rig->machine.vms[0]);
	}
	for (uint16_t asid = 1; asid <= SPACES; asid++)
		guest_unmap(rig, asid, 0, UINT64_C(1) << 47);
	/* All is free again but for tables. */
	assert_int_equal(free_bytes_of(memory) + chunk_bytes(rig->machine.vms[0]), free_bytes);
	memset(model->touched, 0, sizeof(model->touched));
	model_check(model, rig->machine.vms[0]);
	rig_destroy(rig);
	free(model);
}

static void linux_against_model(void **state)
{
	(void)state;
	run_model("guest.memory=1G", 12);
	run_model("guest.memory=1G guest.thp_permille=500 guest.contiguous_permille=500", 12);
	run_model("guest.memory=64M guest.memory_base=0x40000000", 12);
	run_model("guest.memory=4G stage1.granule=16K stage1.va_bits=47 stage2.granule=16K "
		  "guest.thp_permille=500 guest.contiguous_permille=700",
		  14);
	run_model("guest.memory=16G stage1.granule=64K stage2.granule=64K "
		  "guest.thp_permille=400 guest.contiguous_permille=500",
		  16);
	run_model("guest.memory=1G guest.thp_permille=500 guest.contiguous_permille=500 "
		  "guest.fragmentation_permille=600",
		  12);
}

/* ---- shares --------------------------------------------------------------------------------- */

static unsigned blocks_of(unsigned permille)
{
	char text[256];
	struct rig *rig;
	struct stats stats;
	unsigned blocks;

	snprintf(text, sizeof(text),
		 "guest.policy=linux guest.memory=8G host.backing=base guest.thp_permille=%u",
		 permille);
	rig = rig_make(text, 1, 1);
	for (uint64_t i = 0; i < 1000; i++)
		guest_touch(rig, 1, (i << 21) + 0x12345, ACCESS_STORE);
	stats = rig_stats(rig);
	blocks = (unsigned)stats.v[STAT_s1_mapped_2m];
	assert_int_equal(stats.v[STAT_s1_thp_faults], blocks);
	assert_int_equal(stats.v[STAT_s1_mapped_4k], 1000 - blocks);
	assert_int_equal(stats.v[STAT_s1_fallbacks], 0);
	rig_destroy(rig);
	return blocks;
}

/* Five standard deviations of a binomial of 1000 are at most 79. */
static void thp_share(void **state)
{
	unsigned before = 0;

	(void)state;
	assert_int_equal(blocks_of(0), 0);
	assert_int_equal(blocks_of(1000), 1000);
	for (unsigned permille = 100; permille < 1000; permille += 200) {
		const unsigned blocks = blocks_of(permille);

		assert_in_range(blocks, permille - 79, permille + 79);
		assert_true(blocks >= before);
		before = blocks;
	}
}

/* Where no block is free a fault gets less: a contiguous set, or a page. */
static void fallback(void **state)
{
	struct rig *rig = rig_make("guest.policy=linux guest.memory=256M host.backing=base "
				   "guest.thp_permille=1000 guest.contiguous_permille=1000 "
				   "guest.fragmentation_permille=1000",
				   1, 1);
	struct stats stats;

	(void)state;
	for (uint64_t i = 0; i < 50; i++)
		guest_touch(rig, 1, i << 21, ACCESS_STORE);
	stats = rig_stats(rig);
	assert_int_equal(stats.v[STAT_s1_faults], 50);
	assert_int_equal(stats.v[STAT_s1_fallbacks], 50);
	assert_int_equal(stats.v[STAT_s1_mapped_2m], 0);
	assert_true(stats.v[STAT_s1_contiguous_mapped] > 0);
	assert_int_equal(stats.v[STAT_s1_contiguous_mapped] % 16, 0);
	guest_checked(rig);
	rig_destroy(rig);
}

static void contiguous_sets(void **state)
{
	static const struct {
		const char *settings;
		unsigned page_bits, span_bits;
	} cases[] = {
		{ "", 12, 16 },
		{ "stage1.granule=16K stage1.va_bits=47", 14, 21 },
		{ "stage1.granule=64K", 16, 21 },
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const unsigned pages = 1u << (cases[i].span_bits - cases[i].page_bits);
		struct view_leaf leaf;
		struct rig *rig;
		char text[256];

		snprintf(text, sizeof(text), LINUX "guest.contiguous_permille=1000 %s",
			 cases[i].settings);
		rig = rig_make(text, 1, 1);
		guest_touch(rig, 1, 0x7654321, ACCESS_LOAD);
		assert_int_equal(rig_stats(rig).v[STAT_s1_contiguous_mapped], pages);
		assert_int_equal(rig_stats(rig).v[STAT_s1_faults], 1);
		guest_checked(rig);
		/* One page goes: the others stay, as single pages. */
		guest_unmap(rig, 1, 0x7654321 & ~low_mask(cases[i].page_bits),
			    UINT64_C(1) << cases[i].page_bits);
		assert_int_equal(rig_stats(rig).v[STAT_s1_contiguous_mapped], 0);
		/* It comes back alone: its neighbours are mapped. */
		guest_touch(rig, 1, 0x7654321, ACCESS_LOAD);
		leaf = guest_leaf_at(rig, 1, 0x7654321);
		assert_int_equal(leaf.bits, cases[i].page_bits);
		assert_int_equal(rig_stats(rig).v[STAT_s1_contiguous_mapped], 0);
		guest_checked(rig);
		rig_destroy(rig);
	}
}

/* ---- huge pages in parts -------------------------------------------------------------------- */

static void split_of_thp(void **state)
{
	struct rig *rig = rig_make(LINUX "guest.thp_permille=1000", 1, 1);
	const struct vm *vm = rig->machine.vms[0];
	const uint64_t va = UINT64_C(0x10000000);
	struct view_leaf block, page;
	uint64_t tables;

	(void)state;
	guest_touch(rig, 1, va + 0x5000, ACCESS_STORE);
	tables = vm_find_space(vm, 1)->low.pages;
	block = guest_leaf_at(rig, 1, va);
	assert_int_equal(block.bits, 21);
	guest_unmap(rig, 1, va + 0x3000, 0x2000);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 0);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_4k], 510);
	assert_int_equal(vm_find_space(vm, 1)->low.pages, tables + 1);
	page = guest_leaf_at(rig, 1, va + 0x5000);
	assert_int_equal(page.ipa, block.ipa + 0x5000);
	assert_int_equal(page.bits, 12);
	/* The same attributes; bit 1 of the descriptor is set in a page only. */
	assert_int_equal(page.desc, (block.desc | DESC_TABLE) + 0x5000);
	/* All of it gone: the table is, too, and the region can have a block again. */
	guest_unmap(rig, 1, va, 2 * MIB);
	assert_int_equal(vm_find_space(vm, 1)->low.pages, 0);
	guest_touch(rig, 1, va, ACCESS_LOAD);
	assert_int_equal(guest_leaf_at(rig, 1, va).bits, 21);
	assert_int_equal(rig_stats(rig).v[STAT_s1_thp_faults], 2);
	guest_checked(rig);
	rig_destroy(rig);
}

/* Pages of guest.pages, hugetlbfs, have no parts. */
static void hugetlb_stays_whole(void **state)
{
	struct rig *rig = rig_make(LINUX "guest.pages=2M", 1, 1);

	(void)state;
	guest_touch(rig, 1, 0x200000, ACCESS_STORE);
	guest_touch(rig, 1, 0x400000, ACCESS_STORE);
	guest_unmap(rig, 1, 0x201000, 0x2ff000);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 2);
	guest_unmap(rig, 1, 0x200000, 0x300000);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 1);
	assert_int_equal(rig_stats(rig).v[STAT_s1_thp_faults], 0);
	rig_destroy(rig);
}

/* Memory that is unmapped serves again, for ever. */
static void memory_is_reused(void **state)
{
	struct rig *rig = rig_make("guest.policy=linux guest.memory=16M", 1, 1);
	const uint64_t table_pages = 2 + 3;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		for (uint64_t i = 0; i < 1024; i++)
			guest_touch(rig, 1, 0x40000000 + (i << 12), ACCESS_STORE);
		guest_unmap(rig, 1, 0x40000000, 4 * MIB);
	}
	assert_int_equal(rig_stats(rig).v[STAT_s1_faults], 50 * 1024);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_4k], 0);
	/* Root tables, levels 1 and 2, and two of level 3, of which each round frees four. */
	assert_true(rig_stats(rig).v[STAT_table_pages_s1] >= table_pages);
	guest_checked(rig);
	rig_destroy(rig);
}

/* ---- the kernel ----------------------------------------------------------------------------- */

static void kernel_in_blocks(void **state)
{
	struct rig *rig = rig_make("guest.policy=linux guest.memory=3G host.backing=base", 1, 1);
	struct view_leaf leaf;

	(void)state;
	guest_touch(rig, 1, LINEAR + 0x12345678, ACCESS_LOAD);
	leaf = guest_leaf_at(rig, 1, LINEAR + 0x12345678);
	assert_int_equal(leaf.bits, 30);
	assert_int_equal(leaf.ipa, 0x40000000);
	assert_int_equal(leaf.va, LINEAR);
	/* Text at its first fetch, data of the vmalloc space by pages. */
	guest_touch(rig, 2, VMALLOC + 0x8010000, ACCESS_FETCH);
	leaf = guest_leaf_at(rig, 2, VMALLOC + 0x8010000);
	assert_int_equal(leaf.bits, 21);
	guest_touch(rig, 2, VMALLOC + 0x18010000, ACCESS_STORE);
	assert_int_equal(guest_leaf_at(rig, 2, VMALLOC + 0x18010000).bits, 12);
	/* Beyond memory there is no linear map. */
	guest_touch(rig, 2, LINEAR + (UINT64_C(5) << 30), ACCESS_LOAD);
	assert_int_equal(guest_leaf_at(rig, 2, LINEAR + (UINT64_C(5) << 30)).bits, 12);
	guest_checked(rig);
	/* Whoever unmaps a part of the linear map does not free what it maps. */
	guest_touch(rig, 1, 0x1000, ACCESS_STORE);
	guest_unmap(rig, 1, LINEAR, 2 * GIB);
	for (uint64_t i = 0; i < 100; i++)
		guest_touch(rig, 1, 0x2000 + (i << 12), ACCESS_STORE);
	guest_checked(rig);
	rig_destroy(rig);
}

static unsigned linear_bits(const char *settings, uint64_t offset)
{
	struct rig *rig = rig_make(settings, 1, 1);
	struct view_leaf leaf;

	guest_touch(rig, 1, LINEAR + offset, ACCESS_LOAD);
	leaf = guest_leaf_at(rig, 1, LINEAR + offset);
	/* The linear map begins at memory rounded down to 1 GiB. */
	assert_int_equal(leaf.ipa, (UINT64_C(1) << 30) + (offset & ~low_mask(leaf.bits)));
	guest_checked(rig);
	if (leaf.desc & DESC_CONTIGUOUS)
		leaf.bits = desc_contiguous_bits(rig->machine.vms[0]->setup.s1_granule, 3);
	rig_destroy(rig);
	return leaf.bits;
}

/* The largest block that lies in memory altogether. */
static void linear_map_sizes(void **state)
{
	(void)state;
	assert_int_equal(linear_bits("guest.policy=linux guest.memory=2G", GIB + 5), 30);
	assert_int_equal(linear_bits("guest.policy=linux guest.memory=1G", 5), 30);
	assert_int_equal(linear_bits("guest.policy=linux guest.memory=1022M", 5), 21);
	assert_int_equal(linear_bits("guest.policy=linux guest.memory=1G "
				     "guest.memory_base=0x40010000",
				     0x12345),
			 16);
	assert_int_equal(linear_bits("guest.policy=linux guest.memory=1G "
				     "guest.memory_base=0x40001000",
				     0x2345),
			 12);
	assert_int_equal(linear_bits("guest.policy=linux guest.memory=2G "
				     "guest.kernel_map=pages",
				     5),
			 12);
	assert_int_equal(linear_bits("guest.policy=linux guest.memory=2G stage1.granule=16K "
				     "stage1.va_bits=48",
				     GIB),
			 25);
	assert_int_equal(
		linear_bits("guest.policy=linux guest.memory=510M stage1.granule=64K", MIB), 21);
	assert_int_equal(linear_bits("guest.policy=linux guest.memory=1G stage1.granule=64K", MIB),
			 29);
}

/* ---- what backs the tables ------------------------------------------------------------------ */

static void backing_of_tables(void **state)
{
	static const struct {
		const char *settings;
		enum stat_id stat;
		uint64_t pages_each;
	} cases[] = {
		{ "host.backing=4K", STAT_s2_table_mapped_4k, 1 },
		{ "host.backing=2M", STAT_s2_table_mapped_2m, 1 },
		{ "host.backing=1G", STAT_s2_table_mapped_1g, 1 },
		{ "host.backing=2M stage1.granule=64K", STAT_s2_table_mapped_2m, 16 },
		{ "host.backing=base stage1.granule=64K stage2.granule=64K",
		  STAT_s2_table_mapped_64k, 1 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *rig = rig_make(cases[i].settings, 1, 1);
		struct stats stats;
		uint64_t all = 0;

		for (uint64_t k = 0; k < 64; k++)
			guest_touch(rig, 1, k << 30, ACCESS_STORE);
		stats = rig_stats(rig);
		for (unsigned s = STAT_s2_table_mapped_4k; s <= STAT_s2_table_mapped_1g; s++)
			all += stats.v[s];
		assert_int_equal(all, stats.v[STAT_table_pages_s1] * cases[i].pages_each);
		assert_int_equal(stats.v[cases[i].stat], all);
		rig_destroy(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_against_model),
		cmocka_unit_test(thp_share),
		cmocka_unit_test(fallback),
		cmocka_unit_test(contiguous_sets),
		cmocka_unit_test(split_of_thp),
		cmocka_unit_test(hugetlb_stays_whole),
		cmocka_unit_test(memory_is_reused),
		cmocka_unit_test(kernel_in_blocks),
		cmocka_unit_test(linear_map_sizes),
		cmocka_unit_test(backing_of_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

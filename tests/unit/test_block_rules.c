/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which stage-2 blocks each rule maps, for every geometry of the table of IPA sizes: real faults,
 * leaves counted by size. And what that makes of a walk.
 */
#include <stdio.h>

#include "rig.h"

struct row {
	unsigned granule_kib, ipa_bits, levels;
	unsigned tables;		     /* concatenated */
	bool pud_v10, pud_relaxed, pud_size; /* a PUD-size block can be mapped */
};

static const struct row rows[] = {
	{ 4, 32, 2, 4, 0, 0, 0 },   { 4, 36, 3, 1, 0, 1, 1 },  { 4, 40, 3, 2, 0, 1, 1 },
	{ 4, 42, 3, 8, 0, 1, 1 },   { 4, 44, 4, 1, 1, 1, 1 },  { 4, 48, 4, 1, 1, 1, 1 },
	{ 4, 52, 4, 16, 1, 1, 1 },  { 16, 32, 2, 1, 0, 0, 0 }, { 16, 36, 2, 1, 0, 0, 0 },
	{ 16, 40, 2, 16, 0, 0, 0 }, { 16, 42, 3, 1, 0, 1, 1 }, { 16, 44, 3, 1, 0, 1, 1 },
	{ 16, 48, 3, 2, 0, 1, 1 },  { 16, 52, 4, 1, 1, 1, 1 }, { 64, 32, 2, 1, 0, 0, 0 },
	{ 64, 36, 2, 1, 0, 0, 0 },  { 64, 40, 2, 1, 0, 0, 0 }, { 64, 42, 2, 1, 0, 0, 0 },
	{ 64, 44, 2, 4, 0, 0, 0 },  { 64, 48, 3, 1, 0, 1, 1 }, { 64, 52, 3, 1, 0, 1, 1 },
};

/* What hugetlbfs has with each granule. */
enum backing { BASE, CONT_PTE, PMD, CONT_PMD, PUD };

struct backing_size {
	unsigned granule_kib;
	enum backing kind;
	const char *name;
	unsigned bits;
};

static const struct backing_size backings[] = {
	{ 4, BASE, "4K", 12 },	     { 4, CONT_PTE, "64K", 16 }, { 4, PMD, "2M", 21 },
	{ 4, CONT_PMD, "32M", 25 },  { 4, PUD, "1G", 30 },	 { 16, BASE, "16K", 14 },
	{ 16, CONT_PTE, "2M", 21 },  { 16, PMD, "32M", 25 },	 { 16, CONT_PMD, "1G", 30 },
	{ 64, BASE, "64K", 16 },     { 64, CONT_PTE, "2M", 21 }, { 64, PMD, "512M", 29 },
	{ 64, CONT_PMD, "16G", 34 },
};

static unsigned page_bits_of(unsigned granule_kib)
{
	return granule_kib == 4 ? 12 : granule_kib == 16 ? 14 : 16;
}

static unsigned pmd_bits_of(unsigned granule_kib)
{
	return granule_kib == 4 ? 21 : granule_kib == 16 ? 25 : 29;
}

/* log2 of the leaves that the rule must give. */
static unsigned expected_bits(const char *rule, const struct row *row, const struct backing_size *b)
{
	const unsigned page = page_bits_of(b->granule_kib), pmd = pmd_bits_of(b->granule_kib);
	const bool size_rule = strcmp(rule, "size") == 0;
	const bool upstream = strcmp(rule, "upstream") == 0;

	switch (b->kind) {
	case BASE:
	case CONT_PTE: /* below a PMD: pages under every rule */
		return page;
	case PMD:
		return pmd;
	case CONT_PMD: /* v10 and relaxed know PMD and PUD only; size wants a root entry as large */
		if (upstream || (size_rule && row->levels >= 3))
			return pmd;
		return page;
	case PUD:
		break;
	}
	if (upstream) /* without a PUD level made of PMDs */
		return row->levels >= 3 ? b->bits : pmd;
	if (strcmp(rule, "v10") == 0)
		return row->pud_v10 ? b->bits : page;
	return (size_rule ? row->pud_size : row->pud_relaxed) ? b->bits : page;
}

static const struct {
	unsigned bits;
	enum stat_id stat;
} leaf_stats[] = {
	{ 12, STAT_s2_mapped_4k },   { 14, STAT_s2_mapped_16k }, { 16, STAT_s2_mapped_64k },
	{ 21, STAT_s2_mapped_2m },   { 25, STAT_s2_mapped_32m }, { 29, STAT_s2_mapped_512m },
	{ 30, STAT_s2_mapped_1g },   { 34, STAT_s2_mapped_16g }, { 36, STAT_s2_mapped_64g },
	{ 39, STAT_s2_mapped_512g }, { 42, STAT_s2_mapped_4t },
};

/* All leaves are of 2^bits bytes; returns how many. */
static uint64_t leaves_of(const struct stats *stats, unsigned bits, const char *what)
{
	uint64_t found = 0;

	for (size_t i = 0; i < sizeof(leaf_stats) / sizeof(leaf_stats[0]); i++) {
		const uint64_t n = stats->v[leaf_stats[i].stat];

		if (leaf_stats[i].bits == bits)
			found = n;
		else if (n)
			fail_msg("%s: %llu leaves of 2^%u, wanted only 2^%u", what,
				 (unsigned long long)n, leaf_stats[i].bits, bits);
	}
	return found;
}

/* KVM's PGD is whole pages: entries x 8 bytes, one page at least. */
static uint64_t root_pages(const struct row *row)
{
	const unsigned page = page_bits_of(row->granule_kib);
	const unsigned entries_bits = row->ipa_bits - page - (row->levels - 1) * (page - 3);
	const uint64_t pages = (UINT64_C(8) << entries_bits) >> page;

	assert_int_equal(pages ? pages : 1, row->tables);
	return row->tables;
}

static void check_row(const char *rule, const struct row *row, const struct backing_size *b)
{
	const unsigned bits = expected_bits(rule, row, b);
	const bool split = b->kind == PUD && row->levels == 2 && bits == 21;
	char text[256];
	struct stats stats;
	struct rig *rig;

	/*
	 * Pages of the guest as large as those of stage 2, so that each may fault; memory from 16
	 * GiB on where there is room, so that blocks of 16 GiB lie inside the memslot.
	 */
	snprintf(text, sizeof(text),
		 "host.block_rule=%s host.backing=%s stage2.granule=%uK stage2.ipa_bits=%u "
		 "stage1.granule=%uK stage1.va_bits=%u guest.memory_base=%s",
		 rule, b->name, b->granule_kib, row->ipa_bits, b->granule_kib,
		 b->granule_kib == 16 ? 47 : 48, row->ipa_bits < 36 ? "0x40000000" : "0x400000000");
	rig = rig_make(text, 1, 1);
	for (uint64_t i = 0; i < 40; i++)
		rig_load(rig, UINT64_C(0x10000000) + (i << page_bits_of(b->granule_kib)));
	stats = rig_stats(rig);
	assert_int_equal(stats.v[STAT_s2_faults] * (split ? 512 : 1),
			 leaves_of(&stats, bits, text));
	if (bits == page_bits_of(b->granule_kib))
		assert_true(stats.v[STAT_s2_faults] >= 40);
	assert_true(stats.v[STAT_table_pages_s2] >= root_pages(row));
	/* Blocks lie so close that each level has one table between the root and theirs. */
	if (bits != page_bits_of(b->granule_kib) && !split)
		assert_int_equal(stats.v[STAT_table_pages_s2] - root_pages(row),
				 row->levels - 1 - (bits - pmd_bits_of(b->granule_kib)) / 9 - 1);
	rig_destroy(rig);
}

static void every_row(void **state)
{
	static const char *const rules[] = { "v10", "relaxed", "size", "upstream" };

	(void)state;
	for (size_t r = 0; r < 4; r++) {
		assert_non_null(host_find(rules[r]));
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			for (size_t b = 0; b < sizeof(backings) / sizeof(backings[0]); b++)
				if (backings[b].granule_kib == rows[i].granule_kib)
					check_row(rules[r], &rows[i], &backings[b]);
	}
	assert_null(host_find("v11"));
}

/* ---- memslots that do not hold the whole block ---------------------------------------------- */

static struct stats stats_after(const char *settings, uint64_t loads)
{
	struct rig *rig = rig_make(settings, 1, 1);
	struct stats stats;

	for (uint64_t i = 0; i < loads; i++)
		rig_load(rig, 0x400000 + (i << 12));
	stats = rig_stats(rig);
	rig_destroy(rig);
	return stats;
}

#define UPSTREAM_1G "host.block_rule=upstream host.backing=1G stage2.ipa_bits=40 "

/* The first 1 GiB of IPA lies in the memslot but for 2 MiB: PUD falls to PMD, and PMD to a page. */
static void memslot_edges(void **state)
{
	struct stats stats = stats_after(UPSTREAM_1G "guest.memory_base=0x200000", 100);

	(void)state;
	assert_int_equal(leaves_of(&stats, 21, "2 MiB off"), stats.v[STAT_s2_faults]);
	/* Tables from 2 MiB on, data from 4 MiB to 8 MiB and one page behind it. */
	stats = stats_after(UPSTREAM_1G "guest.memory_base=0x1000 guest.memory=8M", 1025);
	assert_int_equal(stats.v[STAT_s2_mapped_1g], 0);
	assert_int_equal(stats.v[STAT_s2_mapped_2m], 3);
	assert_int_equal(stats.v[STAT_s2_mapped_4k], 1);
	stats = stats_after(UPSTREAM_1G "guest.memory_base=0x40000000 guest.memory=1G", 100);
	assert_int_equal(stats.v[STAT_s2_mapped_1g], 1);
	stats = stats_after(UPSTREAM_1G "guest.memory_base=0x40000000 guest.memory=1048572K", 100);
	assert_int_equal(leaves_of(&stats, 21, "one page less"), stats.v[STAT_s2_faults]);
}

/* ---- what a walk reads ---------------------------------------------------------------------- */

#define UNCACHED "walk_cache.s1.entries=none walk_cache.s2.entries=none "

/* Descriptor reads of a walk that meets no fault and no cache. */
static uint64_t reads_of_walk(const char *settings)
{
	struct config config = rig_config2(UNCACHED, settings);
	struct diag diag = DIAG_INIT;
	struct rig *rig = rig_try(&config, 1, 1, &diag);
	uint64_t reads;

	if (!rig)
		fail_msg("%s: %s", settings, diag.text);
	rig_load(rig, UINT64_C(0x7f0040201000));
	rig_flush(rig);
	rig->reads = 0;
	rig_load(rig, UINT64_C(0x7f0040201000));
	reads = rig->reads;
	rig_destroy(rig);
	return reads;
}

struct headline {
	const char *settings;
	uint64_t reads;
	enum stat_id leaves;
};

static void headline(void **state)
{
	static const struct headline headlines[] = {
		{ "host.backing=1G host.block_rule=v10 stage2.ipa_bits=40", 19, STAT_s2_mapped_4k },
		{ "host.backing=1G host.block_rule=v10 stage2.ipa_bits=44", 14, STAT_s2_mapped_1g },
		{ "host.backing=1G host.block_rule=relaxed stage2.ipa_bits=40", 9,
		  STAT_s2_mapped_1g },
		{ "host.backing=2M host.block_rule=v10 stage2.ipa_bits=40", 14, STAT_s2_mapped_2m },
		{ "host.backing=2M host.block_rule=relaxed stage2.ipa_bits=40", 14,
		  STAT_s2_mapped_2m },
		{ "host.backing=4K host.block_rule=v10 stage2.ipa_bits=40", 19, STAT_s2_mapped_4k },
		{ "host.backing=4K host.block_rule=upstream stage2.ipa_bits=48", 24,
		  STAT_s2_mapped_4k },
		{ "host.backing=2M host.block_rule=upstream stage2.ipa_bits=44", 19,
		  STAT_s2_mapped_2m },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(headlines) / sizeof(headlines[0]); i++) {
		const struct headline *h = &headlines[i];
		const struct stats stats = stats_after(h->settings, 10);

		assert_int_equal(reads_of_walk(h->settings), h->reads);
		assert_true(stats.v[h->leaves] > 0);
	}
}

/* m * (n + 1) + n for m levels of stage 1 and n of stage 2. */
static void reads_by_levels(void **state)
{
	static const char *const stage1[] = { "guest.pages=1G", "guest.pages=2M",
					      "guest.pages=4K" };
	static const char *const stage2[] = {
		"host.block_rule=upstream stage2.ipa_bits=40 host.backing=1G",
		"host.block_rule=upstream stage2.ipa_bits=40 host.backing=2M",
		"host.block_rule=upstream stage2.ipa_bits=40 host.backing=4K",
		"host.block_rule=upstream stage2.ipa_bits=48 host.backing=4K",
	};
	static const unsigned known[3][4] = { { 5, 8, 11, 14 },
					      { 7, 11, 15, 19 },
					      { 9, 14, 19, 24 } };
	char text[256];

	(void)state;
	for (unsigned m = 2; m <= 4; m++)
		for (unsigned n = 1; n <= 4; n++) {
			snprintf(text, sizeof(text), "%s %s", stage1[m - 2], stage2[n - 1]);
			assert_int_equal(reads_of_walk(text), known[m - 2][n - 1]);
			assert_int_equal(m * (n + 1) + n, known[m - 2][n - 1]);
		}
}

/* 16K and 64K granules at both stages, as many levels as the sizes need. */
static void reads_of_large_granules(void **state)
{
	static const struct {
		const char *settings;
		uint64_t reads;
	} lines[] = {
		{ "stage1.granule=16K stage1.va_bits=47 stage2.granule=16K stage2.ipa_bits=40",
		  11 },
		{ "stage1.granule=16K stage1.va_bits=47 stage2.granule=16K stage2.ipa_bits=40 "
		  "host.backing=32M",
		  7 },
		{ "stage1.granule=16K stage1.va_bits=47 stage2.granule=16K stage2.ipa_bits=44",
		  15 },
		{ "stage1.granule=16K stage1.va_bits=47 stage2.granule=16K stage2.ipa_bits=44 "
		  "host.backing=32M",
		  11 },
		{ "stage1.granule=64K stage2.granule=64K stage2.ipa_bits=42", 11 },
		{ "stage1.granule=64K stage2.granule=64K stage2.ipa_bits=42 host.backing=512M", 7 },
		{ "stage1.granule=64K stage2.granule=64K stage2.ipa_bits=48", 15 },
		{ "stage1.granule=64K stage2.granule=64K stage2.ipa_bits=48 host.backing=512M",
		  11 },
		{ "stage1.va_bits=52 stage2.ipa_bits=52", 29 }, /* five levels over four */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(reads_of_walk(lines[i].settings), lines[i].reads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(memslot_edges),
		cmocka_unit_test(headline),
		cmocka_unit_test(reads_by_levels),
		cmocka_unit_test(reads_of_large_granules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

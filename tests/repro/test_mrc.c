/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Miss-ratio curves against the replay: a fully associative LRU L1 TLB of each size tested, whose
 * entries, guest pages and host blocks make every entry one page of the curve's size. With TLBIs,
 * unmaps, several vCPUs, VMs and ASIDs, in every form of a trace.
 *
 * test_mrc [TRACE...]: on the first block of these (TWOSTAGE_LONG: twenty); else on random streams.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine_point.h"
#include "refs.h"
#include "mrc/mrc.h"
#include "scratch.h"

/* The host's blocks are never smaller than the guest's pages. */
#define BASE                                                                                       \
	"tlb.l1i.ways=full tlb.l1d.ways=full tlb.l2.entries=none stage2.ipa_bits=48 "              \
	"host.backing=1G host.block_rule=relaxed guest.memory=7T "

/* One way to have entries of a size. */
struct shape {
	unsigned page_bits;
	enum granule granule;
	const char *settings;
};

/* The largest that fits is taken; a TLB must have the smallest. */
#define SIZES(text) "tlb.l1i.page_sizes=[4K," text "] tlb.l1d.page_sizes=[4K," text "]"

static const struct shape shapes[] = {
	{ 12, GRANULE_4K, BASE "tlb.l1i.page_sizes=4K tlb.l1d.page_sizes=4K" },
	{ 14, GRANULE_16K, BASE "stage1.granule=16K " SIZES("16K") },
	{ 16, GRANULE_64K, BASE "stage1.granule=64K " SIZES("64K") },
	{ 21, GRANULE_4K, BASE "guest.pages=pmd " SIZES("2M") },
	{ 25, GRANULE_16K, BASE "stage1.granule=16K guest.pages=pmd " SIZES("32M") },
	{ 29, GRANULE_64K, BASE "stage1.granule=64K guest.pages=pmd " SIZES("512M") },
	{ 30, GRANULE_4K, BASE "guest.pages=pud " SIZES("1G") },
};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static struct mrc curves_of(const struct shape *shape, const char *path)
{
	const struct mrc_setup setup = {
		.page_bits = { (uint8_t)shape->page_bits },
		.page_sizes = 1,
		.stream = { true, true },
		.granule = shape->granule,
	};
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader = trace_open(path, false, &diag);
	struct mrc mrc;

	assert_non_null(reader);
	if (mrc_run(&setup, reader, NULL, &mrc, &diag))
		fail_msg("%s", diag.text);
	trace_close(reader);
	return mrc;
}

static void assert_point(const struct shape *shape, const struct mrc *mrc, const char *path,
			 unsigned entries)
{
	struct config config = engine_config(shape->settings);
	const struct mrc_curve *data = &mrc->curve[0], *fetch = &mrc->curve[1];
	char text[80];
	struct stats stats;

	snprintf(text, sizeof(text), "tlb.l1i.entries=%u tlb.l1d.entries=%u", entries, entries);
	engine_set(&config, text);
	stats = engine_run(&config, path);
	if (mrc_misses(data, entries) != stats.v[STAT_l1d_tlb_misses] ||
	    mrc_misses(fetch, entries) != stats.v[STAT_l1i_tlb_misses])
		fail_msg("%u entries, %s: data %llu, replay %llu; fetch %llu, replay %llu", entries,
			 shape->settings, (unsigned long long)mrc_misses(data, entries),
			 (unsigned long long)stats.v[STAT_l1d_tlb_misses],
			 (unsigned long long)mrc_misses(fetch, entries),
			 (unsigned long long)stats.v[STAT_l1i_tlb_misses]);
	assert_int_equal(data->lookups, stats.v[STAT_l1d_tlb_hits] + stats.v[STAT_l1d_tlb_misses]);
	assert_int_equal(fetch->lookups, stats.v[STAT_l1i_tlb_hits] + stats.v[STAT_l1i_tlb_misses]);
}

/* Where a miss looks at all entries, replays of deeper curves have no end. */
enum { REPLAYED_DEPTH_MAX = 8192 };

static uint64_t invalidated; /* accesses to pages that were, in all curves compared */

/* The sizes given, and those around the depth of the data curve. */
static void compare(const struct shape *shape, const char *path, const unsigned *entries, size_t n)
{
	struct mrc mrc = curves_of(shape, path);
	const unsigned depth = (unsigned)mrc.curve[0].depth;

	assert_int_equal(mrc.curves, 2);
	invalidated += mrc.curve[0].dropped_uses;
	for (size_t i = 0; i < n; i++)
		assert_point(shape, &mrc, path, entries[i]);
	for (unsigned e = depth > 1 ? depth - 1 : 1;
	     n > 1 && depth <= REPLAYED_DEPTH_MAX && e <= depth + 1; e++)
		assert_point(shape, &mrc, path, e);
	mrc_fini(&mrc);
}

/* A third of the pages are the kernel's. */
static uint64_t lift(uint64_t va)
{
	return (va >> 12) % 3 == 0 ? va | UINT64_C(0xffff) << 48 : va;
}

/* VAE1 and VMALLE1IS in the stream become one of these, by turns. */
static void vary_tlbi(struct trace_event *event, size_t turn)
{
	enum { VAE1 = 0x439, RVAE1 = 0x431, VMALLE1IS = 0x418 };
	/* VAE1, VAAE1, VALE1IS, RVAE1, RVAE1, ALLE1: op1:CRn:CRm:op2. */
	static const uint64_t tlbi[] = { VAE1, 0x43b, 0x41d, RVAE1, RVAE1, 0x243c };
	const uint64_t asid = event->args[1] >> 48, va = lift(event->args[1] << 12 << 8 >> 8);

	if (event->args[0] != VAE1 && event->args[0] != VMALLE1IS)
		return;
	event->args[0] = tlbi[turn % 6];
	event->args[1] = asid << 48 | bits(va, 55, 12);
	/* TG of 4K, or of 16K, SCALE = 0, NUM = 3: 8 pages. */
	if (event->args[0] == RVAE1)
		event->args[1] = asid << 48 | (uint64_t)(1 + turn % 2) << 46 | UINT64_C(3) << 39 |
				 (turn % 2 ? bits(va, 50, 14) : bits(va, 48, 12));
}

static void use_both_halves(struct refs *refs)
{
	for (size_t i = 0; i < refs->n; i++) {
		struct refs_item *item = &refs->item[i];

		if (!item->is_event)
			item->ref.va = lift(item->ref.va);
		else if (item->event.type == EVENT_UNMAP)
			item->event.args[0] = lift(item->event.args[0]);
		else if (item->event.type == EVENT_TLBI)
			vary_tlbi(&item->event, i);
	}
}

static struct refs random_refs(uint64_t seed, bool low)
{
	const struct refs_options options = {
		.seed = seed,
		.n = 6000,
		.vcpus = 1 + (unsigned)(seed % 3),
		.vms = 1 + (unsigned)(seed / 2 % 2),
		.asids = 1 + (unsigned)(seed % 4),
		.pages = low ? 30 : 40 + (unsigned)seed * 20,
		.same_page_percent = 60,
		.straddle_permille = 5,
		.store_percent = 30,
		.switch_permille = seed % 2 ? 4 : 0,
		.tlbi_permille = seed % 4 ? (unsigned)seed % 4 * 8 : 0,
		.unmap_permille = seed % 3 ? 3 : 0,
		.low = low,
	};
	struct refs refs = refs_random(&options);

	use_both_halves(&refs);
	return refs;
}

static void random_streams(void **state)
{
	static const enum trace_granularity forms[] = { TRACE_PAGE_RUNS, TRACE_RAW,
							TRACE_LINE_RUNS };
	static const unsigned entries[2][4] = { { 1, 3, 16, 64 }, { 2, 8, 17, 40 } };
	const uint64_t seeds = getenv("TWOSTAGE_LONG") && *getenv("TWOSTAGE_LONG") ? 60 : 3;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		for (unsigned low = 0; low < 2; low++) {
			struct refs refs = random_refs(seed, low);

			refs_write(&refs, scratch_path("random.s2t"), forms[seed % 3]);
			for (size_t i = 0; i < SHAPES; i++)
				if (low == (shapes[i].page_bits > 16))
					compare(&shapes[i], scratch_path("random.s2t"),
						entries[(seed + i) % 2], 4);
			refs_free(&refs);
		}
	}
	assert_true(invalidated > 1000);
}

/* The first records of a trace with all address spaces and events. */
static void write_head(const char *path, const char *to, uint64_t max_records)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader = trace_open(path, false, &diag);
	struct trace_writer_options options = { 0 };
	struct trace_block block = { 0 };
	struct trace_writer *writer;
	uint64_t done = 0;

	assert_non_null(reader);
	options.granularity = trace_info(reader)->granularity;
	writer = trace_create(to, &options, &diag);
	assert_non_null(writer);
	for (uint64_t b = 0; b < trace_info(reader)->blocks && done < max_records; b++) {
		uint32_t e = 0;

		assert_int_equal(trace_read_block(reader, b, COLUMN_ALL, &block, &diag), 0);
		for (uint32_t i = 0; i < block.n_records; i++) {
			const struct trace_run run = trace_block_run(&block, i);

			for (; e < block.n_events && block.events[e].before == i; e++)
				trace_put_event(writer, &block.events[e], &diag);
			assert_int_equal(trace_put_run(writer, &run, &diag), 0);
		}
		done += block.n_records;
	}
	trace_block_free(&block);
	trace_close(reader);
	assert_int_equal(trace_finish(writer, NULL, &diag), 0);
}

static void named_traces(void **state)
{
	static const unsigned few[] = { 48 }, many[] = { 4, 16, 48, 64, 1024 };
	const bool all = getenv("TWOSTAGE_LONG") && *getenv("TWOSTAGE_LONG");

	(void)state;
	for (char **file = scratch_files; *file; file++) {
		printf("%s\n", *file);
		write_head(*file, scratch_path("head.s2t"), all ? 20 * TRACE_BLOCK_RECORDS : 1);
		for (size_t i = 0; i < SHAPES; i++)
			compare(&shapes[i], scratch_path("head.s2t"), all ? many : few,
				all ? sizeof(many) / sizeof(many[0]) : 1);
	}
}

int main(int argc, char **argv)
{
	return scratch_main(argc, argv, random_streams, named_traces);
}

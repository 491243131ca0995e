/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of raw8 become runs without being decoded, many at once where the processor can, in a
 * native trace or while they are replayed; the same accesses in raw16, their IPAs unknown, are
 * decoded one by one. All must give the same records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace/feed.h"
#include "trace/import.h"
#include "trace/rng.h"
#include "trace/word_runs.h"

enum { WORDS = 150000 };

static char path[512];

static void name_file(const char *suffix)
{
	const char *folder = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/test_words.%ld.%s", folder ? folder : P_tmpdir,
		 (long)getpid(), suffix);
}

/* The word at `each` x i of a file is words[i]; what is between is all ones. */
static struct trace_reader *open_words(const uint64_t *words, size_t n, size_t each,
				       enum trace_granularity granularity, bool salvage,
				       struct diag *diag)
{
	const uint64_t unknown = UINT64_MAX;
	struct trace_reader *reader;
	FILE *f;

	name_file(each == 1 ? "raw8" : "raw16");
	f = fopen(path, "wb");
	assert_non_null(f);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(fwrite(&words[i], 8, 1, f), 1);
		if (each == 2)
			assert_int_equal(fwrite(&unknown, 8, 1, f), 1);
	}
	assert_int_equal(fclose(f), 0);
	reader = trace_open_any(path, each == 1 ? "raw8" : "raw16", salvage, granularity, diag);
	assert_int_equal(unlink(path), 0);
	return reader;
}

static void compare_runs(const struct trace_run *a, const struct trace_run *b)
{
	assert_int_equal(a->key.va, b->key.va);
	assert_int_equal(a->key.ipa, b->key.ipa);
	assert_int_equal(a->key.vcpu, b->key.vcpu);
	assert_int_equal(a->key.stream, b->key.stream);
	assert_int_equal(a->ordinal, b->ordinal);
	assert_int_equal(a->last_ordinal, b->last_ordinal);
	assert_int_equal(a->store_ordinal, b->store_ordinal);
	assert_int_equal(a->reads, b->reads);
	assert_int_equal(a->stores, b->stores);
	assert_int_equal(a->splits, b->splits);
	assert_int_equal(a->instructions, b->instructions);
}

static void compare_traces(struct trace_reader *a, struct trace_reader *b)
{
	struct trace_block x = { 0 }, y = { 0 };
	struct diag diag = DIAG_INIT;

	assert_int_equal(trace_info(a)->totals.records, trace_info(b)->totals.records);
	assert_int_equal(trace_info(a)->blocks, trace_info(b)->blocks);
	for (uint64_t i = 0; i < trace_info(a)->blocks; i++) {
		assert_int_equal(trace_read_block(a, i, COLUMN_ALL, &x, &diag), STATUS_OK);
		assert_int_equal(trace_read_block(b, i, COLUMN_ALL, &y, &diag), STATUS_OK);
		assert_int_equal(x.n_records, y.n_records);
		for (uint32_t r = 0; r < x.n_records; r++) {
			const struct trace_run one = trace_block_run(&x, r);
			const struct trace_run other = trace_block_run(&y, r);

			compare_runs(&one, &other);
		}
	}
	trace_block_free(&x);
	trace_block_free(&y);
}

/* How words are made: chances are one in so many. */
struct recipe {
	unsigned vcpus, change_vcpu;
	unsigned pages;
	unsigned change_page[2]; /* of fetches and of data */
	unsigned any_offset;	 /* else one near the start of the page */
	unsigned data;
};

static const struct recipe recipes[] = {
	{ 1, 20, 4, { 10, 10 }, 4, 2 },		  /* straddling all the time */
	{ 256, 20, 4, { 10, 10 }, 4, 2 },	  /* many vCPUs, too */
	{ 1, 1, 50, { 8, 3 }, 500, 3 },		  /* like a program */
	{ 1, 1, 40000, { 1, 1 }, 2000, 2 },	  /* no two alike: several blocks, many keys */
	{ 1, 1, 3000, { 1000000, 2 }, 2000, 30 }, /* data alone, fetches wait too long */
	{ 3, 500, 50, { 20, 5 }, 500, 3 },	  /* vCPUs in turns */
	{ 2, 40000, 3000, { 1000000, 2 }, 2000, 20 },
	{ 1, 1, 1, { 1000000, 1000000 }, 1, 1 }, /* one page, data alone */
};

/* Page numbers of both halves, their ends among them. */
static uint64_t any_page(struct rng *rng, unsigned pages)
{
	static const uint64_t ends[] = { 0, 1, UINT64_C(0xfffffffff), UINT64_C(0x1ffffffff) };

	if (pages < 10 || rng_below(rng, 50) == 0)
		return rng_below(rng, 2) ? ends[rng_below(rng, 4)]
					 : rng_below(rng, pages) | rng_below(rng, 2) << 36;
	return 100 + rng_below(rng, pages);
}

static void make_words(uint64_t *words, struct rng *rng, const struct recipe *r)
{
	uint64_t page[2] = { 0 }, vcpu = 0;

	for (size_t i = 0; i < WORDS; i++) {
		const uint64_t kind = rng_below(rng, r->data) ? 1 + rng_below(rng, 2) : 0;
		const uint64_t offset =
			rng_below(rng, r->any_offset) ? rng_below(rng, 2048) : rng_below(rng, 4096);
		uint64_t *at = &page[kind != 0];

		if (rng_below(rng, r->change_page[kind != 0]) == 0)
			*at = any_page(rng, r->pages);
		if (rng_below(rng, r->change_vcpu) == 0)
			vcpu = rng_below(rng, r->vcpus);
		words[i] = *at << 12 | offset | kind << 49 | rng_below(rng, 8) << 51 | vcpu << 54;
	}
}

static void compare_block(const struct trace_block *x, const struct trace_block *y)
{
	assert_int_equal(x->n_records, y->n_records);
	assert_int_equal(x->n_keys, y->n_keys);
	assert_int_equal(x->n_events, y->n_events);
	assert_int_equal(x->first_ordinal, y->first_ordinal);
	for (uint32_t r = 0; r < x->n_records; r++) {
		const struct trace_run one = trace_block_run(x, r);
		const struct trace_run other = trace_block_run(y, r);

		compare_runs(&one, &other);
		assert_int_equal(x->first_store[r], y->first_store[r]);
	}
}

/* The blocks of word_runs.h, taken in pieces of any size. */
static void compare_forms(const uint64_t *words, const struct trace_reader *trace,
			  enum word_width width, struct rng *rng)
{
	struct word_runs *runs = malloc(sizeof(*runs));
	struct trace_block x = { 0 }, y;
	struct block_builder blocks;
	struct diag diag = DIAG_INIT;
	uint64_t next = 0;
	size_t done = 0;

	assert_non_null(runs);
	assert_true(blocks_init(&blocks, trace_info(trace)->granularity));
	word_runs_init(runs, &blocks, width, WORD_COUNTS);
	while (next < trace_info(trace)->blocks) {
		const size_t left = WORDS - done, piece = 1 + rng_below(rng, 5000);
		const size_t n = piece < left ? piece : left;

		assert_int_equal(word_runs_take(runs, (const unsigned char *)(words + done), n), n);
		done += n;
		if (done == WORDS)
			word_runs_finish(runs);
		while (next < trace_info(trace)->blocks &&
		       (done == WORDS ||
			word_runs_closed(runs) >= (next + 1) * TRACE_BLOCK_RECORDS)) {
			assert_int_equal(trace_read_block(trace, next, COLUMN_ALL, &x, &diag), 0);
			blocks_view(&blocks, next++, COLUMN_ALL, &y);
			compare_block(&x, &y);
		}
	}
	assert_int_equal(done, WORDS);
	trace_block_free(&x);
	blocks_free(&blocks);
	free(runs);
}

/* The file at `path` as it is read, with what is left out where nobody wants it. */
static void compare_feed(const struct trace_reader *trace, unsigned columns)
{
	const struct trace_info *info = trace_info(trace), *same;
	struct trace_block x = { 0 }, y, z;
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;
	struct trace_feed *feed;
	bool more = true;

	assert_int_equal(
		trace_open_once(path, "raw8", false, info->granularity, &reader, &feed, &diag),
		STATUS_OK);
	assert_null(reader);
	assert_int_equal(trace_feed_want(feed, columns, &diag), STATUS_OK);
	for (uint64_t i = 0; i < info->blocks; i++) {
		assert_int_equal(trace_read_block(trace, i, COLUMN_ALL, &x, &diag), STATUS_OK);
		assert_int_equal(trace_feed_next(feed, &y, &more, &diag), STATUS_OK);
		assert_true(more);
		assert_int_equal(x.n_records, y.n_records);
		if (columns == COLUMN_ALL)
			compare_block(&x, &y);
		assert_true(trace_feed_again(feed, 0, &z));
		for (uint32_t r = 0; r < x.n_records; r++) {
			assert_int_equal(x.keys[x.key[r]].va, y.keys[y.key[r]].va);
			assert_int_equal(x.keys[x.key[r]].va, z.keys[z.key[r]].va);
			assert_int_equal(x.ordinal[r], z.ordinal[r]);
			assert_int_equal(x.last_ordinal[r], z.last_ordinal[r]);
			assert_int_equal(x.first_store[r], z.first_store[r]);
			assert_int_equal(x.store_ordinal[r], z.store_ordinal[r]);
		}
		assert_int_equal(trace_feed_again(feed, 1, &z), i > 0);
		assert_true(i == 0 || z.ordinal[0] == trace_block_ordinal(trace, i - 1));
	}
	assert_int_equal(trace_feed_next(feed, &y, &more, &diag), STATUS_OK);
	assert_false(more);
	same = trace_feed_info(feed);
	assert_memory_equal(&info->totals, &same->totals, sizeof(info->totals));
	assert_int_equal(info->blocks, same->blocks);
	assert_int_equal(info->vcpus, same->vcpus);
	assert_int_equal(info->vms, same->vms);
	assert_int_equal(info->va_bits, same->va_bits);
	assert_int_equal(info->has_ipa, same->has_ipa);
	trace_block_free(&x);
	trace_feed_close(feed);
}

static void store_words(const uint64_t *words, size_t n)
{
	FILE *f;

	name_file("raw8");
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(words, 8, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void same_as_decoded(void **state)
{
	static const enum trace_granularity units[] = { TRACE_PAGE_RUNS, TRACE_LINE_RUNS };
	uint64_t *words = malloc(WORDS * sizeof(*words));
	struct rng rng = rng_seed(6);

	(void)state;
	assert_non_null(words);
	for (size_t i = 0; i < 2 * sizeof(recipes) / sizeof(recipes[0]); i++) {
		struct diag diag = DIAG_INIT;
		struct trace_reader *a, *b;

		make_words(words, &rng, &recipes[i / 2]);
		a = open_words(words, WORDS, 1, units[i & 1], false, &diag);
		b = open_words(words, WORDS, 2, units[i & 1], false, &diag);
		assert_non_null(a);
		assert_non_null(b);
		compare_traces(a, b);
		compare_forms(words, b, WORD_PLAIN, &rng);
		compare_forms(words, b, WORD_AVX2, &rng);
		compare_forms(words, b, WORD_WIDEST, &rng);
		store_words(words, WORDS);
		compare_feed(b, COLUMN_ALL);
		compare_feed(b, COLUMN_KEY);
		assert_int_equal(unlink(path), 0);
		trace_close(a);
		trace_close(b);
	}
	free(words);
}

/* A word that is not valid is named by its byte, and ends a salvaged trace. */
static void refused(void **state)
{
	static const uint64_t words[] = { 0x1000, 0x1004, 0x1008, UINT64_C(3) << 49, 0x100c };
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;

	(void)state;
	assert_null(open_words(words, 5, 1, TRACE_PAGE_RUNS, false, &diag));
	assert_int_equal(diag.status, STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, ": byte 24: expected kind 0, 1 or 2"));
	diag = (struct diag)DIAG_INIT;
	reader = open_words(words, 5, 1, TRACE_PAGE_RUNS, true, &diag);
	assert_non_null(reader);
	assert_int_equal(trace_info(reader)->totals.records, 1);
	assert_int_equal(trace_info(reader)->totals.fetches, 3);
	assert_false(trace_info(reader)->complete);
	trace_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_decoded),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests_name("trace words", tests, NULL, NULL);
}

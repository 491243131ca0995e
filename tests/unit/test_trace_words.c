/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of raw8 become runs without being decoded; the same accesses in raw16, their IPAs unknown,
 * are decoded one by one. Both must give the same records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace/import.h"
#include "trace/rng.h"

enum { WORDS = 60000 };

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

/* Runs of a few pages of both halves, any size and offset, so that some cross a page. */
static void make_words(uint64_t *words, struct rng *rng, uint64_t vcpus)
{
	uint64_t page[2] = { 0 }, vcpu = 0;

	for (size_t i = 0; i < WORDS; i++) {
		const uint64_t kind = rng_below(rng, 3), size = rng_below(rng, 8);
		uint64_t *at = &page[kind != 0];

		if (rng_below(rng, 10) == 0)
			*at = rng_below(rng, 4) | rng_below(rng, 2) << 35 | rng_below(rng, 2) << 36;
		if (rng_below(rng, 20) == 0)
			vcpu = rng_below(rng, vcpus);
		words[i] = *at << 12 | (rng_below(rng, 4096) & (rng_below(rng, 4) ? 0x3f : 0xfff)) |
			   kind << 49 | size << 51 | vcpu << 54;
	}
}

static void same_as_decoded(void **state)
{
	static const enum trace_granularity units[] = { TRACE_PAGE_RUNS, TRACE_LINE_RUNS };
	uint64_t *words = malloc(WORDS * sizeof(*words));
	struct rng rng = rng_seed(6);

	(void)state;
	assert_non_null(words);
	for (int i = 0; i < 4; i++) {
		struct diag diag = DIAG_INIT;
		struct trace_reader *a, *b;

		make_words(words, &rng, i < 2 ? 1 : 256);
		a = open_words(words, WORDS, 1, units[i & 1], false, &diag);
		b = open_words(words, WORDS, 2, units[i & 1], false, &diag);
		assert_non_null(a);
		assert_non_null(b);
		compare_traces(a, b);
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

/* SPDX-License-Identifier: BSD-2-Clause */
/* Collapsing: what joins a run, what closes it, and that no granularity loses a count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace/import.h"
#include "trace/rng.h"
#include "trace/s2t.h"

static struct rng rng_state;

static uint64_t rng(void)
{
	return rng_next(&rng_state);
}

/* A trace under work; `fd` is what is read when it is finished. */
struct under_work {
	int fd;
	struct trace_writer *writer;
	struct trace_collapser *collapser;
};

static int unnamed_file(void)
{
	FILE *file = tmpfile();
	int fd;

	assert_non_null(file);
	fd = dup(fileno(file));
	fclose(file);
	return fd;
}

static struct under_work begin(enum trace_granularity granularity)
{
	struct trace_writer_options options = { .granularity = granularity };
	struct under_work u = { .fd = unnamed_file() };

	u.writer = trace_create_fd(dup(u.fd), "test", &options, NULL);
	assert_non_null(u.writer);
	u.collapser = trace_collapser_create(u.writer, granularity);
	assert_non_null(u.collapser);
	return u;
}

static struct trace_reader *finish(struct under_work *u)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;

	assert_int_equal(trace_collapser_finish(u->collapser, &diag), STATUS_OK);
	assert_int_equal(trace_finish(u->writer, NULL, &diag), STATUS_OK);
	reader = trace_open_fd(u->fd, "test", false, &diag);
	assert_non_null(reader);
	return reader;
}

static void put(struct under_work *u, struct trace_ref ref)
{
	struct diag diag = DIAG_INIT;

	assert_int_equal(trace_collapse(u->collapser, &ref, 1, &diag), STATUS_OK);
}

static struct trace_ref access_at(enum access_kind kind, uint64_t va, unsigned size)
{
	return (struct trace_ref){ .va = va,
				   .ipa = TRACE_IPA_UNKNOWN,
				   .kind = (uint8_t)kind,
				   .size = (uint16_t)size,
				   .instructions = kind == ACCESS_FETCH };
}

/* The first block of a trace, whole. */
static struct trace_block read_first(const struct trace_reader *reader)
{
	struct trace_block block = { 0 };
	struct diag diag = DIAG_INIT;

	assert_int_equal(trace_read_block(reader, 0, COLUMN_ALL, &block, &diag), STATUS_OK);
	return block;
}

static void runs_of_two_streams(void **state)
{
	struct under_work u = begin(TRACE_PAGE_RUNS);

	(void)state;
	put(&u, access_at(ACCESS_FETCH, 0x1000, 4)); /* 0 */
	put(&u, access_at(ACCESS_LOAD, 0x5008, 8));  /* 1 */
	put(&u, access_at(ACCESS_FETCH, 0x1004, 4)); /* 2 */
	put(&u, access_at(ACCESS_STORE, 0x5ff8, 8)); /* 3 */
	put(&u, access_at(ACCESS_LOAD, 0x6000, 8));  /* 4 */
	put(&u, access_at(ACCESS_FETCH, 0x1008, 4)); /* 5 */
	struct trace_reader *reader = finish(&u);
	struct trace_block b = read_first(reader);

	assert_int_equal(b.n_records, 3);
	assert_int_equal(b.reads[0], 3);
	assert_int_equal(b.last_ordinal[0], 5);
	assert_int_equal(b.instructions[0], 1);
	assert_int_equal(b.reads[1], 1);
	assert_int_equal(b.stores[1], 1);
	assert_int_equal(b.first_store[1], 0);
	assert_int_equal(b.store_ordinal[1], 3);
	assert_int_equal(b.instructions[1], 0);
	assert_int_equal(b.keys[b.key[2]].va, 0x6000);
	assert_int_equal(b.ordinal[2], 4);
	/* The second fetch came before it started, the third after: the end takes both. */
	assert_int_equal(b.instructions[2], 2);
	assert_int_equal(trace_info(reader)->totals.instructions, 3);
	trace_block_free(&b);
	trace_close(reader);
}

static void straddling_accesses(void **state)
{
	struct under_work u = begin(TRACE_PAGE_RUNS);

	(void)state;
	put(&u, access_at(ACCESS_STORE, 0x1ffc, 8)); /* 0 and 1 */
	put(&u, access_at(ACCESS_LOAD, 0x2000, 8));  /* 2 */
	put(&u, access_at(ACCESS_LOAD, 0x203c, 8));  /* 3: over a line */
	put(&u, access_at(ACCESS_FETCH, 0x2ffe, 4)); /* 4: fetches are not split */
	struct trace_reader *reader = finish(&u);
	struct trace_block b = read_first(reader);

	assert_int_equal(b.n_records, 3);
	assert_int_equal(b.stores[0], 1);
	assert_int_equal(b.splits[0], 0);
	assert_int_equal(b.keys[b.key[1]].va, 0x2000);
	assert_int_equal(b.splits[1], 1);
	assert_int_equal(b.stores[1], 0);
	assert_int_equal(b.reads[1], 2);
	assert_int_equal(b.first_store[1], 1); /* it is the piece of a store */
	assert_int_equal(b.ordinal[1], 1);
	assert_int_equal(b.last_ordinal[1], 3);
	assert_int_equal(trace_accesses(&b.totals), 4);
	trace_block_free(&b);
	trace_close(reader);
}

/* Same page again and again, with something different: each starts a new record. */
static void what_closes_a_run(void **state)
{
	struct trace_event event = { .type = EVENT_TLBI };
	struct trace_ref ref = access_at(ACCESS_LOAD, 0x1000, 8);
	struct under_work u = begin(TRACE_PAGE_RUNS);
	struct diag diag = DIAG_INIT;

	(void)state;
	put(&u, ref); /* record 0 */
	ref.ipa = 0x9008;
	put(&u, ref); /* joins: the IPA becomes known */
	ref.ipa = 0x9ff0;
	put(&u, ref); /* joins: same page */
	ref.ipa = 0xa000;
	put(&u, ref); /* record 1 */
	ref.device = 1;
	put(&u, ref); /* record 2 */
	ref.asid = 3;
	put(&u, ref); /* record 3 */
	ref.vm = 1;
	put(&u, ref); /* record 4 */
	ref.el = 1;
	put(&u, ref); /* record 5 */
	ref.vcpu = 9;
	put(&u, ref); /* record 6, another vCPU */
	ref.vcpu = 0;
	put(&u, ref); /* joins record 5 */
	assert_int_equal(trace_collapse_event(u.collapser, &event, &diag), STATUS_OK);
	put(&u, ref); /* record 7 */
	ref.vcpu = 9;
	put(&u, ref); /* record 8 */
	struct trace_reader *reader = finish(&u);
	struct trace_block b = read_first(reader);
	static const uint32_t reads[] = { 3, 1, 1, 1, 1, 2, 1, 1, 1 };

	assert_int_equal(b.n_records, 9);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(b.reads[i], reads[i]);
	assert_int_equal(b.keys[b.key[0]].ipa, 0x9000);
	assert_int_equal(b.keys[b.key[2]].device, 1);
	assert_int_equal(b.n_events, 1);
	assert_int_equal(b.events[0].before, 7);
	trace_block_free(&b);
	trace_close(reader);
}

/* One fetch run that lasts, and more data runs than may wait for it. */
static void waiting_is_bounded(void **state)
{
	enum { N = 20000 };
	struct under_work u = begin(TRACE_PAGE_RUNS);

	(void)state;
	for (uint64_t i = 0; i < N; i++) {
		put(&u, access_at(ACCESS_FETCH, 0x1000, 4));
		put(&u, access_at(ACCESS_LOAD, i << 12, 8));
	}
	struct trace_reader *reader = finish(&u);
	const struct trace_totals *t = &trace_info(reader)->totals;

	assert_int_equal(t->fetches, N);
	assert_int_equal(t->loads, N);
	assert_int_equal(t->instructions, N);
	assert_in_range(t->records, N + 1, N + 10);
	trace_close(reader);
}

static struct trace_ref random_ref(uint64_t pages)
{
	uint64_t page = rng() % pages;
	struct trace_ref ref = access_at((enum access_kind)(rng() % 3),
					 page << 12 | (rng() % 4 ? rng() % 4096 : 4090),
					 (unsigned)(1 + rng() % 64));

	ref.vcpu = (uint16_t)(rng() % 3);
	ref.asid = rng() % 50 == 0;
	ref.vm = ref.vcpu == 2;
	ref.el = rng() % 40 == 0;
	if (rng() % 2)
		ref.ipa = (page ^ (rng() % 30 == 0)) << 12 | (ref.va & 4095);
	ref.instructions = (uint32_t)(rng() % 3);
	return ref;
}

/* The same random accesses and events, collapsed to `granularity`. */
static struct trace_reader *random_trace(enum trace_granularity granularity, uint64_t n,
					 uint64_t pages)
{
	struct under_work u = begin(granularity);

	rng_state = rng_seed(n * 31 + pages);
	for (uint64_t i = 0; i < n; i++) {
		put(&u, random_ref(pages));
		if (rng() % 1000 == 0) {
			struct trace_event event = { .type = EVENT_TLBI, .args = { i } };

			assert_int_equal(trace_collapse_event(u.collapser, &event, NULL),
					 STATUS_OK);
		}
	}
	return finish(&u);
}

static struct trace_reader *coarser(struct trace_reader *reader, enum trace_granularity granularity)
{
	struct under_work u = begin(granularity);
	struct diag diag = DIAG_INIT;

	assert_int_equal(trace_collapse_trace(u.collapser, reader, &diag), STATUS_OK);
	return finish(&u);
}

static void same_totals(const struct trace_reader *a, const struct trace_reader *b)
{
	struct trace_totals x = trace_info(a)->totals, y = trace_info(b)->totals;

	x.records = y.records = 0;
	assert_memory_equal(&x, &y, sizeof(x));
}

static void same_records(const struct trace_reader *a, const struct trace_reader *b)
{
	assert_int_equal(trace_info(a)->content_digest, trace_info(b)->content_digest);
}

/* Raw, line and page runs of the same accesses count the same; raw to page equals page at once. */
static void no_granularity_loses_a_count(void **state)
{
	(void)state;
	for (uint64_t pages = 1; pages < 5000; pages *= 7) {
		struct trace_reader *raw = random_trace(TRACE_RAW, 100000, pages);
		struct trace_reader *line = random_trace(TRACE_LINE_RUNS, 100000, pages);
		struct trace_reader *page = random_trace(TRACE_PAGE_RUNS, 100000, pages);
		struct trace_reader *raw_line = coarser(raw, TRACE_LINE_RUNS);
		struct trace_reader *raw_page = coarser(raw, TRACE_PAGE_RUNS);
		struct trace_reader *line_page = coarser(line, TRACE_PAGE_RUNS);
		struct trace_reader *page_page = coarser(page, TRACE_PAGE_RUNS);

		assert_int_equal(trace_accesses(&trace_info(raw)->totals), 100000);
		assert_int_equal(trace_info(raw)->totals.records,
				 100000 + trace_info(raw)->totals.splits);
		assert_true(trace_info(raw)->totals.splits > 1000);
		same_totals(raw, line);
		same_totals(raw, page);
		same_totals(raw, line_page);
		same_records(line, raw_line);
		same_records(page, raw_page);
		same_records(page, page_page);
		struct trace_reader *all[] = { raw,	 line,	    page,     raw_line,
					       raw_page, line_page, page_page };

		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			trace_close(all[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_of_two_streams),
		cmocka_unit_test(straddling_accesses),
		cmocka_unit_test(what_closes_a_run),
		cmocka_unit_test(waiting_is_bounded),
		cmocka_unit_test(no_granularity_loses_a_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

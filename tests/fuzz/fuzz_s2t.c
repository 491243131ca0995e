/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of native traces: behind a first byte the bytes are a file, opened whole and as
 * salvage, as it is and with its checksums made right, so that what lies behind them is reached.
 * What was read is sound; if the first byte says so (a writer is slow to make), a copy has the same
 * counts.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/s2t_repair.h"
#include "trace/s2t.h"

enum { FILE_MAX = 1 << 16, COPY_RECORDS_MAX = 4096 };

static uint8_t file[FILE_MAX];

static void expect_sound(const struct trace_block *b, unsigned columns)
{
	for (uint32_t i = 0; i < b->n_records; i++) {
		FUZZ_EXPECT(b->key[i] < b->n_keys);
		if (!(columns & COLUMN_ORDINALS))
			continue;
		FUZZ_EXPECT(b->ordinal[i] <= b->last_ordinal[i]);
		FUZZ_EXPECT(i == 0 || b->ordinal[i - 1] <= b->ordinal[i]);
	}
	for (uint32_t i = 0; i < b->n_events; i++) {
		FUZZ_EXPECT(b->events[i].before <= b->n_records);
		FUZZ_EXPECT(i == 0 || b->events[i - 1].before <= b->events[i].before);
	}
}

/* The sums of the records themselves: a block's header may say anything. */
static void count(struct trace_totals *totals, const struct trace_block *b)
{
	for (uint32_t i = 0; i < b->n_records; i++) {
		if (b->keys[b->key[i]].stream == STREAM_FETCH)
			totals->fetches += b->reads[i];
		else
			totals->loads += b->reads[i];
		totals->stores += b->stores[i];
		totals->splits += b->splits[i];
		totals->instructions += b->instructions[i];
	}
	totals->records += b->n_records;
	totals->events += b->n_events;
}

/* True if every block can be read. */
static bool read_blocks(const struct trace_reader *reader, unsigned columns,
			struct trace_totals *totals)
{
	struct trace_block block = { 0 };
	bool ok = true;

	for (uint64_t i = 0; i < trace_info(reader)->blocks; i++) {
		struct diag diag = DIAG_INIT;

		if (trace_read_block(reader, i, columns, &block, &diag) == STATUS_OK) {
			expect_sound(&block, columns);
			if (columns == COLUMN_ALL)
				count(totals, &block);
			continue;
		}
		FUZZ_EXPECT(diag.status == STATUS_BAD_INPUT && diag.text[0]);
		ok = false;
	}
	trace_block_free(&block);
	return ok;
}

/* Collapsed again, at the same or a coarser granularity, a trace keeps its counts. */
static void copy(const struct trace_reader *reader, const struct trace_totals *totals,
		 enum trace_granularity granularity)
{
	const struct trace_writer_options options = { .granularity = granularity };
	struct diag diag = DIAG_INIT;
	struct trace_writer *writer;
	struct trace_collapser *collapser;
	struct trace_info made;
	enum exit_status status;

	writer = trace_create_fd(fuzz_empty_file(), "copy", &options, &diag);
	FUZZ_EXPECT(writer);
	collapser = trace_collapser_create(writer, granularity);
	FUZZ_EXPECT(collapser);
	status = trace_collapse_trace(collapser, reader, &diag);
	if (status == STATUS_OK)
		status = trace_collapser_finish(collapser, &diag);
	else
		trace_collapser_finish(collapser, NULL);
	if (status != STATUS_OK) {
		FUZZ_EXPECT(status == STATUS_BAD_INPUT && diag.text[0]);
		trace_abandon(writer);
		return;
	}
	FUZZ_EXPECT(trace_finish(writer, &made, &diag) == STATUS_OK);
	FUZZ_EXPECT(made.totals.fetches == totals->fetches);
	FUZZ_EXPECT(made.totals.loads == totals->loads);
	FUZZ_EXPECT(made.totals.stores == totals->stores);
	FUZZ_EXPECT(made.totals.splits == totals->splits);
	FUZZ_EXPECT(made.totals.instructions == totals->instructions);
	FUZZ_EXPECT(made.totals.events == totals->events);
}

enum opening { WHOLE, SALVAGE };
enum copying { READ_ONLY, COPY_SAME, COPY_PAGE_RUNS };

static void read_trace(const uint8_t *data, size_t n, enum opening opening, enum copying copying)
{
	char path[FUZZ_PATH_BYTES];
	struct diag diag = DIAG_INIT;
	struct trace_totals totals = { 0 };
	struct trace_reader *reader =
		trace_open_fd(fuzz_file(data, n, path), "fuzz.s2t", opening == SALVAGE, &diag);

	if (!reader) {
		FUZZ_EXPECT(diag.status == STATUS_BAD_INPUT && diag.text[0]);
		return;
	}
	read_blocks(reader, COLUMN_KEY, &totals);
	if (read_blocks(reader, COLUMN_ALL, &totals) && copying != READ_ONLY &&
	    totals.records <= COPY_RECORDS_MAX)
		copy(reader, &totals,
		     copying == COPY_SAME ? trace_info(reader)->granularity : TRACE_PAGE_RUNS);
	trace_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum copying copying;

	if (n == 0 || n > FILE_MAX)
		return 0;
	copying = data[0] % 3 == 0 ? READ_ONLY : data[0] % 3 == 1 ? COPY_SAME : COPY_PAGE_RUNS;
	n--;
	read_trace(data + 1, n, WHOLE, READ_ONLY);
	memcpy(file, data + 1, n);
	s2t_repair(file, n);
	read_trace(file, n, WHOLE, READ_ONLY);
	read_trace(file, n, SALVAGE, copying);
	return 0;
}

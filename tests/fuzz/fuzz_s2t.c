/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of native traces: behind a first byte the bytes are a file, opened whole and as
 * salvage, as it is and with its checksums made right, so that what lies behind them is reached.
 * What was read is sound; if the first byte says so (a writer is slow to make), a copy has the same
 * counts.
 */
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "tests/fuzz/fuzz.h"
#include "trace/s2t.h"

enum { FILE_MAX = 1 << 16, COPY_RECORDS_MAX = 4096 };

static uint8_t file[FILE_MAX];

/* ---- checksums ----------------------------------------------------------------------------- */

static size_t repair_header(uint8_t *p, size_t n)
{
	struct s2t_file_header h;

	if (n < sizeof(h))
		return n;
	memcpy(&h, p, sizeof(h));
	if (h.header_bytes < sizeof(h) || h.header_bytes > n)
		return n;
	h.checksum = 0;
	memcpy(p, &h, sizeof(h));
	h.checksum = XXH3_64bits(p, h.header_bytes);
	memcpy(p, &h, sizeof(h));
	return h.header_bytes;
}

static void repair_blocks(uint8_t *p, size_t n, size_t at)
{
	struct s2t_block_header h;

	while (at < n && n - at >= sizeof(h)) {
		memcpy(&h, p + at, sizeof(h));
		if (h.magic != S2T_BLOCK_MAGIC || h.block_bytes < sizeof(h) ||
		    h.block_bytes > n - at)
			return;
		h.checksum =
			XXH3_64bits(p + at + S2T_CHECKED_FROM, h.block_bytes - S2T_CHECKED_FROM);
		memcpy(p + at, &h, sizeof(h));
		at += h.block_bytes;
	}
}

/* The index names the checksums of the blocks; a digest and a checksum of its own cover it. */
static void repair_index(uint8_t *footer, size_t n, const uint8_t *p, size_t n_file)
{
	struct s2t_index_entry entries[64];
	struct s2t_footer_header h;
	uint64_t count = 0, checksum;

	memcpy(&h, footer, sizeof(h));
	if (h.entry_bytes != sizeof(entries[0]))
		return;
	for (size_t at = sizeof(h); n - 8 - at >= sizeof(entries[0]) && count < 64; count++) {
		struct s2t_index_entry *e = &entries[count];
		struct s2t_block_header block;

		memcpy(e, footer + at, sizeof(*e));
		if (e->offset <= n_file && n_file - e->offset >= sizeof(block)) {
			memcpy(&block, p + e->offset, sizeof(block));
			e->checksum = block.checksum;
		}
		memcpy(footer + at, e, sizeof(*e));
		at += sizeof(*e);
	}
	h.content_digest = s2t_digest(entries, count);
	memcpy(footer, &h, sizeof(h));
	checksum = XXH3_64bits(footer, n - 8);
	memcpy(footer + n - 8, &checksum, 8);
}

static void repair(uint8_t *p, size_t n)
{
	const size_t header_bytes = repair_header(p, n);
	struct s2t_trailer t;

	repair_blocks(p, n, header_bytes);
	if (n < header_bytes + sizeof(t))
		return;
	memcpy(&t, p + n - sizeof(t), sizeof(t));
	if (t.footer_bytes < sizeof(struct s2t_footer_header) + 8 ||
	    t.footer_bytes > n - sizeof(t) || t.footer_offset != n - sizeof(t) - t.footer_bytes)
		return;
	repair_index(p + t.footer_offset, (size_t)t.footer_bytes, p, n);
}

/* ---- reading ------------------------------------------------------------------------------- */

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
	repair(file, n);
	read_trace(file, n, WHOLE, READ_ONLY);
	read_trace(file, n, SALVAGE, copying);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A foreign trace whose records are made while it is read: the first byte chooses importer, unit
 * and salvage, the others are its file. It is refused, or gives the same records, as when it is
 * made into a native trace first.
 */
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "trace/feed.h"
#include "trace/import.h"

static void expect_same(const struct trace_block *a, const struct trace_block *b)
{
	FUZZ_EXPECT(a->n_records == b->n_records && a->n_keys == b->n_keys);
	for (uint32_t i = 0; i < a->n_records; i++) {
		const struct trace_run x = trace_block_run(a, i), y = trace_block_run(b, i);

		FUZZ_EXPECT(x.key.va == y.key.va && x.key.ipa == y.key.ipa);
		FUZZ_EXPECT(x.key.vcpu == y.key.vcpu && x.key.vm == y.key.vm &&
			    x.key.asid == y.key.asid && x.key.el == y.key.el &&
			    x.key.stream == y.key.stream && x.key.device == y.key.device &&
			    x.key.size_log2 == y.key.size_log2);
		FUZZ_EXPECT(x.reads == y.reads && x.stores == y.stores && x.splits == y.splits &&
			    x.instructions == y.instructions);
		FUZZ_EXPECT(x.ordinal == y.ordinal && x.last_ordinal == y.last_ordinal &&
			    x.store_ordinal == y.store_ordinal);
	}
}

/* STATUS_OK, or why it was refused. */
static enum exit_status compare(struct trace_feed *feed, const struct trace_reader *native,
				struct diag *diag)
{
	struct trace_block block, same = { 0 };
	enum exit_status status = trace_feed_want(feed, COLUMN_ALL, diag);
	uint64_t n = 0;
	bool more = true;

	while (status == STATUS_OK && more) {
		status = trace_feed_next(feed, &block, &more, diag);
		if (status != STATUS_OK || !more)
			break;
		if (!native)
			continue;
		FUZZ_EXPECT(trace_read_block(native, n++, COLUMN_ALL, &same, diag) == STATUS_OK);
		expect_same(&block, &same);
	}
	trace_block_free(&same);
	FUZZ_EXPECT(!native || status != STATUS_OK || n == trace_info(native)->blocks);
	return status;
}

static void check(const char *path, const char *from, bool salvage,
		  enum trace_granularity granularity)
{
	struct diag native_diag = DIAG_INIT, diag = DIAG_INIT;
	struct trace_reader *native =
		trace_open_any(path, from, salvage, granularity, &native_diag);
	struct trace_reader *reader;
	struct trace_feed *feed;
	enum exit_status status;

	status = trace_open_once(path, from, salvage, granularity, &reader, &feed, &diag);
	FUZZ_EXPECT(status != STATUS_OK || !reader != !feed);
	if (feed)
		status = compare(feed, native, &diag);
	FUZZ_EXPECT((status == STATUS_OK) == (native != NULL));
	if (feed && native) {
		FUZZ_EXPECT(trace_feed_info(feed)->complete == trace_info(native)->complete);
		diag = *trace_feed_damage(feed);
	}
	FUZZ_EXPECT(diag.status == native_diag.status && !strcmp(diag.text, native_diag.text));
	trace_feed_close(feed);
	trace_close(reader);
	trace_close(native);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum trace_granularity units[] = { TRACE_PAGE_RUNS, TRACE_LINE_RUNS,
							TRACE_RAW };
	static const uint8_t zstd[] = { 0x28, 0xb5 }, gzip[] = { 0x1f, 0x8b }, xz[] = { 0xfd, '7' };
	char path[FUZZ_PATH_BYTES];
	unsigned formats = 0, from;
	int fd;

	/* A little compressed data can be any number of accesses; the importers' target has them.
	 */
	if (n < 3 || !memcmp(data + 1, zstd, 2) || !memcmp(data + 1, gzip, 2) ||
	    !memcmp(data + 1, xz, 2))
		return 0;
	while (fmt_registry[formats])
		formats++;
	from = (data[0] & 15) % (formats + 1);
	fd = fuzz_file(data + 1, n - 1, path);
	check(path, from < formats ? fmt_registry[from]->name : NULL, data[0] & 16,
	      units[(data[0] >> 5 & 3) % 3]);
	close(fd);
	return 0;
}

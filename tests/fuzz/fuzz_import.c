/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The importers of foreign traces: the first byte chooses one (or none: then the content decides),
 * the others are its file, plain or compressed. What comes out is in range and, if the first byte
 * says so (a writer is slow to make), can be collapsed without loss.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "trace/import.h"
#include "trace/s2t.h"
#include "trace/source.h"

/* A small compressed file can hold any number of references. */
enum { BATCH = 256, REFS_MAX = 1 << 14, HEAD_BYTES = 1 << 16 };

static struct trace_ref refs[BATCH];

static void expect_sound(const struct trace_ref *ref)
{
	FUZZ_EXPECT(ref->kind <= ACCESS_STORE);
	FUZZ_EXPECT(ref->size >= 1 && ref->size <= 4096);
	FUZZ_EXPECT(ref->el <= 1 && ref->device <= 1);
}

/* The next references, checked; 0 at the end or at damage. */
static size_t read_batch(const struct import_ops *ops, void *state, struct byte_source *source)
{
	struct diag damage = DIAG_INIT;
	const long n = ops->read(state, source, refs, BATCH, &damage);

	FUZZ_EXPECT(n <= BATCH);
	FUZZ_EXPECT(n >= 0 || (damage.status == STATUS_BAD_INPUT && damage.text[0]));
	for (long i = 0; i < n; i++)
		expect_sound(&refs[i]);
	return n > 0 ? (size_t)n : 0;
}

static void read_all(const struct import_ops *ops, void *state, struct byte_source *source)
{
	size_t count = 0, n;

	do
		count += n = read_batch(ops, state, source);
	while (n && count < REFS_MAX);
}

/* As many accesses come out as references went in. */
static void collapse_all(const struct import_ops *ops, void *state, struct byte_source *source,
			 enum trace_granularity granularity)
{
	const struct trace_writer_options options = { .granularity = granularity };
	struct diag diag = DIAG_INIT;
	struct trace_writer *writer = trace_create_fd(fuzz_empty_file(), "copy", &options, &diag);
	struct trace_collapser *collapser = trace_collapser_create(writer, granularity);
	enum exit_status status = STATUS_OK, finished;
	struct trace_info info;
	size_t count = 0, n = 1;

	FUZZ_EXPECT(writer && collapser);
	while (status == STATUS_OK && count < REFS_MAX && n) {
		count += n = read_batch(ops, state, source);
		status = trace_collapse(collapser, refs, n, &diag);
	}
	finished = trace_collapser_finish(collapser, status == STATUS_OK ? &diag : NULL);
	if (status != STATUS_OK || finished != STATUS_OK) {
		FUZZ_EXPECT(diag.status == STATUS_BAD_INPUT && diag.text[0]);
		trace_abandon(writer);
		return;
	}
	FUZZ_EXPECT(trace_finish(writer, &info, &diag) == STATUS_OK);
	FUZZ_EXPECT(trace_accesses(&info.totals) == count);
}

static const struct import_ops *choose(unsigned choice, struct byte_source *source)
{
	const struct import_ops *best = NULL;
	struct diag diag = DIAG_INIT;
	const unsigned char *head;
	unsigned n = 0;
	size_t got;
	int best_score = 0;

	while (fmt_registry[n])
		n++;
	if (choice % (n + 1) < n)
		return fmt_registry[choice % (n + 1)];
	head = source_peek(source, HEAD_BYTES, &got, &diag);
	for (unsigned i = 0; head && i < n; i++) {
		const int score = fmt_registry[i]->probe(head, got, source_path(source));

		FUZZ_EXPECT(score >= 0 && score <= 100);
		if (score > best_score) {
			best = fmt_registry[i];
			best_score = score;
		}
	}
	return best;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum trace_granularity granularities[] = { TRACE_RAW, TRACE_LINE_RUNS,
								TRACE_PAGE_RUNS };
	struct diag diag = DIAG_INIT;
	const struct import_ops *ops;
	struct byte_source *source;
	char path[FUZZ_PATH_BYTES];
	void *state;
	int fd;

	if (n == 0)
		return 0;
	fd = fuzz_file(data + 1, n - 1, path);
	source = source_open(path, &diag);
	FUZZ_EXPECT(source);
	ops = choose(data[0] & 31, source);
	state = ops ? calloc(1, ops->state_bytes + 1) : NULL;
	FUZZ_EXPECT(!ops || state);
	if (ops && data[0] & 128)
		collapse_all(ops, state, source, granularities[(data[0] >> 5 & 3) % 3]);
	else if (ops)
		read_all(ops, state, source);
	free(state);
	source_close(source);
	close(fd);
	return 0;
}

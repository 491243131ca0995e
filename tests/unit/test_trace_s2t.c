/* SPDX-License-Identifier: BSD-2-Clause */
/* The native trace format: what is written comes back; what is damaged is refused. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "trace/rng.h"
#include "trace/s2t.h"

static struct rng rng_state;

static uint64_t rng(void)
{
	return rng_next(&rng_state);
}

static char path[512];

static int set_up(void **state)
{
	(void)state;
	const char *folder = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/test_trace_XXXXXX", folder ? folder : P_tmpdir);
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static struct trace_run random_run(unsigned shift, uint64_t ordinal, uint64_t pages)
{
	bool upper = rng() % 5 == 0;
	uint64_t va = (rng() % pages << shift) | (upper ? UINT64_C(0xffff) << 48 : 0);
	struct trace_run run = {
		.key = { .va = va,
			 .ipa = rng() % 3 ? (rng() % 4 * pages + rng() % pages) << shift
					  : TRACE_IPA_UNKNOWN,
			 .vcpu = (uint16_t)(rng() % 3),
			 .vm = (uint16_t)(rng() % 2),
			 .asid = (uint16_t)(rng() % 2 * 65535),
			 .el = rng() % 2,
			 .stream = rng() % 2,
			 .device = rng() % 2,
			 .size_log2 = rng() % 8 },
		.reads = (uint32_t)(rng() >> rng() % 64),
		.stores = (uint32_t)(rng() % 300),
		.splits = rng() % 2,
		.instructions = (uint32_t)(rng() % 70000),
		.ordinal = ordinal,
		.last_ordinal = ordinal + (rng() >> (16 + rng() % 47)),
		.store_ordinal = UINT64_MAX,
	};

	if (rng() % 2)
		run.store_ordinal = ordinal + rng() % (run.last_ordinal - ordinal + 1);
	return run;
}

static struct trace_event event_at(uint64_t i)
{
	return (struct trace_event){ .type = (uint8_t)(1 + i % 4),
				     .vcpu = (uint16_t)(i % 3),
				     .vm = (uint16_t)(i % 2),
				     .asid = (uint16_t)i,
				     .args = { i, ~i } };
}

/* Writes n runs, an event before each one whose number is a multiple of 1000. */
static void write_trace(enum trace_granularity granularity, uint64_t n, uint64_t pages,
			struct trace_info *info)
{
	struct trace_writer_options options = { .granularity = granularity,
						.provenance = "program: test\n" };
	struct diag diag = DIAG_INIT;
	struct trace_writer *w = trace_create(path, &options, &diag);
	uint64_t ordinal = 0;

	assert_non_null(w);
	for (uint64_t i = 0; i < n; i++) {
		struct trace_run run;

		if (i % 1000 == 0) {
			struct trace_event event = event_at(i);

			assert_int_equal(trace_put_event(w, &event, &diag), STATUS_OK);
		}
		ordinal += 1 + rng() % 100;
		run = random_run(granularity, ordinal, pages);
		assert_int_equal(trace_put_run(w, &run, &diag), STATUS_OK);
	}
	assert_int_equal(trace_finish(w, info, &diag), STATUS_OK);
}

static void check_record(const struct trace_block *b, uint32_t i, const struct trace_run *run)
{
	const struct trace_key *k = &b->keys[b->key[i]];

	assert_int_equal(k->va, run->key.va);
	assert_int_equal(k->ipa, run->key.ipa);
	assert_int_equal(k->vcpu, run->key.vcpu);
	assert_int_equal(k->vm, run->key.vm);
	assert_int_equal(k->asid, run->key.asid);
	assert_int_equal(k->el, run->key.el);
	assert_int_equal(k->stream, run->key.stream);
	assert_int_equal(k->device, run->key.device);
	assert_int_equal(k->size_log2, run->key.size_log2);
	assert_int_equal(b->reads[i], run->reads);
	assert_int_equal(b->stores[i], run->stores);
	assert_int_equal(b->splits[i], run->splits);
	assert_int_equal(b->instructions[i], run->instructions);
	assert_int_equal(trace_first_ordinal(b, i), run->ordinal);
	assert_int_equal(trace_last_ordinal(b, i), run->last_ordinal);
	assert_int_equal(b->store_ordinal[i], run->store_ordinal);
	assert_int_equal(b->first_store[i], run->store_ordinal == run->ordinal);
}

static void check_event(const struct trace_event *event, const struct trace_event *want)
{
	assert_int_equal(event->before, want->before);
	assert_int_equal(event->type, want->type);
	assert_int_equal(event->vcpu, want->vcpu);
	assert_int_equal(event->vm, want->vm);
	assert_int_equal(event->asid, want->asid);
	assert_int_equal(event->args[0], want->args[0]);
	assert_int_equal(event->args[1], want->args[1]);
}

/* Checks records of a trace from write_trace with the same random state; returns their number. */
static uint64_t check_trace(const struct trace_reader *r, uint64_t pages)
{
	const struct trace_info *info = trace_info(r);
	struct trace_block block = { 0 };
	struct diag diag = DIAG_INIT;
	uint64_t n = 0, ordinal = 0;

	for (uint64_t b = 0; b < info->blocks; b++) {
		/* All columns, the ordinals of every other block in a second step. */
		const unsigned more = b & 1 ? 0 : COLUMN_ORDINALS;
		uint32_t event = 0;

		assert_int_equal(trace_read_block(r, b, COLUMN_ALL & ~more, &block, &diag),
				 STATUS_OK);
		assert_int_equal(block.last_ordinal != NULL, b & 1);
		if (more)
			assert_int_equal(trace_read_times(r, b, &block, &diag), STATUS_OK);
		for (uint32_t i = 0; i < block.n_records; i++, n++) {
			struct trace_run run;

			/* The event is in the block before if this record opens a block. */
			if (n % 1000 == 0 && i > 0) {
				struct trace_event want = event_at(n);

				assert_true(event < block.n_events);
				want.before = i;
				check_event(&block.events[event], &want);
			}
			while (event < block.n_events && block.events[event].before <= i)
				event++;
			ordinal += 1 + rng() % 100;
			run = random_run(info->granularity, ordinal, pages);
			check_record(&block, i, &run);
		}
	}
	trace_block_free(&block);
	return n;
}

static void round_trip(enum trace_granularity granularity, uint64_t n, uint64_t pages)
{
	struct diag diag = DIAG_INIT;
	struct trace_info info;
	struct trace_reader *r;

	rng_state = rng_seed(n);
	write_trace(granularity, n, pages, &info);
	r = trace_open(path, false, &diag);
	assert_non_null(r);
	assert_int_equal(trace_info(r)->totals.records, n);
	assert_int_equal(trace_info(r)->totals.events, (n + 999) / 1000);
	assert_memory_equal(&trace_info(r)->totals, &info.totals, sizeof(info.totals));
	assert_int_equal(trace_info(r)->content_digest, info.content_digest);
	assert_int_equal(trace_info(r)->granularity, granularity);
	assert_string_equal(trace_info(r)->provenance, "program: test\n");
	rng_state = rng_seed(n);
	assert_int_equal(check_trace(r, pages), n);
	trace_close(r);
}

static void records_come_back(void **state)
{
	(void)state;
	round_trip(TRACE_PAGE_RUNS, 0, 1);
	round_trip(TRACE_PAGE_RUNS, 1, 1);
	round_trip(TRACE_LINE_RUNS, 70000, 20);
	round_trip(TRACE_PAGE_RUNS, 65536, UINT64_C(1) << 35);
	round_trip(TRACE_RAW, 200001, UINT64_C(1) << 47);
}

static unsigned char *load(size_t *n)
{
	FILE *f = fopen(path, "rb");
	unsigned char *bytes = malloc(1 << 22);

	assert_non_null(f);
	*n = fread(bytes, 1, 1 << 22, f);
	fclose(f);
	return bytes;
}

static void store(const unsigned char *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Opens and reads everything: STATUS_OK, or the failure, which must say something. */
static enum exit_status read_all(bool salvage, uint64_t *records)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *r = trace_open(path, salvage, &diag);
	struct trace_block block = { 0 };

	*records = 0;
	if (r && diag.status) {
		assert_true(salvage && !trace_info(r)->complete);
		assert_non_null(strstr(diag.text, ": byte "));
		diag = (struct diag)DIAG_INIT;
	}
	for (uint64_t i = 0; r && i < trace_info(r)->blocks; i++) {
		if (trace_read_block(r, i, COLUMN_ALL, &block, &diag) != STATUS_OK)
			break;
		*records += block.n_records;
	}
	trace_block_free(&block);
	trace_close(r);
	if (diag.status)
		assert_non_null(strstr(diag.text, path));
	return diag.status;
}

static void truncation_is_refused(void **state)
{
	uint64_t records;
	size_t n;

	(void)state;
	rng_state = rng_seed(7);
	write_trace(TRACE_PAGE_RUNS, 40, 5, NULL);
	unsigned char *bytes = load(&n);

	for (size_t cut = 0; cut < n; cut++) {
		store(bytes, cut);
		assert_int_equal(read_all(false, &records), STATUS_BAD_INPUT);
		enum exit_status status = read_all(true, &records);

		assert_true(cut < 80 ? status == STATUS_BAD_INPUT : status == STATUS_OK);
		assert_true(records == 0 || records == 40);
	}
	store(bytes, n);
	assert_int_equal(read_all(false, &records), STATUS_OK);
	assert_int_equal(records, 40);
	free(bytes);
}

static void a_flipped_bit_is_found(void **state)
{
	uint64_t records;
	size_t n;

	(void)state;
	rng_state = rng_seed(8);
	write_trace(TRACE_PAGE_RUNS, 30, 5, NULL);
	unsigned char *bytes = load(&n);

	for (size_t i = 0; i < n; i++) {
		const unsigned char flip = (unsigned char)(1 << rng() % 8);

		bytes[i] ^= flip;
		store(bytes, n);
		assert_int_equal(read_all(false, &records), STATUS_BAD_INPUT);
		bytes[i] ^= flip;
	}
	free(bytes);
}

/* Blocks whose checksum is right and whose content is not: refused or read, never a crash. */
static void crafted_blocks_are_safe(void **state)
{
	enum { HEADER = 80, N = 2000 };
	unsigned read = 0, refused = 0;
	uint64_t records;
	size_t n;

	(void)state;
	rng_state = rng_seed(12);
	write_trace(TRACE_PAGE_RUNS, 60, 5, NULL);
	unsigned char *bytes = load(&n), *copy = malloc(n);

	for (int i = 0; i < N; i++) {
		struct s2t_block_header h;

		memcpy(copy, bytes, n);
		memcpy(&h, copy + HEADER, sizeof(h));
		/* Mostly in header and section table, where the sizes are. */
		for (uint64_t flips = 1 + rng() % 3; flips; flips--) {
			uint64_t range = rng() % 4 ? 96 + 14 * 16 : h.block_bytes;

			copy[HEADER + 16 + rng() % (range - 16)] ^= (unsigned char)(1 << rng() % 8);
		}
		h.checksum = XXH3_64bits(copy + HEADER + 16, h.block_bytes - 16);
		memcpy(copy + HEADER + 8, &h.checksum, 8);
		store(copy, n);
		(void)read_all(true, &records);
		read += records > 0;
		refused += records == 0;
	}
	assert_true(read > N / 20);
	assert_true(refused > N / 20);
	free(copy);
	free(bytes);
}

static void salvage_keeps_what_was_before(void **state)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *r;
	size_t n;

	(void)state;
	rng_state = rng_seed(9);
	write_trace(TRACE_PAGE_RUNS, 200000, 5, NULL);
	unsigned char *bytes = load(&n);

	bytes[n / 2] ^= 1; /* in the second or third of four blocks */
	store(bytes, n);
	r = trace_open(path, true, &diag);
	assert_non_null(r);
	assert_false(trace_info(r)->complete);
	rng_state = rng_seed(9);
	uint64_t kept = check_trace(r, 5);

	assert_int_equal(kept, trace_info(r)->totals.records);
	assert_true(kept == 65536 || kept == 2 * 65536);
	trace_close(r);
	free(bytes);
}

static void full_disk_is_told(void **state)
{
	struct trace_writer_options options = { .granularity = TRACE_PAGE_RUNS };
	struct diag diag = DIAG_INIT;

	(void)state;
	assert_null(trace_create("/dev/full", &options, &diag));
	assert_int_equal(diag.status, STATUS_IO);
	assert_non_null(strstr(diag.text, "No space left"));
	diag = (struct diag)DIAG_INIT;
	assert_null(trace_open("/nonexistent/x.s2t", false, &diag));
	assert_int_equal(diag.status, STATUS_NO_INPUT);
}

/* A disk that fills up while writing: a clear failure again and again, and whole blocks stay. */
static void full_disk_leaves_a_partial_trace(void **state)
{
	struct trace_writer_options options = { .granularity = TRACE_PAGE_RUNS };
	struct rlimit old, small;
	struct diag diag = DIAG_INIT;
	struct trace_writer *w;
	struct trace_reader *r;
	uint64_t ordinal = 0, puts = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 3 << 20;
	signal(SIGXFSZ, SIG_IGN);
	w = trace_create(path, &options, &diag);
	assert_non_null(w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	rng_state = rng_seed(11);
	while (puts < 1000000 && !diag.status) {
		struct trace_run run;

		ordinal += 1 + rng() % 100;
		run = random_run(TRACE_PAGE_RUNS, ordinal, 1 << 20);
		(void)trace_put_run(w, &run, &diag);
		puts++;
	}
	assert_int_equal(diag.status, STATUS_IO);
	assert_non_null(strstr(diag.text, "cannot write the trace"));
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(trace_finish(w, NULL, &diag), STATUS_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	diag = (struct diag)DIAG_INIT;
	assert_null(trace_open(path, false, &diag));
	r = trace_open(path, true, NULL);
	assert_non_null(r);
	assert_true(trace_info(r)->blocks >= 1);
	assert_int_equal(trace_info(r)->totals.records, puts - 1 - TRACE_BLOCK_RECORDS);
	trace_close(r);
}

static void disorder_is_refused(void **state)
{
	struct trace_writer_options options = { .granularity = TRACE_PAGE_RUNS, .atomic = true };
	struct trace_run run = { .key = { .va = 0x1000, .ipa = TRACE_IPA_UNKNOWN },
				 .ordinal = 5,
				 .last_ordinal = 9,
				 .store_ordinal = UINT64_MAX };
	struct diag diag = DIAG_INIT;
	struct trace_writer *w = trace_create(path, &options, &diag);

	(void)state;
	assert_int_equal(trace_put_run(w, &run, &diag), STATUS_OK);
	assert_int_equal(trace_put_run(w, &run, &diag), STATUS_INTERNAL);
	assert_int_equal(trace_finish(w, NULL, &diag), STATUS_INTERNAL);
}

/* Each block of a part is the one of the whole, moved behind those before it. */
static void a_part_is_a_trace(void **state)
{
	const uint64_t blocks[] = { 2, 0, 2 };
	struct diag diag = DIAG_INIT;
	struct trace_block a = { 0 }, b = { 0 };
	struct trace_reader *whole, *part;
	uint64_t records = 0, ordinal = 0;

	(void)state;
	rng_state = rng_seed(11);
	write_trace(TRACE_PAGE_RUNS, 3 * TRACE_BLOCK_RECORDS - 5, 50, NULL);
	whole = trace_open(path, false, &diag);
	assert_non_null(whole);
	part = trace_part(whole, blocks, 3, &diag);
	assert_non_null(part);
	for (uint64_t i = 0; i < 3; i++) {
		const struct trace_totals totals = trace_block_totals(whole, blocks[i]);
		const uint64_t pieces = trace_accesses(&totals) + totals.splits;

		assert_int_equal(trace_read_block(whole, blocks[i], COLUMN_ALL, &a, &diag), 0);
		assert_int_equal(trace_read_block(part, i, COLUMN_ALL, &b, &diag), 0);
		assert_int_equal(b.n_records, a.n_records);
		assert_int_equal(b.first_ordinal, ordinal);
		assert_int_equal(trace_block_ordinal(part, i), ordinal);
		for (uint32_t k = 0; k < b.n_records; k++) {
			struct trace_run run = trace_block_run(&a, k);
			const uint64_t back = a.first_ordinal - ordinal;

			run.ordinal -= back;
			run.last_ordinal -= back;
			run.store_ordinal -= run.store_ordinal == UINT64_MAX ? 0 : back;
			check_record(&b, k, &run);
		}
		records += totals.records;
		ordinal += pieces;
	}
	assert_int_equal(trace_info(part)->blocks, 3);
	assert_int_equal(trace_info(part)->totals.records, records);
	trace_close(whole);
	assert_int_equal(trace_read_block(part, 1, COLUMN_ALL, &b, &diag), 0);
	trace_close(part);
	trace_block_free(&a);
	trace_block_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_back),
		cmocka_unit_test(a_part_is_a_trace),
		cmocka_unit_test(truncation_is_refused),
		cmocka_unit_test(a_flipped_bit_is_found),
		cmocka_unit_test(crafted_blocks_are_safe),
		cmocka_unit_test(salvage_keeps_what_was_before),
		cmocka_unit_test(full_disk_is_told),
		cmocka_unit_test(full_disk_leaves_a_partial_trace),
		cmocka_unit_test(disorder_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

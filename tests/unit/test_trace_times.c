/* SPDX-License-Identifier: BSD-2-Clause */
/* Ordinals of a few records: those that were written, and refused as those of all records are. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "trace/rng.h"
#include "trace/s2t.h"

enum { RECORDS = TRACE_BLOCK_RECORDS + 3000, PAGES = 50, QUESTIONS = 400 };

static char path[512];
static uint64_t first[RECORDS], last[RECORDS];

static int set_up(void **state)
{
	const char *folder = getenv("TMPDIR");

	(void)state;
	snprintf(path, sizeof(path), "%s/test_times_XXXXXX", folder ? folder : P_tmpdir);
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

/* Steps of 1 to `step`, accesses up to `reach` behind the first. */
static void write_trace(struct rng *rng, uint32_t n, uint64_t step, uint64_t reach)
{
	const struct trace_writer_options options = { .granularity = TRACE_PAGE_RUNS };
	struct diag diag = DIAG_INIT;
	struct trace_writer *w = trace_create(path, &options, &diag);
	struct trace_info info;
	uint64_t ordinal = 0;

	assert_non_null(w);
	for (uint32_t i = 0; i < n; i++) {
		ordinal += 1 + rng_next(rng) % step;
		first[i] = ordinal;
		last[i] = ordinal + rng_next(rng) % (reach + 1);
		const struct trace_run run = {
			.key = { .va = rng_next(rng) % PAGES << 12, .ipa = TRACE_IPA_UNKNOWN },
			.reads = 1,
			.ordinal = first[i],
			.last_ordinal = last[i],
			.store_ordinal = UINT64_MAX,
		};

		assert_int_equal(trace_put_run(w, &run, &diag), STATUS_OK);
	}
	assert_int_equal(trace_finish(w, &info, &diag), STATUS_OK);
}

/* Record i of the block whose first record has the number `from`. */
static void check(const struct trace_block *block, uint32_t from, uint32_t i, bool last_one)
{
	if (last_one)
		assert_int_equal(trace_last_ordinal(block, i), last[from + i]);
	else
		assert_int_equal(trace_first_ordinal(block, i), first[from + i]);
}

static void ask(struct rng *rng, const struct trace_block *block, uint32_t from)
{
	const uint32_t n = block->n_records;

	for (uint32_t i = 0; i < n; i += 1 + n / QUESTIONS)
		check(block, from, i, i & 1);
	for (uint32_t i = 0; i < QUESTIONS; i++)
		check(block, from, (uint32_t)(rng_next(rng) % n), rng_next(rng) & 1);
	check(block, from, n - 1, true);
	check(block, from, 0, false);
}

static void ordinals_come_back(void **state)
{
	static const uint64_t steps[] = { 1, 250, 60000, UINT32_MAX, UINT64_C(1) << 36 };
	static const uint64_t reaches[] = { 0, 200, 65535, 70000, UINT64_C(1) << 40 };
	struct rng rng = rng_seed(7);

	(void)state;
	for (size_t k = 0; k < 25; k++) {
		struct diag diag = DIAG_INIT;
		struct trace_block block = { 0 };
		struct trace_reader *r;

		write_trace(&rng, RECORDS, steps[k / 5], reaches[k % 5]);
		r = trace_open(path, false, &diag);
		assert_non_null(r);
		for (uint32_t b = 0; b < 2; b++) {
			assert_int_equal(trace_read_block(r, b, COLUMN_KEY, &block, &diag),
					 STATUS_OK);
			assert_false(trace_has_times(&block));
			assert_int_equal(trace_read_times(r, b, &block, &diag), STATUS_OK);
			assert_true(trace_has_times(&block));
			ask(&rng, &block, b * TRACE_BLOCK_RECORDS);
		}
		assert_int_equal(
			trace_read_block(r, 0, COLUMN_KEY | COLUMN_ORDINALS, &block, &diag),
			STATUS_OK);
		assert_true(trace_has_times(&block));
		ask(&rng, &block, 0);
		trace_block_free(&block);
		trace_close(r);
	}
}

/* ---- damage that the checksums do not show -------------------------------------------------- */

static unsigned char *load(size_t *n)
{
	static unsigned char bytes[1 << 20];
	const int fd = open(path, O_RDONLY);
	const ssize_t got = read(fd, bytes, sizeof(bytes));

	assert_int_equal(close(fd), 0);
	assert_in_range(got, 1, sizeof(bytes) - 1);
	*n = (size_t)got;
	return bytes;
}

static void put(unsigned char *to, uint64_t value)
{
	memcpy(to, &value, sizeof(value));
}

/* The checksums of a trace of one block, from the inside out. */
static void seal(unsigned char *bytes, size_t n, uint32_t block_at)
{
	unsigned char *block = bytes + block_at, *footer;
	struct s2t_block_header h;
	struct s2t_index_entry entry;
	struct s2t_trailer t;

	memcpy(&h, block, sizeof(h));
	memcpy(&t, bytes + n - sizeof(t), sizeof(t));
	footer = bytes + t.footer_offset;
	h.checksum = XXH3_64bits(block + S2T_CHECKED_FROM, h.block_bytes - S2T_CHECKED_FROM);
	put(block + offsetof(struct s2t_block_header, checksum), h.checksum);
	memcpy(&entry, footer + sizeof(struct s2t_footer_header), sizeof(entry));
	entry.checksum = h.checksum;
	memcpy(footer + sizeof(struct s2t_footer_header), &entry, sizeof(entry));
	put(footer + offsetof(struct s2t_footer_header, content_digest), s2t_digest(&entry, 1));
	put(footer + t.footer_bytes - 8, XXH3_64bits(footer, t.footer_bytes - 8));
}

static unsigned char *section_of(unsigned char *block, unsigned type, struct s2t_section *section)
{
	struct s2t_block_header h;
	unsigned char *data;

	memcpy(&h, block, sizeof(h));
	data = block + sizeof(h) + h.n_sections * sizeof(*section);
	for (uint32_t i = 0; i < h.n_sections; i++, data += section->stored_bytes) {
		memcpy(section, block + sizeof(h) + i * sizeof(*section), sizeof(*section));
		if (section->type == type)
			return data;
	}
	fail();
	return NULL;
}

/* Both ways to the ordinals say the same of a trace of one block. */
static void both_say(enum exit_status want, const char *text)
{
	struct diag by_column = DIAG_INIT, by_times = DIAG_INIT, diag = DIAG_INIT;
	struct trace_block block = { 0 };
	struct trace_reader *r = trace_open(path, false, &diag);

	assert_non_null(r);
	assert_int_equal(trace_read_block(r, 0, COLUMN_KEY | COLUMN_ORDINALS, &block, &by_column),
			 want);
	assert_int_equal(trace_read_block(r, 0, COLUMN_KEY, &block, &diag), STATUS_OK);
	assert_int_equal(trace_read_times(r, 0, &block, &by_times), want);
	assert_int_equal(trace_has_times(&block), want == STATUS_OK);
	assert_string_equal(by_times.text, by_column.text);
	if (text)
		assert_non_null(strstr(by_times.text, text));
	trace_block_free(&block);
	trace_close(r);
}

static void save(const unsigned char *bytes, size_t n)
{
	const int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, bytes, n), n);
	assert_int_equal(close(fd), 0);
}

static void damage_is_refused_alike(void **state)
{
	static const uint64_t steps[] = { 255, 65535, UINT32_MAX };
	struct rng rng = rng_seed(8);

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct s2t_file_header file;
		struct s2t_section section;
		unsigned char *bytes, *steps_at;
		size_t n;

		write_trace(&rng, 2000, steps[k], 255);
		both_say(STATUS_OK, NULL);
		bytes = load(&n);
		memcpy(&file, bytes, sizeof(file));
		steps_at = section_of(bytes + file.header_bytes, S2T_ORDINAL, &section);
		assert_int_equal(section.encoding, S2T_STORED);
		assert_int_equal(section.width, 1 << k);

		/* Two records that begin with the same access: the last, or one in the middle. */
		for (unsigned at = 1000; at < 2000; at += 999) {
			unsigned char *step = steps_at + (size_t)at * section.width;
			unsigned char kept[8];

			memcpy(kept, step, section.width);
			memset(step, 0, section.width);
			seal(bytes, n, file.header_bytes);
			save(bytes, n);
			both_say(STATUS_BAD_INPUT, "not in order");
			memcpy(step, kept, section.width);
		}

		/* Ordinals that leave 64 bits. */
		put(bytes + file.header_bytes + offsetof(struct s2t_block_header, first_ordinal),
		    UINT64_MAX - 1000);
		seal(bytes, n, file.header_bytes);
		save(bytes, n);
		both_say(STATUS_BAD_INPUT, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ordinals_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_refused_alike, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

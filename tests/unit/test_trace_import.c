/* SPDX-License-Identifier: BSD-2-Clause */
/* Importers: each on a small sample written by hand, plain and compressed, damaged and salvaged. */
#include <fcntl.h>
#include <inttypes.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "trace/feed.h"
#include "trace/import.h"

static char folder[256], path[512];

static int set_up(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/test_import_XXXXXX", parent ? parent : P_tmpdir);
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void store(const char *name, const void *bytes, size_t n)
{
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void print_run(FILE *out, const struct trace_run *run)
{
	static const char kinds[] = "FLS";
	int kind = run->key.stream == STREAM_FETCH ? 0 : run->store_ordinal == UINT64_MAX ? 1 : 2;

	fprintf(out, "%s%c %" PRIx64 " %u", run->splits ? "+" : "", kinds[kind], run->key.va,
		1u << run->key.size_log2);
	if (run->key.ipa != TRACE_IPA_UNKNOWN)
		fprintf(out, " %" PRIx64 "%s", run->key.ipa, run->key.device ? "d" : "");
	if (run->key.vcpu | run->key.vm | run->key.asid | run->key.el)
		fprintf(out, " %u/%u/%u/%u", run->key.vcpu, run->key.vm, run->key.asid,
			run->key.el);
	fprintf(out, "%s;", run->instructions ? " i" : "");
}

static void print_block(FILE *out, const struct trace_block *block)
{
	for (uint32_t i = 0; i < block->n_records; i++) {
		struct trace_run run = trace_block_run(block, i);

		print_run(out, &run);
	}
}

static void print_diag(FILE *out, const struct diag *diag)
{
	const char *name = strrchr(diag->text, '/');

	if (diag->status)
		fprintf(out, "%d %s", diag->status, name ? name + 1 : diag->text);
}

/* read_text() of the records that are made while the trace is read; without them if it is refused.
 */
static char *read_feed(const char *from, bool salvage)
{
	struct diag diag = DIAG_INIT;
	struct trace_block block = { 0 };
	struct trace_reader *reader;
	struct trace_feed *feed;
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	bool more = true;

	if (trace_open_once(path, from, salvage, TRACE_RAW, &reader, &feed, &diag) == STATUS_OK) {
		assert_null(reader);
		assert_non_null(feed);
		trace_feed_want(feed, COLUMN_ALL, &diag);
	}
	while (feed && diag.status == STATUS_OK && more &&
	       trace_feed_next(feed, &block, &more, &diag) == STATUS_OK && more)
		print_block(out, &block);
	if (feed && diag.status == STATUS_OK) {
		diag = *trace_feed_damage(feed);
		assert_int_equal(trace_feed_info(feed)->complete, diag.status == STATUS_OK);
	}
	print_diag(out, &diag);
	trace_feed_close(feed);
	fclose(out);
	return text;
}

/* The trace at `path` as raw records in short; the diagnostic if it cannot be opened. */
static char *read_text(const char *from, bool salvage)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *r = trace_open_any(path, from, salvage, TRACE_RAW, &diag);
	struct trace_block block = { 0 };
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	for (uint64_t b = 0; r && b < trace_info(r)->blocks; b++) {
		assert_int_equal(trace_read_block(r, b, COLUMN_ALL, &block, &diag), STATUS_OK);
		print_block(out, &block);
	}
	print_diag(out, &diag);
	if (r)
		assert_int_equal(trace_info(r)->complete, diag.status == STATUS_OK);
	trace_block_free(&block);
	trace_close(r);
	fclose(out);
	return text;
}

/* `want`: the records, or the status and the last part of the diagnostic. */
static void expect(const char *from, bool salvage, const char *want)
{
	char *text = read_text(from, salvage), *same = read_feed(from, salvage);

	assert_string_equal(text, want);
	assert_string_equal(same, want);
	free(text);
	free(same);
	assert_int_equal(unlink(path), 0);
}

static void expect_text(const char *name, const char *content, const char *want)
{
	store(name, content, strlen(content));
	expect(NULL, false, want);
}

static void lackey(void **state)
{
	(void)state;
	expect_text(
		"a",
		"==12== Lackey\n\nI  04015fb0,3\n L 1ffefff8,8\n S 04222cac,4\n M 0421d7cc,16\n",
		"F 4015fb0 4 i;L 1ffefff8 8;S 4222cac 4;L 421d7cc 16;S 421d7cc 16;");
	expect_text("a", "I  04015fb0,3\n X 1ffefff8,8\n",
		    "65 a: byte 0: expected a trace in a known format: s2t, champsim, csv, din, "
		    "drmemtrace, lackey, raw16, raw8; --from NAME forces one");
	store("a", "I  04015fb0,3\n X 1ffefff8,8\n", 28);
	expect("lackey", false, "65 a: byte 15: expected I, L, S or M");
	store("a", "I  04015fb0,3\n X 1ffefff8,8\n", 28);
	expect("lackey", true, "F 4015fb0 4 i;65 a: byte 15: expected I, L, S or M");
	store("a", "I  04015fb0,0\n", 14);
	expect("lackey", false, "65 a: byte 12: expected a size of 1..4096 bytes");
}

static void din(void **state)
{
	(void)state;
	expect_text("a", "2 400100\n0 7fff0000 8 comment\r\n1 0x10\n",
		    "F 400100 1 i;L 7fff0000 1;S 10 1;");
	expect_text("a", "2 400100", "F 400100 1 i;");
	store("a", "2 400100\n3 10\n", 14);
	expect("din", false, "65 a: byte 9: expected a label 0 (read), 1 (write) or 2 (fetch)");
}

static void drmemtrace(void **state)
{
	(void)state;
	expect_text(
		"a",
		"Output format:\n<--record#-> <--instr#->: <---tid---> <record details>\n"
		"------------------------------------------------------------\n"
		"           1           0:     2444839 <marker: version 5>\n"
		"          10           1:     2444840 ifetch       4 byte(s) @ 0x0000000000401d68 "
		"91038040   add    %x2 $0x00e0 lsl $0x00 -> %x0\n"
		"          11           1:     2444840 read         8 byte(s) @ 0x00007f8881e37c70 "
		"by "
		"PC 0x0000000000401d68\n"
		"          12           2:     2444839 ifetch      11 byte(s) @ 0x00007f8881e37c71 "
		"64 "
		"c7 04 25 mov\n"
		"                              2444839                                     f8 ff "
		"ff\n"
		"          13           2:     2444839 write       16 byte(s) @ 0xffff800000001ff8 "
		"by "
		"PC 0x0000000000401d68\n"
		"          14           2:     2444839 pref-r      64 byte(s) @ 0x1000 by PC 0x1\n"
		"          15           2:     2444839 <thread 2444839 exited>\n"
		"View tool results:\n              2 : total instructions\n",
		"F 401d68 4 i;L 7f8881e37c70 8;F 7f8881e37c71 16 1/0/0/0 i;"
		"S ffff800000001ff8 16 1/0/0/0;+S ffff800000002000 1 1/0/0/0;");
	expect_text(
		"a",
		"   173370: T1774669 read         8 byte(s) @ 0x00007f8881e37c70 by PC 0x402680\n",
		"L 7f8881e37c70 8;");
	store("a", "   1 1: 2 fetch 8 byte(s)\n", 26);
	expect("drmemtrace", false, "65 a: byte 10: expected ifetch, read, write or a marker");
}

static void csv(void **state)
{
	(void)state;
	expect_text("a",
		    "# made by hand\nvcpu, kind,va,size,ipa,device,asid,vm,el,instructions\n"
		    "1,load,0x1000,8,0x5000,0,2,3,1,1\n0,fetch,ffff000000400000,4,,0,0,0,0,0\n"
		    "0,store,0x1ffd,3,-,0,0,0,0,0\n0,2,0x1ffe,3,9ffe,1,0,0,0,0\n",
		    "L 1000 8 5000 1/3/2/1 i;F ffff000000400000 4;S 1ffd 2;S 1ffe 4 9ffed;"
		    "+S 2000 1;");
	expect_text("a", "kind,va,colour\n",
		    "65 a: byte 0: expected a trace in a known format: s2t, champsim, csv, din, "
		    "drmemtrace, lackey, raw16, raw8; --from NAME forces one");
	store("a", "kind,va,colour\n", 15);
	expect("csv", false,
	       "65 a: byte 8: expected each once, the names of columns: vcpu, vm, asid, el, kind, "
	       "va, size, ipa, device, instructions");
	expect_text("a", "va,kind\n10,load\n20,lode\n",
		    "65 a: byte 19: expected kind fetch, load "
		    "or store");
	expect_text("a", "va,kind,vcpu\n10,load,65536\n",
		    "65 a: byte 21: expected a vcpu of "
		    "0..65535");
	expect_text("a", "va,kind\n10,load,\n", "65 a: byte 15: expected the end of the line");
	expect_text("a", "va,kind\n10\n", "65 a: byte 10: expected a comma and the next column");
}

static void champsim(void **state)
{
	uint64_t words[16] = { 0x401000, 0, 0x7fff0010, 0, 0x7fff0020, 0, 0x600000, 0, 0x401004 };

	(void)state;
	words[9] = 0x0101; /* a branch, taken */
	store("a", words, sizeof(words));
	expect(NULL, false, "F 401000 1 i;L 7fff0020 1;L 600000 1;S 7fff0010 1;F 401004 1 i;");
	store("a", words, 100);
	expect(NULL, true,
	       "F 401000 1 i;L 7fff0020 1;L 600000 1;S 7fff0010 1;65 a: byte 100: the trace ends "
	       "inside an instruction, expected 28 bytes more");
	words[9] = 2;
	store("a", words, sizeof(words));
	expect("champsim", false,
	       "65 a: byte 72: expected is_branch and branch_taken, both 0 or 1");
}

/* A word of raw8: VA bits [48:0], kind, log2 of the size, vCPU. */
static uint64_t word(uint64_t va, uint64_t kind, uint64_t size_log2, uint64_t vcpu)
{
	return va | kind << 49 | size_log2 << 51 | vcpu << 54;
}

static void raw8(void **state)
{
	uint64_t words[] = { word(0x400000, 0, 2, 0), word(0x1000000001ff8, 1, 4, 255),
			     word(0xffffffffffff, 2, 0, 1) };

	(void)state;
	store("a", words, sizeof(words));
	expect(NULL, false,
	       "F 400000 4 i;L ffff000000001ff8 16 255/0/0/0;+L ffff000000002000 1 255/0/0/0;"
	       "S ffffffffffff 1 1/0/0/0;");
	store("a", words, 20);
	expect(NULL, false,
	       "65 a: byte 20: the trace ends inside an access, expected 4 bytes more");
	words[1] |= UINT64_C(1) << 62;
	store("a.raw8", words, sizeof(words));
	expect(NULL, true,
	       "F 400000 4 i;65 a.raw8: byte 8: expected bits 62 and 63 of an access to be 0");
	words[1] = word(0, 3, 0, 0);
	store("a.raw8", words, sizeof(words));
	expect(NULL, false,
	       "65 a.raw8: byte 8: expected kind 0, 1 or 2 in bits 49 and 50 of an access");
}

static void raw16(void **state)
{
	uint64_t words[] = { word(0x400010, 0, 2, 0), 0x80010,
			     word(0x1000, 1, 3, 2),   UINT64_MAX,
			     word(0x2008, 2, 3, 0),   UINT64_C(1) << 63 | 0xfffffffff008 };

	(void)state;
	store("a", words, sizeof(words));
	expect(NULL, false, "F 400010 4 80010 i;L 1000 8 2/0/0/0;S 2008 8 fffffffff008d;");
	words[3] = UINT64_C(1) << 52;
	store("a.raw16", words, sizeof(words));
	expect(NULL, true,
	       "F 400010 4 80010 i;65 a.raw16: byte 24: expected an IPA of at most 52 "
	       "bits");
	store("a.raw16", words, 17);
	expect(NULL, false,
	       "65 a.raw16: byte 17: the trace ends inside an access, expected 15 bytes more");
}

enum { N_WORDS = 200000, PACKED_BYTES = 2 * N_WORDS * 8 };

static uint64_t words_for_packing[N_WORDS];
static unsigned char packed[PACKED_BYTES];

static size_t pack_gzip(const void *from, size_t n)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)from;
	z.avail_in = (unsigned)n;
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = z.total_out;
	deflateEnd(&z);
	return n;
}

static size_t pack_xz(const void *from, size_t n)
{
	size_t out = 0;

	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, from, n, packed, &out,
						 sizeof(packed)),
			 LZMA_OK);
	return out;
}

static size_t pack_zstd(const void *from, size_t n)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	/* As the zstd program does. */
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(c, packed, sizeof(packed), from, n);
	ZSTD_freeCCtx(c);
	return n;
}

/* The same, and the same diagnostic, of the records that are made while the trace is read. */
static uint64_t loads_of_feed(bool salvage, const struct diag *expected)
{
	uint64_t loads = UINT64_MAX;
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;
	struct trace_feed *feed;

	if (trace_open_once(path, NULL, salvage, TRACE_PAGE_RUNS, &reader, &feed, &diag) ==
		    STATUS_OK &&
	    feed) {
		struct trace_block block;
		bool more = true;

		while (more && trace_feed_next(feed, &block, &more, &diag) == STATUS_OK)
			loads = trace_feed_info(feed)->totals.loads;
		loads = diag.status ? UINT64_MAX : loads;
		if (diag.status == STATUS_OK)
			diag = *trace_feed_damage(feed);
	}
	assert_int_equal(diag.status, expected->status);
	assert_string_equal(diag.text, expected->text);
	trace_feed_close(feed);
	trace_close(reader);
	return loads;
}

static uint64_t loads_of(bool salvage, struct diag *diag)
{
	struct trace_reader *r = trace_open_any(path, NULL, salvage, TRACE_PAGE_RUNS, diag);
	uint64_t loads = r ? trace_info(r)->totals.loads : UINT64_MAX;

	assert_int_equal(loads, loads_of_feed(salvage, diag));
	trace_close(r);
	return loads;
}

/* Whole, cut, and with a flipped bit: all, a refusal, and what is before the damage. */
static void check_packed(size_t (*pack)(const void *, size_t), const char *name)
{
	const char *more = getenv("TWOSTAGE_LONG");
	const unsigned step = more && *more ? 1 : 3;
	size_t n = pack(words_for_packing, sizeof(words_for_packing));
	struct diag diag = DIAG_INIT;
	uint64_t loads;

	store(name, packed, n);
	assert_int_equal(loads_of(false, &diag), N_WORDS);
	/* The first block of zstd data is larger than an eighth of it here. */
	for (unsigned part = 3; part < 16; part += step) {
		store(name, packed, n * part / 16);
		diag = (struct diag)DIAG_INIT;
		assert_int_equal(loads_of(false, &diag), UINT64_MAX);
		assert_int_equal(diag.status, STATUS_BAD_INPUT);
		diag = (struct diag)DIAG_INIT;
		loads = loads_of(true, &diag);
		assert_int_equal(diag.status, STATUS_BAD_INPUT);
		if (!strstr(diag.text, "ends too early"))
			fail_msg("%u: %s", part, diag.text);
		if (loads >= N_WORDS || loads < N_WORDS / 16 * (part - 1) / 2)
			fail_msg("%s: %u of 16 parts gave %" PRIu64 " loads", name, part, loads);
	}
	for (size_t at = 64; at < n; at += step * n / 16) {
		packed[at] ^= 0x55;
		store(name, packed, n);
		packed[at] ^= 0x55;
		diag = (struct diag)DIAG_INIT;
		(void)loads_of(true, &diag);
		diag = (struct diag)DIAG_INIT;
		assert_int_equal(loads_of(false, &diag), UINT64_MAX);
	}
	/* Two streams, one behind the other. */
	memmove(packed + n, packed, n);
	store(name, packed, 2 * n);
	diag = (struct diag)DIAG_INIT;
	assert_int_equal(loads_of(false, &diag), 2 * N_WORDS);
	assert_int_equal(unlink(path), 0);
}

static void compressed(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < N_WORDS; i++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		words_for_packing[i] = word(random >> 33, 1, 3, 0);
	}
	check_packed(pack_gzip, "a.raw8.gz");
	check_packed(pack_xz, "a.raw8.xz");
	check_packed(pack_zstd, "a.raw8.zst");
}

static void refusals(void **state)
{
	(void)state;
	store("a", "", 0);
	expect(NULL, false, "65 a: byte 0: the file is empty");
	store("a", "\x89S2T\r\n\x1a\n", 8);
	expect(NULL, false, "65 a: byte 8: the file ends here, expected 56 bytes more");
	store("a", "2 10\n", 5);
	expect("dinero", false,
	       "64 a: no trace format is called 'dinero'; expected s2t, champsim, "
	       "csv, din, drmemtrace, lackey, raw16, raw8");
	snprintf(path, sizeof(path), "%s/none", folder);
	char *text = read_text(NULL, false);

	assert_string_equal(text, "66 none: No such file or directory");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lackey),     cmocka_unit_test(din),
		cmocka_unit_test(drmemtrace), cmocka_unit_test(csv),
		cmocka_unit_test(champsim),   cmocka_unit_test(raw8),
		cmocka_unit_test(raw16),      cmocka_unit_test(compressed),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

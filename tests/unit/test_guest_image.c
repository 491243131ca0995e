/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory images as files: what is accepted, what is refused and where, sizes, digests, TCR_EL1. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "os/guest_image.h"
#include "rig.h"
#include "config/image_file.h"
#include "config/params.h"
#include "tests/repro/scratch.h"

#define REGS                                                                                       \
	"ram_base=0x40000000\nram_bytes=0x4000\nttbr0_el1=0x40001000\nttbr1_el1=0x40002000\n"      \
	"tcr_el1=0xb5193519\nmair_el1=255\nsctlr_el1=0x1005\n"

static void write_regs(const char *name, const char *text)
{
	char path[700];
	FILE *out;

	snprintf(path, sizeof(path), "%s.regs", scratch_path(name));
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

/* A file with a hole of `bytes`, in which `word` stands at `at` unless it is 0. */
static void write_ram(const char *name, uint64_t bytes, uint64_t at, uint64_t word)
{
	const int fd = open(scratch_path(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	if (word)
		assert_int_equal(pwrite(fd, &word, sizeof(word), (off_t)at), sizeof(word));
	close(fd);
}

static struct guest_image *open_image(const char *name)
{
	struct diag diag = DIAG_INIT;
	struct guest_image *image;

	if (guest_image_open(scratch_path(name), &image, &diag) != STATUS_OK)
		fail_msg("%s: %s", diag.place, diag.text);
	return image;
}

/* ---- what is accepted ---------------------------------------------------------------------- */

static void test_contents(void **state)
{
	const struct guest_image_regs *regs;
	struct guest_image *image, *other;

	(void)state;
	write_ram("a", 0x4000, 0x2018, 42);
	write_regs("a", "# of a test\n\n  " REGS);
	image = open_image("a");
	regs = guest_image_regs(image);
	assert_int_equal(regs->ram_base, 0x40000000);
	assert_int_equal(regs->ttbr0_el1, 0x40001000);
	assert_int_equal(regs->mair_el1, 255);
	assert_null(guest_image_words(image, ipa_of(0x3ffffff8)));
	assert_null(guest_image_words(image, ipa_of(0x40004000)));
	assert_null(guest_image_words(image, ipa_of(UINT64_MAX)));
	assert_int_equal(guest_image_words(image, ipa_of(0x40002ff8))[3], 42);
	assert_int_equal(guest_image_words(image, ipa_of(0x40003000))[3], 0);
	/* What is written stays with the one who wrote it. */
	guest_image_words(image, ipa_of(0x40002000))[3] = 43;
	other = open_image("a");
	assert_int_equal(guest_image_words(other, ipa_of(0x40002000))[3], 42);
	guest_image_close(other);
	guest_image_close(image);
	guest_image_close(NULL);
}

static void test_empty_tables(void **state)
{
	struct guest_image *image;

	(void)state;
	write_ram("a", 0x4000, 0x2018, 43);
	write_regs("a", REGS);
	image = open_image("a");
	assert_true(guest_image_is_empty_table(image, ipa_of(0x40001000), 4096));
	assert_false(guest_image_is_empty_table(image, ipa_of(0x40002000), 4096));
	assert_true(guest_image_is_empty_table(image, ipa_of(0x40002000), 24));
	assert_true(guest_image_is_empty_table(image, ipa_of(0x50000000), 4096));
	guest_image_close(image);
	write_ram("a", 0x4000, 0x2018, 42);
	image = open_image("a");
	assert_true(guest_image_is_empty_table(image, ipa_of(0x40002000), 4096));
	guest_image_close(image);
}

static void check_half(uint64_t tcr, unsigned half, enum granule granule, unsigned va_bits,
		       bool walks)
{
	char regs[400];
	struct guest_image *image;
	struct guest_image_half found;

	snprintf(regs, sizeof(regs),
		 "ram_base=0\nram_bytes=4096\nttbr0_el1=0\nttbr1_el1=0\ntcr_el1=0x%llx\n"
		 "mair_el1=0\nsctlr_el1=1\n",
		 (unsigned long long)tcr);
	write_ram("t", 4096, 0, 0);
	write_regs("t", regs);
	image = open_image("t");
	found = guest_image_half(image, half);
	assert_int_equal(found.granule, granule);
	assert_int_equal(found.va_bits, va_bits);
	assert_int_equal(found.walks, walks);
	guest_image_close(image);
}

/* Arm ARM, TCR_EL1: T0SZ [5:0], EPD0 [7], TG0 [15:14], T1SZ [21:16], EPD1 [23], TG1 [31:30]. */
static void test_tcr(void **state)
{
	(void)state;
	check_half(16, 0, GRANULE_4K, 48, true);
	check_half(1 << 14 | 22 | 1 << 7, 0, GRANULE_64K, 42, false);
	check_half(2 << 14 | 17, 0, GRANULE_16K, 47, true);
	check_half(UINT64_C(2) << 30 | 25 << 16, 1, GRANULE_4K, 39, true);
	check_half(UINT64_C(1) << 30 | 16 << 16, 1, GRANULE_16K, 48, true);
	check_half(UINT64_C(3) << 30 | 12 << 16 | 1 << 23, 1, GRANULE_64K, 52, false);
	check_half(16 << 16, 1, 0, 48, true);
}

/* ---- what is refused ----------------------------------------------------------------------- */

static void refuse(enum exit_status status, const char *place, const char *text)
{
	struct diag diag = DIAG_INIT;
	struct guest_image *image;

	assert_int_equal(guest_image_open(scratch_path("bad"), &image, &diag), status);
	assert_null(image);
	if (strcmp(diag.place + strlen(diag.place) - strlen(place), place) != 0 ||
	    !strstr(diag.text, text))
		fail_msg("%s: %s", diag.place, diag.text);
}

static void refuse_regs(const char *regs, const char *place, const char *text)
{
	write_regs("bad", regs);
	refuse(STATUS_BAD_INPUT, place, text);
}

static void test_refusals(void **state)
{
	(void)state;
	refuse(STATUS_NO_INPUT, "/bad", "cannot open: No such file");
	write_ram("bad", 0x4000, 0, 0);
	refuse(STATUS_NO_INPUT, "/bad.regs", "cannot open: No such file");
	refuse_regs(REGS "\nttbr_el1=3\n", "bad.regs:9:1", "did you mean 'ttbr0_el1'?");
	refuse_regs(REGS "  nothing_alike=3", "bad.regs:8:3", "unknown key 'nothing_alike'");
	refuse_regs(REGS "mair_el1=1\n", "bad.regs:8:1", "mair_el1 is there twice");
	refuse_regs("# x\nram_base 3\n", "bad.regs:2:1", "no '='");
	refuse_regs("ram_base=\n", "bad.regs:1:10", "'' is not a 64-bit number");
	refuse_regs("ram_base=-1\n", "bad.regs:1:10", "'-1' is not");
	refuse_regs("ram_base=0x10000000000000000\n", "bad.regs:1:10", "is not a 64-bit number");
	refuse_regs("ram_base=4g\n", "bad.regs:1:10", "'4g' is not");
	refuse_regs("", "bad.regs", "ram_base is missing");
	refuse_regs("ram_base=0\nram_bytes=4096\n", "bad.regs", "ttbr0_el1 is missing");
#define WITH(base, bytes, sctlr)                                                                   \
	"ram_base=" base "\nram_bytes=" bytes "\nttbr0_el1=0\nttbr1_el1=0\ntcr_el1=0\n"            \
	"mair_el1=0\nsctlr_el1=" sctlr "\n"
	refuse_regs(WITH("0", "0x3fff", "1"), "bad.regs", "multiples of 4 KiB");
	refuse_regs(WITH("8", "0x4000", "1"), "bad.regs", "multiples of 4 KiB");
	refuse_regs(WITH("0", "0", "1"), "bad.regs", "below 2^52");
	refuse_regs(WITH("0xffffffffff000", "0x4000", "1"), "bad.regs", "below 2^52");
	refuse_regs(WITH("0", "0x4000", "0x1004"), "bad.regs", "bit 0 (M) is 0");
	refuse_regs(WITH("0", "0x5000", "1"), "/bad", "the image is truncated");
	refuse_regs(WITH("0", "0x3000", "1"), "/bad", "16384 bytes, but");
#undef WITH
}

/* ---- size and digest ----------------------------------------------------------------------- */

/* Of this process, in memory at the moment. */
static uint64_t resident_bytes(void)
{
	FILE *in = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	assert_non_null(in);
	assert_int_equal(fscanf(in, "%*u %lu", &pages), 1);
	fclose(in);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Whether the file system says where a file has holes. */
static bool holes_are_known(const char *name)
{
	const int fd = open(scratch_path(name), O_RDONLY);
	const off_t data = lseek(fd, 0, SEEK_DATA);

	assert_true(fd >= 0);
	close(fd);
	return data > 0;
}

/* 4 GiB: opened, digested but for its holes and made a VM's memory without touching more than a
 * small part of it. */
static void test_large(void **state)
{
	char setting[700];
	struct guest_image *image;
	struct config config;
	struct diag diag = DIAG_INIT;
	uint64_t most = UINT64_MAX;
	struct rig *rig;

	(void)state;
	write_ram("large", UINT64_C(4) << 30, UINT64_C(0xffffeff8), 7);
	write_regs("large", "ram_base=0x40000000\nram_bytes=0x100000000\nttbr0_el1=0x40001000\n"
			    "ttbr1_el1=0x40002000\ntcr_el1=0x5b5103510\nmair_el1=0xff\n"
			    "sctlr_el1=0x1005\n");
	if (holes_are_known("large"))
		most = resident_bytes() + (UINT64_C(256) << 20);
	image = open_image("large");
	assert_int_equal(guest_image_words(image, ipa_of(0x13fffe000))[511], 7);
	assert_int_not_equal(guest_image_digest(image), 0);
	assert_true(resident_bytes() < most);
	guest_image_close(image);
	snprintf(setting, sizeof(setting), "guest.image=%s", scratch_path("large"));
	config = rig_config2("host.backing=1G", setting);
	rig = rig_try(&config, 1, 1, &diag);
	if (!rig)
		fail_msg("%s: %s", diag.place, diag.text);
	assert_true(resident_bytes() < most);
	rig_destroy(rig);
}

static uint64_t digest_of(const char *name)
{
	struct guest_image *image = open_image(name);
	const uint64_t digest = guest_image_digest(image);

	guest_image_close(image);
	return digest;
}

static void test_digest(void **state)
{
	static const char zeroes[0x4000];
	const uint64_t word = 5;
	uint64_t digest;
	int fd;

	(void)state;
	write_regs("d", REGS);
	write_ram("d", 0x4000, 0x1000, word);
	digest = digest_of("d");
	assert_int_equal(digest_of("d"), digest);
	/* The same without holes. */
	fd = open(scratch_path("d"), O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeroes, sizeof(zeroes), 0), sizeof(zeroes));
	assert_int_equal(pwrite(fd, &word, sizeof(word), 0x1000), sizeof(word));
	close(fd);
	assert_int_equal(digest_of("d"), digest);
	/* Another value, place or register. */
	write_ram("d", 0x4000, 0x1000, word + 1);
	assert_int_not_equal(digest_of("d"), digest);
	write_ram("d", 0x4000, 0x2000, word);
	assert_int_not_equal(digest_of("d"), digest);
	write_ram("d", 0x4000, 0x1000, word);
	assert_int_equal(digest_of("d"), digest);
	write_regs("d", "ram_base=0x40000000\nram_bytes=0x4000\nttbr0_el1=0x40001001\n"
			"ttbr1_el1=0x40002000\ntcr_el1=0xb5193519\nmair_el1=255\nsctlr_el1=0x1005");
	assert_int_not_equal(digest_of("d"), digest);
}

/* ---- as a parameter ------------------------------------------------------------------------ */

static void test_parameter(void **state)
{
	char text[PARAM_TEXT_MAX], wanted[PARAM_TEXT_MAX], longest[IMAGE_FILE_PATH_MAX + 2];
	const struct image_file *file;
	struct diag diag = DIAG_INIT;

	(void)state;
	write_ram("p", 0x4000, 0x1000, 6);
	write_regs("p", REGS);
	file = image_file_of(scratch_path("p"));
	assert_non_null(file);
	assert_ptr_equal(image_file_of(scratch_path("p")), file);
	assert_false(image_file_is_pinned(file));
	snprintf(wanted, sizeof(wanted), "%s#%016llx", scratch_path("p"),
		 (unsigned long long)digest_of("p"));
	image_file_format(file, text, sizeof(text));
	assert_string_equal(text, wanted);
	/* Its text names the content, and gives itself again without a look at the file. */
	unlink(scratch_path("p"));
	file = image_file_of(wanted);
	assert_true(image_file_is_pinned(file));
	assert_string_equal(image_file_path(file), scratch_path("p"));
	image_file_format(file, text, sizeof(text));
	assert_string_equal(text, wanted);
	assert_int_equal(image_file_load(file, NULL), STATUS_NO_INPUT);
	write_ram("p", 0x4000, 0x1000, 6);
	assert_int_equal(image_file_load(file, NULL), STATUS_OK);
	snprintf(wanted, sizeof(wanted), "%s#0123456789abcdef", scratch_path("p"));
	assert_int_equal(image_file_load(image_file_of(wanted), &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "not 0123456789abcdef"));
	assert_null(image_file_of(""));
	assert_null(image_file_of("a\nb"));
	memset(longest, 'x', sizeof(longest));
	longest[IMAGE_FILE_PATH_MAX + 1] = '\0';
	assert_null(image_file_of(longest));
	longest[IMAGE_FILE_PATH_MAX] = '\0';
	assert_non_null(image_file_of(longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),  cmocka_unit_test(test_empty_tables),
		cmocka_unit_test(test_tcr),	  cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_large),	  cmocka_unit_test(test_digest),
		cmocka_unit_test(test_parameter),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}

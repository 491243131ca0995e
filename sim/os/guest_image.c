/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/guest_image.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/suggest.h"

#define PAGE_BYTES (UINT64_C(1) << GRANULE_4K)
enum { REGS_BYTES_MAX = 1 << 16 };

struct guest_image {
	struct guest_image_regs regs;
	unsigned char *bytes; /* mapped, private */
	int fd;
};

/* ---- FILE.regs ---------------------------------------------------------------------------- */

static const struct key {
	const char *name;
	size_t offset;
} keys[] = {
#define KEY(name)                                                                                  \
	{                                                                                          \
#name, offsetof(struct guest_image_regs, name)                                     \
	}
	KEY(ram_base), KEY(ram_bytes), KEY(ttbr0_el1), KEY(ttbr1_el1),
	KEY(tcr_el1),  KEY(mair_el1),  KEY(sctlr_el1),
#undef KEY
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* A line of the file, to be parsed in place. */
struct line {
	const char *path;
	unsigned number;
	char *text, *at; /* at: where something is wrong */
};

__attribute__((format(printf, 3, 4))) static bool
bad_line(const struct line *line, struct diag *diag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diag_vset(diag, STATUS_BAD_INPUT, format, args);
	va_end(args);
	diag_place(diag, "%s:%u:%u", line->path, line->number,
		   (unsigned)(line->at - line->text) + 1);
	return false;
}

static int find_key(const char *name)
{
	for (unsigned i = 0; i < KEYS; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static bool unknown_key(const struct line *line, const char *name, struct diag *diag)
{
	struct suggest search;

	suggest_init(&search, name);
	for (unsigned i = 0; i < KEYS; i++)
		suggest_offer(&search, keys[i].name);
	if (search.best)
		return bad_line(line, diag, "unknown key '%.80s'; did you mean '%s'?", name,
				search.best);
	return bad_line(line, diag, "unknown key '%.80s'", name);
}

/* Digits, decimal or with 0x; nothing but spaces behind them. */
static bool parse_number(const char *text, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end,
			   text[0] == '0' && tolower((unsigned char)text[1]) == 'x' ? 16 : 10);
	return errno == 0 && end[strspn(end, " \t\r")] == '\0';
}

static bool parse_line(struct line *line, struct guest_image_regs *regs, bool seen[KEYS],
		       struct diag *diag)
{
	char *equals;
	uint64_t value;
	int key;

	line->at = line->text + strspn(line->text, " \t\r");
	if (*line->at == '\0' || *line->at == '#')
		return true;
	equals = strchr(line->at, '=');
	if (!equals)
		return bad_line(line, diag, "no '='; expected KEY=VALUE");
	*equals = '\0';
	key = find_key(line->at);
	if (key < 0)
		return unknown_key(line, line->at, diag);
	if (seen[key])
		return bad_line(line, diag, "%s is there twice", keys[key].name);
	line->at = equals + 1;
	if (!parse_number(line->at, &value))
		return bad_line(line, diag, "%s: '%.80s' is not a 64-bit number such as 0x40000000",
				keys[key].name, line->at);
	seen[key] = true;
	memcpy((char *)regs + keys[key].offset, &value, sizeof(value));
	return true;
}

static enum exit_status check_regs(const char *path, const struct guest_image_regs *regs,
				   const bool seen[KEYS], struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	for (unsigned i = 0; status == STATUS_OK && i < KEYS; i++) {
		if (!seen[i])
			status = diag_set(diag, STATUS_BAD_INPUT, "%s is missing", keys[i].name);
	}
	if (status == STATUS_OK && ((regs->ram_base | regs->ram_bytes) & (PAGE_BYTES - 1)))
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "ram_base and ram_bytes must be multiples of 4 KiB");
	if (status == STATUS_OK && (!regs->ram_bytes || regs->ram_base >> 52 ||
				    regs->ram_bytes > (UINT64_C(1) << 52) - regs->ram_base))
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "ram_base and ram_bytes must name memory below 2^52");
	if (status == STATUS_OK && !(regs->sctlr_el1 & 1))
		status = diag_set(diag, STATUS_BAD_INPUT,
				  "sctlr_el1: bit 0 (M) is 0: the guest's stage 1 was off");
	diag_place(diag, "%s", path);
	return status;
}

enum exit_status guest_image_parse_regs(const char *path, char *text, struct guest_image_regs *regs,
					struct diag *diag)
{
	struct line line = { .path = path };
	bool seen[KEYS] = { false };

	*regs = (struct guest_image_regs){ 0 };
	for (char *next = text; next;) {
		line.text = next;
		line.number++;
		next = strchr(next, '\n');
		if (next)
			*next++ = '\0';
		if (!parse_line(&line, regs, seen, diag))
			return STATUS_BAD_INPUT;
	}
	return check_regs(path, regs, seen, diag);
}

static enum exit_status cannot_open(const char *path, struct diag *diag)
{
	diag_set(diag, STATUS_NO_INPUT, "cannot open: %s", strerror(errno));
	diag_place(diag, "%s", path);
	return STATUS_NO_INPUT;
}

static enum exit_status read_regs(const char *path, struct guest_image_regs *regs,
				  struct diag *diag)
{
	FILE *in = fopen(path, "re");
	char *text = malloc(REGS_BYTES_MAX + 1);
	enum exit_status status;
	size_t n;

	if (!in || !text) {
		status = in ? diag_set(diag, STATUS_INTERNAL, "out of memory")
			    : cannot_open(path, diag);
		free(text);
		if (in)
			fclose(in);
		return status;
	}
	n = fread(text, 1, REGS_BYTES_MAX, in);
	if (ferror(in))
		status = diag_set(diag, STATUS_IO, "cannot read: %s", strerror(errno));
	else if (n == REGS_BYTES_MAX || memchr(text, '\0', n))
		status = diag_set(diag, STATUS_BAD_INPUT, "this is no list of registers");
	else
		status = STATUS_OK;
	diag_place(diag, "%s", path);
	text[n] = '\0';
	fclose(in);
	if (status == STATUS_OK)
		status = guest_image_parse_regs(path, text, regs, diag);
	free(text);
	return status;
}

/* ---- FILE --------------------------------------------------------------------------------- */

static enum exit_status map_ram(struct guest_image *image, const char *path, struct diag *diag)
{
	const uint64_t expected = image->regs.ram_bytes;
	enum exit_status status = STATUS_OK;
	struct stat st;
	void *bytes;

	image->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (image->fd < 0)
		return cannot_open(path, diag);
	if (fstat(image->fd, &st) != 0 || !S_ISREG(st.st_mode))
		status = diag_set(diag, STATUS_BAD_INPUT, "not a file, but guest.image is mapped");
	else if ((uint64_t)st.st_size != expected)
		status =
			diag_set(diag, STATUS_BAD_INPUT,
				 "%" PRIu64 " bytes, but %s.regs says ram_bytes=%" PRIu64 "%s",
				 (uint64_t)st.st_size, path, expected,
				 (uint64_t)st.st_size < expected ? ": the image is truncated" : "");
	if (status != STATUS_OK) {
		diag_place(diag, "%s", path);
		return status;
	}
	bytes = mmap(NULL, expected, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, image->fd,
		     0);
	if (bytes == MAP_FAILED) {
		status = diag_set(diag, STATUS_INTERNAL, "cannot map: %s", strerror(errno));
		diag_place(diag, "%s", path);
		return status;
	}
	image->bytes = bytes;
	return STATUS_OK;
}

enum exit_status guest_image_open(const char *path, struct guest_image **out, struct diag *diag)
{
	struct guest_image *image = calloc(1, sizeof(*image));
	char *regs_path = NULL;
	enum exit_status status;

	*out = NULL;
	if (!image || asprintf(&regs_path, "%s.regs", path) < 0) {
		free(image);
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	}
	image->fd = -1;
	/* The larger file first: its absence is the likelier mistake. */
	if (access(path, R_OK) != 0)
		status = cannot_open(path, diag);
	else
		status = read_regs(regs_path, &image->regs, diag);
	free(regs_path);
	if (status == STATUS_OK)
		status = map_ram(image, path, diag);
	if (status == STATUS_OK)
		*out = image;
	else
		guest_image_close(image);
	return status;
}

void guest_image_close(struct guest_image *image)
{
	if (!image)
		return;
	if (image->bytes)
		munmap(image->bytes, image->regs.ram_bytes);
	if (image->fd >= 0)
		close(image->fd);
	free(image);
}

const struct guest_image_regs *guest_image_regs(const struct guest_image *image)
{
	return &image->regs;
}

uint64_t *guest_image_words(const struct guest_image *image, ipa_t ipa)
{
	const uint64_t offset = (ipa.v & ~(PAGE_BYTES - 1)) - image->regs.ram_base;

	if (ipa.v < image->regs.ram_base || offset >= image->regs.ram_bytes)
		return NULL;
	return (uint64_t *)(void *)(image->bytes + offset);
}

/* ---- digest ------------------------------------------------------------------------------- */

static bool is_zero(const unsigned char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/* The digest so far and one more page. */
static uint64_t digest_page(uint64_t digest, uint64_t offset, const unsigned char *page)
{
	const uint64_t parts[] = { digest, offset, XXH3_64bits(page, PAGE_BYTES) };

	return XXH3_64bits(parts, sizeof(parts));
}

/* The first byte at or behind `from` that is in no hole of the file; `end` if there is none. */
static uint64_t data_from(const struct guest_image *image, uint64_t from)
{
	const off_t at = lseek(image->fd, (off_t)from, SEEK_DATA);

	if (at >= 0)
		return (uint64_t)at & ~(PAGE_BYTES - 1);
	return errno == ENXIO ? image->regs.ram_bytes : from;
}

uint64_t guest_image_digest(const struct guest_image *image)
{
	const uint64_t end = image->regs.ram_bytes;
	uint64_t digest = XXH3_64bits(&image->regs, sizeof(image->regs));

	for (uint64_t at = data_from(image, 0); at < end; at = data_from(image, at)) {
		const off_t hole = lseek(image->fd, (off_t)at, SEEK_HOLE);
		const uint64_t stop = hole > (off_t)at ? (uint64_t)hole : end;

		for (; at < stop; at += PAGE_BYTES) {
			if (!is_zero(image->bytes + at))
				digest = digest_page(digest, at, image->bytes + at);
		}
	}
	return digest;
}

/* ---- tables ------------------------------------------------------------------------------- */

/* Arm ARM, TCR_EL1: TG0 and TG1 encode the same granules differently. */
static enum granule granule_of(unsigned half, uint64_t tg)
{
	static const enum granule tg0[] = { GRANULE_4K, GRANULE_64K, GRANULE_16K, 0 };
	static const enum granule tg1[] = { 0, GRANULE_16K, GRANULE_4K, GRANULE_64K };

	return half ? tg1[tg] : tg0[tg];
}

struct guest_image_half guest_image_half(const struct guest_image *image, unsigned half)
{
	const uint64_t tcr = half ? image->regs.tcr_el1 >> 16 : image->regs.tcr_el1;

	return (struct guest_image_half){
		.granule = granule_of(half, bits(tcr, 15, 14)),
		.va_bits = 64 - (unsigned)bits(tcr, 5, 0),
		.walks = bits(tcr, 7, 7) == 0,
	};
}

bool guest_image_is_empty_table(const struct guest_image *image, ipa_t table, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += 8) {
		const uint64_t *words = guest_image_words(image, ipa_of(table.v + at));

		if (words && words[(table.v + at) >> 3 & (PAGE_BYTES / 8 - 1)] & 1)
			return false;
	}
	return true;
}

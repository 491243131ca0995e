/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A raw dump of a guest's physical memory and the registers that say where its stage-1 tables are
 * (docs/capture.md, docs/formats.md). Nothing is read but what is asked for.
 *
 * FILE holds RAM from ram_base on. FILE.regs holds lines "key=0x..." (or decimal), each key of
 * struct guest_image_regs once; blank lines and lines that begin with '#' count for nothing.
 */
#ifndef TWOSTAGE_OS_GUEST_IMAGE_H
#define TWOSTAGE_OS_GUEST_IMAGE_H

#include "arch/types.h"
#include "base/diag.h"

struct guest_image_regs {
	uint64_t ram_base, ram_bytes; /* IPA and size of what FILE holds, in bytes */
	uint64_t ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, sctlr_el1;
};

/*
 * Reads the text of FILE.regs, which is changed on the way. `path` is for the diagnostics.
 * STATUS_BAD_INPUT with line and column.
 */
enum exit_status guest_image_parse_regs(const char *path, char *text, struct guest_image_regs *regs,
					struct diag *diag);

struct guest_image;

/*
 * Opens FILE and FILE.regs; the time it takes does not depend on the size. *out is NULL on
 * failure, and the caller's to close otherwise. STATUS_NO_INPUT if one of them cannot be opened,
 * STATUS_BAD_INPUT with line and column for what is wrong in FILE.regs, or if FILE is shorter or
 * longer than ram_bytes.
 */
enum exit_status guest_image_open(const char *path, struct guest_image **out, struct diag *diag);
void guest_image_close(struct guest_image *image);

const struct guest_image_regs *guest_image_regs(const struct guest_image *image);

/*
 * The 512 words of the 4 KiB page of `ipa`, NULL outside the RAM. They are the image's. Words that
 * are changed (hardware updates of descriptors) change for this struct guest_image only, never in
 * the file.
 */
uint64_t *guest_image_words(const struct guest_image *image, ipa_t ipa);

/*
 * XXH3-64 of the registers and of all pages that are not zero, with their places: equal for a
 * sparse file and a full one. Reads the whole file, except its holes.
 */
uint64_t guest_image_digest(const struct guest_image *image);

/* What TCR_EL1 says about one half of the address space. */
struct guest_image_half {
	enum granule granule; /* 0: the TG field is reserved */
	unsigned va_bits;     /* 64 - TnSZ */
	bool walks;	      /* EPDn is 0 */
};

/* half: 0 or 1, TTBR0_EL1's or TTBR1_EL1's. */
struct guest_image_half guest_image_half(const struct guest_image *image, unsigned half);

/*
 * Has the table of `bytes` bytes (at most a page of 64 KiB) at `table` no valid entry? Linux points
 * TTBR0_EL1 at such a one (reserved_pg_dir) between two address spaces. True outside the RAM.
 */
bool guest_image_is_empty_table(const struct guest_image *image, ipa_t table, uint64_t bytes);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a memory image as text. What is refused has a place and a text of one line; what
 * is accepted names RAM that there can be, and gives itself again when it is written out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/guest_image.h"
#include "tests/fuzz/fuzz.h"

static void write_out(const struct guest_image_regs *r, char *text, size_t n_bytes)
{
	snprintf(text, n_bytes,
		 "sctlr_el1=%" PRIu64 "\nmair_el1=0x%" PRIx64 "\ntcr_el1=0x%" PRIx64
		 "\nttbr1_el1=0x%" PRIx64 "\nttbr0_el1=0x%" PRIx64 "\nram_bytes=0x%" PRIx64
		 "\nram_base=%" PRIu64,
		 r->sctlr_el1, r->mair_el1, r->tcr_el1, r->ttbr1_el1, r->ttbr0_el1, r->ram_bytes,
		 r->ram_base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct guest_image_regs regs, again;
	struct diag diag = DIAG_INIT;
	char *text = malloc(n + 1), written[400];

	FUZZ_EXPECT(text);
	if (n)
		memcpy(text, data, n);
	text[n] = '\0';
	if (guest_image_parse_regs("f.regs", text, &regs, &diag) != STATUS_OK) {
		FUZZ_EXPECT(diag.status == STATUS_BAD_INPUT);
		FUZZ_EXPECT(strncmp(diag.place, "f.regs", 6) == 0);
		FUZZ_EXPECT(diag.text[0] && !strchr(diag.text, '\n'));
		free(text);
		return 0;
	}
	FUZZ_EXPECT(regs.ram_bytes && regs.ram_base <= (UINT64_C(1) << 52) - regs.ram_bytes);
	FUZZ_EXPECT(((regs.ram_base | regs.ram_bytes) & 4095) == 0);
	write_out(&regs, written, sizeof(written));
	FUZZ_EXPECT(guest_image_parse_regs("f.regs", written, &again, NULL) == STATUS_OK);
	FUZZ_EXPECT(memcmp(&regs, &again, sizeof(regs)) == 0);
	free(text);
	return 0;
}

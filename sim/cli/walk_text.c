/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/walk_text.h"

#include <inttypes.h>

/* 4K, 2M, 1G, ...: the size of a leaf of 2^bits bytes. */
static void print_size(FILE *out, unsigned size_bits)
{
	static const char units[] = " KMGTP";

	fprintf(out, "%u%c", 1U << size_bits % 10, units[size_bits / 10]);
}

static void print_leaf(FILE *out, const struct regime_stage *st, const struct walk_read *read)
{
	unsigned size_bits = level_shift(st->format.granule, read->level);

	fprintf(out, "%s of ", read->level == 3 ? "page" : "block");
	print_size(out, size_bits);
	fprintf(out, " at %" PRIx64 ", AF=%d DBM=%d contiguous=%d",
		desc_leaf_address(&st->format, read->desc, size_bits), (read->desc & DESC_AF) != 0,
		(read->desc & DESC_DBM) != 0, (read->desc & DESC_CONTIGUOUS) != 0);
	if (read->stage == 1)
		fprintf(out, " AP[2:1]=%d UXN=%d PXN=%d AttrIndx=%d nG=%d",
			(int)bits(read->desc, 7, 6), (read->desc & S1_UXN) != 0,
			(read->desc & S1_PXN) != 0, (int)bits(read->desc, 4, 2),
			(read->desc & S1_NG) != 0);
	else
		fprintf(out, " S2AP=%d XN=%d MemAttr=%x", (int)bits(read->desc, 7, 6),
			(int)bits(read->desc, 54, 53), (unsigned)bits(read->desc, 5, 2));
}

void walk_text_read(FILE *out, const struct regime *regime, va_t va, const struct walk_read *read)
{
	const struct regime_stage *st =
		read->stage == 1 ? &regime->s1[regime_half(va)] : &regime->s2;

	if (read->stage == 1)
		fputs("stage 1", out);
	else if (read->for_level == 4)
		fputs("stage 2 of the IPA", out);
	else
		fprintf(out, "stage 2 of the level %d table", read->for_level);
	fprintf(out, ", level %d, %s %" PRIx64 ": %s %" PRIx64 " = %" PRIx64 ", ", read->level,
		read->stage == 1 ? "VA" : "IPA", read->ia, read->update ? "update" : "read",
		read->pa.v, read->desc);
	switch (desc_kind(&st->format, read->desc, read->level)) {
	case DESC_KIND_INVALID:
		fputs("invalid", out);
		break;
	case DESC_KIND_TABLE:
		fprintf(out, "table at %" PRIx64, desc_address(&st->format, read->desc));
		break;
	case DESC_KIND_LEAF:
		print_leaf(out, st, read);
		break;
	}
}

void walk_text_fault(FILE *out, const struct fault *fault)
{
	static const char *const names[] = {
		[FAULT_NONE] = "no fault",
		[FAULT_TRANSLATION] = "translation fault",
		[FAULT_ADDRESS_SIZE] = "address size fault",
		[FAULT_ACCESS_FLAG] = "access flag fault",
		[FAULT_PERMISSION] = "permission fault",
		[FAULT_ALIGNMENT] = "alignment fault",
		[FAULT_EXTERNAL_WALK] = "external abort on a table walk",
		[FAULT_EXTERNAL] = "external abort",
	};

	if (fault->type == FAULT_NONE || fault->type == FAULT_EXTERNAL) {
		fputs(names[fault->type], out);
		return;
	}
	fprintf(out, "stage-%d %s, level %d", fault->stage, names[fault->type], fault->level);
	if (fault->s1ptw)
		fputs(", on a stage-1 walk", out);
	if (fault->stage == 2)
		fprintf(out, ", IPA %" PRIx64, fault->ipa);
}

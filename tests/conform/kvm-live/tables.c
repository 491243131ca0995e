/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage-2 tables as the architecture reads them, and their count as `twostage map` prints it. */
#include <inttypes.h>
#include <stdlib.h>

#include "kvm_live.h"

static uint64_t field(uint64_t value, unsigned high, unsigned low)
{
	return value >> low & ((UINT64_C(2) << (high - low)) - 1);
}

static unsigned stride(const struct tables *t)
{
	return t->page_bits - 3;
}

/* Bits of the IPA that an entry of `level` leaves to what it points to. */
static unsigned shift(const struct tables *t, int level)
{
	return t->page_bits + (unsigned)(3 - level) * stride(t);
}

bool tables_open(struct tables *t, const struct stage2_regs *regs)
{
	static const unsigned page_bits[] = { 12, 16, 14, 0 };
	const int sl0 = (int)field(regs->vtcr, 7, 6);
	unsigned root_bits;

	*t = (struct tables){ .page_bits = page_bits[field(regs->vtcr, 15, 14)],
			      .ipa_bits = 64 - (unsigned)field(regs->vtcr, 5, 0),
			      .ds = field(regs->vtcr, 32, 32) };
	if (t->page_bits == 0 || t->ipa_bits > 52)
		return false;
	/* VTCR_EL2.SL0: 4K 2, 1, 0, 3; the larger pages 3, 2, 1, 0. */
	t->start_level = t->page_bits == 12 ? (sl0 == 3 ? 3 : 2 - sl0) : 3 - sl0;
	root_bits = t->ipa_bits - shift(t, t->start_level);
	t->root_tables = root_bits > stride(t) ? 1U << (root_bits - stride(t)) : 1;
	/* Room for 52-bit addresses: bits 51 to 48 are in 5 to 2. */
	t->root = regs->vttbr & UINT64_C(0xfffffffffffe);
	if (t->ds || t->page_bits == 16)
		t->root = (t->root & ~UINT64_C(0x3f)) | field(regs->vttbr, 5, 2) << 48;
	return t->root_tables <= 16;
}

static uint64_t output_address(const struct tables *t, uint64_t descriptor)
{
	uint64_t pa = descriptor & UINT64_C(0xffffffffffff) & ~((UINT64_C(1) << t->page_bits) - 1);

	if (t->ds)
		pa |= field(descriptor, 49, 48) << 48 | field(descriptor, 9, 8) << 50;
	else if (t->page_bits == 16)
		pa |= field(descriptor, 15, 12) << 48;
	return pa;
}

static bool is_table(uint64_t descriptor, int level)
{
	return level < 3 && (descriptor & 3) == 3;
}

static bool is_leaf(uint64_t descriptor, int level)
{
	return (descriptor & 3) == (level == 3 ? 3 : 1);
}

static bool same_kind(const struct leaf_kind *a, const struct leaf_kind *b)
{
	return a->level == b->level && a->s2ap == b->s2ap && a->xn == b->xn && a->af == b->af &&
	       a->memattr == b->memattr && a->sh == b->sh;
}

static bool add_leaf(struct tables *t, uint64_t descriptor, int level)
{
	const struct leaf_kind kind = { .level = level,
					.s2ap = (unsigned)field(descriptor, 7, 6),
					.xn = (unsigned)field(descriptor, 54, 53),
					.af = (unsigned)field(descriptor, 10, 10),
					.memattr = (unsigned)field(descriptor, 5, 2),
					.sh = t->ds ? 0 : (unsigned)field(descriptor, 9, 8),
					.count = 1 };

	t->leaves[level]++;
	for (unsigned i = 0; i < t->kinds; i++) {
		if (same_kind(&t->kind[i], &kind)) {
			t->kind[i].count++;
			return true;
		}
	}
	if (t->kinds == KINDS_MAX)
		return false;
	t->kind[t->kinds++] = kind;
	return true;
}

/* The table (or the roots) at `pa`, which begins at IPA `at`: its entries in [base, last]. */
static bool count_table(struct tables *t, const struct machine *m, uint64_t pa, int level,
			uint64_t at, uint64_t base, uint64_t last)
{
	const unsigned bits = shift(t, level);
	const unsigned entries = (level == t->start_level ? t->root_tables : 1) << stride(t);
	const uint64_t first = base > at ? (base - at) >> bits : 0;

	for (uint64_t i = first; i < entries && at + (i << bits) <= last; i++) {
		const uint64_t *word = machine_word(m, pa + i * 8);

		if (!word)
			return false;
		if (is_leaf(*word, level) && !add_leaf(t, *word, level))
			return false;
		if (!is_table(*word, level))
			continue;
		t->count[level + 1]++;
		if (!count_table(t, m, output_address(t, *word), level + 1, at + (i << bits), base,
				 last))
			return false;
	}
	return true;
}

/* The largest first, then by falling values. */
static int by_kind(const void *a, const void *b)
{
	const struct leaf_kind *x = a, *y = b;

	if (x->level != y->level)
		return x->level - y->level;
	if (x->s2ap != y->s2ap)
		return (int)y->s2ap - (int)x->s2ap;
	if (x->xn != y->xn)
		return (int)y->xn - (int)x->xn;
	if (x->af != y->af)
		return (int)y->af - (int)x->af;
	if (x->memattr != y->memattr)
		return (int)y->memattr - (int)x->memattr;
	return (int)y->sh - (int)x->sh;
}

bool tables_count(struct tables *t, const struct machine *m, uint64_t base, uint64_t bytes)
{
	if (!count_table(t, m, t->root, t->start_level, 0, base, base + bytes - 1))
		return false;
	qsort(t->kind, t->kinds, sizeof(t->kind[0]), by_kind);
	return true;
}

bool tables_translate(const struct tables *t, const struct machine *m, uint64_t ipa, uint64_t *pa)
{
	uint64_t table = t->root;

	for (int level = t->start_level; level <= 3; level++) {
		const unsigned bits = shift(t, level);
		const unsigned top = level == t->start_level ? t->ipa_bits : bits + stride(t);
		const uint64_t *word = machine_word(m, table + field(ipa, top - 1, bits) * 8);

		if (!word)
			return false;
		table = output_address(t, *word);
		if (is_leaf(*word, level)) {
			*pa = table + (ipa & ((UINT64_C(1) << bits) - 1));
			return true;
		}
		if (!is_table(*word, level))
			return false;
	}
	return false;
}

static void print_size(FILE *out, const struct tables *t, int level)
{
	fprintf(out, "%u%c", 1U << shift(t, level) % 10, "BKMGTP"[shift(t, level) / 10]);
}

void tables_print(FILE *out, const struct tables *t, unsigned number, uint64_t faults)
{
	static const char *const s2ap_name[] = { "NONE", "RO", "WO", "RW" };
	const char *between = "";

	fprintf(out, "snap %u error=- start_level=%d root_tables=%u", number, t->start_level,
		t->root_tables);
	for (int level = 1; level < LEVELS; level++)
		fprintf(out, " slot_tables_L%d=%" PRIu64, level, t->count[level]);
	fputs(t->kinds ? " leaves_by_size=" : " leaves_by_size=none leaf_attrs=-", out);
	for (int level = 0; level < LEVELS; level++) {
		if (t->leaves[level] == 0)
			continue;
		fputs(between, out);
		print_size(out, t, level);
		fprintf(out, ":%" PRIu64, t->leaves[level]);
		between = ",";
	}
	between = " leaf_attrs=";
	for (unsigned i = 0; i < t->kinds; i++) {
		const struct leaf_kind *kind = &t->kind[i];

		fputs(between, out);
		print_size(out, t, kind->level);
		fprintf(out, "_%s_XN=%u_AF=%u_MA=%x", s2ap_name[kind->s2ap], kind->xn, kind->af,
			kind->memattr);
		if (kind->sh)
			fprintf(out, "_SH=%u", kind->sh);
		fprintf(out, "_x%" PRIu64, kind->count);
		between = "_|_";
	}
	fprintf(out, " faults=%" PRIu64 "\n", faults);
}

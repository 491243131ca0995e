/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comma-separated values, one access a line, behind a line that names the columns: kind and va, and
 * of vcpu, vm, asid, el, size, ipa, device, instructions those that there are. Numbers are decimal
 * or 0x..., va and ipa always hexadecimal, kind is fetch, load or store, an unknown ipa is empty or
 * "-". Lines that start with # are comments. `trace cat` prints raw traces in this form.
 */
#include "trace/text_import.h"

enum column { VCPU, VM, ASID, EL, KIND, VA, SIZE, IPA, DEVICE, INSTRUCTIONS, N_COLUMNS };

static const struct {
	const char *name;
	uint64_t min, max;
	const char *expected;
} columns[N_COLUMNS] = {
	[VCPU] = { "vcpu", 0, UINT16_MAX, "a vcpu of 0..65535" },
	[VM] = { "vm", 0, UINT16_MAX, "a vm of 0..65535" },
	[ASID] = { "asid", 0, UINT16_MAX, "an asid of 0..65535" },
	[EL] = { "el", 0, 1, "an exception level 0 or 1" },
	[KIND] = { "kind", 0, ACCESS_STORE, "kind fetch, load or store" },
	[VA] = { "va", 0, UINT64_MAX, "a hexadecimal address" },
	[SIZE] = { "size", 1, TEXT_MAX_SIZE, "a size of 1..4096 bytes" },
	[IPA] = { "ipa", 0, UINT64_MAX, "a hexadecimal address, or nothing" },
	[DEVICE] = { "device", 0, 1, "device 0 or 1" },
	[INSTRUCTIONS] = { "instructions", 0, UINT32_MAX, "a number of instructions" },
};

struct state {
	unsigned n;		      /* columns in the file; 0: header not seen */
	enum column order[N_COLUMNS]; /* what they are */
	bool present[N_COLUMNS];
};

static const char *take_column(struct state *s, struct text_cursor *c)
{
	const char *start = c->p;

	for (unsigned i = 0; i < N_COLUMNS; i++) {
		c->p = start;
		if (!text_word(c, columns[i].name))
			continue;
		text_skip_spaces(c);
		if (c->p < c->end && *c->p != ',')
			continue;
		if (s->present[i])
			break;
		s->present[i] = true;
		s->order[s->n++] = (enum column)i;
		return NULL;
	}
	c->p = start;
	return "each once, the names of columns: vcpu, vm, asid, el, kind, va, size, ipa, device, "
	       "instructions";
}

static const char *parse_header(struct state *s, struct text_cursor *c)
{
	struct state header = { .n = 0 };

	do {
		const char *wrong;

		text_skip_spaces(c);
		if ((wrong = take_column(&header, c)))
			return wrong;
	} while (text_word(c, ","));
	if (!header.present[KIND] || !header.present[VA])
		return "columns kind and va";
	*s = header;
	return NULL;
}

static bool take_kind(struct text_cursor *c, uint64_t *value)
{
	static const char *const names[] = { "fetch", "load", "store" };

	for (*value = 0; *value < 3; ++*value)
		if (text_word(c, names[*value]))
			return true;
	return text_number(c, value);
}

static bool take_value(struct text_cursor *c, enum column column, uint64_t *value)
{
	if (column == KIND)
		return take_kind(c, value);
	if (column == IPA && (c->p == c->end || *c->p == ',' || text_word(c, "-"))) {
		*value = TRACE_IPA_UNKNOWN;
		return true;
	}
	return column == VA || column == IPA ? text_hex(c, value) : text_number(c, value);
}

static const char *parse(void *state, struct text_cursor *c, struct trace_ref *refs, unsigned *n)
{
	struct state *s = state;
	uint64_t v[N_COLUMNS] = { [SIZE] = 1, [IPA] = TRACE_IPA_UNKNOWN };

	if (c->p == c->end || *c->p == '#')
		return NULL;
	if (s->n == 0)
		return parse_header(s, c);
	for (unsigned i = 0; i < s->n; i++) {
		enum column column = s->order[i];
		const char *start;

		if (i > 0 && !text_word(c, ","))
			return "a comma and the next column";
		text_skip_spaces(c);
		start = c->p;
		if (!take_value(c, column, &v[column]) || v[column] < columns[column].min ||
		    v[column] > columns[column].max) {
			c->p = start;
			return columns[column].expected;
		}
		text_skip_spaces(c);
	}
	if (c->p != c->end)
		return "the end of the line";
	refs[*n] = text_ref((enum access_kind)v[KIND], v[VA], v[SIZE]);
	refs[*n].vcpu = (uint16_t)v[VCPU];
	refs[*n].vm = (uint16_t)v[VM];
	refs[*n].asid = (uint16_t)v[ASID];
	refs[*n].el = (uint8_t)v[EL];
	refs[*n].ipa = v[IPA];
	refs[*n].device = v[IPA] != TRACE_IPA_UNKNOWN && v[DEVICE];
	if (s->present[INSTRUCTIONS])
		refs[*n].instructions = (uint32_t)v[INSTRUCTIONS];
	(*n)++;
	return NULL;
}

static int probe(const unsigned char *head, size_t n, const char *path)
{
	struct state state = { .n = 0 };
	int score = text_probe(parse, &state, head, n);

	(void)path;
	/* A header that parses is enough: the first bad line is then told where it is. */
	return score ? score : state.n ? 80 : 0;
}

static long read_refs(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		      struct diag *diag)
{
	return text_read(parse, state, source, refs, max, diag);
}

const struct import_ops fmt_csv = {
	.name = "csv",
	.help = "comma-separated accesses behind a header of column names (kind, va, ...)",
	.probe = probe,
	.state_bytes = sizeof(struct state),
	.read = read_refs,
};

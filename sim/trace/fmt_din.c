/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dinero's din: "LABEL ADDR" with LABEL 0 read, 1 write, 2 fetch and ADDR hexadecimal; what follows
 * is a comment. The format has no sizes.
 */
#include "trace/text_import.h"

static const char *parse(void *state, struct text_cursor *c, struct trace_ref *refs, unsigned *n)
{
	static const enum access_kind kinds[] = { ACCESS_LOAD, ACCESS_STORE, ACCESS_FETCH };
	uint64_t label, va;
	const char *start;

	(void)state;
	text_skip_spaces(c);
	if (c->p == c->end)
		return NULL;
	start = c->p;
	if (!text_number(c, &label) || label > 2) {
		c->p = start;
		return "a label 0 (read), 1 (write) or 2 (fetch)";
	}
	start = c->p;
	text_skip_spaces(c);
	if (c->p == start || !text_hex(c, &va) || (c->p < c->end && !text_space(*c->p)))
		return "a hexadecimal address";
	refs[(*n)++] = text_ref(kinds[label], va, 1);
	return NULL;
}

static int probe(const unsigned char *head, size_t n, const char *path)
{
	(void)path;
	return text_probe(parse, NULL, head, n);
}

static long read_refs(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		      struct diag *diag)
{
	return text_read(parse, state, source, refs, max, diag);
}

const struct import_ops fmt_din = {
	.name = "din",
	.help = "Dinero's text: label (0 read, 1 write, 2 fetch) and hexadecimal address",
	.probe = probe,
	.state_bytes = 0,
	.read = read_refs,
};

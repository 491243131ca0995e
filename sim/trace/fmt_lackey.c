/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * valgrind --tool=lackey --trace-mem=yes: "I  ADDR,SIZE" for a fetch, " L", " S" and " M" (a load,
 * then a store) for data; ADDR hexadecimal, SIZE decimal bytes. Lines of Valgrind itself start with
 * == or --.
 */
#include "trace/text_import.h"

static const char *parse(void *state, struct text_cursor *c, struct trace_ref *refs, unsigned *n)
{
	const char *start;
	uint64_t va, size;
	char kind;

	(void)state;
	if (c->p == c->end || text_word(c, "==") || text_word(c, "--"))
		return NULL;
	text_skip_spaces(c);
	kind = c->p < c->end ? *c->p : '\0';
	if (kind != 'I' && kind != 'L' && kind != 'S' && kind != 'M')
		return "I, L, S or M";
	c->p++;
	text_skip_spaces(c);
	if (!text_hex(c, &va))
		return "a hexadecimal address";
	if (!text_word(c, ","))
		return "a comma and a size";
	start = c->p;
	if (!text_number(c, &size) || size == 0 || size > TEXT_MAX_SIZE) {
		c->p = start;
		return "a size of 1..4096 bytes";
	}
	text_skip_spaces(c);
	if (c->p != c->end)
		return "the end of the line";
	if (kind == 'I')
		refs[(*n)++] = text_ref(ACCESS_FETCH, va, size);
	if (kind == 'L' || kind == 'M')
		refs[(*n)++] = text_ref(ACCESS_LOAD, va, size);
	if (kind == 'S' || kind == 'M')
		refs[(*n)++] = text_ref(ACCESS_STORE, va, size);
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

const struct import_ops fmt_lackey = {
	.name = "lackey",
	.help = "text of valgrind --tool=lackey --trace-mem=yes",
	.probe = probe,
	.state_bytes = 0,
	.read = read_refs,
};

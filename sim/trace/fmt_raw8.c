/* SPDX-License-Identifier: BSD-2-Clause */
/* raw8: one word an access (raw_word.h). There is no magic: every word is checked. */
#include "trace/raw_word.h"

enum { WORD_BYTES = 8 };

static int probe(const unsigned char *head, size_t n, const char *path)
{
	const bool named = raw_word_named(path, ".raw8");

	if (n < WORD_BYTES || raw_word_is_text(head, n) || !raw_word_valid(raw_word_at(head)))
		return 0;
	for (; n >= WORD_BYTES; head += WORD_BYTES, n -= WORD_BYTES)
		if (!raw_word_valid(raw_word_at(head)))
			return named ? 92 : 0;
	return named ? 95 : 60;
}

static long read_refs(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		      struct diag *diag)
{
	size_t got, n;
	const unsigned char *p = source_peek(source, SOURCE_MAX_PEEK, &got, diag);

	(void)state;
	if (!p)
		return -1;
	max = got / WORD_BYTES < max ? got / WORD_BYTES : max;
	for (n = 0; n < max; n++) {
		uint64_t word = raw_word_at(p + n * WORD_BYTES);

		if (!raw_word_valid(word))
			break;
		refs[n] = raw_word_ref(word);
	}
	if (n == 0 && got > 0) {
		if (got < WORD_BYTES)
			return source_fail(source, got, diag,
					   "the trace ends inside an access, expected %zu bytes "
					   "more",
					   WORD_BYTES - got);
		return raw_word_refuse(source, 0, raw_word_at(p), diag);
	}
	source_take(source, n * WORD_BYTES);
	return (long)n;
}

const struct import_ops fmt_raw8 = {
	.name = "raw8",
	.help = "one 64-bit word an access: VA, kind, size, vCPU",
	.probe = probe,
	.state_bytes = 0,
	.read = read_refs,
};

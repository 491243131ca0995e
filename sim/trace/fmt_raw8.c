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

static bool decode(const unsigned char *access, struct trace_ref *ref)
{
	const uint64_t word = raw_word_at(access);

	if (!raw_word_valid(word))
		return false;
	*ref = raw_word_ref(word);
	return true;
}

static int refuse(const struct byte_source *source, const unsigned char *access, struct diag *diag)
{
	return raw_word_refuse(source, 0, raw_word_at(access), diag);
}

static long read_refs(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		      struct diag *diag)
{
	static const struct raw_form form = { WORD_BYTES, decode, refuse };

	(void)state;
	return raw_word_read(&form, source, refs, max, diag);
}

const struct import_ops fmt_raw8 = {
	.name = "raw8",
	.help = "one 64-bit word an access: VA, kind, size, vCPU",
	.words = true,
	.probe = probe,
	.state_bytes = 0,
	.read = read_refs,
};

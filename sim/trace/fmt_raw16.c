/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw16: two words an access, that of raw8 (raw_word.h) and the IPA of the accessed address: IPA in
 * [51:0], [62:52] zero, [63] device; all ones: not known.
 */
#include "trace/raw_word.h"

enum { PAIR_BYTES = 16, PAGE_MASK = 4095 };

static bool ipa_valid(uint64_t word)
{
	return word == UINT64_MAX || (word & ~(UINT64_C(1) << 63)) >> 52 == 0;
}

static int probe(const unsigned char *head, size_t n, const char *path)
{
	const bool named = raw_word_named(path, ".raw16");
	bool offsets_agree = true;

	if (n < PAIR_BYTES || raw_word_is_text(head, n) || !raw_word_valid(raw_word_at(head)) ||
	    !ipa_valid(raw_word_at(head + 8)))
		return 0;
	for (; n >= PAIR_BYTES; head += PAIR_BYTES, n -= PAIR_BYTES) {
		uint64_t word = raw_word_at(head), ipa = raw_word_at(head + 8);

		if (!raw_word_valid(word) || !ipa_valid(ipa))
			return named ? 92 : 0;
		if (ipa != UINT64_MAX && (word ^ ipa) & PAGE_MASK)
			offsets_agree = false;
	}
	if (named)
		return 95;
	/* An IPA has the page offset of its VA: words of raw8 seldom do that by chance. */
	return offsets_agree ? 85 : 40;
}

static bool decode(const unsigned char *access, struct trace_ref *ref)
{
	const uint64_t word = raw_word_at(access), ipa = raw_word_at(access + 8);

	if (!raw_word_valid(word) || !ipa_valid(ipa))
		return false;
	*ref = raw_word_ref(word);
	if (ipa != UINT64_MAX) {
		ref->ipa = ipa & low_mask(52);
		ref->device = (uint8_t)(ipa >> 63);
	}
	return true;
}

static int refuse(const struct byte_source *source, const unsigned char *access, struct diag *diag)
{
	const uint64_t word = raw_word_at(access);

	if (!raw_word_valid(word))
		return raw_word_refuse(source, 0, word, diag);
	return source_fail(source, 8, diag, "expected an IPA of at most 52 bits");
}

static long read_refs(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		      struct diag *diag)
{
	static const struct raw_form form = { PAIR_BYTES, decode, refuse };

	(void)state;
	return raw_word_read(&form, source, refs, max, diag);
}

const struct import_ops fmt_raw16 = {
	.name = "raw16",
	.help = "two 64-bit words an access: that of raw8, and the IPA",
	.probe = probe,
	.state_bytes = 0,
	.read = read_refs,
};

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

static struct trace_ref ref_at(const unsigned char *p)
{
	struct trace_ref ref = raw_word_ref(raw_word_at(p));
	uint64_t ipa = raw_word_at(p + 8);

	if (ipa != UINT64_MAX) {
		ref.ipa = ipa & low_mask(52);
		ref.device = (uint8_t)(ipa >> 63);
	}
	return ref;
}

static long read_refs(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		      struct diag *diag)
{
	size_t got, n;
	const unsigned char *p = source_peek(source, SOURCE_MAX_PEEK, &got, diag);

	(void)state;
	if (!p)
		return -1;
	max = got / PAIR_BYTES < max ? got / PAIR_BYTES : max;
	for (n = 0; n < max; n++) {
		const unsigned char *pair = p + n * PAIR_BYTES;

		if (!raw_word_valid(raw_word_at(pair)) || !ipa_valid(raw_word_at(pair + 8)))
			break;
		refs[n] = ref_at(pair);
	}
	if (n == 0 && got > 0) {
		if (got < PAIR_BYTES)
			return source_fail(source, got, diag,
					   "the trace ends inside an access, expected %zu bytes "
					   "more",
					   PAIR_BYTES - got);
		if (!raw_word_valid(raw_word_at(p)))
			return raw_word_refuse(source, 0, raw_word_at(p), diag);
		return source_fail(source, 8, diag, "expected an IPA of at most 52 bits");
	}
	source_take(source, n * PAIR_BYTES);
	return (long)n;
}

const struct import_ops fmt_raw16 = {
	.name = "raw16",
	.help = "two 64-bit words an access: that of raw8, and the IPA",
	.probe = probe,
	.state_bytes = 0,
	.read = read_refs,
};

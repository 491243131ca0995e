/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of raw_word.h to runs, most of them without being decoded. */
#include "trace/collapse_private.h"
#include "trace/raw_word.h"

/* What words that join the open runs of a vCPU look like, by their kind; 3 is no kind. */
struct word_lanes {
	uint64_t pattern[4];
	struct trace_run *run[4];
};

/* All bits of a word but kind, size and offset in a unit. */
static uint64_t word_match(const struct trace_collapser *c)
{
	return ~(UINT64_C(31) << 49 | c->unit_mask);
}

static void find_lanes(const struct trace_collapser *c, uint16_t vcpu, struct word_lanes *lanes)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		struct pending *p = kind < 3 ? c->vcpus[vcpu].open[kind != ACCESS_FETCH] : NULL;

		lanes->run[kind] = p ? &p->run : NULL;
		lanes->pattern[kind] = p ? raw_word_of(p->run.key.va, vcpu) : UINT64_MAX;
	}
}

/* Words join the open runs as long as they fit; how many did. */
static size_t join_words(struct trace_collapser *c, const struct word_lanes *lanes,
			 const unsigned char *words, size_t n)
{
	const uint64_t match = word_match(c);
	uint64_t ordinal = c->ordinal, fetches = 0;
	size_t i;

	for (i = 0; i < n; i++, ordinal++) {
		const uint64_t word = raw_word_at(words + 8 * i);
		const unsigned kind = word >> 49 & 3;
		struct trace_run *run = lanes->run[kind];

		if ((word & match) != lanes->pattern[kind] || raw_word_straddles(word))
			break;
		run->last_ordinal = ordinal;
		if (kind == ACCESS_STORE) {
			run->stores++;
			if (run->store_ordinal == UINT64_MAX)
				run->store_ordinal = ordinal;
			continue;
		}
		run->reads++;
		fetches += kind == ACCESS_FETCH;
	}
	c->ordinal = ordinal;
	c->instructions += fetches;
	return i;
}

/*
 * Words that fit the runs that are open need no decoding: all of them are of one context and know
 * no IPA. The others go the way of any access.
 */
enum exit_status trace_collapse_words(struct trace_collapser *c, const unsigned char *words,
				      size_t n, size_t *done, struct diag *diag)
{
	struct word_lanes lanes = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX }, { NULL } };
	enum exit_status status = STATUS_OK;
	size_t i = 0;

	n = n < BATCH ? n : BATCH;
	while (!status) {
		struct trace_ref ref;

		i += join_words(c, &lanes, words + 8 * i, n - i);
		if (i == n || !raw_word_valid(raw_word_at(words + 8 * i)))
			break;
		ref = raw_word_ref(raw_word_at(words + 8 * i));
		status = trace_collapse(c, &ref, 1, diag);
		if (status)
			break;
		find_lanes(c, ref.vcpu, &lanes);
		i++;
	}
	*done = i;
	return status;
}

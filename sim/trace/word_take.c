/* SPDX-License-Identifier: BSD-2-Clause */
/* The runs of a window, counted by bits. */
#include "trace/raw_word.h"
#include "trace/word_runs.h"

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t below(unsigned bit)
{
	return (UINT64_C(1) << bit) - 1;
}

/* Below and with `bit`, which may be the last. */
INLINE uint64_t up_to(unsigned bit)
{
	return ~UINT64_C(0) >> (63 - bit);
}

/* `some` words more of an open run. */
INLINE void count(struct word_run *run, uint64_t some, uint64_t stores, uint64_t ordinal)
{
	const uint32_t n_stores = (uint32_t)__builtin_popcountll(some & stores);

	if (!some)
		return;
	run->reads += (uint32_t)__builtin_popcountll(some) - n_stores;
	run->stores += n_stores;
	run->last = ordinal + 63 - (unsigned)__builtin_clzll(some);
	if (run->first_store == UINT64_MAX && n_stores)
		run->first_store = ordinal + (unsigned)__builtin_ctzll(some & stores);
}

/* Key, first ordinal and instructions of the records that the window starts. */
INLINE void put_starts(struct word_runs *w, const unsigned char *words,
		       const struct word_bits *bits, enum word_detail detail)
{
	struct block_builder *b = w->blocks;
	const uint64_t match = w->match, first = w->ordinal, fetches = bits->fetches;
	uint16_t *key = b->filling->key + b->filling->n_records;
	uint64_t *ordinal = b->filling->ordinal + b->filling->n_records;
	uint32_t *instructions = b->filling->instructions + b->filling->n_records;
	uint64_t begun = 0 - w->instructions;

	for (uint64_t starts = bits->starts; starts; starts &= starts - 1) {
		const unsigned i = (unsigned)__builtin_ctzll(starts);
		const uint64_t word = raw_word_at(words + 8 * i);
		const uint64_t data = (word | word >> 1) & UINT64_C(1) << 49;
		const uint64_t tag = word_tag(word & match, STREAM_FETCH) | data;
		const struct block_slot *slot = word_slot(b, tag);

		*key++ = __builtin_expect(slot->tag == tag, 1) ? (uint16_t)slot->index
							       : word_key(b, tag);
		*ordinal++ = first + i;
		if (detail == WORD_COUNTS) {
			const uint64_t now = (uint64_t)__builtin_popcountll(fetches & up_to(i));

			*instructions++ = (uint32_t)(now - begun);
			begun = now;
		}
	}
}

/* The rest of the runs of one stream; `of_stream`: its words. */
INLINE void take_stream(const struct word_runs *w, struct word_run *run,
			const struct word_bits *bits, unsigned stream, uint64_t of_stream,
			enum word_detail detail)
{
	struct block_store *s = w->blocks->filling;
	uint64_t *last_ordinal = s->last_ordinal + s->n_records;
	uint64_t *store_ordinal = s->store_ordinal + s->n_records;
	uint32_t *reads = s->reads + s->n_records, *stores = s->stores + s->n_records;
	const uint64_t first = w->ordinal, all_starts = bits->starts, all_stores = bits->stores;
	uint64_t starts = all_starts & of_stream, rest = of_stream;
	unsigned i;

	if (!starts) {
		count(run, of_stream, all_stores, first);
		return;
	}
	i = (unsigned)__builtin_ctzll(starts);
	if (run->store) {
		count(run, of_stream & below(i), all_stores, first);
		word_close(run);
	}
	rest &= ~below(i);
	for (starts &= starts - 1; starts; starts &= starts - 1) {
		const unsigned next = (unsigned)__builtin_ctzll(starts);
		const size_t record = (size_t)__builtin_popcountll(all_starts & below(i));
		const uint64_t mine = rest & below(next);
		const uint64_t stored = stream == STREAM_DATA ? mine & all_stores : 0;

		last_ordinal[record] = first + 63 - (unsigned)__builtin_clzll(mine);
		store_ordinal[record] =
			stored ? first + (unsigned)__builtin_ctzll(stored) : UINT64_MAX;
		if (detail == WORD_COUNTS) {
			stores[record] = (uint32_t)__builtin_popcountll(stored);
			reads[record] = (uint32_t)__builtin_popcountll(mine) - stores[record];
		}
		rest &= ~below(next);
		i = next;
	}
	*run = (struct word_run){
		.store = s,
		.record = s->n_records + (uint32_t)__builtin_popcountll(all_starts & below(i)),
		.first_store = UINT64_MAX,
	};
	count(run, rest, all_stores, first);
}

INLINE void take(struct word_runs *w, struct word_lane *lane, const unsigned char *words,
		 unsigned n, const struct word_bits *bits, enum word_detail detail)
{
	struct block_store *s = w->blocks->filling;
	const uint64_t data = up_to(n - 1) & ~bits->fetches;
	const uint64_t fetches = (uint64_t)__builtin_popcountll(bits->fetches);
	const uint64_t stores = (uint64_t)__builtin_popcountll(bits->stores);

	put_starts(w, words, bits, detail);
	take_stream(w, &lane->run[STREAM_FETCH], bits, STREAM_FETCH, bits->fetches, detail);
	take_stream(w, &lane->run[STREAM_DATA], bits, STREAM_DATA, data, detail);
	w->ordinal += n;
	w->instructions += fetches;
	s->totals.instructions += fetches;
	s->totals.fetches += fetches;
	s->totals.stores += stores;
	s->totals.loads += n - fetches - stores;
	if (!bits->starts)
		return;
	/* Those behind the first word of the last run. */
	w->instructions = (uint64_t)__builtin_popcountll(
		bits->fetches & ~up_to(63 - (unsigned)__builtin_clzll(bits->starts)));
	s->n_records += (uint32_t)__builtin_popcountll(bits->starts);
	w->newest = s;
	w->newest_record = s->n_records - 1;
}

static void plain(struct word_runs *w, struct word_lane *lane, const unsigned char *words,
		  unsigned n, const struct word_bits *bits)
{
	take(w, lane, words, n, bits, WORD_COUNTS);
}

static void plain_bare(struct word_runs *w, struct word_lane *lane, const unsigned char *words,
		       unsigned n, const struct word_bits *bits)
{
	take(w, lane, words, n, bits, WORD_BARE);
}

#if defined(__x86_64__)
#define BITS __attribute__((target("bmi,bmi2,popcnt,lzcnt")))

BITS static void fast(struct word_runs *w, struct word_lane *lane, const unsigned char *words,
		      unsigned n, const struct word_bits *bits)
{
	take(w, lane, words, n, bits, WORD_COUNTS);
}

BITS static void fast_bare(struct word_runs *w, struct word_lane *lane, const unsigned char *words,
			   unsigned n, const struct word_bits *bits)
{
	take(w, lane, words, n, bits, WORD_BARE);
}
#endif

word_take *word_taker(enum word_width width, enum word_detail detail)
{
#if defined(__x86_64__)
	if (width != WORD_PLAIN && word_has_bits())
		return detail == WORD_COUNTS ? fast : fast_bare;
#endif
	(void)width;
	return detail == WORD_COUNTS ? plain : plain_bare;
}

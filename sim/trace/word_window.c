/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Up to 64 words at once: which of them begin a run is found for all of them before any is counted,
 * and counts are those of bits. By the widest compare that the processor has; each form gives the
 * same.
 */
#include "trace/raw_word.h"
#include "trace/word_runs.h"

#define INLINE static inline __attribute__((always_inline))

/* A bit for each word. */
struct word_bits {
	uint64_t fetches, stores;
	uint64_t starts; /* of another unit than the access of its stream before */
};

static const uint64_t vcpu_bits = UINT64_C(0xff) << 54;

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

/* The columns of the records that a window starts. */
struct columns {
	uint16_t *key;
	uint32_t *reads, *stores, *instructions;
	uint64_t *ordinal, *last_ordinal, *store_ordinal;
};

INLINE struct columns columns_of(const struct block_store *s)
{
	const uint32_t i = s->n_records;

	return (struct columns){
		.key = s->key + i,
		.reads = s->reads + i,
		.stores = s->stores + i,
		.instructions = s->instructions + i,
		.ordinal = s->ordinal + i,
		.last_ordinal = s->last_ordinal + i,
		.store_ordinal = s->store_ordinal + i,
	};
}

/* Instructions up to the first word of the run at bit i, from the start of the one before. */
INLINE uint32_t instructions_of(const struct word_runs *w, const struct word_bits *bits, unsigned i)
{
	const uint64_t before = bits->starts & below(i);
	const uint64_t upto = (uint64_t)__builtin_popcountll(bits->fetches & up_to(i));

	if (!before)
		return (uint32_t)(w->instructions + upto);
	return (uint32_t)(upto -
			  (uint64_t)__builtin_popcountll(
				  bits->fetches & up_to(63 - (unsigned)__builtin_clzll(before))));
}

/* A run that starts and ends in the window: its words are `mine`. */
INLINE void put(const struct columns *c, size_t record, unsigned stream, uint64_t mine,
		uint64_t all_stores, uint64_t ordinal, enum word_detail detail)
{
	const uint64_t stores = stream == STREAM_DATA ? mine & all_stores : 0;

	c->last_ordinal[record] = ordinal + 63 - (unsigned)__builtin_clzll(mine);
	c->store_ordinal[record] =
		stores ? ordinal + (unsigned)__builtin_ctzll(stores) : UINT64_MAX;
	if (detail == WORD_COUNTS) {
		const uint32_t n_stores = (uint32_t)__builtin_popcountll(stores);

		c->reads[record] = (uint32_t)__builtin_popcountll(mine) - n_stores;
		c->stores[record] = n_stores;
	}
}

/* The runs of one stream; `of_stream`: its words. */
INLINE void take_stream(struct word_runs *w, struct word_run *run, const unsigned char *words,
			const struct word_bits *bits, unsigned stream, uint64_t of_stream,
			enum word_detail detail)
{
	struct block_builder *b = w->blocks;
	const struct columns c = columns_of(b->filling);
	const uint64_t match = w->match, ordinal = w->ordinal;
	struct word_keys keys = word_keys_of(b);
	uint64_t starts = bits->starts & of_stream, rest = of_stream;
	size_t record;

	if (!starts) {
		count(run, of_stream, bits->stores, ordinal);
		return;
	}
	if (run->store) {
		count(run, of_stream & below((unsigned)__builtin_ctzll(starts)), bits->stores,
		      ordinal);
		word_close(run);
	}
	for (;;) {
		const unsigned i = (unsigned)__builtin_ctzll(starts);

		record = (size_t)__builtin_popcountll(bits->starts & below(i));
		c.key[record] = word_key(b, &keys, raw_word_at(words + 8 * i) & match, stream);
		c.ordinal[record] = ordinal + i;
		if (detail == WORD_COUNTS)
			c.instructions[record] = instructions_of(w, bits, i);
		rest &= ~below(i);
		starts &= starts - 1;
		if (!starts)
			break;
		put(&c, record, stream, rest & below((unsigned)__builtin_ctzll(starts)),
		    bits->stores, ordinal, detail);
	}
	*run = (struct word_run){
		.store = b->filling,
		.record = b->filling->n_records + (uint32_t)record,
		.first_store = UINT64_MAX,
	};
	count(run, rest, bits->stores, ordinal);
}

/* Can all of them be started without one being closed early, or a block being full? */
INLINE bool has_room(struct word_runs *w, uint32_t starts)
{
	if (w->blocks->filling->n_records + starts > TRACE_BLOCK_RECORDS)
		return false;
	return blocks_next(w->blocks) + starts - w->oldest <= WORD_PENDING ||
	       blocks_next(w->blocks) + starts - word_runs_closed(w) <= WORD_PENDING;
}

INLINE void take(struct word_runs *w, struct word_lane *lane, const unsigned char *words,
		 unsigned n, const struct word_bits *bits, enum word_detail detail)
{
	struct block_store *s = w->blocks->filling;
	const uint64_t data = up_to(n - 1) & ~bits->fetches;
	const uint64_t fetches = (uint64_t)__builtin_popcountll(bits->fetches);
	const uint64_t stores = (uint64_t)__builtin_popcountll(bits->stores);

	take_stream(w, &lane->run[STREAM_FETCH], words, bits, STREAM_FETCH, bits->fetches, detail);
	take_stream(w, &lane->run[STREAM_DATA], words, bits, STREAM_DATA, data, detail);
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

/* The bits of n words that are valid, of one vCPU and inside a page; `unit` as in word_lane. */
INLINE bool scan_plain(const unsigned char *words, unsigned n, uint64_t match, uint64_t unit[2],
		       struct word_bits *bits)
{
	const uint64_t first = raw_word_at(words);
	uint64_t last[2] = { unit[0], unit[1] };
	bool bad = false;

	*bits = (struct word_bits){ 0 };
	for (unsigned i = 0; i < n; i++) {
		const uint64_t word = raw_word_at(words + 8 * i), at = word & match;
		const unsigned kind = word >> 49 & 3, stream = kind != ACCESS_FETCH;

		bad |= !raw_word_valid(word) || (word ^ first) & vcpu_bits ||
		       raw_word_straddles(word);
		bits->fetches |= (uint64_t)(kind == ACCESS_FETCH) << i;
		bits->stores |= (uint64_t)(kind == ACCESS_STORE) << i;
		bits->starts |= (uint64_t)(at != last[stream]) << i;
		last[stream] = at;
	}
	if (bad)
		return false;
	unit[0] = last[0];
	unit[1] = last[1];
	return true;
}

/* What has been seen is a window, if there is room for it. */
INLINE bool finish(struct word_runs *w, const unsigned char *words, unsigned n,
		   const uint64_t unit[2], const struct word_bits *bits)
{
	const unsigned vcpu = raw_word_at(words) >> 54 & 0xff;
	struct word_lane *lane = &w->lane[vcpu];

	if (!has_room(w, (uint32_t)__builtin_popcountll(bits->starts)))
		return false;
	w->n_lanes = vcpu < w->n_lanes ? w->n_lanes : vcpu + 1;
	if (w->detail == WORD_COUNTS)
		take(w, lane, words, n, bits, WORD_COUNTS);
	else
		take(w, lane, words, n, bits, WORD_BARE);
	lane->unit[0] = unit[0];
	lane->unit[1] = unit[1];
	return true;
}

INLINE bool window(struct word_runs *w, const unsigned char *words, unsigned n)
{
	const struct word_lane *lane = &w->lane[raw_word_at(words) >> 54 & 0xff];
	uint64_t unit[2] = { lane->unit[0], lane->unit[1] };
	struct word_bits bits;

	return scan_plain(words, n, w->match, unit, &bits) && finish(w, words, n, unit, &bits);
}

static bool plain(struct word_runs *w, const unsigned char *words, unsigned n)
{
	return window(w, words, n);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))

enum { LANES = 4, WINDOW = WORD_WINDOW };

/* Units of one stream, side by side, behind the one of the access before. */
struct units {
	uint64_t at[LANES + WINDOW + LANES];
};

/* permutevar8x32 that moves those of four words whose bits are set to the front. */
static const uint32_t pack[16][8] __attribute__((aligned(32))) = {
	{ 0 },
	{ 0, 1 },
	{ 2, 3 },
	{ 0, 1, 2, 3 },
	{ 4, 5 },
	{ 0, 1, 4, 5 },
	{ 2, 3, 4, 5 },
	{ 0, 1, 2, 3, 4, 5 },
	{ 6, 7 },
	{ 0, 1, 6, 7 },
	{ 2, 3, 6, 7 },
	{ 0, 1, 2, 3, 6, 7 },
	{ 4, 5, 6, 7 },
	{ 0, 1, 4, 5, 6, 7 },
	{ 2, 3, 4, 5, 6, 7 },
	{ 0, 1, 2, 3, 4, 5, 6, 7 },
};

/* What is known of the words of a window that have been read. */
struct seen {
	__m256i some, all; /* bits of any and of each */
	__m256i near_end;  /* of those that may reach over the end of their page */
	uint64_t loads, stores;
	unsigned n_data;
};

AVX2 static inline unsigned signs(__m256i v)
{
	return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(v));
}

AVX2 static inline void append(uint64_t *to, __m256i v, unsigned chosen)
{
	const __m256i order = _mm256_load_si256((const __m256i *)pack[chosen]);

	_mm256_storeu_si256((__m256i *)to, _mm256_permutevar8x32_epi32(v, order));
}

/* Words i to i + 3. */
AVX2 INLINE void see(struct seen *seen, const unsigned char *words, unsigned i, __m256i match,
		     __m256i end, uint64_t *fetch, uint64_t *data)
{
	const __m256i word = _mm256_loadu_si256((const __m256i *)(words + 8 * i));
	const __m256i unit = _mm256_and_si256(word, match);
	const unsigned loads = signs(_mm256_slli_epi64(word, 63 - 49));
	const unsigned stores = signs(_mm256_slli_epi64(word, 63 - 50));

	append(fetch + i - seen->n_data, unit, 15 & ~(loads | stores));
	append(data + seen->n_data, unit, loads | stores);
	seen->n_data += (unsigned)__builtin_popcount(loads | stores);
	seen->loads |= (uint64_t)loads << i;
	seen->stores |= (uint64_t)stores << i;
	seen->some = _mm256_or_si256(seen->some, word);
	seen->all = _mm256_and_si256(seen->all, word);
	seen->near_end = _mm256_or_si256(seen->near_end,
					 _mm256_cmpeq_epi64(_mm256_and_si256(word, end), end));
}

/* All lanes of a vector in one. */
AVX2 static inline uint64_t fold(__m256i v, bool by_and)
{
	uint64_t lane[LANES];

	_mm256_storeu_si256((__m256i *)lane, v);
	return by_and ? lane[0] & lane[1] & lane[2] & lane[3]
		      : lane[0] | lane[1] | lane[2] | lane[3];
}

AVX2 static bool any_straddles(const unsigned char *words)
{
	bool any = false;

	for (unsigned i = 0; i < WINDOW; i++)
		any |= raw_word_straddles(raw_word_at(words + 8 * i));
	return any;
}

/* Which of n units differ from the one before, as bits. */
AVX2 static inline uint64_t changes(const struct units *u, unsigned n)
{
	uint64_t same = 0;

	for (unsigned i = 0; i < n; i += LANES) {
		const __m256i now = _mm256_loadu_si256((const __m256i *)&u->at[LANES + i]);
		const __m256i last = _mm256_loadu_si256((const __m256i *)&u->at[LANES - 1 + i]);

		same |= (uint64_t)signs(_mm256_cmpeq_epi64(now, last)) << i;
	}
	return ~same;
}

/* Valid, of one vCPU, and each inside its page? */
AVX2 static inline bool is_plain(struct word_runs *w, const unsigned char *words,
				 const struct seen *seen)
{
	const uint64_t some = fold(seen->some, false), all = fold(seen->all, true);
	const unsigned size_log2 = some >> 51 & 7; /* of the largest, or more */
	const bool looked_for = size_log2 <= w->size_log2_max;

	if (seen->loads & seen->stores || some >> 62 || (some ^ all) & vcpu_bits)
		return false;
	if (!looked_for)
		w->size_log2_max = size_log2;
	return (looked_for && _mm256_testz_si256(seen->near_end, seen->near_end)) ||
	       !any_straddles(words);
}

/* scan_plain() of a whole window. */
AVX2 static inline bool scan_avx2(struct word_runs *w, const unsigned char *words, uint64_t unit[2],
				  struct word_bits *bits)
{
	const __m256i match = _mm256_set1_epi64x((long long)w->match);
	const __m256i end = _mm256_set1_epi64x((1 << 12) - (1 << w->size_log2_max));
	struct seen seen = { .all = _mm256_set1_epi64x(-1) };
	struct units fetch, data;

	for (unsigned i = 0; i < WINDOW; i += 4 * LANES) {
		see(&seen, words, i, match, end, fetch.at + LANES, data.at + LANES);
		see(&seen, words, i + LANES, match, end, fetch.at + LANES, data.at + LANES);
		see(&seen, words, i + 2 * LANES, match, end, fetch.at + LANES, data.at + LANES);
		see(&seen, words, i + 3 * LANES, match, end, fetch.at + LANES, data.at + LANES);
	}
	if (!is_plain(w, words, &seen))
		return false;
	fetch.at[LANES - 1] = unit[STREAM_FETCH];
	data.at[LANES - 1] = unit[STREAM_DATA];
	bits->fetches = ~(seen.loads | seen.stores);
	bits->stores = seen.stores;
	bits->starts = _pdep_u64(changes(&fetch, WINDOW - seen.n_data), bits->fetches) |
		       _pdep_u64(changes(&data, seen.n_data), ~bits->fetches);
	unit[STREAM_FETCH] = fetch.at[LANES - 1 + WINDOW - seen.n_data];
	unit[STREAM_DATA] = data.at[LANES - 1 + seen.n_data];
	return true;
}

AVX2 static bool avx2(struct word_runs *w, const unsigned char *words, unsigned n)
{
	const struct word_lane *lane = &w->lane[raw_word_at(words) >> 54 & 0xff];
	uint64_t unit[2] = { lane->unit[0], lane->unit[1] };
	struct word_bits bits;

	if (n < WINDOW)
		return window(w, words, n);
	return scan_avx2(w, words, unit, &bits) && finish(w, words, n, unit, &bits);
}
#endif

word_window *word_window_of(enum word_width width)
{
#if defined(__x86_64__)
	if (width == WORD_WIDEST && __builtin_cpu_supports("avx2") &&
	    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
	    __builtin_cpu_supports("lzcnt"))
		return avx2;
#endif
	(void)width;
	return plain;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of the words of a window begin a run is found for all of them before any is counted: by the
 * widest compare that the processor has. Each form gives the same.
 */
#include "trace/raw_word.h"
#include "trace/word_runs.h"

static const uint64_t vcpu_bits = UINT64_C(0xff) << 54;

/* The bits of n words that are valid, of one vCPU and inside a page; `unit` as in word_lane. */
static bool plain(struct word_runs *w, const unsigned char *words, unsigned n, uint64_t unit[2],
		  struct word_bits *bits)
{
	const uint64_t match = w->match;

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

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#define AVX512 __attribute__((target("avx512f,avx2,bmi,bmi2,popcnt,lzcnt")))

enum { LANES = 4, WIDE_LANES = 8, WINDOW = WORD_WINDOW };

/* Units of one stream, side by side, behind the one of the access before. */
struct units {
	uint64_t at[WIDE_LANES + WINDOW + WIDE_LANES];
};

/* The words of a window. */
struct seen {
	uint64_t some, all; /* bits of any and of each */
	uint64_t data, stores;
	bool kind_3;   /* one is of no kind */
	bool near_end; /* one has no more room in its page than the size that was looked for */
	struct units of[2];
};

static bool any_straddles(const unsigned char *words)
{
	bool any = false;

	for (unsigned i = 0; i < WINDOW; i++)
		any |= raw_word_straddles(raw_word_at(words + 8 * i));
	return any;
}

/* Are all of them valid, of one vCPU, and inside their pages? */
static bool are_plain(struct word_runs *w, const unsigned char *words, const struct seen *seen)
{
	const unsigned size_log2 = seen->some >> 51 & 7; /* of the largest, or more */
	const bool looked_for = size_log2 <= w->size_log2_max;

	if (seen->kind_3 || seen->some >> 62 || (seen->some ^ seen->all) & vcpu_bits)
		return false;
	if (!looked_for)
		w->size_log2_max = size_log2;
	return (looked_for && !seen->near_end) || !any_straddles(words);
}

/* A word may only reach over the end of its page if its offset has all of these bits. */
static uint64_t end_bits(const struct word_runs *w)
{
	return 4096 - (UINT64_C(1) << w->size_log2_max);
}

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

AVX2 static inline unsigned signs(__m256i v)
{
	return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(v));
}

AVX2 static inline void append(uint64_t *to, __m256i v, unsigned chosen)
{
	const __m256i order = _mm256_load_si256((const __m256i *)pack[chosen]);

	_mm256_storeu_si256((__m256i *)to, _mm256_permutevar8x32_epi32(v, order));
}

AVX2 static inline void see_avx2(const unsigned char *words, uint64_t match, uint64_t end_bit,
				 struct seen *seen)
{
	const __m256i unit_of = _mm256_set1_epi64x((long long)match);
	const __m256i end = _mm256_set1_epi64x((long long)end_bit);
	__m256i some = _mm256_setzero_si256(), all = _mm256_set1_epi64x(-1);
	__m256i near_end = some, kind_3 = some;
	uint64_t *fetch_to = seen->of[STREAM_FETCH].at + WIDE_LANES;
	uint64_t *data_to = seen->of[STREAM_DATA].at + WIDE_LANES;
	uint64_t data = 0, stores = 0, lane[2][LANES];

	for (unsigned i = 0; i < WINDOW; i += LANES) {
		const __m256i word = _mm256_loadu_si256((const __m256i *)(words + 8 * i));
		const __m256i unit = _mm256_and_si256(word, unit_of);
		const __m256i load = _mm256_slli_epi64(word, 63 - 49);
		const __m256i store = _mm256_slli_epi64(word, 63 - 50);
		const unsigned chosen = signs(_mm256_or_si256(load, store));
		const unsigned n_data = (unsigned)__builtin_popcount(chosen);

		append(fetch_to, unit, chosen ^ 15);
		append(data_to, unit, chosen);
		fetch_to += LANES - n_data;
		data_to += n_data;
		data |= (uint64_t)chosen << i;
		stores |= (uint64_t)signs(store) << i;
		kind_3 = _mm256_or_si256(kind_3, _mm256_and_si256(load, store));
		some = _mm256_or_si256(some, word);
		all = _mm256_and_si256(all, word);
		near_end = _mm256_or_si256(near_end,
					   _mm256_cmpeq_epi64(_mm256_and_si256(word, end), end));
	}
	_mm256_storeu_si256((__m256i *)lane[0], some);
	_mm256_storeu_si256((__m256i *)lane[1], all);
	seen->some = lane[0][0] | lane[0][1] | lane[0][2] | lane[0][3];
	seen->all = lane[1][0] & lane[1][1] & lane[1][2] & lane[1][3];
	seen->data = data;
	seen->stores = stores;
	seen->kind_3 = signs(kind_3) != 0;
	seen->near_end = signs(near_end) != 0;
}

/* Which of n units differ from the one before, as bits; and some bits above them. */
AVX2 static inline uint64_t changes_avx2(const struct units *u, unsigned n)
{
	uint64_t same = 0;

	for (unsigned i = 0; i < n; i += LANES) {
		const uint64_t *at = &u->at[WIDE_LANES + i];
		const __m256i now = _mm256_loadu_si256((const __m256i *)at);
		const __m256i last = _mm256_loadu_si256((const __m256i *)(at - 1));

		same |= (uint64_t)signs(_mm256_cmpeq_epi64(now, last)) << i;
	}
	return ~same;
}

AVX512 static inline void see_avx512(const unsigned char *words, uint64_t match, uint64_t end_bit,
				     struct seen *seen)
{
	const __m512i unit_of = _mm512_set1_epi64((long long)match);
	const __m512i end = _mm512_set1_epi64((long long)end_bit);
	const __m512i either = _mm512_set1_epi64(3LL << 49), second = _mm512_set1_epi64(2LL << 49);
	__m512i some = _mm512_setzero_si512(), all = _mm512_set1_epi64(-1);
	__m512i room = all, kind_3 = some;
	uint64_t *fetch_to = seen->of[STREAM_FETCH].at + WIDE_LANES;
	uint64_t *data_to = seen->of[STREAM_DATA].at + WIDE_LANES;
	uint64_t data = 0, stores = 0;

	for (unsigned i = 0; i < WINDOW; i += WIDE_LANES) {
		const __m512i word = _mm512_loadu_si512(words + 8 * i);
		const __m512i unit = _mm512_and_si512(word, unit_of);
		const __mmask8 chosen = _mm512_test_epi64_mask(word, either);
		const unsigned n_data = (unsigned)__builtin_popcount(chosen);

		_mm512_storeu_si512(fetch_to, _mm512_maskz_compress_epi64((__mmask8)~chosen, unit));
		_mm512_storeu_si512(data_to, _mm512_maskz_compress_epi64(chosen, unit));
		fetch_to += WIDE_LANES - n_data;
		data_to += n_data;
		data |= (uint64_t)chosen << i;
		stores |= (uint64_t)_mm512_test_epi64_mask(word, second) << i;
		kind_3 =
			_mm512_or_si512(kind_3, _mm512_and_si512(word, _mm512_slli_epi64(word, 1)));
		some = _mm512_or_si512(some, word);
		all = _mm512_and_si512(all, word);
		room = _mm512_min_epu64(room, _mm512_andnot_si512(word, end));
	}
	seen->some = (uint64_t)_mm512_reduce_or_epi64(some);
	seen->all = (uint64_t)_mm512_reduce_and_epi64(all);
	seen->data = data;
	seen->stores = stores;
	seen->kind_3 = _mm512_test_epi64_mask(kind_3, second) != 0;
	seen->near_end = _mm512_testn_epi64_mask(room, room) != 0;
}

AVX512 static inline uint64_t changes_avx512(const struct units *u, unsigned n)
{
	uint64_t differ = 0;

	for (unsigned i = 0; i < n; i += WIDE_LANES) {
		const uint64_t *at = &u->at[WIDE_LANES + i];

		differ |= (uint64_t)_mm512_cmpneq_epi64_mask(_mm512_loadu_si512(at),
							     _mm512_loadu_si512(at - 1))
			  << i;
	}
	return differ;
}

/*
 * The kinds of the words, and the units before the window's to where the first ones of it are
 * compared with them. False: the words are not plain.
 */
static inline bool lead_in(struct word_runs *w, const unsigned char *words, struct seen *seen,
			   const uint64_t unit[2], struct word_bits *bits)
{
	if (!are_plain(w, words, seen))
		return false;
	seen->of[STREAM_FETCH].at[WIDE_LANES - 1] = unit[STREAM_FETCH];
	seen->of[STREAM_DATA].at[WIDE_LANES - 1] = unit[STREAM_DATA];
	bits->fetches = ~seen->data;
	bits->stores = seen->stores;
	return true;
}

static inline void lead_out(const struct seen *seen, unsigned n_data, uint64_t unit[2])
{
	unit[STREAM_FETCH] = seen->of[STREAM_FETCH].at[WIDE_LANES - 1 + WINDOW - n_data];
	unit[STREAM_DATA] = seen->of[STREAM_DATA].at[WIDE_LANES - 1 + n_data];
}

AVX2 static bool avx2(struct word_runs *w, const unsigned char *words, unsigned n, uint64_t unit[2],
		      struct word_bits *bits)
{
	struct seen seen;
	unsigned n_data;

	if (n < WINDOW)
		return plain(w, words, n, unit, bits);
	see_avx2(words, w->match, end_bits(w), &seen);
	if (!lead_in(w, words, &seen, unit, bits))
		return false;
	n_data = (unsigned)__builtin_popcountll(seen.data);
	bits->starts =
		_pdep_u64(changes_avx2(&seen.of[STREAM_FETCH], WINDOW - n_data), ~seen.data) |
		_pdep_u64(changes_avx2(&seen.of[STREAM_DATA], n_data), seen.data);
	lead_out(&seen, n_data, unit);
	return true;
}

AVX512 static bool avx512(struct word_runs *w, const unsigned char *words, unsigned n,
			  uint64_t unit[2], struct word_bits *bits)
{
	struct seen seen;
	unsigned n_data;

	if (n < WINDOW)
		return plain(w, words, n, unit, bits);
	see_avx512(words, w->match, end_bits(w), &seen);
	if (!lead_in(w, words, &seen, unit, bits))
		return false;
	n_data = (unsigned)__builtin_popcountll(seen.data);
	bits->starts =
		_pdep_u64(changes_avx512(&seen.of[STREAM_FETCH], WINDOW - n_data), ~seen.data) |
		_pdep_u64(changes_avx512(&seen.of[STREAM_DATA], n_data), seen.data);
	lead_out(&seen, n_data, unit);
	return true;
}
#endif

bool word_has_bits(void)
{
#if defined(__x86_64__)
	const unsigned extended_features = 0x80000001, lzcnt = 1 << 5; /* in ECX */
	unsigned eax, ebx, ecx = 0, edx;

	/* Not every compiler's __builtin_cpu_supports() knows lzcnt. */
	return __get_cpuid(extended_features, &eax, &ebx, &ecx, &edx) && ecx & lzcnt &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
	       __builtin_cpu_supports("popcnt");
#else
	return false;
#endif
}

word_scan *word_scanner(enum word_width width)
{
#if defined(__x86_64__)
	if (width == WORD_WIDEST && word_has_bits() && __builtin_cpu_supports("avx512f"))
		return avx512;
	if (width != WORD_PLAIN && word_has_bits() && __builtin_cpu_supports("avx2"))
		return avx2;
#endif
	(void)width;
	return plain;
}

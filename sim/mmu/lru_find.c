/* SPDX-License-Identifier: BSD-2-Clause */
/* lru_oldest() over many ways, by the widest compare that the processor has. */
#include "mmu/repl/lru.h"

#include <stddef.h>

static uint32_t plain(const uint64_t *stamp, uint32_t ways)
{
	return lru_oldest(stamp, ways);
}

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANES = 4, BATCH = 4 * LANES, USUAL_WAYS = 48 };

#define AVX2   __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx2")))
#define INLINE static inline __attribute__((always_inline))

AVX2 INLINE __m256i load(const uint64_t *stamp)
{
	return _mm256_loadu_si256((const __m256i *)stamp);
}

/* Stamps are below 2^63, so that the signed compare is right. */
AVX2 INLINE __m256i older_of(__m256i a, __m256i b)
{
	return _mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(a, b));
}

/* The oldest stamp of BATCH ways or more, in each lane: of the last BATCH, and those before. */
AVX2 INLINE __m256i oldest_of(const uint64_t *stamp, uint32_t ways)
{
	const uint64_t *const end = stamp + ways;
	__m256i a = load(end - BATCH), b = load(end - 3 * LANES);
	__m256i c = load(end - 2 * LANES), d = load(end - LANES);

	for (; stamp + BATCH < end; stamp += BATCH) {
		a = older_of(a, load(stamp));
		b = older_of(b, load(stamp + LANES));
		c = older_of(c, load(stamp + 2 * LANES));
		d = older_of(d, load(stamp + 3 * LANES));
	}
	a = older_of(older_of(a, b), older_of(c, d));
	a = older_of(a, _mm256_permute4x64_epi64(a, 0x4e));
	return older_of(a, _mm256_shuffle_epi32(a, 0x4e));
}

AVX2 INLINE uint32_t lanes_of(__m256i equal)
{
	return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
}

/* The first way of the last BATCH or of one before it whose stamp this is. */
AVX2 INLINE uint32_t way_of(const uint64_t *stamp, uint32_t ways, __m256i oldest)
{
	const uint64_t *at = stamp, *const last = stamp + ways - BATCH;

	for (;; at = at + BATCH <= last ? at + BATCH : last) {
		const __m256i a = _mm256_cmpeq_epi64(load(at), oldest);
		const __m256i b = _mm256_cmpeq_epi64(load(at + LANES), oldest);
		const __m256i c = _mm256_cmpeq_epi64(load(at + 2 * LANES), oldest);
		const __m256i d = _mm256_cmpeq_epi64(load(at + 3 * LANES), oldest);
		const __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));

		if (!_mm256_testz_si256(any, any))
			return (uint32_t)(at - stamp) +
			       (uint32_t)__builtin_ctz(lanes_of(a) | lanes_of(b) << LANES |
						       lanes_of(c) << (2 * LANES) |
						       lanes_of(d) << (3 * LANES));
	}
}

/* The same of the usual number, all compared at once: where it lies is not to be foreseen. */
AVX2 INLINE uint32_t way_of_usual(const uint64_t *stamp, __m256i oldest)
{
	uint64_t ways = 0;

	for (uint32_t way = 0; way < USUAL_WAYS; way += LANES)
		ways |= (uint64_t)lanes_of(_mm256_cmpeq_epi64(load(stamp + way), oldest)) << way;
	return (uint32_t)__builtin_ctzll(ways);
}

AVX2 static uint32_t avx2(const uint64_t *stamp, uint32_t ways)
{
	if (ways == USUAL_WAYS)
		return way_of_usual(stamp, oldest_of(stamp, USUAL_WAYS));
	return ways < BATCH ? plain(stamp, ways) : way_of(stamp, ways, oldest_of(stamp, ways));
}

AVX512 INLINE __m512i load8(const uint64_t *stamp)
{
	return _mm512_loadu_si512(stamp);
}

/* The usual number in one go: where the oldest lies is not to be foreseen. */
AVX512 static uint32_t avx512(const uint64_t *stamp, uint32_t ways)
{
	uint64_t equal = 0;
	__m512i oldest;

	if (ways != USUAL_WAYS)
		return avx2(stamp, ways);
	oldest = _mm512_min_epu64(
		_mm512_min_epu64(_mm512_min_epu64(load8(stamp), load8(stamp + 8)),
				 _mm512_min_epu64(load8(stamp + 16), load8(stamp + 24))),
		_mm512_min_epu64(load8(stamp + 32), load8(stamp + 40)));
	oldest = _mm512_set1_epi64((long long)_mm512_reduce_min_epu64(oldest));
	for (uint32_t way = 0; way < USUAL_WAYS; way += 8)
		equal |= (uint64_t)_mm512_cmpeq_epi64_mask(load8(stamp + way), oldest) << way;
	return (uint32_t)__builtin_ctzll(equal);
}
#endif

lru_find *lru_finder(enum lru_width width)
{
#if defined(__x86_64__)
	if (width == LRU_WIDEST && __builtin_cpu_supports("avx512f"))
		return avx512;
	if (width != LRU_PLAIN && __builtin_cpu_supports("avx2"))
		return avx2;
#endif
	(void)width;
	return plain;
}

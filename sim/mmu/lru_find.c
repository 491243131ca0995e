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

enum { LANES = 4 };

/* Stamps are below 2^63, so that the signed compare is right. */
__attribute__((target("avx2"))) static uint32_t avx2(const uint64_t *stamp, uint32_t ways)
{
	const __m256i step = _mm256_set1_epi64x(LANES);
	__m256i way = _mm256_setr_epi64x(0, 1, 2, 3), victim = way, oldest;
	uint64_t lane_oldest[LANES], lane_victim[LANES];
	uint32_t i = LANES, best = 0;

	if (ways < LANES)
		return plain(stamp, ways);
	oldest = _mm256_loadu_si256((const __m256i *)stamp);
	for (; i + LANES <= ways; i += LANES) {
		const __m256i next = _mm256_loadu_si256((const __m256i *)(stamp + i));
		const __m256i older = _mm256_cmpgt_epi64(oldest, next);

		way = _mm256_add_epi64(way, step);
		oldest = _mm256_blendv_epi8(oldest, next, older);
		victim = _mm256_blendv_epi8(victim, way, older);
	}
	_mm256_storeu_si256((__m256i *)lane_oldest, oldest);
	_mm256_storeu_si256((__m256i *)lane_victim, victim);
	for (uint32_t lane = 1; lane < LANES; lane++)
		if (lane_oldest[lane] < lane_oldest[best] ||
		    (lane_oldest[lane] == lane_oldest[best] &&
		     lane_victim[lane] < lane_victim[best]))
			best = lane;
	best = (uint32_t)lane_victim[best];
	for (; i < ways; i++)
		best = stamp[i] < stamp[best] ? i : best;
	return best;
}
#endif

lru_find *lru_finder(enum lru_width width)
{
#if defined(__x86_64__)
	if (width == LRU_WIDEST && __builtin_cpu_supports("avx2"))
		return avx2;
#endif
	(void)width;
	return plain;
}

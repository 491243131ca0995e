/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Histogram of latencies: exact below 1,024 cycles, above that 64 linear buckets for each power of
 * two (so a percentile is at most 1.6 % too low, and exact wherever latencies are below 1,024).
 */
#ifndef TWOSTAGE_MMU_HISTOGRAM_H
#define TWOSTAGE_MMU_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_EXACT_BITS = 10,
	HISTOGRAM_SUB_BITS = 6,
	HISTOGRAM_BUCKETS =
		(1 << HISTOGRAM_EXACT_BITS) + ((64 - HISTOGRAM_EXACT_BITS) << HISTOGRAM_SUB_BITS),
};

struct histogram {
	uint64_t total, max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t value)
{
	if (value < 1 << HISTOGRAM_EXACT_BITS)
		return (unsigned)value;

	const unsigned log2 = 63u - (unsigned)__builtin_clzll(value);
	const unsigned sub =
		(unsigned)(value >> (log2 - HISTOGRAM_SUB_BITS)) & ((1u << HISTOGRAM_SUB_BITS) - 1);

	return (1u << HISTOGRAM_EXACT_BITS) +
	       ((log2 - HISTOGRAM_EXACT_BITS) << HISTOGRAM_SUB_BITS) + sub;
}

/* n times; `bucket` is histogram_bucket(value). */
static inline void histogram_put(struct histogram *histogram, unsigned bucket, uint64_t value,
				 uint64_t n)
{
	histogram->total += n;
	histogram->max = value > histogram->max ? value : histogram->max;
	histogram->bucket[bucket] += n;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram_put(histogram, histogram_bucket(value), value, 1);
}

/* Smallest value of a bucket. */
uint64_t histogram_value(unsigned bucket);

/* Smallest value of the bucket in which the permille-th smallest value lies; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille);

#endif

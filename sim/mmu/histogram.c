/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/histogram.h"

uint64_t histogram_value(unsigned bucket)
{
	if (bucket < 1 << HISTOGRAM_EXACT_BITS)
		return bucket;

	const unsigned above = bucket - (1u << HISTOGRAM_EXACT_BITS);
	const unsigned log2 = HISTOGRAM_EXACT_BITS + (above >> HISTOGRAM_SUB_BITS);
	const uint64_t sub = above & ((1u << HISTOGRAM_SUB_BITS) - 1);

	return (UINT64_C(1) << log2) + (sub << (log2 - HISTOGRAM_SUB_BITS));
}

uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille)
{
	/* ceil(total * permille / 1000) without overflow; at least the first value. */
	const uint64_t whole = histogram->total / 1000 * permille;
	const uint64_t part = (histogram->total % 1000 * permille + 999) / 1000;
	uint64_t rank = whole + part ? whole + part : 1;

	if (!histogram->total)
		return 0;
	for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		if (histogram->bucket[bucket] >= rank)
			return histogram_value(bucket);
		rank -= histogram->bucket[bucket];
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/slice_cut.h"

/* The end of a slice from `begin` on that costs at most `limit`, or has one point. */
static size_t fill(const struct slice_cost *costs, size_t n, size_t begin, uint64_t limit)
{
	uint64_t cost = begin < n ? costs[begin].alone : 0;
	size_t end = begin;

	while (end < n && cost <= limit) {
		end++;
		cost += end < n ? costs[end].shared : 0;
	}
	return end;
}

static int suffices(const struct slice_cost *costs, size_t n, unsigned n_slices, uint64_t limit)
{
	size_t at = 0;

	for (unsigned k = 0; k < n_slices && at < n; k++) {
		const size_t end = fill(costs, n, at, limit);

		if (end == at)
			return 0;
		at = end;
	}
	return at == n;
}

/* The least limit with which so many slices suffice. */
static uint64_t least_limit(const struct slice_cost *costs, size_t n, unsigned n_slices)
{
	uint64_t low = 0, high = n ? costs[0].alone : 0;

	for (size_t i = 1; i < n; i++)
		high += costs[i].alone;
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (suffices(costs, n, n_slices, middle))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * Slices that are filled to the limit suffice; so do those that each end no earlier, since one that
 * begins later reaches as far.
 */
void slice_cut(const struct slice_cost *costs, size_t n, unsigned n_slices, size_t *first)
{
	const uint64_t limit = least_limit(costs, n, n_slices);
	size_t at = 0;

	for (unsigned k = 0; k < n_slices; k++) {
		const size_t least = fill(costs, n, at, limit);
		const size_t most = fill(costs, n, at, limit + limit / 4);
		size_t end = least;

		for (size_t i = least; i <= most; i++)
			if ((i < n ? costs[i].bond : 0) < (end < n ? costs[end].bond : 0))
				end = i;
		first[k] = at;
		at = end;
	}
	first[n_slices] = n;
}

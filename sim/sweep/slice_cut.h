/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a sequence of points that share work with the one before is cut into slices. */
#ifndef TWOSTAGE_SWEEP_SLICE_CUT_H
#define TWOSTAGE_SWEEP_SLICE_CUT_H

#include <stddef.h>
#include <stdint.h>

/* A point, in any unit of cost; alone >= shared. */
struct slice_cost {
	uint64_t alone, shared; /* as the first of a slice; behind the point before it */
	unsigned bond;		/* how much a cut in front of it loses; 0: nothing */
};

/*
 * first[0] = 0 to first[n_slices] = n: slice i has the points first[i] to first[i + 1] - 1. The
 * dearest slice costs at most 5/4 of what the dearest one of the best cut costs; within that, cuts
 * are where the least bond is. Slices at the end may be empty.
 */
void slice_cut(const struct slice_cost *costs, size_t n, unsigned n_slices, size_t *first);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Miss-ratio curves: how often level-1 TLBs of every size miss on a trace, in one pass and without
 * tables. The TLBs are fully associative and LRU, one for each vCPU and stream, and hold entries of
 * one page size. Entries are tagged with VM and ASID, those of the upper half of the address space
 * (global) with the VM alone, and TLBIs and unmap events remove what they remove in a replay whose
 * guest has leaves of that size (docs/mrc.md).
 */
#ifndef TWOSTAGE_MRC_MRC_H
#define TWOSTAGE_MRC_MRC_H

#include <stddef.h>

#include "run/point.h"
#include "trace/trace.h"

enum { MRC_PAGE_SIZES_MAX = 16, MRC_PAGE_BITS_MIN = 12, MRC_PAGE_BITS_MAX = 48 };

struct mrc_setup {
	uint8_t page_bits[MRC_PAGE_SIZES_MAX]; /* log2 of the page sizes */
	size_t page_sizes;
	bool stream[2];	      /* by enum trace_stream */
	enum granule granule; /* of the guest, which decides what TLBI ranges mean */
};

/* One stream with pages of one size, all vCPUs together. */
struct mrc_curve {
	uint8_t page_bits;
	enum trace_stream stream;
	uint64_t lookups;
	uint64_t first_uses;   /* of a page on a vCPU: misses at any size */
	uint64_t dropped_uses; /* the next after an invalidation: likewise */
	size_t depth;	       /* from so many entries on, nothing else misses */
	uint64_t *misses;      /* by number of entries, 1 to depth */
};

struct mrc {
	struct mrc_curve curve[2 * MRC_PAGE_SIZES_MAX]; /* by stream, then in the setup's order */
	size_t curves;
	/* Fork events: what copies on write flush is left out, so misses can be too few. */
	bool has_forks;
	size_t memory_bytes; /* that the stacks took at the end */
};

/* `progress` may be NULL. On success mrc_fini() it. */
enum exit_status mrc_run(const struct mrc_setup *setup, const struct trace_reader *trace,
			 const struct point_progress *progress, struct mrc *mrc, struct diag *diag);
void mrc_fini(struct mrc *mrc);

/* Misses of TLBs with so many entries, at least 1. */
uint64_t mrc_misses(const struct mrc_curve *curve, uint64_t entries);

#endif

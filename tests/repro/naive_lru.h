/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A naive simulator of LRU TLBs for 4 KiB pages: each set is a list of pages, youngest first. No
 * tables, no page sizes, nothing shared with sim/ but the trace reader. With 64 entries it counts
 * what drcachesim's TLB simulator counts with -TLB_replace_policy LRU. Pages are told apart by VM
 * and ASID; those of the upper half, the kernel's, are the same in all address spaces of a VM.
 */
#ifndef TWOSTAGE_REPRO_NAIVE_LRU_H
#define TWOSTAGE_REPRO_NAIVE_LRU_H

#include "trace/trace.h"

struct naive_lru_config {
	unsigned l1_entries;	   /* of each of the two fully associative L1 TLBs of a vCPU */
	unsigned l2_sets, l2_ways; /* of its L2 TLB; 0, 0: none */
	/* What the conditions of exact page runs forbid, to show why they do: */
	bool unified_l1;       /* one L1 TLB for fetches and data */
	bool l1_hits_reach_l2; /* an L1 hit makes the page the youngest of its L2 set */
};

struct naive_lru_counts {
	uint64_t l1i_lookups, l1i_misses, l1d_lookups, l1d_misses, l2_misses;
};

/* Replays the whole trace, of any granularity; exits the program with a message on failure. */
struct naive_lru_counts naive_lru_run(const char *path, const struct naive_lru_config *config);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An idealised simulator to measure against: the same TLBs on the same records with everything left
 * out that makes a result worth having. It has no ASID, VMID, page size, permission, fault, event
 * or statistic beyond three counts, and walks made-up tables. What a machine does on it bounds what
 * a replay can do there, so a ratio to it means the same on any machine.
 */
#ifndef TWOSTAGE_TESTS_BENCH_BOUND_H
#define TWOSTAGE_TESTS_BENCH_BOUND_H

#include <stdint.h>

#include "trace/trace.h"

struct bound;

struct bound_counts {
	uint64_t l1_misses[2]; /* by enum trace_stream */
	uint64_t l2_misses;
	uint64_t checksum; /* of what the walks read, so that no compiler leaves them out */
};

/* NULL: out of memory. */
struct bound *bound_create(void);
void bound_free(struct bound *bound);
/* Wants COLUMN_KEY of page runs. */
void bound_replay(struct bound *bound, const struct trace_block *block);
/* Raw words of eight bytes, of one vCPU; not together with the other. */
void bound_replay_words(struct bound *bound, const uint64_t *words, size_t n);
const struct bound_counts *bound_counts(const struct bound *bound);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Address streams of the synthetic traces; used by gen.c. */
#ifndef TWOSTAGE_TRACE_GEN_PATTERN_H
#define TWOSTAGE_TRACE_GEN_PATTERN_H

#include <stdbool.h>

#include "arch/types.h"
#include "trace/gen.h"
#include "trace/rng.h"

/* What all vCPUs of a phase share. */
struct gen_shared {
	const struct gen_phase *phase;
	uint64_t elements; /* of `size` bytes, in the footprint */
	uint64_t items;	   /* zipf, chase */
	uint64_t item_bytes;
	uint64_t scatter;   /* seed of the permutation of the items */
	unsigned half_bits; /* of the permutation's domain */
	uint64_t *ends;	    /* zipf: cumulated weights of groups of ranks */
	uint64_t *firsts;   /* zipf: first rank of each group; one more at the end */
	size_t n_groups;
};

/* One vCPU in a phase. */
struct gen_stream {
	struct rng rng;
	uint64_t at;   /* steps done, in the pattern's unit */
	unsigned step; /* inside a group of accesses (gups, stencil) */
	uint64_t va;   /* of the group */
};

struct gen_access {
	uint64_t va;
	enum access_kind kind;
};

/* false: no memory. */
bool gen_shared_init(struct gen_shared *shared, const struct gen_phase *phase, uint64_t seed);
void gen_shared_free(struct gen_shared *shared);

/* vCPU `vcpu` of `vcpus` starts its share. */
struct gen_stream gen_stream_start(const struct gen_shared *shared, uint64_t seed, uint64_t vcpu,
				   uint64_t vcpus);
struct gen_access gen_stream_next(const struct gen_shared *shared, struct gen_stream *stream);

/* 1/rank^(skew/1000), 2^40 for rank 1, at least 1. By integers alone: the same anywhere. */
uint64_t gen_zipf_weight(uint64_t rank, uint64_t skew);

#endif

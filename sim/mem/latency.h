/* SPDX-License-Identifier: BSD-2-Clause */
/* Latency models of descriptor reads: one file sim/mem/latency/NAME.c each. */
#ifndef TWOSTAGE_MEM_LATENCY_H
#define TWOSTAGE_MEM_LATENCY_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/types.h"

struct latency_level {
	uint64_t size_bytes; /* 0: no such level */
	uint32_t ways, hit_cycles;
};

enum found_in { FOUND_L1D, FOUND_L2, FOUND_LLC, FOUND_DRAM, FOUND_COUNT };

struct latency_config {
	struct latency_level level[3]; /* by enum found_in */
	uint32_t table_share_permille; /* of the ways of each level */
	uint32_t dram_cycles, fixed_cycles;
};

/*
 * A core's path to memory is two states of one model: the levels of its own (L1D, L2), and those
 * that all cores share (LLC, DRAM), asked when the first say FOUND_DRAM.
 */
struct latency_config latency_private(const struct latency_config *config);
struct latency_config latency_shared(const struct latency_config *config);

struct latency_result {
	uint32_t cycles;
	enum found_in found_in;
};

/* One descriptor read. */
struct latency_query {
	pa_t pa;
	bool cacheable;
	/* For who asks, not for the model: walk_row(), and whether of stage 2 for the final IPA. */
	uint8_t row;
	bool final;
};

/* Instructions do not come through the level-1 data cache. */
enum latency_side { LATENCY_FETCH, LATENCY_DATA };

struct latency_ops {
	const char *name;
	const char *help; /* one line */
	size_t (*state_bytes)(const struct latency_config *config);
	void (*init)(void *state, const struct latency_config *config);
	struct latency_result (*read)(void *state, pa_t pa, bool cacheable);
	/* The same for n reads in their order, each of `own` and, if not found there, of `shared`.
	 * NULL: latency_read_all() does it by read(). */
	void (*read_all)(void *own, void *shared, const struct latency_query *query, uint32_t n,
			 struct latency_result *found);
	/* n reads come soon. NULL: nothing has to be fetched for them. */
	void (*read_soon)(const void *state, const struct latency_query *query, uint32_t n);
	/* Of each read that is found there, when nothing else decides it. NULL: something does. */
	uint32_t (*cycles)(const struct latency_config *config, enum found_in found);
	/* The guest's own access to a line of Normal memory, which shares the caches with
	 * descriptor reads. NULL: the model has no caches. */
	struct latency_result (*guest)(void *state, pa_t pa, enum latency_side side);
};

/* A state of the model, ready for reads: the caller's to free(). NULL: out of memory. */
void *latency_create(const struct latency_ops *ops, const struct latency_config *config);

/* One read: the levels of the core's own, then what all share. */
static inline struct latency_result latency_read(const struct latency_ops *ops, void *own,
						 void *shared, pa_t pa, bool cacheable)
{
	const struct latency_result found = ops->read(own, pa, cacheable);

	return found.found_in == FOUND_DRAM ? ops->read(shared, pa, cacheable) : found;
}

static inline void latency_read_all(const struct latency_ops *ops, void *own, void *shared,
				    const struct latency_query *query, uint32_t n,
				    struct latency_result *found)
{
	if (ops->read_all) {
		ops->read_all(own, shared, query, n, found);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		found[i] = latency_read(ops, own, shared, query[i].pa, query[i].cacheable);
}

extern const struct latency_ops *const latency_registry[];

const struct latency_ops *latency_find(const char *name); /* NULL: no such model */

#endif

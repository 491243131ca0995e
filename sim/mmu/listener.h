/* SPDX-License-Identifier: BSD-2-Clause */
/* What the MMUs tell a timing backend (sim/timing) as it happens. C++ includes this, too. */
#ifndef TWOSTAGE_MMU_LISTENER_H
#define TWOSTAGE_MMU_LISTENER_H

#include "arch/types.h"

/* Instead of a vCPU's number: all of them (inner shareable). */
#define MMU_ALL_VCPUS UINT32_MAX

enum mmu_event_type {
	MMU_EVENT_READ,	     /* of a descriptor that no cache of the vCPU holds; mmu_read_value() */
	MMU_EVENT_WALK,	     /* a walk with such reads is completed; value: mmu_walk_value() */
	MMU_EVENT_RETRY,     /* one ended in a fault: it counts for nothing */
	MMU_EVENT_BROADCAST, /* a TLBI goes to all vCPUs */
};

/* Values have as many bits. */
enum { MMU_EVENT_VALUE_BITS = 61 };

/* A read: PA / 8 of the descriptor in the low bits, then whether it goes through the caches, and
 * what struct account_read wants to know. */
enum {
	MMU_READ_PA_BITS = 49,
	MMU_READ_CACHEABLE = MMU_READ_PA_BITS,
	MMU_READ_FINAL,
	MMU_READ_LEVEL, /* 4 bits */
};

/* A walk: its leaves, s1 * LEAF_SIZES + s2 (account.h), in the low bits, then its cycles so far:
 * all but those of the reads that were told. */
enum { MMU_WALK_CYCLES = 4 };

static inline uint64_t mmu_read_value(pa_t pa, bool cacheable, uint8_t level, bool final)
{
	return pa.v >> 3 | (uint64_t)cacheable << MMU_READ_CACHEABLE |
	       (uint64_t) final << MMU_READ_FINAL | (uint64_t)level << MMU_READ_LEVEL;
}

static inline uint64_t mmu_walk_value(unsigned leaves, uint64_t cycles)
{
	return cycles << MMU_WALK_CYCLES | leaves;
}

/*
 * What only concerns the vCPU itself is timed here, listener or not: look-ups, walk caches, caches
 * of its own. With a listener the cycles of all that are added to the vCPU's `passed`, from where
 * the listener may take them at any time, and reads that go further get no latency here: their
 * cycles, where they are found, and the latencies of their walks are the listener's to fill in
 * (account_time()). `vcpu` is MMU_ALL_VCPUS with a broadcast.
 */
struct mmu_listener {
	void (*event)(void *ctx, uint32_t vcpu, enum mmu_event_type type, uint64_t value);
	void *ctx;
	uint64_t *passed; /* cycles of each vCPU; not owned */
};

#endif

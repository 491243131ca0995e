/* SPDX-License-Identifier: BSD-2-Clause */
/* What the MMUs tell a timing backend (sim/timing) as it happens. C++ includes this, too. */
#ifndef TWOSTAGE_MMU_LISTENER_H
#define TWOSTAGE_MMU_LISTENER_H

#include "arch/types.h"

/* Instead of a vCPU's number: all of them (inner shareable). */
#define MMU_ALL_VCPUS UINT32_MAX

enum mmu_event_type {
	MMU_EVENT_LOOKUP,     /* value: cycles of look-ups in a TLB */
	MMU_EVENT_WALK_CACHE, /* value: cycles of a hit in a walk cache */
	MMU_EVENT_READ,	      /* of a descriptor; value: mmu_read_value() */
	MMU_EVENT_WALK,	      /* the walk is completed; value: s1 * LEAF_SIZES + s2 (account.h) */
	MMU_EVENT_RETRY,      /* the walk ended in a fault: it counts for nothing */
	MMU_EVENT_BROADCAST,  /* a TLBI goes to all vCPUs */
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

static inline uint64_t mmu_read_value(pa_t pa, bool cacheable, uint8_t level, bool final)
{
	return pa.v >> 3 | (uint64_t)cacheable << MMU_READ_CACHEABLE |
	       (uint64_t) final << MMU_READ_FINAL | (uint64_t)level << MMU_READ_LEVEL;
}

/*
 * With a listener, descriptor reads get no latency here: the rows that have to do with cycles and
 * with where reads are found are the listener's to fill in (account_time()). `vcpu` is
 * MMU_ALL_VCPUS with a broadcast.
 */
struct mmu_listener {
	void (*event)(void *ctx, uint32_t vcpu, enum mmu_event_type type, uint64_t value);
	void *ctx;
};

#endif

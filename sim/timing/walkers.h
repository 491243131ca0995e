/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walkers of each vCPU on the clock of its core: how many walks run side by side, how many wait
 * for a walker, and how much of them the core hides by going on with later instructions. What
 * happens (which access walks, what the walk reads, how long it takes) is decided before, in the
 * order of the trace; here it only gets its time (docs/model.md, M41 and M42).
 *
 * The core begins instruction p at cycle p * cpi_permille / 1000 plus the cycles that it has waited
 * so far. It waits
 *   - for the oldest walk under way before it begins instruction `window_instructions` behind it,
 *   - for a place, when all walkers are busy and as many walks wait as may,
 *   - for each walk of a fetch, since nothing behind it is known.
 * Walks get a walker in their order. Times are whole cycles.
 */
#ifndef TWOSTAGE_TIMING_WALKERS_H
#define TWOSTAGE_TIMING_WALKERS_H

#include "mmu/hierarchy.h"

/* An access to a page whose walk is under way. */
enum walkers_merge {
	WALKERS_MERGE,	/* waits for that walk */
	WALKERS_REPEAT, /* makes a walk of its own, as long as that one */
};

struct walkers_config {
	uint32_t vcpus;
	uint32_t count; /* walkers of a vCPU, 1 at least */
	uint32_t queue; /* walks that may wait for one */
	enum walkers_merge merge;
	uint64_t window_instructions; /* 0: the core waits for each walk */
	uint64_t cpi_permille;
};

struct walkers;

/* Counts into *stats, which must outlive it. NULL: out of memory. */
struct walkers *walkers_create(const struct walkers_config *config, struct stats *stats);
void walkers_destroy(struct walkers *walkers); /* may be NULL */

/* Hears of the walks that `mmu` completes. */
void walkers_attach(struct walkers *walkers, struct mmu *mmu);

/* The vCPU comes to an access, `instructions` behind the one before. */
void walkers_reach(struct walkers *walkers, uint32_t vcpu, uint64_t instructions);

struct walkers_walk {
	enum mmu_stream stream; /* of the access that walks */
	uint64_t first, last;	/* VAs that its result translates */
	uint64_t cycles;
};

/* The access that the vCPU came to made a walk. */
void walkers_walk(struct walkers *walkers, uint32_t vcpu, const struct walkers_walk *walk);

/*
 * It hit what a walk has filled: maybe one that is still under way. Does nothing if walkers_walk()
 * was called since walkers_reach(). A fetch that hit L1 is none of these: only its own walks, which
 * the core waits for, fill that TLB.
 */
void walkers_touch(struct walkers *walkers, uint32_t vcpu, enum mmu_stream stream, uint64_t va);

/* Is a walk of the vCPU under way that walkers_touch() might find? */
bool walkers_busy(const struct walkers *walkers, uint32_t vcpu);

/*
 * The vCPU runs in this address space from now on (any number that tells two apart). Walks under
 * way in another one are of no page that it uses.
 */
void walkers_run(struct walkers *walkers, uint32_t vcpu, uint64_t space);

/* Each vCPU waits for all its walks. At the end, so that its last waiting counts. */
void walkers_drain(struct walkers *walkers);

#endif

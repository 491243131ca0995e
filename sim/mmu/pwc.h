/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cache of descriptors by their address: the page-walk cache of Bhargava et al. (ASPLOS 2008),
 * one structure for both dimensions of a walk. It skips no level: each descriptor is still looked
 * up, but a hit takes hit_cycles and leaves the data caches alone.
 *
 * It says which descriptors are at hand, not what they hold: their values are those in memory, as
 * far as a TLBI has not removed them.
 */
#ifndef TWOSTAGE_MMU_PWC_H
#define TWOSTAGE_MMU_PWC_H

#include "mmu/walk.h"

struct pwc_shape {
	uint32_t entries, ways, hit_cycles; /* entries = 0: none; ways = 0: fully associative */
	uint8_t levels[2]; /* stage 1, stage 2; bit n: keeps those of level n - 1 */
};

struct pwc_slot {
	uint64_t address; /* of the descriptor / 8 + 1; 0: free */
	uint64_t stamp;	  /* of the last use */
	uint16_t vmid;
	int8_t stage;
	bool leaf;
};

struct pwc {
	uint32_t sets, ways; /* ways = 0: no cache */
	uint32_t hit_cycles;
	uint8_t levels[2];
	struct pwc_slot *slots;
	uint64_t clock;
};

/* False when out of memory. */
bool pwc_init(struct pwc *pwc, const struct pwc_shape *shape);
void pwc_fini(struct pwc *pwc);

/* Does it keep descriptors such as this one? Never hardware updates, which go to memory. */
static inline bool pwc_keeps(const struct pwc *pwc, const struct walk_read *read)
{
	return (pwc->levels[read->stage - 1] >> (read->level + 1) & 1) && !read->update;
}

/*
 * Look up a descriptor that it keeps, and fill in what missed unless the descriptor is invalid or
 * has no access flag, as nothing may be cached then (Arm ARM D8). True: a hit.
 */
bool pwc_read(struct pwc *pwc, uint16_t vmid, const struct walk_read *read);

/* What an invalidation takes along. Addresses and ASIDs say nothing here (docs/model.md, M45). */
struct pwc_match {
	bool any_vmid;
	uint16_t vmid;
	bool stage1, stage2; /* of which stages */
	bool leaves_only;    /* last-level forms spare tables */
};

void pwc_invalidate(struct pwc *pwc, const struct pwc_match *match);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caches of partial and complete single-stage walks. One structure serves both uses: the stage-1
 * walk cache keeps pointers to next-level tables, stage 2 already applied; the stage-2 cache keeps
 * leaves (IPA to PA) and pointers to next-level tables.
 *
 * A cache has slots of its own (set associative, LRU), shares those of the other stage's cache, or
 * lies in a TLB, whose ways, index and replacement it then shares.
 */
#ifndef TWOSTAGE_MMU_WALK_CACHE_H
#define TWOSTAGE_MMU_WALK_CACHE_H

#include "mmu/tlb.h"
#include "mmu/walk.h"

struct walk_cache_slot {
	uint64_t key;	  /* stage 2: 1 << 62 | prefix of the IA << 7 | size_bits << 1 | leaf */
	uint64_t stamp;	  /* of the last use; 0 = free */
	uint32_t context; /* vmid << 16 | asid (stage 2: asid 0) */
	struct walk_point point;
};

/* What a cache leaves out. All zero: it keeps every point that it learns. */
struct walk_cache_limits {
	uint64_t no_sizes; /* bit n: no leaf entries of 2^n bytes; larger leaves are held in part */
	uint8_t no_levels; /* bit n: no pointers to tables of level n - 1 */
};

/* Leaves and tables of levels -1 to 3. */
enum { WALK_CACHE_LOOKS = 10 };

struct walk_cache {
	uint32_t sets, ways; /* ways = 0: no cache */
	uint32_t hit_cycles;
	enum granule granule; /* of the stage */
	struct walk_cache_limits limits;
	uint64_t set_mask; /* sets - 1 */
	bool masked;	   /* sets is a power of two: set_mask chooses one */
	uint64_t tag;	   /* of the keys: tells the two stages apart in shared slots */
	struct walk_cache_slot *slots;
	uint64_t clock;
	struct walk_cache *store;  /* whose slots and clock; NULL: its own */
	struct tlb *tlb;	   /* in which the entries lie; NULL: in slots */
	struct walk_point *points; /* by the TLB's slot */
	bool borrows_points;	   /* another PE's cache in the same TLB owns them */
	/* In a TLB of several PEs: this one, as in struct tlb_context, and whether entries that
	 * the walk under way looks for and makes are for all of them. */
	uint8_t pe;
	bool common;
	uint64_t table_sizes; /* bit n: a table point that covers 2^n bytes has been learnt */
	uint64_t leaf_sizes;  /* bit n: a leaf point of 2^n bytes has been learnt */
	/* What that makes a probe look for, one after the other: leaves, then tables, the smallest
	 * first, since the smallest table point is the one closest to the leaf. */
	uint32_t looks;
	struct walk_cache_look {
		uint64_t tag; /* of its kind, and without a TLB of its size: a part of the key */
		uint8_t size_bits;
	} look[WALK_CACHE_LOOKS];
};

/* entries = 0: no cache. ways = 0: fully associative. False when out of memory. */
bool walk_cache_init(struct walk_cache *cache, uint32_t entries, uint32_t ways, uint32_t hit_cycles,
		     enum granule granule);
/* A stage-2 cache that shares the slots of `store`, which must outlive it. */
void walk_cache_init_joined(struct walk_cache *cache, struct walk_cache *store, uint32_t hit_cycles,
			    enum granule granule);
/* A cache of `stage` within a TLB, which must outlive it. False when out of memory. */
bool walk_cache_init_in_tlb(struct walk_cache *cache, struct tlb *tlb, int stage,
			    uint32_t hit_cycles, enum granule granule);
/* The same for a further PE that shares the TLB with `first`, which must outlive it and be made
 * ready by walk_cache_expect_all(), too. */
void walk_cache_init_shared(struct walk_cache *cache, const struct walk_cache *first);
/* Look for all that `limits` permit from now on, as another PE may have filled it in. */
void walk_cache_expect_all(struct walk_cache *cache);
void walk_cache_fini(struct walk_cache *cache);

/* Has nothing been learnt yet? */
static inline bool walk_cache_is_unused(const struct walk_cache *cache)
{
	return !cache->looks;
}

/* The deepest point known for ia: a leaf, else the table closest to it. Touches it. */
bool walk_cache_probe(struct walk_cache *cache, uint32_t context, uint64_t ia,
		      struct walk_point *out);

/* Would walk_cache_learn() keep a point of this level? Depends on the shape and limits alone. */
bool walk_cache_keeps(const struct walk_cache *cache, int level, bool leaf);

/* A point that is known already is only touched and replaced; one of no use is left out. */
void walk_cache_learn(struct walk_cache *cache, uint32_t context, uint64_t ia,
		      const struct walk_point *point);

/* What an invalidation takes: the last-level forms of TLBI spare the tables. */
enum walk_points { WALK_POINTS_ALL, WALK_POINTS_LEAVES };

/*
 * Drop what `context` has for [first, last]; `mask` says which context bits must agree. A leaf
 * goes with any address that it maps, also where its entry holds a part of it.
 */
void walk_cache_invalidate(struct walk_cache *cache, uint32_t context, uint32_t mask,
			   enum walk_points points, uint64_t first, uint64_t last);

#endif

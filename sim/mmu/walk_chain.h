/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host addresses of stage-2 tables, by the IPAs that they translate: a walk of stage 2 that finds
 * its chain needs no look-up of simulated memory. Each table descriptor on the way is compared with
 * what it was, so that a chain can only make a walk faster, never another one.
 */
#ifndef TWOSTAGE_MMU_WALK_CHAIN_H
#define TWOSTAGE_MMU_WALK_CHAIN_H

#include "mmu/walk_leaf.h"

enum {
	WALK_CHAINS = 2048, /* areas remembered; a power of two */
	CHAIN_TABLES = 4,   /* levels above the leaf's at most */
	/* A chain serves the leaves whose descriptors of level 3 share a page of simulated memory.
	 */
	CHAIN_INDEX_BITS = PHYS_PAGE_BITS - 3,
};

struct walk_chain {
	uint64_t area;	/* of IPAs */
	uint64_t base;	/* of the start table */
	uint64_t moves; /* phys_mem.moves + 1; 0: no chain */
	uint8_t tables; /* descriptors above the leaf's */
	int8_t level;	/* of the leaf's descriptor */
	pa_t page;	/* in which that lies */
	const uint64_t *words;
	struct chain_table {
		const uint64_t *word;
		uint64_t desc;
		pa_t pa;
	} table[CHAIN_TABLES];
};

struct walk_chains {
	struct walk_chain chain[WALK_CHAINS];
};

static inline uint64_t chain_area(const struct regime_stage *st, uint64_t ia)
{
	return ia >> (st->granule_bits + CHAIN_INDEX_BITS);
}

static inline struct walk_chain *chain_of(struct walk_chains *chains, uint64_t area)
{
	return &chains->chain[area & (WALK_CHAINS - 1)];
}

static inline bool chain_holds(const struct walk_chain *chain, const struct phys_mem *mem,
			       const struct regime_stage *st, uint64_t area)
{
	if (chain->area != area || chain->base != st->base || chain->moves != mem->moves + 1)
		return false;
	for (unsigned i = 0; i < chain->tables; i++)
		if (*chain->table[i].word != chain->table[i].desc)
			return false;
	return true;
}

/*
 * Remember the way to the leaf descriptor of `ia`, which a walk has just reached at `level`. Not
 * for big-endian tables.
 */
void walk_chain_learn(struct walk_chains *chains, const struct phys_mem *mem,
		      const struct regime_stage *st, uint64_t ia, int level);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table builder: puts leaves into translation tables of either stage, in simulated memory, and
 * allocates the tables on the way. It knows addresses of tables as its stage's output addresses
 * (stage 1: IPAs); the owner turns them into physical addresses.
 */
#ifndef TWOSTAGE_MEM_PGTABLE_H
#define TWOSTAGE_MEM_PGTABLE_H

#include <stdbool.h>

#include "arch/desc.h"
#include "arch/types.h"
#include "mem/phys.h"

struct pgtable_ops {
	/* A zeroed table of one granule, by its output address. False: none left. */
	bool (*alloc)(void *ctx, uint64_t *address);
	/* Where the word at an output address inside a table lies. Called for each word: a stage-1
	 * table larger than a stage-2 page need not be contiguous. */
	pa_t (*locate)(void *ctx, uint64_t address);
};

struct pgtable {
	struct phys_mem *mem;
	const struct pgtable_ops *ops;
	void *ctx;
	struct desc_format format; /* of the descriptors; holds the granule */
	int start_level;
	unsigned ia_bits;
	uint64_t root; /* 2^ia_bits may need up to 16 concatenated root tables */
	/* The last table of level 3 or above that a leaf went into: neighbours go there, too. */
	uint64_t last_prefix;
	int last_level;
	uint64_t last_table;
	uint64_t near_owner; /* mem/near.h */
	uint64_t leaves[4];  /* valid leaves by level */
	uint64_t pages;	     /* tables allocated through ops, the root not among them */
};

/* The tables of an IA of ia_bits below a root that the caller has allocated and zeroed. */
void pgtable_init(struct pgtable *table, struct phys_mem *mem, const struct pgtable_ops *ops,
		  void *ctx, struct desc_format format, int start_level, unsigned ia_bits,
		  uint64_t root);

enum pgtable_result {
	PGTABLE_OK,
	PGTABLE_NO_MEMORY, /* ops->alloc gave nothing, or the simulator's own memory is exhausted */
	PGTABLE_OCCUPIED,  /* a leaf, or a table where the leaf should go, is there already */
};

/*
 * Map the leaf of `level` that holds `ia` to the output address oa (aligned to the leaf), with the
 * attribute bits of `attributes` (of the stage's own descriptor format).
 */
enum pgtable_result pgtable_map(struct pgtable *table, uint64_t ia, int level, uint64_t oa,
				uint64_t attributes);

/*
 * log2 of the largest area around `ia` in which nothing is mapped and which one leaf of some level,
 * or one set of contiguous pages, would fill; 0: ia is mapped.
 */
unsigned pgtable_hole_bits(const struct pgtable *table, uint64_t ia);

/* A valid leaf and where it is. */
struct pgtable_leaf {
	uint64_t ia;   /* of its first byte */
	uint64_t desc; /* the descriptor */
	int level;
	unsigned bits; /* log2 of its size */
};

/*
 * The first leaf that has a byte in [ia, last]: for loops over the leaves of a range, which go on
 * at leaf->ia + 2^leaf->bits. False: none.
 */
bool pgtable_next(const struct pgtable *table, uint64_t ia, uint64_t last,
		  struct pgtable_leaf *leaf);

/* Valid leaves with the Contiguous bit. */
uint64_t pgtable_contiguous(const struct pgtable *table);

/*
 * Replace the descriptor of the leaf that maps ia by `desc`, of the same level: attributes, another
 * output address, or 0 to unmap it. Nothing is mapped there: no effect.
 */
void pgtable_replace(struct pgtable *table, uint64_t ia, uint64_t desc);

/*
 * Put a table of leaves one level down, with the same output and attributes, in the place of the
 * leaf that maps ia (level < 3; the next level must have leaves). False: no memory, nothing done.
 */
bool pgtable_split(struct pgtable *table, uint64_t ia);

/*
 * Take out the tables in [first, last] that hold no valid entry (the root stays) and hand each to
 * `release` by its output address.
 */
void pgtable_prune(struct pgtable *table, uint64_t first, uint64_t last,
		   void (*release)(void *ctx, uint64_t address), void *ctx);

#endif

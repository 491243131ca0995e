/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the entries of the last level are that were used lately, of all trees in one memory: who
 * maps pages need not descend from the root for each. Nothing depends on what is remembered but
 * time; an owner whose tree loses a table goes on under another name.
 */
#ifndef TWOSTAGE_MEM_NEAR_H
#define TWOSTAGE_MEM_NEAR_H

#include "mem/phys.h"

/* 512 entries, those of one 4 KiB page of a table. */
struct near_entries {
	uint64_t owner;
	uint64_t place; /* near_place() of what they map */
	uint64_t *words;
	pa_t pa;
};

enum { NEAR_PLACES = 4096, NEAR_ENTRY_BITS = PHYS_PAGE_BITS - 3 };

/* A name that nobody had before. Never 0. */
static inline uint64_t near_owner(struct phys_mem *mem)
{
	return ++mem->near_owners;
}

static inline uint64_t near_place(enum granule granule, uint64_t ia)
{
	return ia >> (granule + NEAR_ENTRY_BITS);
}

static inline struct near_entries *near_home(const struct phys_mem *mem, uint64_t owner,
					     uint64_t place)
{
	/* Neighbours never meet; an odd factor keeps owners apart. */
	return &mem->near[(place + owner * 389) % NEAR_PLACES];
}

/* NULL: not known. */
static inline const struct near_entries *near_find(const struct phys_mem *mem, uint64_t owner,
						   uint64_t place)
{
	const struct near_entries *near = near_home(mem, owner, place);

	return near->owner == owner && near->place == place ? near : NULL;
}

/* The entries at `place` are in the 4 KiB page of pa, which stays the owner's. */
static inline void near_keep(struct phys_mem *mem, uint64_t owner, uint64_t place, pa_t pa)
{
	uint64_t *words = phys_page(mem, pa);

	if (words)
		*near_home(mem, owner, place) = (struct near_entries){
			.owner = owner,
			.place = place,
			.words = words,
			.pa = pa_of(pa.v & ~low_mask(PHYS_PAGE_BITS)),
		};
}

/* Of the entry for an address in the near entries: its index, and where it is. */
static inline uint64_t near_index(enum granule granule, uint64_t ia)
{
	return ia >> granule & low_mask(NEAR_ENTRY_BITS);
}

static inline pa_t near_pa(const struct near_entries *near, uint64_t index)
{
	return pa_of(near->pa.v | index << 3);
}

#endif

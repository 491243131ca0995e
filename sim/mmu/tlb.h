/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One TLB: combined VA to PA entries of several sizes, tagged with VMID and ASID, in sets and ways.
 * Several sizes are probed in parallel: each size resident in the TLB indexes its own set.
 */
#ifndef TWOSTAGE_MMU_TLB_H
#define TWOSTAGE_MMU_TLB_H

#include "arch/types.h"
#include "mmu/repl.h"
#include "mmu/repl/lru.h"

struct tlb_shape {
	uint32_t sets, ways; /* sets = 1: fully associative */
	uint64_t page_sizes; /* bit n: holds entries of 2^n bytes, n >= 12 */
	uint32_t hit_cycles;
	const struct repl_ops *repl;
	uint64_t seed;
	bool hashed;	    /* the index is a hash of all bits of the page number */
	bool contiguous;    /* leaves with the Contiguous bit: an entry for their set */
	uint8_t group_bits; /* log2 of the pages that one entry can hold; 0: one */
	uint8_t page_bits;  /* of what size; group_bits > 0 only */
	bool prefetch;	    /* a miss brings in the page behind the one that missed, too */
};

/* The translation context that tags an entry. */
struct tlb_context {
	uint16_t asid, vmid;
	uint32_t pe; /* in a TLB of several PEs: whose entry it is, 1 to 127; 0: of all of them */
};

/* What an entry knows besides its tag. */
struct tlb_leaf {
	pa_t pa;		  /* of the first byte of the entry */
	uint8_t size_bits;	  /* log2 of what the entry covers */
	uint8_t span_bits;	  /* log2 of what it may cover by Contiguous bits; 0: size_bits */
	uint8_t leaf_bits;	  /* log2 of the smaller of the two leaves it came from */
	uint8_t s1_bits, s2_bits; /* log2 of those; 0: the stage is off */
	uint8_t perms;		  /* enum perm_bits */
	bool global;		  /* matches any ASID */
	bool dirty_clear;	  /* a store must walk again: not dirty yet, or no permission */
	bool no_fetch;		  /* so must a fetch */
	uint8_t filled_by;	  /* the PE, as in struct tlb_context */
	uint8_t ahead;		  /* pages filled by a prefetch and not hit yet: a bit each */
};

#define TLB_NONE UINT32_MAX

/* An entry that makes room for another. */
struct tlb_evicted {
	struct tlb_context context; /* asid: 0 if global */
	va_t va;		    /* of its first byte */
	struct tlb_leaf leaf;
};

/* What an entry is found by. */
struct tlb_tag {
	uint64_t key; /* page number << 6 | size_bits; UINT64_MAX: no entry */
	/* pe << 33 | vmid << 17 | asid << 1, or | 1 in place of the ASID if global;
	 * 1 << (40 + kind) above them for what is no VA to PA entry. */
	uint64_t context;
};

/* TLBs with a way of their own through look-ups and fills. */
enum tlb_form {
	TLB_ANY,
	TLB_CHAINS, /* fully associative, indexed by a hash of the key */
	TLB_MASKED, /* sets chosen by low bits */
};

struct tlb {
	struct tlb_shape shape;
	uint32_t slots;		/* sets * ways */
	uint8_t entry_bits[64]; /* log2 of the largest size held that is no more than 2^index; 0 */
	uint32_t set_mask;	/* sets - 1 */
	bool masked;		/* sets is a power of two: set_mask chooses one */
	void *repl_state;	/* NULL when the policy is LRU, which lives in stamp and clock */
	uint64_t *stamp;	/* per slot: time of last use; NULL when the policy is not LRU */
	uint64_t clock;
	struct tlb_tag *tag;  /* per slot */
	bool owns_arrays;     /* generation and stamp */
	enum tlb_form finds;  /* of one page each */
	enum tlb_form fills;  /* that, LRU, and nobody told of what is evicted */
	uint32_t *generation; /* per slot: changes whenever the slot's entry does */
	struct tlb_leaf *leaf;
	/* Per slot: which pages of its group the entry holds. NULL: no groups. A group's entry has
	 * the key of its first page; its leaf is that page's, or the group's if it can hold all. */
	uint8_t *held;
	/* Fully associative and not small: slots by a hash of their key, and victims by turns, so
	 * that neither look-ups nor fills go through them all. NULL otherwise. */
	struct lru_turns *turns; /* LRU only; else NULL */
	struct lru_queue *queue; /* LRU of very many ways only, in place of turns; else NULL */
	uint32_t *bucket;	 /* first slot of each chain, or TLB_NONE */
	uint32_t *next;		 /* per slot: the next of its chain */
	unsigned bucket_shift;	 /* 64 - log2 of their number */
	uint64_t *valid;	 /* a bit each slot: it holds an entry */
	uint32_t used;		 /* valid entries of all kinds */
	uint64_t resident;	 /* bit n: a VA to PA entry of 2^n bytes is valid */
	uint32_t count[64];	 /* those by size */
	/* tlb_tell() */
	void (*evicted)(void *ctx, const struct tlb_evicted *entry);
	void *evicted_ctx;
	uint64_t splintered; /* fills smaller than the leaf */
	uint64_t contiguous; /* fills larger than the leaf */
	uint64_t coalesced;  /* fills into an entry of a neighbour */
};

/* Per-slot arrays that the owner of several TLBs lays out side by side: slots of all, by index. */
struct tlb_slab {
	uint32_t *generation; /* zeroed */
	uint64_t *stamp;      /* zeroed */
};

/* False when out of memory. */
bool tlb_init(struct tlb *tlb, const struct tlb_shape *shape);
/* The same with arrays of the caller's, which must outlive the TLB. */
bool tlb_init_in(struct tlb *tlb, const struct tlb_shape *shape, const struct tlb_slab *slab);
void tlb_fini(struct tlb *tlb);

/* Each VA to PA entry that is evicted is told, before it goes. */
void tlb_tell(struct tlb *tlb, void (*evicted)(void *ctx, const struct tlb_evicted *entry),
	      void *ctx);

/* Slot that translates va, or TLB_NONE. Changes nothing: call tlb_touch() for a hit. */
uint32_t tlb_find(const struct tlb *tlb, struct tlb_context context, va_t va);

/* A look-up of va comes soon: its set, that of the smallest pages, goes into the host's caches. */
void tlb_host_prefetch(const struct tlb *tlb, va_t va);

/* tlb_leaf_for() for a TLB with groups of pages. */
struct tlb_leaf tlb_page_of(const struct tlb *tlb, uint32_t slot, va_t va);

/* The entry of va, as it may be filled into another TLB: of a group only the page itself. */
static inline struct tlb_leaf tlb_leaf_for(const struct tlb *tlb, uint32_t slot, va_t va)
{
	return tlb->held ? tlb_page_of(tlb, slot, va) : tlb->leaf[slot];
}

/*
 * Looked up with one page size after the other, the sizes that have entries in ascending order: how
 * many look-ups beyond the first it takes to find `slot`, or with TLB_NONE to find nothing.
 */
uint32_t tlb_rehashes_of_many(const struct tlb *tlb, uint32_t slot);
static inline uint32_t tlb_rehashes(const struct tlb *tlb, uint32_t slot)
{
	/* The common case is one size: it needs no count. */
	return tlb->resident & (tlb->resident - 1) ? tlb_rehashes_of_many(tlb, slot) : 0;
}

static inline void tlb_touch(struct tlb *tlb, uint32_t slot)
{
	if (tlb->stamp)
		tlb->stamp[slot] = ++tlb->clock;
	else
		tlb->shape.repl->on_hit(tlb->repl_state, slot / tlb->shape.ways,
					slot % tlb->shape.ways);
}

/* log2 of the entry that tlb_fill() would make; 0: the TLB holds no size that small. */
unsigned tlb_entry_bits(const struct tlb *tlb, const struct tlb_leaf *leaf);

/*
 * Put in the entry for va out of `leaf` (whose size_bits are those of the whole leaf, and pa its
 * first byte's): the largest size that this TLB holds and that is not above the leaf's (or its
 * span's). No entry for va may be present. Returns the slot, or TLB_NONE when the TLB holds no size
 * that small.
 *
 * A page that can be held in a group joins an entry of its neighbours when that has the same
 * context, attributes and leaf sizes, and when the PAs of all lie in one aligned group as the VAs.
 */
uint32_t tlb_fill(struct tlb *tlb, struct tlb_context context, va_t va,
		  const struct tlb_leaf *leaf);

/* tlb_fill() by a prefetch: tlb_take_ahead() will tell the first hit. */
uint32_t tlb_fill_ahead(struct tlb *tlb, struct tlb_context context, va_t va,
			const struct tlb_leaf *leaf);
/* Is this the first hit of va, in `slot`, since a prefetch brought it in? Only the first is. */
bool tlb_take_ahead(struct tlb *tlb, uint32_t slot, va_t va);

/*
 * A new walk for va, which `slot` translates, found `leaf`. Where that is the same translation with
 * other permissions the entry takes these, and its replacement state stays; else (no TLBI came
 * after a change) the entry goes and `leaf` is filled in. Returns the slot, as tlb_fill().
 */
uint32_t tlb_renew(struct tlb *tlb, uint32_t slot, struct tlb_context context, va_t va,
		   const struct tlb_leaf *leaf);

/*
 * What walk caches keep in a TLB that they share: entries that compete with those of VA to PA for
 * its ways, but are never found by tlb_find(). What they hold is the walk cache's to keep, by slot.
 */
enum tlb_walk_kind { TLB_S1_TABLE, TLB_S2_TABLE, TLB_S2_LEAF };

struct tlb_walk_tag {
	enum tlb_walk_kind kind;
	struct tlb_context context;
	uint64_t ia;	   /* any address that the entry speaks for */
	uint8_t size_bits; /* log2 of what it speaks for */
};

/* Does the slot hold an entry of a walk cache? *tag then says which, ia being its first byte. */
bool tlb_walk_at(const struct tlb *tlb, uint32_t slot, struct tlb_walk_tag *tag);
void tlb_drop(struct tlb *tlb, uint32_t slot);

/* Drop what lies within an entry that another TLB evicted. Returns how many entries. */
uint32_t tlb_drop_within(struct tlb *tlb, const struct tlb_evicted *entry);

/* What an invalidation matches; fields not used by `scope` are ignored. Entries of other PEs than
 * context.pe stay. */
enum tlb_scope {
	TLB_SCOPE_ALL,	/* all VMIDs: ALLE1 */
	TLB_SCOPE_VMID, /* VMALLE1, VMALLS12E1 */
	TLB_SCOPE_ASID, /* ASIDE1: globals are spared */
	TLB_SCOPE_VA,	/* VAE1: the ASID's, and globals */
	TLB_SCOPE_VAA,	/* VAAE1: all ASIDs */
};

struct tlb_match {
	enum tlb_scope scope;
	struct tlb_context context;
	uint64_t first, last; /* VA: bytes first..last */
	uint8_t s1_bits;      /* VA: only entries of stage-1 leaves of 2^s1_bits; 0: of any */
};

/*
 * Returns the number of entries removed (a group goes with its last page). By VA: every entry of a
 * stage-1 leaf that has a byte in first..last, also where the leaf is held in smaller pieces.
 * Entries of walk caches stay.
 */
uint32_t tlb_invalidate(struct tlb *tlb, const struct tlb_match *match);

#endif

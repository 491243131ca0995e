/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMUs of all vCPUs: L1 instruction and data TLBs, a unified L2 TLB, walk caches and the walker
 * of each, over one simulated memory. L1 hits tell nothing to the levels below; nothing below takes
 * anything out of L1 unless L2 is inclusive.
 *
 * Guest OS and KVM are known only as two fault functions (struct mmu_os), which run/ wires to os/.
 */
#ifndef TWOSTAGE_MMU_HIERARCHY_H
#define TWOSTAGE_MMU_HIERARCHY_H

#include "mem/latency.h"
#include "mmu/account.h"
#include "mmu/listener.h"
#include "mmu/pwc.h"
#include "mmu/stats.h"
#include "mmu/tlb.h"
#include "mmu/walk.h"
#include "mmu/walk_cache.h"

/* One translation context: the registers of one address space of one VM. */
struct mmu_space {
	const struct regime *regime;
	struct tlb_context context;
	void *os; /* the owner's, for the fault functions */
};

/* One access to translate: the first of a run. */
struct mmu_request {
	const struct mmu_space *space;
	va_t va;
	enum access_kind kind;
	uint32_t vcpu;	    /* set by mmu_access() */
	uint64_t known_ipa; /* from the trace; UINT64_MAX: not known */
};

enum mmu_fault_result {
	MMU_FAULT_FAILED,   /* it cannot be handled: the run ends, the owner knows why */
	MMU_FAULT_HANDLED,  /* try again */
	MMU_FAULT_EMULATED, /* the access was done in software (MMIO): nothing is mapped */
};

struct mmu_os {
	void *ctx;
	enum mmu_fault_result (*s1_fault)(void *ctx, const struct mmu_request *request,
					  const struct fault *fault);
	enum mmu_fault_result (*s2_fault)(void *ctx, const struct mmu_request *request, ipa_t ipa,
					  const struct fault *fault);
};

/* How the L1 TLBs and the L2 TLB share entries (docs/model.md). */
enum mmu_inclusion {
	MMU_NON_INCLUSIVE, /* both are filled; what one evicts is of no account to the other */
	MMU_INCLUSIVE,	   /* L1 holds nothing that L2 does not: it loses what L2 evicts */
	MMU_EXCLUSIVE,	   /* L2 is filled by what L1 evicts, and loses what L1 takes whole */
};

enum walk_cache_place {
	WALK_CACHE_OWN,	  /* a structure of its own */
	WALK_CACHE_IN_L2, /* in the L2 TLB, with its entries, index and replacement */
	WALK_CACHE_IN_S1, /* stage 2 only: in the stage-1 walk cache */
};

/* The walks whose stage-2 translations a stage-2 cache serves. */
enum walk_cache_serves { WALK_CACHE_SERVES_ALL, WALK_CACHE_SERVES_TABLES, WALK_CACHE_SERVES_DATA };

struct walk_cache_shape {
	uint32_t entries, ways, hit_cycles; /* entries = 0: none; ways = 0: fully associative */
	enum walk_cache_place place;	    /* else than OWN: entries and ways are those there */
	enum walk_cache_serves serves;	    /* stage 2 only */
	struct walk_cache_limits limits;
};

struct mmu_shape {
	uint32_t vcpus;
	struct tlb_shape l1i, l1d, l2; /* l2.sets = 0: no L2 TLB */
	uint32_t l2_sharers;	       /* vCPUs with one L2 TLB, neighbours by number; 0 as 1 */
	enum mmu_inclusion inclusion;
	bool l2_serial;		   /* the L2 TLB looks up one page size after the other */
	uint32_t l2_rehash_cycles; /* of each further look-up then */
	struct walk_cache_shape s1, s2;
	struct pwc_shape pwc;
	enum granule s1_granule, s2_granule;
	const struct latency_ops *latency;
	struct latency_config latency_config;
	uint32_t overlap_permille; /* of walk cycles, hidden by the core */
	bool core_goes_on;	   /* while walks are under way: timing/walkers.h */
};

struct mmu_vcpu {
	uint32_t index;
	void *latency_state; /* of the caches of its own */
	struct tlb l1[2];    /* by enum mmu_stream */
	struct tlb *l2;	     /* in mmu.l2 */
	uint8_t pe;	     /* its number in an L2 TLB of several; 0: has one of its own */
	struct walk_cache s1, s2;
	struct pwc pwc;
	uint64_t back_invalidated; /* entries of L1 that an inclusive L2 took out */
	struct mmu_walker *walker; /* the walk under way: hierarchy.c */
};

enum mmu_stream { MMU_FETCH, MMU_DATA };

struct smmu; /* smmu.h */

/* What of the walk caches a TLB invalidation takes along. */
enum walk_cache_scope { WALK_CACHE_KEEP, WALK_CACHE_STAGE1, WALK_CACHE_BOTH };

/* A TLBI as mmu_invalidate() was asked for it, or, by IPA, mmu_invalidate_ipa(). */
struct mmu_invalidation {
	uint32_t vcpu;
	bool by_ipa;
	struct tlb_match match; /* by IPA: VMID, first and last alone */
	enum walk_cache_scope scope;
	enum walk_points points; /* by IPA only */
};

/* Told of what happens, for recordings (run/recorder.h). All may be NULL. */
struct mmu_tap {
	void (*invalidated)(void *ctx, const struct mmu_invalidation *what);
	/*
	 * A walk has ended: s1 = LEAF_SIZES if in a fault, or if nobody waited for it. `found`:
	 * where the reads of `log` were; NULL: see those of `account`. Not with a listener or
	 * mmu.watch.
	 */
	void (*walked)(void *ctx, uint32_t vcpu, const struct walk_log *log,
		       const struct latency_result *found, const struct walk_account *account,
		       enum account_leaf s1, enum account_leaf s2);
	void *ctx;
};

struct mmu {
	struct mmu_shape shape;
	struct mmu_vcpu *vcpu;
	struct tlb *l2; /* one for each l2_sharers vCPUs */
	/* Slots of all L1 TLBs, so that one index names TLB and slot: struct tlb_slab. */
	uint32_t *l1_generation;
	uint64_t *l1_stamp;
	struct phys_mem *mem; /* not owned */
	struct mmu_os os;
	struct smmu *smmu;   /* that broadcast TLBIs reach, too (DVM); not owned; NULL: none */
	void *latency_state; /* of the caches and the memory that all vCPUs share */
	struct mmu_listener listener; /* event = NULL: none */
	struct walk_latencies *latencies;
	struct walk_hints *hints; /* where its tables lie in the host's memory */
	struct stats stats; /* counts of what happened here; mmu_count() adds the derived ones */
	/* Attached to each walk, completed or not; NULL: none. For explain and tests. */
	void (*watch)(void *ctx, const struct walk_read *read, struct latency_result found);
	void *watch_ctx;
	struct mmu_tap tap;
	/* Hears of each completed walk: bytes of its leaf as log2, and its latency. NULL: none. */
	void (*walk_timed)(void *ctx, const struct mmu_request *request, unsigned size_bits,
			   uint64_t cycles);
	void *walk_timed_ctx;
};

/* `mem` must outlive the mmu. False when out of memory. */
bool mmu_init(struct mmu *mmu, const struct mmu_shape *shape, struct phys_mem *mem,
	      const struct mmu_os *os);
void mmu_fini(struct mmu *mmu);

static inline struct tlb *mmu_l1(struct mmu *mmu, uint32_t vcpu, enum mmu_stream stream)
{
	return &mmu->vcpu[vcpu].l1[stream];
}

/* Index of an L1 TLB's slot among all of them. */
static inline uint32_t mmu_l1_index(const struct mmu *mmu, const struct tlb *l1, uint32_t slot)
{
	return (uint32_t)(l1->generation - mmu->l1_generation) + slot;
}

/* Instead of a slot: the access was emulated, no TLB holds the page. */
#define MMU_EMULATED (TLB_NONE - 1)

/*
 * Translate one access through the hierarchy: fills what it missed, lets the OS handle faults.
 * Returns the slot of the L1 TLB that now holds the page, MMU_EMULATED, or TLB_NONE when a fault
 * could not be handled.
 */
uint32_t mmu_access(struct mmu *mmu, uint32_t vcpu, const struct mmu_request *request);

/*
 * An access that is known to miss L1, for replays without L1 TLBs (run/map_follow.c): if the L2 TLB
 * answers it and nothing else has to be done, its entry, which L1 would be filled with. NULL:
 * nothing was done, it is mmu_access()'s. Not with inclusion or a listener.
 */
const struct tlb_leaf *mmu_l2_answer(struct mmu *mmu, uint32_t vcpu,
				     const struct mmu_request *request);

/*
 * A hit in L1 (`slot`) whose entry does not allow the access: a store to a page that is not yet
 * dirty or is write-protected, a fetch from one that is not executable. Walks again, with the
 * faults that brings, and renews the entry. Returns as mmu_access().
 */
uint32_t mmu_rewalk(struct mmu *mmu, uint32_t vcpu, const struct mmu_request *request,
		    uint32_t slot);

/* Descriptor reads find the data caches empty again. */
void mmu_forget_caches(struct mmu *mmu);

/* On one vCPU or all. */
void mmu_invalidate(struct mmu *mmu, uint32_t vcpu, const struct tlb_match *match,
		    enum walk_cache_scope scope);

/* Entries of the stage-2 caches for IPAs first..last of a VMID: IPAS2E1IS; leaves only: IPAS2LE1IS.
 */
void mmu_invalidate_ipa(struct mmu *mmu, uint32_t vcpu, uint16_t vmid, enum walk_points points,
			uint64_t first, uint64_t last);

/* The same again. */
void mmu_invalidate_again(struct mmu *mmu, const struct mmu_invalidation *what);

/* An access to come. */
struct mmu_ahead {
	va_t va;
	uint32_t vcpu;
	const uint64_t
		*s1_word; /* where its stage-1 descriptor is thought to be; NULL: not known */
};

/*
 * n accesses come in some 50 ns or so: find and fetch the stage-1 descriptors that they may want
 * into the host's caches; and when these are there, the stage-2 descriptors and the sets of the L2
 * TLB. Only time depends on it.
 */
void mmu_fetch_stage1(const struct mmu *mmu, struct mmu_ahead *ahead, uint32_t n);
void mmu_fetch_stage2(const struct mmu *mmu, const struct mmu_ahead *ahead, uint32_t n);

/*
 * The guest's own access to the line of `pa` goes through the caches that walks read from. The
 * latency model must have them (latency_ops.guest).
 */
static inline void mmu_guest_line(struct mmu *mmu, uint32_t vcpu, enum mmu_stream stream, pa_t pa)
{
	const struct latency_ops *latency = mmu->shape.latency;
	const enum latency_side side = stream == MMU_FETCH ? LATENCY_FETCH : LATENCY_DATA;
	struct latency_result found = latency->guest(mmu->vcpu[vcpu].latency_state, pa, side);

	if (found.found_in == FOUND_DRAM)
		found = latency->guest(mmu->latency_state, pa, side);
	mmu->stats.v[STAT_guest_lines]++;
	mmu->stats.v[STAT_guest_lines_l1d + found.found_in]++;
}

/* All counts so far that add up over time, derived ones too, into *stats. */
void mmu_count_sums(const struct mmu *mmu, struct stats *stats);

/* The same with percentiles. */
void mmu_count(const struct mmu *mmu, struct stats *stats);

/* Percentiles begin anew: no walk so far counts in them. */
void mmu_reset_percentiles(struct mmu *mmu);

#endif

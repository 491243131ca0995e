/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's stage-2 page tables: the generic walker of Linux arch/arm64/kvm/hyp/pgtable.c and the
 * operations that KVM builds on it, over real descriptors in simulated memory. What changed between
 * kernels is chosen by `kernel`; functions are named after those of the kernel.
 *
 * Addresses are in bytes. No operation keeps a pointer that it was given.
 */
#ifndef TWOSTAGE_OS_KVM_PGTABLE_H
#define TWOSTAGE_OS_KVM_PGTABLE_H

#include <stdbool.h>

#include "arch/desc.h"
#include "arch/types.h"
#include "mem/phys.h"
#include "os/kvm_era.h"

/* A kernel version as one number that can be compared. */
#define KVM_KERNEL(major, minor) ((major)*1000U + (minor))

enum { KVM_LAST_LEVEL = 3, KVM_LEVELS = 4 };

/* What a mapping allows (enum kvm_pgtable_prot). */
enum kvm_prot { KVM_PROT_R = 1, KVM_PROT_W = 2, KVM_PROT_X = 4, KVM_PROT_DEVICE = 8 };

/* The kernel's error codes on these paths. */
enum kvm_result {
	KVM_OK,
	KVM_AGAIN,     /* -EAGAIN: nothing to do for this fault, run the guest again */
	KVM_TOO_BIG,   /* -E2BIG, inside a map: no leaf can be at this level */
	KVM_NO_MEMORY, /* -ENOMEM: no page for a table */
	KVM_BAD_RANGE, /* -ERANGE, -EINVAL: outside the IPA space, or misaligned */
};

/* TLB maintenance as the kernel's helpers in hyp/{nvhe,vhe}/tlb.c send it. */
enum kvm_tlbi_kind {
	KVM_TLBI_IPA,	    /* __kvm_tlb_flush_vmid_ipa: IPAS2E1IS; VMALLE1IS */
	KVM_TLBI_IPA_LOCAL, /* __kvm_tlb_flush_vmid_ipa_nsh: IPAS2E1; VMALLE1 */
	KVM_TLBI_RANGE,	    /* __kvm_tlb_flush_vmid_range: RIPAS2E1IS each step; VMALLE1IS */
	KVM_TLBI_VMID,	    /* __kvm_tlb_flush_vmid: VMALLS12E1IS */
	KVM_TLBI_KINDS,
};

enum { KVM_TTL_UNKNOWN = 127 };

struct kvm_tlbi {
	enum kvm_tlbi_kind kind;
	int level;	/* KVM_TLBI_IPA*: hint, or KVM_TTL_UNKNOWN */
	uint64_t ipa;	/* KVM_TLBI_IPA*, KVM_TLBI_RANGE */
	uint64_t bytes; /* KVM_TLBI_RANGE */
};

struct kvm_pgtable_ops {
	/* `count` contiguous zeroed table pages, aligned to their size together. False: none. */
	bool (*alloc)(void *ctx, unsigned count, pa_t *out);
	/* Takes them back; their contents are of no use any more. */
	void (*free)(void *ctx, unsigned count, pa_t tables);
	void (*tlbi)(void *ctx, const struct kvm_tlbi *tlbi); /* may be NULL */
};

/* Where the tables start. */
enum kvm_start {
	KVM_START_AUTO,	 /* KVM's choice: concatenated tables rather than one more level */
	KVM_START_PLAIN, /* one root table, as far as the host's levels permit */
	KVM_START_LEVEL, /* at start_level, which must be legal: geometry_s2() */
};

struct kvm_pgtable_setup {
	enum granule granule;
	unsigned ia_bits;
	unsigned kernel; /* KVM_KERNEL() */
	bool fwb;	 /* FEAT_S2FWB */
	bool lpa2;	 /* VTCR_EL2.DS = 1: kvm_lpa2_is_enabled() */
	bool tlbi_range; /* FEAT_TLBIRANGE */
	enum kvm_start start;
	int start_level;      /* KVM_START_LEVEL: -1..3 */
	unsigned host_levels; /* of the host's own tables: stage 2 has no more; 0: no limit */
	enum kvm_table_walker walker;
};

/* What was done to the tables since they were made; those of the root do not count. */
struct kvm_pgtable_counts {
	uint64_t tables_allocated, tables_freed;
	uint64_t mapped[KVM_LEVELS]; /* leaves made, by level; not those of a split */
	uint64_t pte_updates;	     /* entries changed in place, and made by a split */
	uint64_t unmapped_leaves;    /* cleared by an unmap */
	uint64_t splits;	     /* blocks that gave way to a table */
	uint64_t collapses;	     /* tables that gave way to a block */
};

struct kvm_pgtable {
	struct kvm_pgtable_setup setup;
	struct phys_mem *mem;
	const struct kvm_pgtable_ops *ops;
	void *ctx;
	struct desc_format format;
	int start_level;
	unsigned root_tables; /* concatenated */
	pa_t root;
	uint64_t tables; /* table pages in use, those of the root not among them */
	/* Entries that KVM's own walks visited; kvm_pgtable_get_leaf() is not one of them. */
	uint64_t software_steps;
	uint64_t fake_steps; /* of these, in levels that are there for software only */
	unsigned fake_levels;
	struct kvm_pgtable_counts counts;
	uint64_t sent[KVM_TLBI_KINDS];
	uint64_t near_owner; /* mem/near.h */
};

/* Levels of a stage 2 of this size as KVM sets it up: kvm_get_vtcr(), never less than 2. */
unsigned kvm_pgtable_levels(enum granule granule, unsigned ia_bits);

/*
 * The start level of such tables, whether legal on a PE or not. False: they need more levels than
 * the host has (the "Dynamic IPA and 52bit IPA" series, version 5), or than 16 concatenated tables
 * make up for.
 */
bool kvm_pgtable_start_level(const struct kvm_pgtable_setup *setup, int *level);

/* Allocates the root. KVM_NO_MEMORY, KVM_BAD_RANGE (no such tables): nothing is held. */
enum kvm_result kvm_pgtable_init(struct kvm_pgtable *pgt, const struct kvm_pgtable_setup *setup,
				 struct phys_mem *mem, const struct kvm_pgtable_ops *ops,
				 void *ctx);

/* Gives every table back, without TLB maintenance: kvm_pgtable_stage2_destroy(). */
void kvm_pgtable_fini(struct kvm_pgtable *pgt);

/* ---- the generic walker ------------------------------------------------------------------- */

enum kvm_walk_flags {
	KVM_WALK_LEAF = 1,	   /* visit entries that are no table, invalid ones too */
	KVM_WALK_TABLE_PRE = 2,	   /* visit tables before their entries */
	KVM_WALK_TABLE_POST = 4,   /* and after them */
	KVM_WALK_HANDLE_FAULT = 8, /* KVM_AGAIN of a visitor ends the walk, otherwise it goes on */
	KVM_WALK_SKIP_BBM_TLBI = 16,
};

struct kvm_visit {
	struct kvm_pgtable *pgt;
	pa_t entry;   /* where the descriptor is */
	uint64_t old; /* what it was when the walker came */
	uint64_t start, addr, end;
	int level;
	unsigned flags; /* of the walk */
	void *arg;
};

struct kvm_walker {
	enum kvm_result (*visit)(const struct kvm_visit *visit, enum kvm_walk_flags kind);
	void *arg;
	unsigned flags;
};

/*
 * Visit what maps [addr, addr + bytes), rounded to pages. After TABLE_PRE and LEAF the descriptor
 * is read again, so a visitor may replace it. Returns what the last visitor returned.
 */
enum kvm_result kvm_pgtable_walk(struct kvm_pgtable *pgt, uint64_t addr, uint64_t bytes,
				 const struct kvm_walker *walker);

/* ---- operations --------------------------------------------------------------------------- */

/* Pages for tables that an operation may take (struct kvm_mmu_memory_cache). */
struct kvm_table_cache {
	uint64_t pages;
};

#define KVM_CACHE_FULL                                                                             \
	(struct kvm_table_cache)                                                                   \
	{                                                                                          \
		.pages = UINT64_MAX                                                                \
	}

/*
 * kvm_pgtable_stage2_map: map [ipa, ipa + bytes) to pa by the largest leaves that alignment and
 * level allow. A table whose place a leaf can take is dropped, a block that is too large is
 * replaced by a table with the rest left to later faults. An entry that would differ in permissions
 * only is left alone (KVM_AGAIN). `cache` NULL: no tables may be allocated.
 */
enum kvm_result kvm_pgtable_map(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes, pa_t pa,
				unsigned prot, struct kvm_table_cache *cache, unsigned flags);

/* kvm_pgtable_stage2_unmap: a leaf that is touched goes altogether; empty tables are freed. */
enum kvm_result kvm_pgtable_unmap(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes);

/* kvm_pgtable_stage2_wrprotect: no TLB maintenance; the caller flushes. */
void kvm_pgtable_wrprotect(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes);

/* kvm_pgtable_stage2_mkyoung: set AF of the leaf at ipa, no TLB maintenance. */
void kvm_pgtable_mkyoung(struct kvm_pgtable *pgt, uint64_t ipa);

/*
 * kvm_pgtable_stage2_test_clear_young to clear: was AF set somewhere in the range? No TLB
 * maintenance.
 */
bool kvm_pgtable_clear_young(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes);

/* kvm_pgtable_stage2_relax_perms: add permissions to the leaf at ipa; AF stays as it is. */
enum kvm_result kvm_pgtable_relax_perms(struct kvm_pgtable *pgt, uint64_t ipa, unsigned prot);

/*
 * kvm_pgtable_stage2_split: replace blocks in the range by tables that map the same down to pages,
 * as far as `cache` lasts (then KVM_NO_MEMORY).
 */
enum kvm_result kvm_pgtable_split(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes,
				  struct kvm_table_cache *cache);

/* Adds the valid leaves that have a byte in [ipa, ipa + bytes), by level. */
void kvm_pgtable_count_leaves(const struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes,
			      uint64_t leaves[KVM_LEVELS]);

/*
 * kvm_pgtable_get_leaf: the entry that decides about ipa, valid or not, and its level. Here it says
 * what hardware finds; on a fault KVM knows that from its syndrome.
 */
uint64_t kvm_pgtable_get_leaf(const struct kvm_pgtable *pgt, uint64_t ipa, int *level);

/* Set AF of the leaf that maps ipa as hardware does (VTCR_EL2.HA). */
void kvm_pgtable_hw_access(struct kvm_pgtable *pgt, uint64_t ipa);

/*
 * kvm_tlb_flush_vmid_range (v6.6 on): by range operations of at most 2^21 pages each, or the whole
 * VMID without FEAT_TLBIRANGE. Before v6.6 the whole VMID.
 */
void kvm_pgtable_flush_range(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes);

/*
 * A range takes one instruction or more: __flush_tlb_range_op(), largest first as since v6.8 (v6.6
 * went the other way round, in as many). How many of the next `pages` pages, not 0 and no more than
 * KVM_TLBI_RANGE has, the one for `ipa` is for; 1 by IPAS2E1IS, more by RIPAS2E1IS.
 */
uint64_t kvm_tlbi_range_step(const struct kvm_pgtable *pgt, uint64_t ipa, uint64_t pages);

/* kvm_flush_remote_tlbs: VMALLS12E1IS. */
void kvm_pgtable_flush_all(struct kvm_pgtable *pgt);

/* KVM_PGTABLE_MIN_BLOCK_LEVEL: 1G, 32M and 512M are the largest blocks, with LPA2 too. */
static inline int kvm_min_block_level(enum granule granule)
{
	return granule == GRANULE_4K ? 1 : 2;
}

/* kvm_is_block_size_supported: the sizes of a page and of the blocks, which a split chunk can have.
 */
static inline bool kvm_block_size_supported(enum granule granule, uint64_t bytes)
{
	for (int level = kvm_min_block_level(granule); level <= 3; level++)
		if (bytes == UINT64_C(1) << level_shift(granule, level))
			return true;
	return false;
}

#endif

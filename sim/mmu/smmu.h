/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SMMU before devices that are assigned to VMs: each stream of a device is attached to the stage
 * 2 of a VM, stage 1 is bypassed, so a device's address is an IPA. It walks the very tables that
 * the vCPUs walk (VTTBR_EL2 and VTCR_EL2 as S2TTB and S2VTCR of the stream's table entry), with a
 * TLB and a cache of partial walks of its own. A fault ends the transaction: nobody maps on demand.
 *
 * Entries are tagged with VMID and stream.
 */
#ifndef TWOSTAGE_MMU_SMMU_H
#define TWOSTAGE_MMU_SMMU_H

#include "arch/fault.h"
#include "arch/geometry.h"
#include "base/diag.h"
#include "mem/latency.h"
#include "mem/phys.h"
#include "mmu/regime.h"
#include "mmu/stats.h"
#include "mmu/tlb.h"
#include "mmu/walk_cache.h"

struct smmu_shape {
	struct tlb_shape tlb;
	/* Pointers to next-level tables; entries = 0: none, ways = 0: fully associative. */
	uint32_t walk_cache_entries, walk_cache_ways, walk_cache_hit_cycles;
	enum granule granule; /* of stage 2 */
	unsigned levels;      /* that its stage 2 can walk */
	uint32_t streams;     /* at most 2^16 */
	const struct latency_ops *latency;
	struct latency_config latency_config;
};

struct smmu_stream; /* smmu.c */

struct smmu {
	struct smmu_shape shape;
	struct tlb tlb;
	struct walk_cache walk_cache;
	struct smmu_stream *streams; /* owned */
	struct phys_mem *mem;	     /* not owned */
	void *latency_state;	     /* owned */
	uint64_t accesses, hits, walk_reads, walk_cycles, faults, tlbis;
};

/* `mem` must outlive the SMMU. False, with nothing to free, when out of memory. */
bool smmu_init(struct smmu *smmu, const struct smmu_shape *shape, struct phys_mem *mem);
void smmu_fini(struct smmu *smmu);

/*
 * Can an SMMU whose stage 2 has `levels` levels walk these tables? STATUS_BAD_INPUT if not: it
 * cannot share the tables of a VM that has more.
 */
enum exit_status smmu_check(unsigned levels, const struct s2_geometry *stage2, struct diag *diag);

/*
 * Send a stream through the stage 2 of `regime` (its stage 1 is ignored), tagged `vmid`; the regime
 * is copied. Whatever the stream was attached to before goes, entries included. STATUS_BAD_INPUT
 * as smmu_check(), or when that stage 2 is no legal one.
 */
enum exit_status smmu_attach(struct smmu *smmu, uint16_t stream, const struct regime *regime,
			     uint16_t vmid, struct diag *diag);

/* The stream's transactions are refused from now on, and its entries dropped. */
void smmu_detach(struct smmu *smmu, uint16_t stream);

enum smmu_outcome {
	SMMU_TRANSLATED,
	SMMU_FAULT,	/* F_TRANSLATION, F_PERMISSION, ... */
	SMMU_NO_STREAM, /* the stream is attached to nothing: C_BAD_STE */
};

struct smmu_result {
	pa_t pa;	    /* SMMU_TRANSLATED */
	struct fault fault; /* SMMU_FAULT */
};

/* Translate one transaction of a device. `kind` is ACCESS_LOAD or ACCESS_STORE. */
enum smmu_outcome smmu_access(struct smmu *smmu, uint16_t stream, ipa_t ipa, enum access_kind kind,
			      struct smmu_result *out);

enum smmu_scope {
	SMMU_SCOPE_ALL,	 /* ALLE1IS: the VMIDs are given out anew */
	SMMU_SCOPE_VMID, /* VMALLS12E1IS */
	SMMU_SCOPE_IPA,	 /* IPAS2E1IS, RIPAS2E1IS */
};

struct smmu_tlbi {
	enum smmu_scope scope;
	uint16_t vmid;		 /* not of SMMU_SCOPE_ALL */
	uint64_t first, last;	 /* SMMU_SCOPE_IPA: bytes first..last */
	enum walk_points points; /* SMMU_SCOPE_IPA: leaves only (IPAS2LE1IS), or tables, too */
};

/*
 * A TLBI that the CPUs broadcast reaches the SMMU (DVM). By IPA: all entries of a stage-2 leaf that
 * has a byte in first..last, and pointers to tables on the way there.
 */
void smmu_invalidate(struct smmu *smmu, const struct smmu_tlbi *tlbi);

/*
 * The device behind a stream is reset: what is cached for that stream goes and nothing else,
 * whichever VM it belongs to. Returns the TLB entries dropped.
 */
uint32_t smmu_reset_stream(struct smmu *smmu, uint16_t stream);

/* Adds its counts to the statistics. */
void smmu_count(const struct smmu *smmu, struct stats *stats);

#endif

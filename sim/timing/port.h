/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMU of one PE as a part of somebody else's platform, from C and from C++: registers in,
 * translations out, descriptors read and written through the platform. A TLB is in front of the
 * walker; there are no walk caches. sim/timing/systemc/tlm_mmu.h makes a TLM-2.0 module of it.
 */
#ifndef TWOSTAGE_TIMING_PORT_H
#define TWOSTAGE_TIMING_PORT_H

#ifdef __cplusplus
extern "C" {
#endif

#include "arch/cpu.h"
#include "arch/fault.h"
#include "arch/regs.h"

struct mmu_port;

struct mmu_port_config {
	struct arch_id id;
	uint32_t tlb_entries; /* fully associative, LRU; not 0 */
};

/*
 * Both return false for an external abort. Descriptors as the 64-bit words that a little-endian
 * read of memory gives. `tag` is that of the access. While they have not returned (a SystemC thread
 * may wait there), others may call all functions of this port but mmu_port_destroy().
 */
struct mmu_port_bus {
	void *ctx;
	bool (*read)(void *ctx, void *tag, uint64_t pa, uint64_t *descriptor);
	bool (*write)(void *ctx, void *tag, uint64_t pa,
		      uint64_t descriptor); /* hardware updates */
};

/* An access of EL0 or EL1. */
struct mmu_port_access {
	uint64_t va;
	enum access_kind kind;
	uint8_t el;
	void *tag; /* whatever the bus wants to know */
};

struct mmu_port_result {
	struct fault fault; /* FAULT_NONE: what follows holds */
	uint64_t pa;
	uint64_t first_va, first_pa, n_bytes; /* of the page or block around it */
	bool tlb_hit;
	uint8_t perms; /* PERM_* bits (mmu/walk.h) */
};

/* NULL when out of memory. All registers are 0: both stages are off. */
struct mmu_port *mmu_port_create(const struct mmu_port_config *config,
				 const struct mmu_port_bus *bus);
void mmu_port_destroy(struct mmu_port *port);

/* Takes effect at once; the TLB keeps its entries, as the architecture allows. */
void mmu_port_set(struct mmu_port *port, const struct mmu_regs *regs);

/*
 * With the registers as they are when it begins. What it found goes into the TLB, unless there was
 * an invalidation since then.
 */
void mmu_port_translate(struct mmu_port *port, const struct mmu_port_access *access,
			struct mmu_port_result *out);

/*
 * Drop the entries that have a byte in VAs first..last: those of the current VMID and of all ASIDs,
 * as TLBI VAAE1; from 0 to UINT64_MAX all there are, as TLBI ALLE1.
 */
void mmu_port_invalidate(struct mmu_port *port, uint64_t first, uint64_t last);

#ifdef __cplusplus
}
#endif

#endif

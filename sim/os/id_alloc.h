/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator of VMIDs and ASIDs of Linux: ids carry the generation they were given in, so that
 * thousands of VMs or processes share a few hardware ids and the TLBs are flushed once each time
 * the ids run out (arch/arm64/kvm/vmid.c, arch/arm64/mm/context.c).
 */
#ifndef TWOSTAGE_OS_ID_ALLOC_H
#define TWOSTAGE_OS_ID_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* Who is flushed when the ids run out. */
enum id_flush {
	ID_FLUSH_ALL,	  /* VMIDs: all CPUs at once (__kvm_flush_vm_context: TLBI ALLE1IS) */
	ID_FLUSH_PENDING, /* ASIDs: each CPU when it next leaves the fast path (local VMALLE1) */
};

struct id_cpu {
	uint64_t active;   /* id of whom it runs; 0 after a rollover; or ACTIVE_INVALID */
	uint64_t reserved; /* the one it ran at the last rollover: keeps its index */
	bool flush_pending;
};

struct id_alloc {
	unsigned bits;
	enum id_flush flush;
	uint32_t cpus;
	struct id_cpu *cpu;   /* owned */
	uint64_t *map;	      /* owned; indices taken in this generation */
	uint64_t generation;  /* a multiple of 2^bits, never 0 */
	uint32_t cursor;      /* the search for a free index begins here */
	uint64_t allocations; /* indices given out, those kept or found again included */
	uint64_t rollovers;
};

/*
 * Ids of 1 to 16 bits (VMIDs and ASIDs have 8 or 16) for `cpus` CPUs. False, with nothing to free,
 * when out of memory or when there are not more indices than CPUs, index 0 left out: then a
 * rollover might find none free, and the kernel refuses it likewise.
 */
bool id_alloc_init(struct id_alloc *ids, unsigned bits, uint32_t cpus, enum id_flush flush);
void id_alloc_fini(struct id_alloc *ids);

/*
 * `cpu` is about to run the VM or process whose id is *id: its generation and index, 0 if it never
 * had one. The id is renewed if it is of an older generation. True: the caller must flush before
 * it runs - ID_FLUSH_ALL: the TLBs of all CPUs, whatever the VMID; ID_FLUSH_PENDING: those of `cpu`
 * alone. Call it at each entry: the others' rollovers make an id old even while it runs.
 * (kvm_arm_vmid_update(), check_and_switch_context())
 */
bool id_alloc_enter(struct id_alloc *ids, uint32_t cpu, uint64_t *id);

/*
 * `cpu` runs none of them any more, so that its id is not kept at a rollover
 * (kvm_arm_vmid_clear_active(), at kvm_arch_vcpu_put()). ASIDs have no such call: a CPU always has
 * some address space.
 */
void id_alloc_leave(struct id_alloc *ids, uint32_t cpu);

/* What the hardware sees of an id: VTTBR_EL2.VMID or TTBR.ASID. Never 0 after an enter. */
static inline uint16_t id_alloc_index(const struct id_alloc *ids, uint64_t id)
{
	return (uint16_t)(id & ((UINT64_C(1) << ids->bits) - 1));
}

#endif

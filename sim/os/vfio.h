/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device assigned to a VM (VFIO). The VM's memory is pinned and mapped in stage 2 before it runs
 * (vfio_iommu_type1 pins all of it), and the device's DMA goes through an SMMU that walks the same
 * stage-2 tables as the vCPUs. The device writes into a ring of buffers at the top of the memory.
 */
#ifndef TWOSTAGE_OS_VFIO_H
#define TWOSTAGE_OS_VFIO_H

#include "base/diag.h"
#include "mmu/smmu.h"
#include "os/vm.h"

/* Where a burst of the device goes: one buffer of the ring. */
enum vfio_order {
	VFIO_STREAMING, /* the next one */
	VFIO_SCATTERED, /* far from the one before, all once in each round */
};

struct vfio_setup {
	enum vfio_order order;
	uint64_t ring_bytes;
	uint64_t burst_bytes;  /* of one buffer; divides ring_bytes */
	uint64_t pinned_limit; /* bytes of memory that may be pinned */
	unsigned smmu_levels;  /* of stage 2 */
};

struct vfio_device {
	struct vm *vm;	   /* not owned */
	struct smmu *smmu; /* not owned */
	uint16_t stream;
	uint16_t vmid; /* that the SMMU knows it by */
	struct vfio_setup setup;
	uint64_t first;	  /* IPA of the ring */
	uint64_t buffers; /* in the ring */
	uint64_t stride;  /* buffers from one burst to the next */
	uint64_t next;	  /* number of the next buffer */
	uint64_t dma_bytes, resets;
};

/*
 * Can a device be assigned to such VMs? STATUS_BAD_INPUT: their memory has no fixed size or one too
 * large to be pinned, the ring does not fit, or the SMMU lacks levels (smmu_check()).
 */
enum exit_status vfio_check(const struct vm_setup *vm, const struct vfio_setup *setup,
			    struct diag *diag);

/*
 * Pin and map the VM's memory and attach `stream` to its stage 2. `vm` and `smmu` must outlive the
 * device; nothing is to be freed. Fails as vfio_check(), or when the host's memory runs out.
 */
enum exit_status vfio_assign(struct vfio_device *device, struct vm *vm, struct smmu *smmu,
			     uint16_t stream, const struct vfio_setup *setup, struct diag *diag);

/*
 * One burst: a buffer is written, in transactions of at most the part of one 4 KiB page. What the
 * SMMU refuses is counted there and lost.
 */
void vfio_dma(struct vfio_device *device);

/* Function-level reset: the ring begins anew, and the SMMU forgets the stream's entries. */
void vfio_reset(struct vfio_device *device);

/* Adds its counts to the statistics; those of the SMMU are its own. */
void vfio_count(const struct vfio_device *device, struct stats *stats);

#endif

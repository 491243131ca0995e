/* SPDX-License-Identifier: BSD-2-Clause */
/* The assigned devices of a point, one for each VM, behind one SMMU: device.* and smmu.*. */
#ifndef TWOSTAGE_RUN_DEVICES_H
#define TWOSTAGE_RUN_DEVICES_H

#include "config/config.h"
#include "os/vfio.h"

struct devices {
	struct smmu smmu;
	struct vfio_device *device; /* by VM */
	uint32_t count;
};

/* Does the configuration have any? */
bool devices_assigned(const struct config *config);

/* Can the VMs of this set-up have them? STATUS_BAD_INPUT with the reason if not. */
enum exit_status devices_check(const struct config *config, const struct vm_setup *setup,
			       struct diag *diag);

/*
 * Assigns one to each VM, which pins and maps all its memory. `vms` and `mem` must outlive them.
 * NULL with diag on failure; devices_destroy() what is returned.
 */
struct devices *devices_create(const struct config *config, const struct smmu_shape *shape,
			       struct vm **vms, uint32_t count, struct phys_mem *mem,
			       struct diag *diag);
void devices_destroy(struct devices *devices); /* may be NULL */

/* One burst of each device, in the order of the VMs; the same for resets. */
void devices_dma(struct devices *devices);
void devices_reset(struct devices *devices);

/* Adds the counts of devices and SMMU. */
void devices_count(const struct devices *devices, struct stats *stats);

#endif

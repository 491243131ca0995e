/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulated machine of one configuration: memory, MMUs of all vCPUs, and VMs, wired together.
 */
#ifndef TWOSTAGE_RUN_MACHINE_H
#define TWOSTAGE_RUN_MACHINE_H

#include "base/diag.h"
#include "mem/frames.h"
#include "mmu/hierarchy.h"
#include "os/vm.h"
#include "run/config.h"

struct machine {
	struct phys_mem *mem;
	struct frames frames;
	struct mmu mmu;
	struct vm **vms;
	uint32_t vms_count;
};

enum dirty_state machine_dirty_state(const struct config *config);

/* Can such a machine exist? STATUS_BAD_INPUT with the reason in diag if not. */
enum exit_status machine_check(const struct config *config, struct diag *diag);

/* On failure the machine is empty. */
enum exit_status machine_init(struct machine *machine, const struct config *config, uint32_t vcpus,
			      uint32_t vms, struct diag *diag);
void machine_fini(struct machine *machine);

#endif

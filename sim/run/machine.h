/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulated machine of one configuration: memory, MMUs of all vCPUs, and VMs, wired together.
 */
#ifndef TWOSTAGE_RUN_MACHINE_H
#define TWOSTAGE_RUN_MACHINE_H

#include "base/diag.h"
#include "config/config.h"
#include "mem/frames.h"
#include "mmu/hierarchy.h"
#include "os/id_alloc.h"
#include "os/vm.h"
#include "run/devices.h"
#include "timing/walkers.h"

#define MACHINE_NO_VM UINT32_MAX

struct machine {
	struct config config;
	struct phys_mem *mem;
	struct frames frames;
	struct mmu mmu;
	struct vm **vms;
	uint32_t vms_count;
	struct id_alloc vmids;
	uint64_t *vmid;	   /* per VM: its id in vmids */
	uint32_t *running; /* per vCPU: the VM that it runs, or MACHINE_NO_VM */
	uint64_t vm_switches, context_switches;
	struct devices *devices; /* NULL: none */
	struct walkers *walkers; /* NULL: the core waits for each walk */
};

enum dirty_state machine_dirty_state(const struct config *config);

/* Do the guest's own lines go through the caches of the walks (cache.data)? */
bool machine_simulates_lines(const struct config *config);

/* VMs that a trace with `recorded` VMs needs: its own, or host.vms that take turns. */
uint32_t machine_vms(const struct config *config, uint32_t recorded);

/* Can such a machine exist? STATUS_BAD_INPUT with the reason in diag if not. */
enum exit_status machine_check(const struct config *config, struct diag *diag);

/* On failure the machine is empty. */
enum exit_status machine_init(struct machine *machine, const struct config *config, uint32_t vcpus,
			      uint32_t vms, struct diag *diag);
void machine_fini(struct machine *machine);

/*
 * The vCPU (here: the CPU) runs a VM from now on: kvm_arch_vcpu_load() with the VMID allocator, and
 * the flush of all TLBs when that runs out.
 */
void machine_run_vm(struct machine *machine, uint32_t vcpu, uint32_t vm);

/* The same, counted as a switch if another VM ran there before. */
void machine_switch_vm(struct machine *machine, uint32_t vcpu, uint32_t vm);

/* Is there a VMID for each VM, so that they never run out? */
bool machine_vmids_suffice(const struct machine *machine);

/* Cycles that guest kernels and host spent so far. */
uint64_t machine_software_cycles(const struct machine *machine);

/* What VMs and host did so far, whatever it costs. */
struct machine_tally {
	struct stats rows; /* but for cycles */
	struct os_work work;
};

void machine_tally(struct machine *machine, struct machine_tally *tally);
void machine_tally_count(const struct machine_tally *tally, const struct os_costs *costs,
			 struct stats *stats);

/* Of it only the cycles, in place of those that are there. */
void machine_work_count(const struct os_work *work, const struct os_costs *costs,
			struct stats *stats);

/* Adds what VMs and host did so far, as far as it adds up over time, to statistics that have
 * nothing of it yet. Cheap. */
void machine_count_sums(const struct machine *machine, struct stats *stats);

/* The same with the state of tables and memory. */
void machine_count(struct machine *machine, struct stats *stats);

#endif

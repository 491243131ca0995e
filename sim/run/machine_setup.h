/* SPDX-License-Identifier: BSD-2-Clause */
/* From the settings of a point to the shapes of its machine. */
#ifndef TWOSTAGE_RUN_MACHINE_SETUP_H
#define TWOSTAGE_RUN_MACHINE_SETUP_H

#include "config/config.h"
#include "mmu/hierarchy.h"
#include "mmu/smmu.h"
#include "os/vm.h"
#include "timing/systemc.h"
#include "timing/walkers.h"

/* The VM of this number: each vm_b.every-th one is of the second kind. */
struct vm_setup machine_vm_setup(const struct config *config, uint32_t index);

struct mmu_shape machine_mmu_shape(const struct config *config, uint32_t vcpus);

/* What timing.backend systemc wants to know. */
struct timing_config machine_timing(const struct config *config, uint32_t vcpus);

/* What core.window_instructions wants. */
struct walkers_config machine_walkers(const struct config *config, uint32_t vcpus);

/* One stream for each VM. */
struct smmu_shape machine_smmu_shape(const struct config *config, uint32_t vms);

/* VMID bits that KVM uses. */
unsigned machine_vmid_bits(const struct config *config, const struct arch_cpu *cpu);

#endif

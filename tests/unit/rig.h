/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine made from parameters by their keys, and accesses to it, for tests of the engine. */
#ifndef TWOSTAGE_TESTS_RIG_H
#define TWOSTAGE_TESTS_RIG_H

#include "run/machine.h"
#include "unit.h"

/* The defaults with "KEY=VALUE KEY=VALUE..." applied; fails the test if one is refused. */
struct config rig_config(const char *settings);

/* rig_config() with `more` on top. */
struct config rig_config2(const char *settings, const char *more);

struct rig {
	struct machine machine;
	struct diag diag;
	uint64_t reads; /* descriptor reads of all walks since last set to 0 */
};

/* NULL if the machine is refused; *diag, if given, then says why. */
struct rig *rig_try(const struct config *config, uint32_t vcpus, uint32_t vms, struct diag *diag);
struct rig *rig_make(const char *settings, uint32_t vcpus, uint32_t vms);
void rig_destroy(struct rig *rig);

struct rig_access {
	uint32_t vcpu, vm;
	uint16_t asid;
	uint64_t va;
	enum access_kind kind;
};

/* The L1 entry that serves it; NULL if the access could not be translated. */
const struct tlb_leaf *rig_access(struct rig *rig, struct rig_access access);

/* PA of a load by vCPU 0 in ASID 1 of VM 0; fails the test if there is none. */
uint64_t rig_load(struct rig *rig, uint64_t va);

/* Drop all TLB and walk-cache entries. */
void rig_flush(struct rig *rig);

/* Derived counts into the MMU's own. Once, at the end. */
void rig_finish(struct rig *rig);

/* Statistics so far, the VMs' included. */
struct stats rig_stats(struct rig *rig);

#endif

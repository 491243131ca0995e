/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine made from parameters by their keys, and accesses to it, for tests of the engine. */
#ifndef TWOSTAGE_TESTS_WORLD_H
#define TWOSTAGE_TESTS_WORLD_H

#include "run/machine.h"
#include "unit.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* The defaults with "KEY=VALUE KEY=VALUE..." applied; fails the test if one is refused. */
struct config world_config(const char *settings);

/* world_config() with `more` on top. */
struct config world_config2(const char *settings, const char *more);

struct world {
	struct machine machine;
	struct diag diag;
	uint64_t reads; /* descriptor reads of all walks since last set to 0 */
};

/* NULL if the machine is refused; *diag, if given, then says why. */
struct world *world_try(const struct config *config, uint32_t vcpus, uint32_t vms,
			struct diag *diag);
struct world *world_make(const char *settings, uint32_t vcpus, uint32_t vms);
void world_destroy(struct world *world);

struct world_access {
	uint32_t vcpu, vm;
	uint16_t asid;
	uint64_t va;
	enum access_kind kind;
};

/* The L1 entry that serves it; NULL if the access could not be translated. */
const struct tlb_leaf *world_access(struct world *world, struct world_access access);

/* PA of a load by vCPU 0 in ASID 1 of VM 0; fails the test if there is none. */
uint64_t world_load(struct world *world, uint64_t va);

/* Drop all TLB and walk-cache entries. */
void world_flush(struct world *world);

/* Statistics so far, the VMs' included. */
struct stats world_stats(const struct world *world);

#endif

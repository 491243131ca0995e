/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM before it had page tables of its own kind: until v4.6 it worked on stage-2 tables with the
 * host's page table macros, which count on as many levels as the host has. Where hardware has
 * fewer, levels above the entry level existed for software only (the "fake PGD" of commit
 * 38f791a4e499, v3.18); arch/arm64/include/asm/stage2_pgtable.h did away with them in v4.7.
 */
#ifndef TWOSTAGE_OS_KVM_ERA_H
#define TWOSTAGE_OS_KVM_ERA_H

#include <stdint.h>

#include "arch/types.h"

enum kvm_era {
	KVM_ERA_NOW,
	KVM_ERA_2014, /* v3.18 to v4.6 */
};

/* How KVM reaches the entries of stage-2 tables. */
enum kvm_table_walker {
	KVM_WALKER_STAGE2,   /* over the levels that the hardware has */
	KVM_WALKER_FAKE_PGD, /* over the host's levels */
};

/* What decides whether KVM of a time could run a VM. */
struct kvm_era_vm {
	enum kvm_era era;
	enum kvm_table_walker walker;
	enum granule page; /* of the host and stage 2 */
	unsigned ipa_bits, pa_bits;
	int start_level;      /* of stage 2 */
	unsigned host_levels; /* 0: not known */
};

/* Why KVM of that time could not, one line without a full stop; NULL: it could. */
const char *kvm_era_refusal(const struct kvm_era_vm *vm);

/* Levels for software only, above those of stage 2. host_levels 0: none. */
unsigned kvm_fake_levels(enum kvm_table_walker walker, unsigned host_levels, unsigned s2_levels);

/* Bytes of their entries: one for each root table, and one in each level above (kmalloc()). */
uint64_t kvm_fake_bytes(unsigned fake_levels, unsigned root_tables);

#endif

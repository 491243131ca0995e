/* SPDX-License-Identifier: BSD-2-Clause */
/* What the stage-2 tables of an address range look like: leaves by size and attributes, tables. */
#ifndef TWOSTAGE_OS_KVM_SNAPSHOT_H
#define TWOSTAGE_OS_KVM_SNAPSHOT_H

#include "os/kvm_pgtable.h"

struct kvm_leaf_kind {
	int level;
	unsigned s2ap, xn, af, memattr, sh; /* sh: 0 where DS = 1 */
	uint64_t count;
};

/* One for each combination of fields; more than a VM ever has. */
enum { KVM_SNAPSHOT_KINDS = 64 };

struct kvm_snapshot {
	uint64_t tables[KVM_LEVELS]; /* by level, those of the root not among them */
	uint64_t leaves[KVM_LEVELS];
	/* Largest leaves first, then by falling values of the fields in their order above. */
	struct kvm_leaf_kind kind[KVM_SNAPSHOT_KINDS];
	unsigned kinds;
	bool overflow; /* more combinations than there is room for */
};

/* Looks at the tables that cover [ipa, ipa + bytes) and at the leaves in it. */
void kvm_snapshot_take(struct kvm_snapshot *snapshot, struct kvm_pgtable *pgt, uint64_t ipa,
		       uint64_t bytes);

#endif

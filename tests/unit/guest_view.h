/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest has mapped, read from its tables word by word: a naive walk over every entry. */
#ifndef TWOSTAGE_TESTS_GUEST_VIEW_H
#define TWOSTAGE_TESTS_GUEST_VIEW_H

#include "os/vm_private.h"
#include "rig.h"

struct view_leaf {
	uint64_t va; /* bits 63:va_bits as the half has them */
	uint64_t ipa;
	uint64_t desc;
	unsigned bits; /* log2 of its size */
	uint16_t asid; /* 0: upper half */
};

struct view {
	struct view_leaf *leaf;
	size_t leaves;
	uint64_t *table; /* IPAs of the tables */
	size_t tables;
	size_t leaf_room, table_room;
};

/* All address spaces of a VM; leaves of one by ascending VA. Free it with view_free(). */
struct view view_take(const struct vm *vm);
void view_free(struct view *view);

/* The leaf of an address space that maps va; NULL: none. */
const struct view_leaf *view_find(const struct view *view, uint16_t asid, uint64_t va);

/*
 * Fails the test unless: all leaves and tables lie in guest memory; no byte of it is in two leaves,
 * in a leaf and a table, or in two tables (leaves of the linear map, and leaves that are read-only
 * for copy on write in both address spaces, may share); each leaf with the Contiguous bit has all
 * its neighbours, with the same attributes and consecutive IPAs from an aligned one.
 */
void view_check(const struct vm *vm, const struct view *view);

/* ---- the guest of VM 0 of a rig, by vCPU 0; each fails the test when it cannot -------------- */

void guest_touch(struct rig *rig, uint16_t asid, uint64_t va, enum access_kind kind);

/* The leaf that maps va. */
struct view_leaf guest_leaf_at(struct rig *rig, uint16_t asid, uint64_t va);

/* view_check() of what there is now. */
void guest_checked(struct rig *rig);

/* An unmap event, with every TLB entry dropped. */
void guest_unmap(struct rig *rig, uint16_t asid, uint64_t va, uint64_t bytes);

#endif

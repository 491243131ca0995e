/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of KVM's memory management. */
#ifndef TWOSTAGE_OS_KVM_MMU_PRIVATE_H
#define TWOSTAGE_OS_KVM_MMU_PRIVATE_H

#include "os/kvm_mmu.h"

/* __stage2_range_addr_end(): the next multiple of step (a power of two) behind `at`, or end. */
uint64_t kvm_range_next(uint64_t at, uint64_t end, uint64_t step);

/* memslot_is_logging() */
static inline bool kvm_slot_is_logging(const struct kvm_slot *slot)
{
	return slot->dirty && !slot->pinned && !(slot->setup.flags & KVM_SLOT_READ_ONLY);
}

/* mark_page_dirty_in_slot() */
void kvm_slot_mark_dirty(struct kvm_slot *slot, uint64_t ipa);

#endif

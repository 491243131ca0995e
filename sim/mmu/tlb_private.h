/* SPDX-License-Identifier: BSD-2-Clause */
/* Between tlb.c and tlb_invalidate.c. */
#ifndef TWOSTAGE_MMU_TLB_PRIVATE_H
#define TWOSTAGE_MMU_TLB_PRIVATE_H

#include "mmu/tlb.h"

#define KEY_INVALID UINT64_MAX

/* Of a group's key: no size has this bit, and no address reaches it. */
#define KEY_GROUP (UINT64_C(1) << 58)

/* Of the context: the PE, and its bits for entries of walk caches, by enum tlb_walk_kind. */
enum { PE_SHIFT = 33, KIND_SHIFT = 40 };

/* Bit 0 tells a global entry: no context of an access has it set. */
static inline uint64_t context_tag(struct tlb_context context)
{
	return ((uint64_t)context.pe << 32 | (uint64_t)context.vmid << 16 | context.asid) << 1;
}

/* Of the pages that a group's entry may hold, the one of va. */
static inline uint8_t group_bit(const struct tlb *tlb, va_t va)
{
	return (uint8_t)(1u << (va.v >> tlb->shape.page_bits & low_mask(tlb->shape.group_bits)));
}

/* All bits of the page number, folded by exclusive or to as many as choose a set. */
static inline uint32_t hashed_set(const struct tlb *tlb, uint64_t page)
{
	const unsigned bits = 32u - (unsigned)__builtin_clz(tlb->shape.sets - 1);
	uint64_t folded = 0;

	for (; page; page >>= bits)
		folded ^= page & low_mask(bits);
	return (uint32_t)(folded % tlb->shape.sets);
}

/* The upper half of the address space gives small numbers, too: only low bits index. */
static inline uint32_t set_of(const struct tlb *tlb, va_t va, unsigned size_bits)
{
	if (tlb->masked)
		return (uint32_t)(va.v >> size_bits) & tlb->set_mask;
	if (tlb->shape.hashed)
		return hashed_set(tlb, va.v >> size_bits);
	return (uint32_t)((va.v >> size_bits) % tlb->shape.sets);
}

/* These pages of a group leave its entry, which goes with its last one, as one of a single page. */
void tlb_drop_pages(struct tlb *tlb, uint32_t slot, uint8_t pages);

#endif

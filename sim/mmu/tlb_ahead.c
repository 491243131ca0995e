/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries that a prefetch brought in, until they are hit. */
#include "mmu/tlb_private.h"

static uint8_t page_bit(const struct tlb *tlb, uint32_t slot, va_t va)
{
	return tlb->held && tlb->tag[slot].key & KEY_GROUP ? group_bit(tlb, va) : 1;
}

uint32_t tlb_fill_ahead(struct tlb *tlb, struct tlb_context context, va_t va,
			const struct tlb_leaf *leaf)
{
	const uint32_t slot = tlb_fill(tlb, context, va, leaf);

	if (slot != TLB_NONE)
		tlb->leaf[slot].ahead |= page_bit(tlb, slot, va);
	return slot;
}

bool tlb_take_ahead(struct tlb *tlb, uint32_t slot, va_t va)
{
	const uint8_t bit = page_bit(tlb, slot, va);
	const bool first = tlb->leaf[slot].ahead & bit;

	tlb->leaf[slot].ahead &= (uint8_t)~bit;
	return first;
}

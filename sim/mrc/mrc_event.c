/* SPDX-License-Identifier: BSD-2-Clause */
/* Invalidations: they find in the stacks what they find in the TLBs of a replay (replay_event.c).
 */
#include <inttypes.h>

#include "mmu/regime.h"
#include "mmu/tlbi.h"
#include "mrc/mrc_private.h"

/* Does it remove entries of the context, at addresses that it names? As slot_matches() in tlb.c. */
static bool context_matches(const struct tlb_match *match, struct mrc_context context)
{
	if (match->scope == TLB_SCOPE_ALL)
		return true;
	if (context.vm != match->context.vmid)
		return false;
	switch (match->scope) {
	case TLB_SCOPE_ASID:
		return !context.global && context.asid == match->context.asid;
	case TLB_SCOPE_VA:
		return context.global || context.asid == match->context.asid;
	default:
		return true;
	}
}

static bool by_va(const struct tlb_match *match)
{
	return match->scope == TLB_SCOPE_VA || match->scope == TLB_SCOPE_VAA;
}

/* A few pages: look each up, in all contexts that match. */
static void drop_named(struct lru_stack *stack, const struct mrc_contexts *contexts,
		       const struct tlb_match *match, unsigned page_bits)
{
	const uint64_t first = match->first >> page_bits, last = match->last >> page_bits;

	for (uint32_t i = 0; i < contexts->count; i++) {
		if (!context_matches(match, contexts->context[i]))
			continue;
		for (uint64_t number = first; number <= last; number++) {
			const uint64_t key = (uint64_t)i << MRC_NUMBER_BITS |
					     (number & low_mask(56 - page_bits));
			const uint32_t page = lru_stack_find(stack, key);

			if (page != LRU_STACK_NONE)
				lru_stack_drop(stack, page);
		}
	}
}

static void drop_all(struct lru_stack *stack, const struct mrc_contexts *contexts,
		     const struct tlb_match *match, unsigned page_bits)
{
	for (uint32_t page = 0; page < stack->pages && stack->live; page++) {
		const uint64_t key = stack->key[page];
		const uint64_t first =
			va_sign_extend((key & low_mask(MRC_NUMBER_BITS)) << page_bits);
		const bool overlaps =
			first <= match->last && match->first <= (first | low_mask(page_bits));

		if (context_matches(match, contexts->context[key >> MRC_NUMBER_BITS]) &&
		    (overlaps || !by_va(match)))
			lru_stack_drop(stack, page);
	}
}

/* On one vCPU or all, both streams. */
static void drop(struct mrc_pass *pass, size_t size, const struct tlb_match *match, uint32_t vcpu)
{
	const unsigned page_bits = pass->setup->page_bits[size];
	const uint64_t span = (match->last >> page_bits) - (match->first >> page_bits);

	for (size_t i = 0; i < (size_t)pass->vcpus * 2; i++) {
		struct lru_stack *stack = &pass->stack[size * pass->vcpus * 2 + i];

		if (!stack->live || (vcpu != MMU_ALL_VCPUS && i / 2 != vcpu))
			continue;
		if (by_va(match) && span < stack->pages / pass->contexts.count)
			drop_named(stack, &pass->contexts, match, page_bits);
		else
			drop_all(stack, &pass->contexts, match, page_bits);
	}
}

static enum exit_status invalidate(struct mrc_pass *pass, size_t size,
				   const struct trace_event *event)
{
	const struct regime_stage stage = { .granule_bits = (uint8_t)pass->setup->granule };
	const struct regime regime = { .s1 = { stage, stage },
				       .s2 = stage,
				       .force_broadcast = true };
	const struct tlbi tlbi = {
		.encoding = (uint32_t)event->args[0],
		.xt = event->args[1],
		.vmid = event->vm,
		.regime = &regime,
	};
	enum tlbi_target target = TLBI_UNKNOWN;
	enum walk_cache_scope scope;
	struct tlb_match match;

	if (event->args[0] <= UINT32_MAX)
		target = mmu_tlbi_decode(&tlbi, &match, &scope);
	if (target == TLBI_UNKNOWN)
		return diag_set(pass->diag, STATUS_BAD_INPUT,
				"a TLBI event has encoding 0x%" PRIx64
				", which no TLBI instruction has",
				event->args[0]);
	if (target == TLBI_ENTRIES)
		drop(pass, size, &match, mmu_tlbi_is_local(&tlbi) ? event->vcpu : MMU_ALL_VCPUS);
	return STATUS_OK;
}

static void drop_asid(struct mrc_pass *pass, size_t size, uint16_t vm, uint16_t asid)
{
	const struct tlb_match match = {
		.scope = TLB_SCOPE_ASID,
		.context = { .vmid = vm, .asid = asid },
	};

	drop(pass, size, &match, MMU_ALL_VCPUS);
}

enum exit_status mrc_event(struct mrc_pass *pass, size_t size, const struct trace_event *event)
{
	const struct tlb_match unmapped = {
		.scope = TLB_SCOPE_VA,
		.context = { .vmid = event->vm, .asid = event->asid },
		.first = va_sign_extend(event->args[0]),
		.last = va_sign_extend(event->args[0] + event->args[1] - 1),
	};

	if (event->vm >= pass->vms)
		return STATUS_OK;
	switch (event->type) {
	case EVENT_TLBI:
		return invalidate(pass, size, event);
	case EVENT_UNMAP:
		if (event->args[1])
			drop(pass, size, &unmapped, MMU_ALL_VCPUS);
		return STATUS_OK;
	case EVENT_FORK: /* flush_tlb_mm() of the parent; the child's ASID begins anew */
		drop_asid(pass, size, event->vm, (uint16_t)event->args[0]);
		drop_asid(pass, size, event->vm, event->asid);
		return STATUS_OK;
	default:
		return STATUS_OK;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to the walker: the short way of walks that are as most are. Both stages map 4 KiB pages,
 * the table of the last level of stage 1 or the one above it is known to a walk cache, and the
 * leaves are, but for their addresses, those of a walk before, so that they come to the same
 * permissions and attributes. Every descriptor is read, and every read goes into the log.
 */
#ifndef TWOSTAGE_MMU_WALK_USUAL_H
#define TWOSTAGE_MMU_WALK_USUAL_H

#include "mmu/walk_leaf.h"

/* Do registers, access and hooks permit it? `va` without its tag. */
static inline bool walk_is_usual(const struct regime *regime, const struct walk_hooks *hooks,
				 const struct access *access, uint64_t va)
{
	enum { UPPER = 1 << 2 | 1 << 3 | 1 << 4, LAST = 1 << 4 };
	const unsigned half = regime_half(access->va);
	const struct walk_unwanted *s2 = &hooks->unwanted[1];

	if (!hooks->probe || !hooks->idle_stage2 || !regime->plain[half] || hooks->log->reads)
		return false;
	/* Nothing of stage 2 is learnt. */
	if (hooks->learn && ((s2->tables & UPPER) != UPPER || !(s2->leaves & LAST)))
		return false;
	return !access->at && !access->speculative && !access->stage1_only &&
	       !walk_unaligned(access) && (half ? ~va : va) >> regime->s1[half].ia_bits == 0;
}

/*
 * The walk of an access that walk_is_usual(), from `known` on. False: it is not as others before,
 * nothing has happened, and if all leaves were found *tried says what they are, to be learnt when
 * the long way has found the result. Else *out is that, maybe a translation fault at level 3.
 */
bool walk_usual(const struct regime *regime, struct phys_mem *mem, const struct access *access,
		const struct walk_hooks *hooks, uint64_t va, const struct walk_point *known,
		struct translation *out, struct walk_tried *tried);
void walk_usual_learn(const struct walk *w, const struct walk_tried *tried);

#endif

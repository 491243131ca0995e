/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/pwc.h"

#include <stdlib.h>
#include <string.h>

#include "arch/desc.h"

bool pwc_init(struct pwc *pwc, const struct pwc_shape *shape)
{
	memset(pwc, 0, sizeof(*pwc));
	if (!shape->entries)
		return true;
	pwc->ways = shape->ways ? shape->ways : shape->entries;
	pwc->sets = shape->entries / pwc->ways;
	pwc->hit_cycles = shape->hit_cycles;
	memcpy(pwc->levels, shape->levels, sizeof(pwc->levels));
	pwc->slots = calloc((size_t)pwc->sets * pwc->ways, sizeof(*pwc->slots));
	return pwc->slots;
}

void pwc_fini(struct pwc *pwc)
{
	free(pwc->slots);
	memset(pwc, 0, sizeof(*pwc));
}

/* A descriptor of level 3 is a page; elsewhere bit 1 tells tables from blocks. */
static bool is_leaf(const struct walk_read *read)
{
	return read->level == 3 || !(read->desc & 2);
}

static bool may_be_cached(const struct walk_read *read)
{
	return (read->desc & 1) && (!is_leaf(read) || (read->desc & DESC_AF));
}

bool pwc_read(struct pwc *pwc, uint16_t vmid, const struct walk_read *read)
{
	const uint64_t address = (read->pa.v >> 3) + 1;
	struct pwc_slot *slot = pwc->slots + (read->pa.v >> 3) % pwc->sets * pwc->ways;
	struct pwc_slot *oldest = slot;

	if (!may_be_cached(read))
		return false;
	for (const struct pwc_slot *end = slot + pwc->ways; slot < end; slot++) {
		if (slot->address == address) {
			slot->stamp = ++pwc->clock;
			slot->leaf = is_leaf(read);
			return true;
		}
		oldest = slot->stamp < oldest->stamp ? slot : oldest;
	}
	*oldest = (struct pwc_slot){ .address = address,
				     .stamp = ++pwc->clock,
				     .vmid = vmid,
				     .stage = read->stage,
				     .leaf = is_leaf(read) };
	return false;
}

static bool matches(const struct pwc_slot *slot, const struct pwc_match *match)
{
	return slot->address && (match->any_vmid || slot->vmid == match->vmid) &&
	       (slot->stage == 1 ? match->stage1 : match->stage2) &&
	       (slot->leaf || !match->leaves_only);
}

void pwc_invalidate(struct pwc *pwc, const struct pwc_match *match)
{
	for (uint32_t i = 0; i < pwc->sets * pwc->ways; i++)
		if (matches(&pwc->slots[i], match))
			pwc->slots[i] = (struct pwc_slot){ 0 };
}

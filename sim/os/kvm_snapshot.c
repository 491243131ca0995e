/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/kvm_snapshot.h"

#include <stdlib.h>

static struct kvm_leaf_kind kind_of(const struct kvm_pgtable *pgt, uint64_t desc, int level)
{
	const bool has_sh = !pgt->setup.lpa2 || pgt->setup.granule == GRANULE_64K;

	return (struct kvm_leaf_kind){
		.level = level,
		.s2ap = (unsigned)bits(desc, 7, 6),
		.xn = (unsigned)bits(desc, S2_XN_SHIFT + 1, S2_XN_SHIFT),
		.af = (unsigned)bits(desc, 10, 10),
		.memattr = (unsigned)bits(desc, S2_ATTR_SHIFT + 3, S2_ATTR_SHIFT),
		.sh = has_sh ? (unsigned)bits(desc, DESC_SH_SHIFT + 1, DESC_SH_SHIFT) : 0,
	};
}

static int compare(const struct kvm_leaf_kind *a, const struct kvm_leaf_kind *b)
{
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	if (a->s2ap != b->s2ap)
		return a->s2ap > b->s2ap ? -1 : 1;
	if (a->xn != b->xn)
		return a->xn > b->xn ? -1 : 1;
	if (a->af != b->af)
		return a->af > b->af ? -1 : 1;
	if (a->memattr != b->memattr)
		return a->memattr > b->memattr ? -1 : 1;
	return a->sh == b->sh ? 0 : a->sh > b->sh ? -1 : 1;
}

static int by_order(const void *a, const void *b)
{
	return compare(a, b);
}

static enum kvm_result visit(const struct kvm_visit *visit, enum kvm_walk_flags flag)
{
	struct kvm_snapshot *snapshot = visit->arg;
	struct kvm_leaf_kind kind;

	if (flag == KVM_WALK_TABLE_PRE) {
		snapshot->tables[visit->level + 1]++;
		return KVM_OK;
	}
	if (!(visit->old & DESC_VALID))
		return KVM_OK;
	snapshot->leaves[visit->level]++;
	kind = kind_of(visit->pgt, visit->old, visit->level);
	for (unsigned i = 0; i < snapshot->kinds; i++) {
		if (compare(&snapshot->kind[i], &kind) == 0) {
			snapshot->kind[i].count++;
			return KVM_OK;
		}
	}
	if (snapshot->kinds == KVM_SNAPSHOT_KINDS) {
		snapshot->overflow = true;
		return KVM_OK;
	}
	kind.count = 1;
	snapshot->kind[snapshot->kinds++] = kind;
	return KVM_OK;
}

void kvm_snapshot_take(struct kvm_snapshot *snapshot, struct kvm_pgtable *pgt, uint64_t ipa,
		       uint64_t bytes)
{
	const struct kvm_walker walker = { .visit = visit,
					   .arg = snapshot,
					   .flags = KVM_WALK_LEAF | KVM_WALK_TABLE_PRE };

	const uint64_t steps = pgt->software_steps, fake_steps = pgt->fake_steps;

	*snapshot = (struct kvm_snapshot){ 0 };
	kvm_pgtable_walk(pgt, ipa, bytes, &walker);
	pgt->software_steps = steps;
	pgt->fake_steps = fake_steps;
	qsort(snapshot->kind, snapshot->kinds, sizeof(snapshot->kind[0]), by_order);
}

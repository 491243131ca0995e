/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's page tables: changes of attributes in place. */
#include "os/kvm_pgtable_private.h"

struct attr_data {
	uint64_t set, clear;
	int level; /* of the last leaf */
};

/* stage2_attr_walker(). Before v6.2 an invalid entry was no error. */
static enum kvm_result attr_visit(const struct kvm_visit *visit, enum kvm_walk_flags kind)
{
	struct attr_data *data = visit->arg;
	const uint64_t desc = (visit->old & ~data->clear) | data->set;

	(void)kind;
	if (!(visit->old & DESC_VALID))
		return visit->pgt->setup.kernel < KVM_KERNEL(6, 2) ? KVM_OK : KVM_AGAIN;
	data->level = visit->level;
	if (desc == visit->old)
		return KVM_OK;
	kvm_write_pte(visit->pgt, visit->entry, desc);
	visit->pgt->counts.pte_updates++;
	return KVM_OK;
}

/* stage2_update_leaf_attrs() */
static enum kvm_result update_leaves(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes,
				     struct attr_data *data, unsigned flags)
{
	const struct kvm_walker walker = { .visit = attr_visit,
					   .arg = data,
					   .flags = flags | KVM_WALK_LEAF };

	return kvm_pgtable_walk(pgt, ipa, bytes, &walker);
}

void kvm_pgtable_wrprotect(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes)
{
	struct attr_data data = { .clear = S2_AP_W, .level = KVM_TTL_UNKNOWN };

	update_leaves(pgt, ipa, bytes, &data, 0);
}

void kvm_pgtable_mkyoung(struct kvm_pgtable *pgt, uint64_t ipa)
{
	struct attr_data data = { .set = DESC_AF, .level = KVM_TTL_UNKNOWN };

	update_leaves(pgt, ipa, 1, &data, KVM_WALK_HANDLE_FAULT);
}

enum kvm_result kvm_pgtable_relax_perms(struct kvm_pgtable *pgt, uint64_t ipa, unsigned prot)
{
	struct attr_data data = { .level = KVM_TTL_UNKNOWN };
	enum kvm_tlbi_kind kind =
		pgt->setup.kernel < KVM_KERNEL(6, 5) ? KVM_TLBI_IPA : KVM_TLBI_IPA_LOCAL;
	enum kvm_result result;

	if (prot & KVM_PROT_R)
		data.set |= S2_AP_R;
	if (prot & KVM_PROT_W)
		data.set |= S2_AP_W;
	if (prot & KVM_PROT_X)
		data.clear |= KVM_S2_XN;
	result = update_leaves(pgt, ipa, 1, &data, KVM_WALK_HANDLE_FAULT);
	if (result == KVM_OK || result == KVM_AGAIN)
		kvm_tlbi_send(pgt, kind, data.level, ipa, 0);
	return result;
}

/* stage2_age_walker() */
static enum kvm_result age_visit(const struct kvm_visit *visit, enum kvm_walk_flags kind)
{
	bool *young = visit->arg;

	(void)kind;
	if (!(visit->old & DESC_VALID) || !(visit->old & DESC_AF))
		return KVM_OK;
	*young = true;
	kvm_write_pte(visit->pgt, visit->entry, visit->old & ~DESC_AF);
	visit->pgt->counts.pte_updates++;
	return KVM_OK;
}

bool kvm_pgtable_clear_young(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes)
{
	bool young = false;
	const struct kvm_walker walker = { .visit = age_visit,
					   .arg = &young,
					   .flags = KVM_WALK_LEAF };

	kvm_pgtable_walk(pgt, ipa, bytes, &walker);
	return young;
}

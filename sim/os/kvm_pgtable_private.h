/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of KVM's page tables. */
#ifndef TWOSTAGE_OS_KVM_PGTABLE_PRIVATE_H
#define TWOSTAGE_OS_KVM_PGTABLE_PRIVATE_H

#include "os/kvm_pgtable.h"

#define KVM_S2_PERMS (S2_AP_R | S2_AP_W | UINT64_C(1) << (S2_XN_SHIFT + 1))
#define KVM_S2_XN    (UINT64_C(1) << (S2_XN_SHIFT + 1)) /* XN[1]: for all exception levels */

static inline uint64_t kvm_leaf_bytes(const struct kvm_pgtable *pgt, int level)
{
	return UINT64_C(1) << level_shift(pgt->setup.granule, level);
}

static inline bool kvm_pte_table(const struct kvm_pgtable *pgt, uint64_t desc, int level)
{
	return desc_kind(&pgt->format, desc, level) == DESC_KIND_TABLE;
}

static inline pa_t kvm_pte_follow(const struct kvm_pgtable *pgt, uint64_t desc)
{
	return pa_of(desc_address(&pgt->format, desc));
}

/* The pages of a table exist from its allocation on, so that this cannot fail. */
static inline void kvm_write_pte(struct kvm_pgtable *pgt, pa_t entry, uint64_t desc)
{
	(void)phys_write64(pgt->mem, entry, desc);
}

/* The entry that decides about an IPA, none of whose bits lie above the tree's: where it is. */
uint64_t kvm_find_leaf(const struct kvm_pgtable *pgt, uint64_t ipa, int *level, pa_t *entry);

/* A table page out of the cache, counted. False: cache or memory exhausted. */
bool kvm_table_take(struct kvm_pgtable *pgt, struct kvm_table_cache *cache, pa_t *out);

/* Give one table page back. */
void kvm_table_put(struct kvm_pgtable *pgt, pa_t table);

/* No entry is in use (the kernel asks whether the page's reference count is 1). */
bool kvm_table_empty(const struct kvm_pgtable *pgt, pa_t table);

void kvm_tlbi_send(struct kvm_pgtable *pgt, enum kvm_tlbi_kind kind, int level, uint64_t ipa,
		   uint64_t bytes);

/* Walk the entries of a table that is part of no tree; addresses begin at 0. */
enum kvm_result kvm_walk_unlinked(struct kvm_pgtable *pgt, pa_t table, int table_level,
				  const struct kvm_walker *walker);

/* kvm_pgtable_stage2_free_unlinked: a table that an entry of `level` pointed to, and all below. */
void kvm_free_unlinked(struct kvm_pgtable *pgt, pa_t table, int level);

/* stage2_try_break_pte: make the entry invalid, with the TLB maintenance its old value needs. */
void kvm_break_pte(const struct kvm_visit *visit);

/*
 * kvm_pgtable_stage2_create_unlinked: a tree for an entry of `level` that maps the block at pa.
 * KVM_NO_MEMORY: nothing is kept.
 */
enum kvm_result kvm_create_unlinked(struct kvm_pgtable *pgt, pa_t pa, int level, unsigned prot,
				    struct kvm_table_cache *cache, bool force_pte, pa_t *out);

#endif

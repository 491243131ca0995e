/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's page tables: mapping, unmapping and splitting. */
#include "os/kvm_pgtable_private.h"

#include "mem/near.h"

struct map_data {
	uint64_t pa; /* of the walk's first address */
	uint64_t attributes;
	struct kvm_table_cache *cache;
	bool force_pte;
};

/* stage2_set_prot_attr(): Normal write-back or Device nGnRE, inner shareable, AF always. */
static uint64_t leaf_attributes(const struct kvm_pgtable *pgt, unsigned prot)
{
	const uint64_t normal = pgt->setup.fwb ? 6 : 0xf, device = 1;
	uint64_t attributes = DESC_AF;

	attributes |= (prot & KVM_PROT_DEVICE ? device : normal) << S2_ATTR_SHIFT;
	/* With DS = 1 the bits of SH are address bits. */
	if (!pgt->setup.lpa2 || pgt->setup.granule == GRANULE_64K)
		attributes |= (uint64_t)SH_INNER << DESC_SH_SHIFT;
	if (!(prot & KVM_PROT_X))
		attributes |= KVM_S2_XN;
	if (prot & KVM_PROT_R)
		attributes |= S2_AP_R;
	if (prot & KVM_PROT_W)
		attributes |= S2_AP_W;
	return attributes;
}

/* kvm_pgtable_stage2_pte_prot() */
static unsigned leaf_prot(uint64_t desc)
{
	unsigned prot = 0;

	if (desc & S2_AP_R)
		prot |= KVM_PROT_R;
	if (desc & S2_AP_W)
		prot |= KVM_PROT_W;
	if (!(desc & KVM_S2_XN))
		prot |= KVM_PROT_X;
	return prot;
}

void kvm_break_pte(const struct kvm_visit *visit)
{
	struct kvm_pgtable *pgt = visit->pgt;
	const uint64_t bytes = kvm_leaf_bytes(pgt, visit->level);

	kvm_write_pte(pgt, visit->entry, 0);
	if (!(visit->old & DESC_VALID) || (visit->flags & KVM_WALK_SKIP_BBM_TLBI))
		return;
	/* Up to v6.5 a table took the whole VMID with it. */
	if (kvm_pte_table(pgt, visit->old, visit->level))
		kvm_pgtable_flush_range(pgt, visit->addr & ~(bytes - 1), bytes);
	else
		kvm_tlbi_send(pgt, KVM_TLBI_IPA, visit->level, visit->addr, 0);
}

/* stage2_leaf_mapping_allowed() with kvm_block_mapping_supported() */
static bool leaf_allowed(const struct kvm_visit *visit, const struct map_data *data, uint64_t pa)
{
	const uint64_t bytes = kvm_leaf_bytes(visit->pgt, visit->level);

	if (data->force_pte && visit->level < KVM_LAST_LEVEL)
		return false;
	if (visit->level < kvm_min_block_level(visit->pgt->setup.granule))
		return false;
	return bytes <= visit->end - visit->addr && ((pa | visit->addr) & (bytes - 1)) == 0;
}

/* stage2_map_walker_try_leaf() */
static enum kvm_result try_leaf(const struct kvm_visit *visit, const struct map_data *data)
{
	const uint64_t pa = data->pa + (visit->addr - visit->start);
	uint64_t desc;

	if (!leaf_allowed(visit, data, pa))
		return KVM_TOO_BIG;
	desc = desc_leaf(&visit->pgt->format, visit->level, pa, data->attributes);
	/* stage2_pte_needs_update(): other permissions are for relax_perms to give. */
	if ((visit->old & DESC_VALID) && ((visit->old ^ desc) & ~KVM_S2_PERMS) == 0)
		return KVM_AGAIN;
	kvm_break_pte(visit);
	kvm_write_pte(visit->pgt, visit->entry, desc);
	if (visit->flags & KVM_WALK_SKIP_BBM_TLBI)
		visit->pgt->counts.pte_updates++; /* of a tree that replaces a block */
	else
		visit->pgt->counts.mapped[visit->level]++;
	return KVM_OK;
}

/* stage2_map_walk_table_pre(): a block takes the place of a table. */
static enum kvm_result map_table(const struct kvm_visit *visit, const struct map_data *data)
{
	const enum kvm_result result = try_leaf(visit, data);

	if (result == KVM_TOO_BIG)
		return KVM_OK;
	if (result != KVM_OK)
		return result;
	kvm_free_unlinked(visit->pgt, kvm_pte_follow(visit->pgt, visit->old), visit->level);
	visit->pgt->counts.collapses++;
	return KVM_OK;
}

/* stage2_map_walk_leaf() */
static enum kvm_result map_leaf(const struct kvm_visit *visit, const struct map_data *data)
{
	const enum kvm_result result = try_leaf(visit, data);
	pa_t table;

	if (result != KVM_TOO_BIG)
		return result;
	if (visit->level == KVM_LAST_LEVEL)
		return KVM_BAD_RANGE;
	if (!kvm_table_take(visit->pgt, data->cache, &table))
		return KVM_NO_MEMORY;
	kvm_break_pte(visit);
	kvm_write_pte(visit->pgt, visit->entry, desc_table(&visit->pgt->format, table.v));
	visit->pgt->counts.splits += visit->old & DESC_VALID;
	return KVM_OK;
}

static enum kvm_result map_visit(const struct kvm_visit *visit, enum kvm_walk_flags kind)
{
	return kind == KVM_WALK_TABLE_PRE ? map_table(visit, visit->arg)
					  : map_leaf(visit, visit->arg);
}

/*
 * The walk for one page whose tables are all there, without the visits that change nothing: no
 * table makes room for a page.
 */
static enum kvm_result map_page(struct kvm_pgtable *pgt, const struct map_data *data,
				struct kvm_visit *visit)
{
	enum kvm_result result;

	visit->level = KVM_LAST_LEVEL;
	pgt->fake_steps += pgt->fake_levels;
	pgt->software_steps += pgt->fake_levels + (unsigned)(KVM_LEVELS - pgt->start_level);
	result = map_leaf(visit, data);
	return result == KVM_AGAIN && !(visit->flags & KVM_WALK_HANDLE_FAULT) ? KVM_OK : result;
}

/* The same where the entry is near and nothing is mapped: it has nothing to break. */
static bool map_near(struct kvm_pgtable *pgt, uint64_t page, pa_t pa, unsigned prot)
{
	const enum granule granule = pgt->setup.granule;
	const uint64_t index = near_index(granule, page);
	const struct near_entries *near =
		near_find(pgt->mem, pgt->near_owner, near_place(granule, page));

	if (!near || near->words[index])
		return false;
	phys_put64(pgt->mem, near->words, near_pa(near, index),
		   desc_leaf(&pgt->format, KVM_LAST_LEVEL, pa.v & ~low_mask(granule),
			     leaf_attributes(pgt, prot)));
	pgt->fake_steps += pgt->fake_levels;
	pgt->software_steps += pgt->fake_levels + (unsigned)(KVM_LEVELS - pgt->start_level);
	pgt->counts.mapped[KVM_LAST_LEVEL]++;
	return true;
}

static enum kvm_result map_range(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes, pa_t pa,
				 unsigned prot, struct kvm_table_cache *cache, unsigned flags)
{
	const uint64_t page = ipa & ~low_mask(pgt->setup.granule);
	struct map_data data = { .pa = pa.v & ~low_mask(pgt->setup.granule),
				 .attributes = leaf_attributes(pgt, prot),
				 .cache = cache };
	const struct kvm_walker walker = { .visit = map_visit,
					   .arg = &data,
					   .flags = flags | KVM_WALK_TABLE_PRE | KVM_WALK_LEAF };
	struct kvm_visit visit = { .pgt = pgt, .flags = walker.flags, .start = page, .addr = page };
	int level;

	visit.end = page + low_mask(pgt->setup.granule) + 1;
	if (ipa + bytes <= visit.end && visit.end <= UINT64_C(1) << pgt->setup.ia_bits) {
		visit.old = kvm_find_leaf(pgt, page, &level, &visit.entry);
		if (level == KVM_LAST_LEVEL)
			return map_page(pgt, &data, &visit);
	}
	return kvm_pgtable_walk(pgt, ipa, bytes, &walker);
}

enum kvm_result kvm_pgtable_map(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes, pa_t pa,
				unsigned prot, struct kvm_table_cache *cache, unsigned flags)
{
	const uint64_t page_mask = low_mask(pgt->setup.granule);

	if ((ipa & page_mask) + bytes <= page_mask + 1 && !(flags & KVM_WALK_SKIP_BBM_TLBI) &&
	    map_near(pgt, ipa & ~page_mask, pa, prot))
		return KVM_OK;
	return map_range(pgt, ipa, bytes, pa, prot, cache, flags);
}

/* ---- unmap -------------------------------------------------------------------------------- */

/* stage2_unmap_defer_tlb_flush() */
static bool defers_flush(const struct kvm_pgtable *pgt)
{
	return pgt->setup.kernel >= KVM_KERNEL(6, 6) && pgt->setup.tlbi_range && pgt->setup.fwb;
}

/* stage2_unmap_walker() */
static enum kvm_result unmap_visit(const struct kvm_visit *visit, enum kvm_walk_flags kind)
{
	struct kvm_pgtable *pgt = visit->pgt;
	const pa_t table = kvm_pte_follow(pgt, visit->old);

	(void)kind;
	if (!(visit->old & DESC_VALID))
		return KVM_OK;
	if (!kvm_pte_table(pgt, visit->old, visit->level)) {
		kvm_write_pte(pgt, visit->entry, 0);
		pgt->counts.unmapped_leaves++;
		if (!defers_flush(pgt))
			kvm_tlbi_send(pgt, KVM_TLBI_IPA, visit->level, visit->addr, 0);
		return KVM_OK;
	}
	if (!kvm_table_empty(pgt, table))
		return KVM_OK;
	kvm_write_pte(pgt, visit->entry, 0);
	kvm_tlbi_send(pgt, KVM_TLBI_IPA, KVM_TTL_UNKNOWN, visit->addr, 0);
	kvm_table_put(pgt, table);
	return KVM_OK;
}

enum kvm_result kvm_pgtable_unmap(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes)
{
	const struct kvm_walker walker = { .visit = unmap_visit,
					   .flags = KVM_WALK_LEAF | KVM_WALK_TABLE_POST };
	const enum kvm_result result = kvm_pgtable_walk(pgt, ipa, bytes, &walker);

	if (result == KVM_OK && defers_flush(pgt))
		kvm_pgtable_flush_range(pgt, ipa, bytes);
	return result;
}

/* ---- split -------------------------------------------------------------------------------- */

enum kvm_result kvm_create_unlinked(struct kvm_pgtable *pgt, pa_t pa, int level, unsigned prot,
				    struct kvm_table_cache *cache, bool force_pte, pa_t *out)
{
	struct map_data data = { .pa = pa.v,
				 .attributes = leaf_attributes(pgt, prot),
				 .cache = cache,
				 .force_pte = force_pte };
	const struct kvm_walker walker = { .visit = map_visit,
					   .arg = &data,
					   .flags = KVM_WALK_LEAF | KVM_WALK_SKIP_BBM_TLBI };
	enum kvm_result result;

	if (!kvm_table_take(pgt, cache, out))
		return KVM_NO_MEMORY;
	result = kvm_walk_unlinked(pgt, *out, level + 1, &walker);
	if (result != KVM_OK)
		kvm_free_unlinked(pgt, *out, level);
	return result;
}

/* stage2_block_get_nr_page_tables(): to replace a block of this level down to pages. */
static uint64_t block_tables(const struct kvm_pgtable *pgt, int level)
{
	return level == 1 ? low_mask(granule_stride(pgt->setup.granule)) + 2 : 1;
}

/* stage2_split_walker() */
static enum kvm_result split_visit(const struct kvm_visit *visit, enum kvm_walk_flags kind)
{
	struct kvm_pgtable *pgt = visit->pgt;
	struct kvm_table_cache *cache = visit->arg;
	enum kvm_result result;
	bool force_pte;
	pa_t table, pa;

	(void)kind;
	if (visit->level == KVM_LAST_LEVEL || !(visit->old & DESC_VALID))
		return KVM_OK;
	/* With too few pages for the whole tree, one level; the walk then goes down into it. */
	force_pte = cache->pages >= block_tables(pgt, visit->level);
	pa = pa_of(desc_leaf_address(&pgt->format, visit->old,
				     level_shift(pgt->setup.granule, visit->level)));
	result = kvm_create_unlinked(pgt, pa, visit->level, leaf_prot(visit->old), cache, force_pte,
				     &table);
	if (result != KVM_OK)
		return result;
	kvm_break_pte(visit);
	kvm_write_pte(pgt, visit->entry, desc_table(&pgt->format, table.v));
	pgt->counts.splits++;
	return KVM_OK;
}

enum kvm_result kvm_pgtable_split(struct kvm_pgtable *pgt, uint64_t ipa, uint64_t bytes,
				  struct kvm_table_cache *cache)
{
	const struct kvm_walker walker = { .visit = split_visit,
					   .arg = cache,
					   .flags = KVM_WALK_LEAF };

	return kvm_pgtable_walk(pgt, ipa, bytes, &walker);
}

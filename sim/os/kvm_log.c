/* SPDX-License-Identifier: BSD-2-Clause */
/* Dirty logging: virt/kvm/kvm_main.c with arm64's part of it in arch/arm64/kvm/mmu.c. */
#include "os/kvm_mmu_private.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_PAGES = 64 };

static uint64_t slot_pages(const struct kvm_slot *slot)
{
	return slot->setup.bytes >> slot->mmu->host.page;
}

static uint64_t slot_words(const struct kvm_slot *slot)
{
	return (slot_pages(slot) + WORD_PAGES - 1) / WORD_PAGES;
}

/* kvm_dirty_log_manual_protect_and_init_set() */
static bool manual_and_set(const struct kvm_mmu *mmu)
{
	return mmu->setup.manual_protect && mmu->setup.initially_set;
}

void kvm_slot_mark_dirty(struct kvm_slot *slot, uint64_t ipa)
{
	const uint64_t page = (ipa - slot->setup.base) >> slot->mmu->host.page;

	if (slot->dirty)
		slot->dirty[page / WORD_PAGES] |= UINT64_C(1) << page % WORD_PAGES;
}

/* kvm_mmu_split_nr_page_tables(): tables that splitting one chunk may take. */
static uint64_t chunk_tables(const struct kvm_mmu *mmu)
{
	const enum granule page = mmu->host.page;
	const uint64_t chunk = mmu->setup.split_chunk_bytes;
	uint64_t tables = 0;

	if (kvm_min_block_level(page) < 2)
		tables += (chunk + low_mask(level_shift(page, 1))) >> level_shift(page, 1);
	return tables + ((chunk + low_mask(level_shift(page, 2))) >> level_shift(page, 2));
}

/* kvm_mmu_split_huge_pages(), v6.5 on; it is best effort. */
static void split_blocks(struct kvm_mmu *mmu, uint64_t ipa, uint64_t end)
{
	const uint64_t chunk = mmu->setup.split_chunk_bytes;

	if (chunk == 0 || mmu->host.kernel < KVM_KERNEL(6, 5))
		return;
	for (uint64_t next; ipa < end; ipa = next) {
		next = kvm_range_next(ipa, end, chunk);
		if (mmu->split_cache.pages < chunk_tables(mmu))
			mmu->split_cache.pages = chunk_tables(mmu);
		if (kvm_pgtable_split(&mmu->pgt, ipa, next - ipa, &mmu->split_cache) != KVM_OK)
			return;
	}
}

/* kvm_flush_remote_tlbs_memslot() */
static void flush_slot(struct kvm_slot *slot)
{
	kvm_pgtable_flush_range(&slot->mmu->pgt, slot->setup.base, slot->setup.bytes);
}

/* kvm_arch_commit_memory_region() */
enum kvm_errno kvm_mmu_set_logging(struct kvm_slot *slot, bool on)
{
	struct kvm_mmu *mmu = slot->mmu;

	if (on == (slot->dirty != NULL))
		return KVM_E_NONE;
	if (!on) {
		free(slot->dirty);
		slot->dirty = NULL;
		mmu->split_cache.pages = 0;
		return KVM_E_NONE;
	}
	slot->dirty = calloc(slot_words(slot), sizeof(*slot->dirty));
	if (!slot->dirty)
		return KVM_E_NOMEM;
	if (manual_and_set(mmu)) {
		memset(slot->dirty, 0xff, slot_words(slot) * sizeof(*slot->dirty));
		if (slot_pages(slot) % WORD_PAGES)
			slot->dirty[slot_words(slot) - 1] =
				low_mask((unsigned)(slot_pages(slot) % WORD_PAGES));
		return KVM_E_NONE;
	}
	if (slot->pinned)
		return KVM_E_NONE;
	kvm_pgtable_wrprotect(&mmu->pgt, slot->setup.base, slot->setup.bytes);
	flush_slot(slot);
	split_blocks(mmu, slot->setup.base, slot->setup.base + slot->setup.bytes);
	return KVM_E_NONE;
}

/*
 * kvm_arch_mmu_enable_log_dirty_pt_masked(): from the first to the last page of the mask. A block
 * that is touched is protected altogether.
 */
static void protect_word(struct kvm_slot *slot, uint64_t word, uint64_t mask)
{
	struct kvm_mmu *mmu = slot->mmu;
	const uint64_t base = word * WORD_PAGES;
	const uint64_t first = base + (unsigned)__builtin_ctzll(mask);
	const uint64_t last = base + 63 - (unsigned)__builtin_clzll(mask);
	const uint64_t ipa = slot->setup.base + (first << mmu->host.page);
	const uint64_t end = slot->setup.base + ((last + 1) << mmu->host.page);

	if (slot->pinned)
		return;
	kvm_pgtable_wrprotect(&mmu->pgt, ipa, end - ipa);
	if (manual_and_set(mmu))
		split_blocks(mmu, ipa, end);
}

/* kvm_get_dirty_log_protect() */
uint64_t kvm_mmu_get_log(struct kvm_slot *slot)
{
	uint64_t pages = 0;

	for (uint64_t word = 0; slot->dirty && word < slot_words(slot); word++) {
		const uint64_t mask = slot->dirty[word];

		if (mask == 0)
			continue;
		pages += (unsigned)__builtin_popcountll(mask);
		if (slot->mmu->setup.manual_protect)
			continue;
		slot->dirty[word] = 0;
		protect_word(slot, word, mask);
	}
	if (pages > 0 && !slot->mmu->setup.manual_protect)
		flush_slot(slot);
	return pages;
}

/* kvm_clear_dirty_log_protect() */
enum kvm_errno kvm_mmu_clear_log(struct kvm_slot *slot, uint64_t offset, uint64_t bytes)
{
	const uint64_t first = offset >> slot->mmu->host.page;
	const uint64_t count = bytes >> slot->mmu->host.page;
	bool flush = false;

	if (!slot->dirty || first % WORD_PAGES || first > slot_pages(slot) ||
	    count > slot_pages(slot) - first ||
	    (count < slot_pages(slot) - first && count % WORD_PAGES))
		return KVM_E_INVAL;
	for (uint64_t at = first; at < first + count; at += WORD_PAGES) {
		const uint64_t mask = slot->dirty[at / WORD_PAGES];

		if (mask == 0)
			continue;
		slot->dirty[at / WORD_PAGES] = 0;
		protect_word(slot, at / WORD_PAGES, mask);
		flush = true;
	}
	if (flush)
		flush_slot(slot);
	return KVM_E_NONE;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage-2 faults: kvm_handle_guest_abort() and user_mem_abort(). */
#include "os/kvm_mmu_private.h"

/* An access needs at most a few faults (copy on write, then map, then relax). */
enum { MAX_FAULTS = 8 };

struct mem_fault {
	struct kvm_slot *slot;
	uint64_t ipa; /* of the page */
	enum access_kind kind;
	bool permission;
	unsigned leaf_bits; /* log2 of the entry that faulted (fault_granule) */
};

static bool is_device(const struct mem_fault *fault)
{
	return fault->slot->setup.backing == KVM_BACKING_DEVICE;
}

/* Block sizes up to 2^most_bits that fault_supports_stage2_huge_mapping() grants. */
static uint64_t fitting_blocks(const struct mem_fault *fault, unsigned most_bits)
{
	const struct kvm_slot_setup *slot = &fault->slot->setup;
	const uint64_t user = slot->user + (fault->ipa - slot->base);
	const uint64_t user_end = slot->user + slot->bytes;
	uint64_t fitting = 0;

	for (unsigned n = fault->slot->mmu->host.page; n <= most_bits; n++) {
		const uint64_t first = user & ~low_mask(n);

		if (((slot->base ^ slot->user) & low_mask(n)) == 0 && first >= slot->user &&
		    first + low_mask(n) < user_end)
			fitting |= UINT64_C(1) << n;
	}
	return fitting;
}

/* Is another memslot in [first, end)? */
static bool meets_other_slot(const struct kvm_slot *slot, uint64_t first, uint64_t end)
{
	for (unsigned i = 0; i < slot->mmu->slots; i++) {
		const struct kvm_slot *other = slot->mmu->slot[i];

		if (other != slot && other->setup.base < end &&
		    first < other->setup.base + other->setup.bytes)
			return true;
	}
	return false;
}

/*
 * Blocks beyond the memslot that v4.20 to v5.0 mapped and that do no harm. The page that a hugetlb
 * block begins with is looked up by its IPA: one before the memslot failed with -EFAULT. Blocks of
 * addresses that do not agree modulo their size mapped other memory than the guest's. We map pages
 * instead, as KVM has since v5.1.
 */
static uint64_t reaching_blocks(const struct mem_fault *fault, unsigned most_bits)
{
	const struct kvm_slot_setup *slot = &fault->slot->setup;
	uint64_t reaching = 0;

	for (unsigned n = fault->slot->mmu->host.page; n <= most_bits; n++) {
		const uint64_t first = fault->ipa & ~low_mask(n);

		if (n >= fault->slot->mmu->pgt.setup.ia_bits)
			break;
		if ((slot->base ^ slot->user) & low_mask(n))
			continue;
		if (slot->backing == KVM_BACKING_HUGETLB && first < slot->base)
			continue;
		if (!meets_other_slot(fault->slot, first, first + low_mask(n) + 1))
			reaching |= UINT64_C(1) << n;
	}
	return reaching;
}

/* The rule's answer for a host page of 2^backing_bits bytes. */
static unsigned block_bits(const struct mem_fault *fault, unsigned backing_bits)
{
	const struct kvm_mmu *mmu = fault->slot->mmu;
	const struct host_fault what = { .granule = mmu->host.page,
					 .levels = (unsigned)(KVM_LEVELS - mmu->pgt.start_level),
					 .backing_bits = backing_bits,
					 .fitting = fitting_blocks(fault, backing_bits),
					 .reaching = reaching_blocks(fault, backing_bits) };

	return mmu->host.rule->block_bits(&what);
}

/*
 * get_vma_page_shift() of VM_PFNMAP memory: the largest block that VMA and device agree about. The
 * VMA is as large as the memslot. Before v6.2, as observed on v6.1, a page.
 */
static unsigned device_bits(const struct mem_fault *fault)
{
	const struct kvm_mmu *mmu = fault->slot->mmu;
	const struct kvm_slot_setup *slot = &fault->slot->setup;
	const uint64_t fitting = fitting_blocks(fault, level_shift(mmu->host.page, 1));
	const uint64_t skew = slot->user ^ slot->device.v;

	if (!mmu->host.rule->device_blocks || mmu->host.kernel < KVM_KERNEL(6, 2))
		return mmu->host.page;
	for (int level = 1; level < KVM_LAST_LEVEL; level++) {
		const unsigned size_bits = level_shift(mmu->host.page, level);

		if ((fitting >> size_bits & 1) && (skew & low_mask(size_bits)) == 0)
			return block_bits(fault, size_bits);
	}
	return mmu->host.page;
}

/*
 * Size of the mapping. By the VMA's page size, a page while the slot logs; where that gives a page
 * without need, by what the host maps at the address (transparent_hugepage_adjust).
 */
static unsigned map_bits(const struct mem_fault *fault, const struct kvm_pin *pin)
{
	const struct kvm_mmu *mmu = fault->slot->mmu;
	const unsigned page_bits = mmu->host.page, pmd_bits = level_shift(mmu->host.page, 2);
	const unsigned vma_bits = kvm_memory_vma_bits(&fault->slot->memory);

	if (kvm_slot_is_logging(fault->slot))
		return page_bits;
	/* Of one level only by an explicit start level: KVM itself relies on two. */
	if (mmu->pgt.start_level == KVM_LAST_LEVEL)
		return page_bits;
	if (is_device(fault))
		return device_bits(fault);
	if (vma_bits > page_bits)
		return block_bits(fault, vma_bits);
	if (fault->permission && fault->leaf_bits > page_bits)
		return fault->leaf_bits;
	return pin->mapped_bits >= pmd_bits ? block_bits(fault, pmd_bits) : page_bits;
}

/* kvm_set_spte_gfn(), up to v6.9: the page's copy is mapped read-only if its table is there. */
static void change_pte(const struct mem_fault *fault, const struct kvm_pin *pin)
{
	struct kvm_mmu *mmu = fault->slot->mmu;

	if (pin->copied && mmu->host.kernel < KVM_KERNEL(6, 10))
		kvm_pgtable_map(&mmu->pgt, fault->ipa, UINT64_C(1) << mmu->host.page, pin->pa,
				KVM_PROT_R, NULL, 0);
}

static unsigned map_prot(const struct mem_fault *fault, bool writable)
{
	unsigned prot = KVM_PROT_R;

	if (writable)
		prot |= KVM_PROT_W;
	if (is_device(fault))
		return prot | KVM_PROT_DEVICE;
	if (fault->kind == ACCESS_FETCH || fault->slot->mmu->host.dic)
		prot |= KVM_PROT_X;
	return prot;
}

/* The second half of user_mem_abort(), under the mmu_lock. */
static enum kvm_result map_pinned(const struct mem_fault *fault, const struct kvm_pin *pin)
{
	struct kvm_mmu *mmu = fault->slot->mmu;
	const unsigned size_bits = map_bits(fault, pin);
	const uint64_t size_mask = low_mask(size_bits);
	struct kvm_table_cache cache = KVM_CACHE_FULL;
	enum kvm_result result;
	bool writable = pin->writable;

	if (fault->slot->setup.flags & KVM_SLOT_READ_ONLY)
		writable = false;
	if (kvm_slot_is_logging(fault->slot) && fault->kind != ACCESS_STORE && !is_device(fault))
		writable = false;
	if (fault->permission && size_bits == fault->leaf_bits)
		result = kvm_pgtable_relax_perms(&mmu->pgt, fault->ipa, map_prot(fault, writable));
	else
		result = kvm_pgtable_map(&mmu->pgt, fault->ipa & ~size_mask, size_mask + 1,
					 pa_of(pin->pa.v & ~size_mask), map_prot(fault, writable),
					 &cache, KVM_WALK_HANDLE_FAULT);
	if (writable && result == KVM_OK)
		kvm_slot_mark_dirty(fault->slot, fault->ipa);
	return result;
}

static enum kvm_access_result user_mem_abort(const struct mem_fault *fault)
{
	const struct kvm_slot_setup *slot = &fault->slot->setup;
	struct kvm_pin pin;

	/* -ENOEXEC */
	if (is_device(fault) && fault->kind == ACCESS_FETCH)
		return KVM_ACCESS_ABORT;
	switch (kvm_memory_pin(&fault->slot->memory, slot->user + (fault->ipa - slot->base),
			       fault->kind, &pin)) {
	case KVM_MEMORY_OK:
		break;
	case KVM_MEMORY_NO_FRAMES:
		return KVM_ACCESS_NO_FRAMES;
	case KVM_MEMORY_NO_MEMORY:
		return KVM_ACCESS_NO_MEMORY;
	}
	fault->slot->mmu->counts.zeroed_4k += pin.zeroed_4k;
	change_pte(fault, &pin);
	/* mmu_invalidate_retry(): the guest runs again, and faults again. */
	if (pin.invalidated)
		return KVM_ACCESS_FAULTED;
	return map_pinned(fault, &pin) == KVM_NO_MEMORY ? KVM_ACCESS_NO_MEMORY : KVM_ACCESS_FAULTED;
}

enum outcome { OUTCOME_OK, OUTCOME_TRANSLATION, OUTCOME_ACCESS_FLAG, OUTCOME_PERMISSION };

/* What the hardware makes of the entry. Without hw_af a leaf without AF is an access flag fault. */
static enum outcome outcome_of(const struct kvm_mmu *mmu, enum access_kind kind, uint64_t desc)
{
	bool allowed = false;

	if (!(desc & DESC_VALID))
		return OUTCOME_TRANSLATION;
	if (!(desc & DESC_AF) && !mmu->host.hw_af)
		return OUTCOME_ACCESS_FLAG;
	switch (kind) {
	case ACCESS_LOAD:
		allowed = desc & S2_AP_R;
		break;
	case ACCESS_STORE:
		allowed = desc & S2_AP_W;
		break;
	case ACCESS_FETCH:
		allowed = !(desc >> (S2_XN_SHIFT + 1) & 1);
		break;
	}
	return allowed ? OUTCOME_OK : OUTCOME_PERMISSION;
}

static void count_fault(struct kvm_slot *slot, enum outcome outcome)
{
	struct kvm_counts *counts = &slot->mmu->counts;

	slot->faults++;
	counts->faults++;
	counts->permission_faults += outcome == OUTCOME_PERMISSION;
	counts->access_flag_faults += outcome == OUTCOME_ACCESS_FLAG;
}

enum kvm_access_result kvm_mmu_fault(struct kvm_mmu *mmu, uint64_t ipa, enum access_kind kind)
{
	struct kvm_slot *slot = kvm_mmu_slot_of(mmu, ipa);
	int level;
	uint64_t desc;
	enum outcome outcome;
	struct mem_fault fault;

	if (ipa >> mmu->pgt.setup.ia_bits)
		return KVM_ACCESS_ABORT;
	desc = kvm_pgtable_get_leaf(&mmu->pgt, ipa, &level);
	outcome = outcome_of(mmu, kind, desc);
	if (outcome == OUTCOME_OK) {
		if (!(desc & DESC_AF))
			kvm_pgtable_hw_access(&mmu->pgt, ipa);
		return KVM_ACCESS_OK;
	}
	if (!slot) {
		mmu->counts.mmio_exits++;
		return KVM_ACCESS_MMIO;
	}
	count_fault(slot, outcome);
	if (kind == ACCESS_STORE && (slot->setup.flags & KVM_SLOT_READ_ONLY)) {
		mmu->counts.mmio_exits++;
		return KVM_ACCESS_MMIO;
	}
	if (outcome == OUTCOME_ACCESS_FLAG) {
		kvm_pgtable_mkyoung(&mmu->pgt, ipa);
		return KVM_ACCESS_FAULTED;
	}
	fault = (struct mem_fault){ .slot = slot,
				    .ipa = ipa & ~low_mask(mmu->host.page),
				    .kind = kind,
				    .permission = outcome == OUTCOME_PERMISSION,
				    .leaf_bits = level_shift(mmu->host.page, level) };
	return user_mem_abort(&fault);
}

void kvm_mmu_stale_fault(struct kvm_mmu *mmu, uint64_t ipa)
{
	struct kvm_slot *slot = kvm_mmu_slot_of(mmu, ipa);

	if (!slot)
		return;
	slot->faults++;
	mmu->counts.faults++;
	mmu->counts.permission_faults++;
	kvm_pgtable_relax_perms(&mmu->pgt, ipa, 0);
}

enum kvm_access_result kvm_mmu_access(struct kvm_mmu *mmu, uint64_t ipa, enum access_kind kind)
{
	for (unsigned faults = 0; faults < MAX_FAULTS; faults++) {
		const enum kvm_access_result result = kvm_mmu_fault(mmu, ipa, kind);

		if (result != KVM_ACCESS_FAULTED)
			return result;
	}
	return KVM_ACCESS_STUCK;
}

enum kvm_errno kvm_mmu_map_all(struct kvm_slot *slot)
{
	struct kvm_mmu *mmu = slot->mmu;
	const struct kvm_counts counts = mmu->counts;
	const uint64_t faults = slot->faults, end = slot->setup.base + slot->setup.bytes;
	enum kvm_access_result result = KVM_ACCESS_OK;

	if (slot->setup.flags & KVM_SLOT_READ_ONLY)
		return KVM_E_INVAL;
	for (uint64_t ipa = slot->setup.base; ipa < end && result == KVM_ACCESS_OK;) {
		int level;

		result = kvm_mmu_access(mmu, ipa, ACCESS_STORE);
		kvm_pgtable_get_leaf(&mmu->pgt, ipa, &level);
		ipa = (ipa | low_mask(level_shift(mmu->host.page, level))) + 1;
	}
	mmu->counts = (struct kvm_counts){ .faults = counts.faults,
					   .permission_faults = counts.permission_faults,
					   .access_flag_faults = counts.access_flag_faults,
					   .mmio_exits = counts.mmio_exits,
					   .zeroed_4k = mmu->counts.zeroed_4k };
	slot->faults = faults;
	slot->pinned = result == KVM_ACCESS_OK;
	return slot->pinned ? KVM_E_NONE : KVM_E_NOMEM;
}

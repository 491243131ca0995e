/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's life under KVM: creation, memslots, MMU notifiers. */
#include "os/kvm_mmu_private.h"

#include <stdlib.h>

#define MAX_PAGES ((UINT64_C(1) << 31) - 1) /* KVM_MEM_MAX_NR_PAGES */

/* ---- table pages -------------------------------------------------------------------------- */

/* log2 of the bytes of so many tables, a power of two. */
static unsigned tables_bits(const struct kvm_mmu *mmu, unsigned count)
{
	return mmu->host.page + (unsigned)__builtin_ctz(count);
}

static bool tables_alloc(void *ctx, unsigned count, pa_t *out)
{
	struct kvm_mmu *mmu = ctx;

	if (count == 1 && mmu->spare_count > 0) {
		*out = mmu->spare[--mmu->spare_count];
		return true;
	}
	if (!frames_alloc(mmu->frames, tables_bits(mmu, count), out))
		return false;
	mmu->table_frames++;
	return true;
}

/* Kept to be used again; what finds no room in the list goes back to the host. */
static void tables_free(void *ctx, unsigned count, pa_t tables)
{
	struct kvm_mmu *mmu = ctx;

	if (count > 1) {
		frames_free(mmu->frames, tables_bits(mmu, count), tables);
		return;
	}
	if (mmu->spare_count == mmu->spare_room) {
		const size_t room = mmu->spare_room ? mmu->spare_room * 2 : 64;
		pa_t *spare = realloc(mmu->spare, room * sizeof(*spare));

		if (!spare) {
			frames_free(mmu->frames, mmu->host.page, tables);
			mmu->table_frames--;
			return;
		}
		mmu->spare = spare;
		mmu->spare_room = room;
	}
	mmu->spare[mmu->spare_count++] = tables;
}

static void pass_tlbi(void *ctx, const struct kvm_tlbi *tlbi)
{
	const struct kvm_mmu *mmu = ctx;

	if (mmu->tlbi)
		mmu->tlbi(mmu->tlbi_ctx, tlbi);
}

static const struct kvm_pgtable_ops ops = { .alloc = tables_alloc,
					    .free = tables_free,
					    .tlbi = pass_tlbi };

/* ---- the VM ------------------------------------------------------------------------------- */

struct kvm_pgtable_setup kvm_mmu_tables(const struct kvm_host *host,
					const struct kvm_vm_setup *setup)
{
	return (struct kvm_pgtable_setup){
		.granule = host->page,
		.ia_bits = setup->ipa_bits ? setup->ipa_bits : KVM_DEFAULT_IPA_BITS,
		.kernel = host->kernel,
		.fwb = host->fwb,
		.lpa2 = host->lpa2,
		.tlbi_range = host->tlbi_range,
		.start = setup->start,
		.start_level = setup->start_level,
		.host_levels = host->host_levels,
		.walker = host->walker,
	};
}

enum kvm_errno kvm_mmu_init(struct kvm_mmu *mmu, const struct kvm_host *host,
			    const struct kvm_vm_setup *setup, struct phys_mem *mem,
			    struct frames *frames)
{
	const struct kvm_pgtable_setup tables = kvm_mmu_tables(host, setup);
	int level;

	*mmu = (struct kvm_mmu){ .host = *host, .setup = *setup, .frames = frames };
	if (tables.ia_bits < KVM_MIN_IPA_BITS || tables.ia_bits > host->ipa_limit_bits ||
	    !kvm_pgtable_start_level(&tables, &level))
		return KVM_E_INVAL;
	if (kvm_pgtable_init(&mmu->pgt, &tables, mem, &ops, mmu) != KVM_OK)
		return KVM_E_NOMEM;
	mmu->table_frames = 0; /* what was taken is the root */
	return KVM_E_NONE;
}

uint64_t kvm_mmu_fake_bytes(const struct kvm_mmu *mmu)
{
	return kvm_fake_bytes(mmu->pgt.fake_levels, mmu->pgt.root_tables);
}

static void slot_free(struct kvm_slot *slot)
{
	kvm_memory_fini(&slot->memory);
	free(slot->dirty);
	free(slot);
}

void kvm_mmu_fini(struct kvm_mmu *mmu)
{
	for (unsigned i = 0; i < mmu->slots; i++)
		slot_free(mmu->slot[i]);
	kvm_pgtable_fini(&mmu->pgt);
	while (mmu->spare_count > 0)
		frames_free(mmu->frames, mmu->host.page, mmu->spare[--mmu->spare_count]);
	free(mmu->spare);
}

/* ---- memslots ----------------------------------------------------------------------------- */

/* The checks of __kvm_set_memory_region() and kvm_arch_prepare_memory_region(), in their order. */
static enum kvm_errno check_slot(const struct kvm_mmu *mmu, const struct kvm_slot_setup *setup)
{
	const uint64_t page_mask = low_mask(mmu->host.page);
	const uint64_t end = setup->base + setup->bytes;

	if ((setup->bytes | setup->base | setup->user | setup->device.v) & page_mask)
		return KVM_E_INVAL;
	if (end < setup->base || setup->user + setup->bytes < setup->user || setup->bytes == 0 ||
	    setup->bytes >> mmu->host.page > MAX_PAGES || mmu->slots == KVM_MAX_SLOTS)
		return KVM_E_INVAL;
	for (unsigned i = 0; i < mmu->slots; i++) {
		const struct kvm_slot_setup *other = &mmu->slot[i]->setup;

		if (setup->base < other->base + other->bytes && other->base < end)
			return KVM_E_EXIST;
	}
	return end > UINT64_C(1) << mmu->pgt.setup.ia_bits ? KVM_E_FAULT : KVM_E_NONE;
}

static void invalidate(void *ctx, uint64_t first, uint64_t end)
{
	kvm_mmu_unmap_user(ctx, first, end);
}

enum kvm_errno kvm_mmu_add_slot(struct kvm_mmu *mmu, const struct kvm_slot_setup *setup,
				struct kvm_slot **out)
{
	const enum kvm_errno error = check_slot(mmu, setup);
	struct kvm_slot *slot;

	if (error != KVM_E_NONE)
		return error;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return KVM_E_NOMEM;
	slot->setup = *setup;
	slot->mmu = mmu;
	if (!kvm_memory_init(&slot->memory, setup->backing, setup->hugetlb_bits, mmu->host.page,
			     setup->user, setup->bytes, mmu->frames)) {
		free(slot);
		return KVM_E_NOMEM;
	}
	slot->memory.device_pa = setup->device.v;
	if (setup->backing == KVM_BACKING_HUGETLB && setup->pool == KVM_POOL_RESERVED &&
	    !kvm_memory_reserve(&slot->memory, setup->user, setup->bytes, &mmu->pool_asked,
				&mmu->pool_had)) {
		slot_free(slot);
		return KVM_E_NOMEM;
	}
	slot->memory.invalidate = invalidate;
	slot->memory.invalidate_ctx = slot;
	if ((setup->flags & KVM_SLOT_LOG) && kvm_mmu_set_logging(slot, true) != KVM_E_NONE) {
		slot_free(slot);
		return KVM_E_NOMEM;
	}
	mmu->slot[mmu->slots++] = slot;
	*out = slot;
	return KVM_E_NONE;
}

bool kvm_mmu_touched(const struct kvm_mmu *mmu, uint64_t ipa)
{
	const struct kvm_slot *slot = kvm_mmu_slot_of(mmu, ipa);

	return slot &&
	       kvm_memory_touched(&slot->memory, slot->setup.user + (ipa - slot->setup.base));
}

/* ---- MMU notifiers ------------------------------------------------------------------------ */

/* The IPA range of user addresses within the slot, in pages. False: none. */
static bool user_to_ipa(const struct kvm_slot *slot, uint64_t *first, uint64_t *end)
{
	const uint64_t page_mask = low_mask(slot->mmu->host.page);
	const uint64_t user = slot->setup.user, user_end = user + slot->setup.bytes;
	const uint64_t from = *first > user ? *first : user;
	const uint64_t to = *end < user_end ? *end : user_end;

	if (from >= to)
		return false;
	*first = slot->setup.base + ((from - user) & ~page_mask);
	*end = slot->setup.base + ((to - user + page_mask) & ~page_mask);
	return true;
}

uint64_t kvm_range_next(uint64_t at, uint64_t end, uint64_t step)
{
	const uint64_t boundary = (at + step) & ~(step - 1);

	return boundary - 1 < end - 1 ? boundary : end;
}

/* kvm_unmap_gfn_range(): by at most one largest block at a time. */
void kvm_mmu_unmap_user(struct kvm_slot *slot, uint64_t first, uint64_t end)
{
	struct kvm_pgtable *pgt = &slot->mmu->pgt;
	const enum granule page = pgt->setup.granule;
	const uint64_t step = UINT64_C(1) << level_shift(page, kvm_min_block_level(page));

	if (slot->pinned || !user_to_ipa(slot, &first, &end))
		return;
	for (uint64_t at = first, next; at < end; at = next) {
		next = kvm_range_next(at, end, step);
		kvm_pgtable_unmap(pgt, at, next - at);
	}
}

enum kvm_errno kvm_mmu_discard(struct kvm_slot *slot, uint64_t first, uint64_t end)
{
	const uint64_t user = slot->setup.user, user_end = user + slot->setup.bytes;

	if (slot->pinned)
		return KVM_E_INVAL;
	if (kvm_memory_discard(&slot->memory, first > user ? first : user,
			       end < user_end ? end : user_end) != KVM_MEMORY_OK)
		return KVM_E_NOMEM;
	return KVM_E_NONE;
}

enum kvm_errno kvm_mmu_collapse(struct kvm_slot *slot, uint64_t user)
{
	if (slot->pinned || user - slot->setup.user >= slot->setup.bytes)
		return KVM_E_INVAL;
	return kvm_memory_collapse(&slot->memory, user) == KVM_MEMORY_OK ? KVM_E_NONE : KVM_E_NOMEM;
}

/* kvm_age_gfn(): up to v6.4 only the leaf at the first address was looked at. */
bool kvm_mmu_clear_young(struct kvm_slot *slot, uint64_t first, uint64_t end, bool flush)
{
	struct kvm_pgtable *pgt = &slot->mmu->pgt;
	bool young;

	if (slot->pinned || !user_to_ipa(slot, &first, &end))
		return false;
	if (pgt->setup.kernel < KVM_KERNEL(6, 5))
		end = first + 1;
	young = kvm_pgtable_clear_young(pgt, first, end - first);
	if (young && flush)
		kvm_pgtable_flush_all(pgt);
	return young;
}

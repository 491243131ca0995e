/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM on arm64 as a VM's memory sees it: memslots, stage-2 faults (user_mem_abort), MMU notifiers,
 * dirty logging and ageing (Linux arch/arm64/kvm/mmu.c and virt/kvm/kvm_main.c, v6.1 to v6.12).
 * One VM with one vCPU. Sizes and addresses are in bytes.
 */
#ifndef TWOSTAGE_OS_KVM_MMU_H
#define TWOSTAGE_OS_KVM_MMU_H

#include "os/host.h"
#include "os/kvm_memory.h"
#include "os/kvm_pgtable.h"

enum { KVM_DEFAULT_IPA_BITS = 40, KVM_MIN_IPA_BITS = 32, KVM_MAX_SLOTS = 4 };

/* The host that the VM runs on. */
struct kvm_host {
	unsigned kernel; /* KVM_KERNEL(), 6.1 to 6.12 */
	enum granule page;
	unsigned ipa_limit_bits;      /* kvm_ipa_limit */
	enum kvm_table_walker walker; /* KVM_WALKER_FAKE_PGD wants host_levels */
	unsigned host_levels;	      /* of its own tables (CONFIG_PGTABLE_LEVELS); 0: no limit */
	bool dic;		      /* CTR_EL0.DIC: no instruction cache maintenance needed */
	bool fwb, lpa2, tlbi_range;
	bool hw_af;		     /* FEAT_HAFDBS: hardware sets AF */
	const struct host_ops *rule; /* block size of a fault */
};

/* What userspace asks for with KVM_CREATE_VM and KVM_ENABLE_CAP. */
struct kvm_vm_setup {
	unsigned ipa_bits; /* 0: KVM_DEFAULT_IPA_BITS */
	enum kvm_start start;
	int start_level; /* KVM_START_LEVEL */
	/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: get-log does not protect again, clear-log does. */
	bool manual_protect;
	bool initially_set; /* with it: all pages count as dirty at first, none is protected */
	uint64_t split_chunk_bytes; /* KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE; 0: off */
};

enum kvm_errno { KVM_E_NONE, KVM_E_INVAL, KVM_E_FAULT, KVM_E_EXIST, KVM_E_NOMEM };

enum kvm_slot_flags { KVM_SLOT_LOG = 1, KVM_SLOT_READ_ONLY = 2 };

/* When a slot of hugetlb memory takes its pages. */
enum kvm_pool {
	KVM_POOL_AMPLE,	   /* each at its first touch */
	KVM_POOL_RESERVED, /* all when the slot is made */
};

struct kvm_slot_setup {
	uint64_t base, bytes; /* IPA */
	uint64_t user;	      /* userspace address */
	unsigned flags;
	enum kvm_backing backing;
	unsigned hugetlb_bits;
	enum kvm_pool pool;
	pa_t device; /* KVM_BACKING_DEVICE: PA behind `user` */
};

struct kvm_slot {
	struct kvm_slot_setup setup;
	struct kvm_memory memory;
	bool pinned;	 /* kvm_mmu_map_all() */
	uint64_t *dirty; /* a bit for each page while logging is on; NULL: off */
	uint64_t faults; /* stage-2 faults taken on its addresses */
	struct kvm_mmu *mmu;
};

/* What happened, for the costs of software; more in struct kvm_pgtable_counts. */
struct kvm_counts {
	uint64_t faults; /* stage-2 faults on memslots, those of the next two lines among them */
	uint64_t permission_faults, access_flag_faults;
	uint64_t mmio_exits; /* accesses that left the VM: no memslot, or a read-only one written */
	uint64_t zeroed_4k;  /* host memory cleared at faults, in units of 4 KiB */
};

struct kvm_mmu {
	struct kvm_host host;
	struct kvm_vm_setup setup;
	struct kvm_pgtable pgt;
	struct frames *frames;
	struct kvm_slot *slot[KVM_MAX_SLOTS];
	unsigned slots;
	struct kvm_counts counts;
	uint64_t pool_asked, pool_had; /* pages of the last slot with KVM_POOL_RESERVED */
	pa_t *spare; /* table pages that were freed, to be used again; all of one page */
	size_t spare_count, spare_room;
	uint64_t table_frames; /* taken for tables and held: in use or spare; without the root's */
	struct kvm_table_cache split_cache;
	void (*tlbi)(void *ctx, const struct kvm_tlbi *tlbi); /* may be NULL */
	void *tlbi_ctx;
};

/* The stage-2 tables of such a VM; for kvm_pgtable_start_level(). */
struct kvm_pgtable_setup kvm_mmu_tables(const struct kvm_host *host,
					const struct kvm_vm_setup *setup);

/*
 * Does KVM create such a VM (kvm_init_stage2_mmu)? On KVM_E_NONE the VM holds its root tables in
 * mem and wants kvm_mmu_fini(). mem, frames and host->rule must outlive it. The granule of the
 * host's rule is the host's page.
 */
enum kvm_errno kvm_mmu_init(struct kvm_mmu *mmu, const struct kvm_host *host,
			    const struct kvm_vm_setup *setup, struct phys_mem *mem,
			    struct frames *frames);
void kvm_mmu_fini(struct kvm_mmu *mmu);

/*
 * KVM_SET_USER_MEMORY_REGION for a new slot; *out belongs to the VM. KVM_E_NOMEM with pool_had <
 * pool_asked: the host has not so many hugetlb pages. The caller may set memory.placed of *out.
 */
enum kvm_errno kvm_mmu_add_slot(struct kvm_mmu *mmu, const struct kvm_slot_setup *setup,
				struct kvm_slot **out);

/*
 * A device is assigned (VFIO): map all of the slot now, writable, by the largest blocks that the
 * rule allows. Its memory stays where it is: MMU notifiers and write protection for dirty logging
 * leave it alone from now on. No stage-2 faults are counted. KVM_E_INVAL: a read-only slot;
 * KVM_E_NOMEM: memory exhausted, the slot is partly mapped and not pinned.
 */
enum kvm_errno kvm_mmu_map_all(struct kvm_slot *slot);

/* Flags-only change of a slot. Nothing happens when logging is on, or off, already. */
enum kvm_errno kvm_mmu_set_logging(struct kvm_slot *slot, bool on);

/* KVM_GET_DIRTY_LOG: count of dirty pages; protects them again unless manual_protect. */
uint64_t kvm_mmu_get_log(struct kvm_slot *slot);

/*
 * KVM_CLEAR_DIRTY_LOG of all pages in [offset, offset + bytes) of the slot; `offset` must be a
 * multiple of 64 pages, bytes too unless the range ends with the slot (else KVM_E_INVAL).
 */
enum kvm_errno kvm_mmu_clear_log(struct kvm_slot *slot, uint64_t offset, uint64_t bytes);

/* MMU notifier invalidate_range: drop what maps user addresses [first, end). */
void kvm_mmu_unmap_user(struct kvm_slot *slot, uint64_t first, uint64_t end);

/*
 * The host takes memory of the slot back (MADV_DONTNEED of user addresses [first, end)), or
 * khugepaged makes a huge page of the pages around `user`. KVM_E_INVAL: the slot is pinned;
 * KVM_E_NOMEM: no frames, or no memory of our own, for it.
 */
enum kvm_errno kvm_mmu_discard(struct kvm_slot *slot, uint64_t first, uint64_t end);
enum kvm_errno kvm_mmu_collapse(struct kvm_slot *slot, uint64_t user);

/* MMU notifier clear_young (flush: clear_flush_young) of user addresses [first, end). */
bool kvm_mmu_clear_young(struct kvm_slot *slot, uint64_t first, uint64_t end, bool flush);

enum kvm_access_result {
	KVM_ACCESS_OK,	    /* the tables allow it */
	KVM_ACCESS_FAULTED, /* kvm_mmu_fault(): a fault was handled, the guest tries again */
	KVM_ACCESS_MMIO, /* left the VM as device access: no slot there, or write to a read-only one
			  */
	KVM_ACCESS_ABORT, /* the guest gets an abort: IPA beyond its size, or code on a device */
	KVM_ACCESS_STUCK, /* the same fault for ever: KVM finds nothing to do for it */
	KVM_ACCESS_NO_FRAMES, /* host physical memory is exhausted */
	KVM_ACCESS_NO_MEMORY, /* our own */
};

/* One stage-2 fault of the guest, if the tables make it one: kvm_handle_guest_abort(). */
enum kvm_access_result kvm_mmu_fault(struct kvm_mmu *mmu, uint64_t ipa, enum access_kind kind);

/*
 * A permission fault of a CPU whose TLBs are behind the tables, which allow the access: since v6.5
 * permissions are relaxed with a local TLBI, so others fault and are relaxed once more.
 */
void kvm_mmu_stale_fault(struct kvm_mmu *mmu, uint64_t ipa);

/* One access by the guest, with the faults it takes until it succeeds: never KVM_ACCESS_FAULTED. */
enum kvm_access_result kvm_mmu_access(struct kvm_mmu *mmu, uint64_t ipa, enum access_kind kind);

/* The slot that holds the IPA; NULL: none. */
static inline struct kvm_slot *kvm_mmu_slot_of(const struct kvm_mmu *mmu, uint64_t ipa)
{
	for (unsigned i = 0; i < mmu->slots; i++)
		if (ipa - mmu->slot[i]->setup.base < mmu->slot[i]->setup.bytes)
			return mmu->slot[i];
	return NULL;
}

/* Bytes of tables that only KVM's own walks use, none of them among pgt.tables. */
uint64_t kvm_mmu_fake_bytes(const struct kvm_mmu *mmu);

/* Does the host have a page there, a zero page or another? False also where there is no slot. */
bool kvm_mmu_touched(const struct kvm_mmu *mmu, uint64_t ipa);

#endif

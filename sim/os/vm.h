/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine: the guest that maps VA to IPA and the KVM host that maps IPA to PA, both with
 * real descriptors in simulated memory. Guest tables live in IPA space and are themselves mapped by
 * stage 2, under the same rules as all guest memory.
 */
#ifndef TWOSTAGE_OS_VM_H
#define TWOSTAGE_OS_VM_H

#include "arch/cpu.h"
#include "base/diag.h"
#include "mem/frames.h"
#include "mem/pgtable.h"
#include "mem/phys.h"
#include "mmu/hierarchy.h"
#include "os/costs.h"
#include "os/guest.h"
#include "os/host.h"
#include "os/kvm_era.h"
#include "os/kvm_mmu.h"

enum dirty_state {
	DIRTY_PRESET,	/* the guest maps pages writable and dirty */
	DIRTY_HARDWARE, /* writable-clean with DBM: FEAT_HAFDBS sets dirty at the first store */
};

/* How walks read the tables of a stage: IRGN and ORGN of TCR_EL1 or VTCR_EL2. */
enum walk_cacheability {
	WALKS_WRITE_BACK, /* as Linux and KVM set it; with an image, as its guest did */
	WALKS_NON_CACHEABLE,
};

/* Everything that decides a VM's tables. Sizes are log2 of bytes. */
struct vm_setup {
	struct arch_cpu cpu;
	enum granule s1_granule, s2_granule;
	unsigned va_bits, ipa_bits;
	enum walk_cacheability s1_walks, s2_walks;
	int start_level;       /* LEVEL_KVM, LEVEL_PLAIN, or -1..3 */
	unsigned host_va_bits; /* 0: no limit */
	unsigned guest_leaf_bits;
	enum kvm_backing backing;
	unsigned backing_bits;	      /* page size of the backing */
	enum kvm_pool pool;	      /* of hugetlb pages */
	unsigned kernel;	      /* KVM_KERNEL() of the host */
	enum kvm_era era;	      /* VMs that KVM of that time could not run are refused */
	enum kvm_table_walker walker; /* KVM_WALKER_FAKE_PGD wants host_va_bits */
	bool dic;		      /* CTR_EL0.DIC */
	bool force_broadcast;	      /* HCR_EL2.FB, which KVM sets */
	bool guest_cnp, host_cnp;     /* CnP in TTBR0/1_EL1, in VTTBR_EL2; if the core has it */
	uint64_t user_skew;	      /* user address of the memslot, less its IPA */
	uint64_t split_chunk_bytes;   /* eager splitting for dirty logging; 0: lazy */
	uint64_t memory_base, memory_bytes; /* one memslot; bytes 0: what fits, at most 1 TiB */
	enum dirty_state dirty_state;
	const char *image; /* path of a guest_image; NULL: the guest is `guest` */
	const struct guest_ops *guest;
	uint32_t thp_permille, contiguous_permille, fragmentation_permille; /* of the guest */
	enum guest_kernel_map kernel_map;
	unsigned asid_bits; /* that the guest uses; 0: all that the core has */
	const struct host_ops *host;
	uint64_t seed;
};

/* KVM's choice; one root table, as far as host_va_bits permits. */
enum { LEVEL_KVM = -2, LEVEL_PLAIN = -3 };

struct vm;

/* Can a VM of this set-up be made? STATUS_BAD_INPUT with the reason if not. */
enum exit_status vm_check(const struct vm_setup *setup, struct diag *diag);

/* The same, with the tables that its stages would have. */
enum exit_status vm_check_geometry(const struct vm_setup *setup, struct s1_geometry *s1,
				   struct s2_geometry *s2, struct diag *diag);

/*
 * `mem` and `frames` are shared by all VMs of a host and must outlive it. The VMID is 0, the
 * host's, until vm_set_vmid(). NULL with diag on failure.
 */
struct vm *vm_create(const struct vm_setup *setup, struct phys_mem *mem, struct frames *frames,
		     struct diag *diag);
void vm_destroy(struct vm *vm);

/* The address space of `asid`, made at its first use; owned by the VM. NULL with diag on failure.
 */
const struct mmu_space *vm_space(struct vm *vm, uint16_t asid, struct diag *diag);

/*
 * The guest wrote TTBR0_EL1 and TTBR1_EL1 (0: not known) while it had `asid`. Only a VM with an
 * image takes notice; the others have tables of their own. STATUS_OK, or as vm_space().
 */
enum exit_status vm_set_tables(struct vm *vm, uint16_t asid, uint64_t ttbr0, uint64_t ttbr1,
			       struct diag *diag);

/*
 * The same for a vCPU that runs it from now on. Where the guest has 8-bit ASIDs, it gets one as
 * Linux gives them, after a rollover with the TLBs of this vCPU flushed; else the trace's ASID is
 * its own.
 */
const struct mmu_space *vm_enter(struct vm *vm, uint32_t vcpu, uint16_t asid, struct diag *diag);
bool vm_allocates_asids(const struct vm *vm);

/* What TLBs know an address space of the trace by; 0, which none has, if it never ran. */
uint16_t vm_hardware_asid(const struct vm *vm, uint16_t asid);

/* The VM's TLB maintenance acts on `mmu` from now on. NULL: on nothing. */
void vm_attach(struct vm *vm, struct mmu *mmu);

/* Another VMID, for all address spaces. The old one's TLB entries are the caller's to drop. */
void vm_set_vmid(struct vm *vm, uint16_t vmid);
uint16_t vm_vmid(const struct vm *vm);

/* The fault functions of struct mmu_os; request->space->os is a space of the VM. */
enum mmu_fault_result vm_s1_fault(void *ctx, const struct mmu_request *request,
				  const struct fault *fault);
enum mmu_fault_result vm_s2_fault(void *ctx, const struct mmu_request *request, ipa_t ipa,
				  const struct fault *fault);

/* What userspace and the host's memory management do to a VM, on its memslot. */
enum exit_status vm_set_logging(struct vm *vm, bool on, struct diag *diag);
void vm_sync_log(struct vm *vm);
bool vm_is_logging(const struct vm *vm);

enum vm_flush { VM_NO_FLUSH, VM_FLUSH };

/* Clear access flags (MMU notifier clear_young or clear_flush_young). */
void vm_age(struct vm *vm, enum vm_flush flush);

/*
 * Unmap the next `bytes` of the memslot through the MMU notifier, as automatic NUMA balancing does
 * in turn; the memory stays where it is.
 */
void vm_scan(struct vm *vm, uint64_t bytes);

/*
 * The guest unmaps [va, va + bytes) of an address space. A transparent huge page that lies inside
 * in part is split, a page of the size that guest.pages asks for stays. IPAs and empty tables are
 * free again if the policy takes them back. The caller sends the TLBIs: for the range, and for what
 * is returned of the walk caches, which must not remember tables that are freed.
 */
enum walk_cache_scope vm_unmap(struct vm *vm, uint16_t asid, va_t va, uint64_t bytes);

/*
 * fork(): `child` gets all mappings of `parent` below; what it had before is unmapped. All of it is
 * read-only then until a store copies the page (copy_page_range(), do_wp_page()). STATUS_BAD_INPUT
 * if both are one, or when memory ran out.
 */
enum exit_status vm_fork(struct vm *vm, uint16_t parent, uint16_t child, struct diag *diag);

/* Why a fault function returned false; STATUS_OK: none did. */
const struct diag *vm_diag(const struct vm *vm);

/* Adds faults and what else adds up over time. Cheap. */
void vm_count_sums(const struct vm *vm, struct stats *stats);

/* The same with table pages and leaves by size: goes through all tables. */
void vm_count(struct vm *vm, struct stats *stats);

/* Adds what guest kernel and host did for this VM so far, TLB maintenance and switches apart. */
void vm_add_work(const struct vm *vm, struct os_work *work);

/* Faults of each stage so far. */
uint64_t vm_s1_faults(const struct vm *vm);
uint64_t vm_s2_faults(const struct vm *vm);

#endif

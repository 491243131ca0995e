/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a VM, shared by the files sim/os/vm*.c. */
#ifndef TWOSTAGE_OS_VM_PRIVATE_H
#define TWOSTAGE_OS_VM_PRIVATE_H

#include "arch/desc.h"
#include "arch/geometry.h"
#include "mmu/regime.h"
#include "os/guest_image.h"
#include "os/guest_memory.h"
#include "os/id_alloc.h"
#include "os/kvm_mmu.h"
#include "os/page_shares.h"
#include "os/vm.h"

enum {
	LEVEL_NONE = -2,
	TABLE_CHUNK_BITS = 21,
	ASID_BITS_MAX = 16,
	SPACE_GROUP_BITS = 8,
	SPACE_GROUPS = 1 << (ASID_BITS_MAX - SPACE_GROUP_BITS),
	MEMORY_AUTO_BITS = 40, /* guest.memory 0: at most 1 TiB */
	SLOT_ALIGN_BITS = 30,  /* of the end of that: whole PUD blocks */
};

/* One address space: the guest's TTBR0 and the registers that go with it. */
struct space {
	struct mmu_space mmu;
	struct regime regime;
	struct pgtable low;    /* TTBR0_EL1; TTBR1_EL1's tables are shared by the VM */
	uint64_t ttbr0, ttbr1; /* of a VM with an image */
	struct vm *vm;
	uint16_t asid;	     /* by which the trace knows it */
	uint64_t id;	     /* in vm->asids */
	struct space *older; /* made before this one */
};

struct table_chunk {
	uint64_t ipa;  /* aligned to its size */
	uint64_t used; /* bytes given out, from the start */
	unsigned bits; /* log2 of its size */
	pa_t pa[];     /* of its parts of table_unit_bits */
};

struct vm {
	struct vm_setup setup;
	struct phys_mem *mem;
	struct frames *frames;
	uint16_t vmid;
	struct s2_geometry geometry;
	struct s1_geometry s1_geometry;
	struct mmu_regs regs;		   /* TTBR0_EL1 is each space's own */
	uint64_t memory_first, memory_end; /* IPA: the memslot */
	struct table_chunk **chunks;	   /* guest memory that holds tables, by ascending IPA */
	size_t chunks_count;
	struct table_chunk *chunk; /* the one that tables come out of now */
	uint64_t *free_tables;	   /* IPAs of tables that are empty again */
	size_t free_tables_count, free_tables_room;
	unsigned table_unit_bits; /* the smaller granule: so much of a table is contiguous */
	uint64_t s1_tables;
	struct kvm_mmu kvm;
	struct kvm_slot *slot; /* the guest's memory */
	struct mmu *mmu;       /* that TLB maintenance acts on; may be NULL */
	uint32_t vcpu;	       /* that took the fault under way */
	uint64_t scanned;      /* bytes of the memslot, by vm_scan() */
	struct pgtable high;   /* TTBR1_EL1 */
	struct guest_setup guest;
	struct guest_memory guest_memory;
	unsigned asid_bits;
	struct id_alloc asids;	   /* once `running` is there */
	struct space **running;	   /* by vCPU; NULL: ASIDs are the trace's, or nothing ran yet */
	struct page_shares shares; /* pages that more than one address space maps */
	struct guest_image *image; /* NULL: the guest's tables are made here */
	bool image_no_memory;	   /* a page of it could not be placed */
	void *guest_state;
	struct space *
		*spaces[SPACE_GROUPS]; /* by ASID, of which few are used; see vm_find_space() */
	struct space *newest;	       /* of the list of those made */
	uint64_t s1_faults, s2_faults, s2_walk_faults, s2_table_faults;
	uint64_t dirty_syncs, dirty_pages;
	uint64_t guest_zeroed_4k; /* pages that the guest cleared before it mapped them */
	uint64_t s1_thp_faults, s1_fallbacks, s1_cow_faults, s1_cow_copies;
	struct diag diag;
};

/* The address space of an ASID below 2^16; NULL: not made yet. */
static inline struct space *vm_find_space(const struct vm *vm, unsigned asid)
{
	struct space *const *group = vm->spaces[asid >> SPACE_GROUP_BITS];

	return group ? group[asid & ((1 << SPACE_GROUP_BITS) - 1)] : NULL;
}

/* Level of leaves of 2^bits bytes; LEVEL_NONE: the granule has none of that size. */
static inline int vm_leaf_level(enum granule granule, unsigned bits)
{
	for (int level = 3; level >= 0; level--)
		if (level_shift(granule, level) == bits)
			return level;
	return LEVEL_NONE;
}

/* ---- vm_stage2.c: KVM --------------------------------------------------------------------- */

/* Root tables, the memslot and the registers of stage 2. False with vm->diag. */
bool vm_init_stage2(struct vm *vm);

/* The guest kernel writes to the page of an IPA: map it, with the faults that takes. */
bool vm_guest_writes(struct vm *vm, uint64_t ipa);

/* Is the IPA mapped? */
bool vm_ipa_mapped(const struct vm *vm, uint64_t ipa);

/* log2 of the stage-2 leaf that maps an IPA; 0: none. */
unsigned vm_ipa_leaf_bits(const struct vm *vm, uint64_t ipa);

/* PA of an IPA that is mapped. */
pa_t vm_ipa_to_pa(const struct vm *vm, uint64_t ipa);

/* ---- vm_stage1.c: the guest --------------------------------------------------------------- */

extern const struct pgtable_ops vm_stage1_ops;

/* A cleared table page of the guest, by its IPA. */
bool vm_alloc_table(void *ctx, uint64_t *address);

/*
 * What the guest's policy says about a fault, where a leaf or set of 2^hole_bits bytes at most may
 * be put. Not handled: with vm->diag.
 */
enum mmu_fault_result vm_ask_guest(struct vm *vm, const struct mmu_request *request,
				   unsigned hole_bits, struct guest_leaf *leaf);

/* Records why a stage-1 fault failed. */
enum mmu_fault_result vm_s1_fail(struct vm *vm, enum exit_status status,
				 const struct mmu_request *request, const char *why);

/* ---- vm_unmap.c, vm_fork.c ---------------------------------------------------------------- */

/* log2 of the parts that a leaf can be split into: pages; all of it, if guest.pages (hugetlbfs). */
unsigned vm_unit_bits(const struct vm *vm, const struct pgtable_leaf *leaf);

/* Rewrite the leaves of a contiguous set without the bit (contpte_unfold). */
void vm_unfold(struct pgtable *table, const struct pgtable_leaf *leaf);

/* A store to a page below that may not be written. */
enum mmu_fault_result vm_write_fault(struct vm *vm, struct space *space,
				     const struct mmu_request *request);

/* Adds the guest's own faults and copies. */
void vm_count_guest_sums(const struct vm *vm, struct stats *stats);

/* Adds what is known of the guest's own tables. */
void vm_count_guest(const struct vm *vm, struct stats *stats);

/* A table without valid entries, to be allocated again. */
void vm_release_table(void *ctx, uint64_t address);

/* The guest's parameters as its policy sees them. */
struct guest_setup vm_guest_setup(const struct vm_setup *setup);

/* ---- vm_image.c: a guest out of a memory image --------------------------------------------- */

/*
 * If the set-up names an image: opens it, which must agree with the set-up, and makes the guest's
 * memory its. *out is NULL otherwise. Statuses of guest_image_open().
 */
enum exit_status vm_image_open(struct vm_setup *setup, struct guest_image **out, struct diag *diag);

/* The guest's registers are the image's, and memory that gets a place is filled from it. */
void vm_image_init(struct vm *vm);

/* The registers of a new address space, until vm_set_tables() says otherwise. */
void vm_image_space(struct space *space);

/* A stage-1 fault, which an image has no answer to. */
enum mmu_fault_result vm_image_fault(struct vm *vm, const struct mmu_request *request,
				     const struct fault *fault);

/* CnP in a TTBR that the guest writes, in VTTBR_EL2. */
static inline uint64_t vm_ttbr_cnp(const struct vm *vm)
{
	return vm->setup.guest_cnp && vm->setup.cpu.cnp;
}

static inline uint64_t vm_vttbr_cnp(const struct vm *vm)
{
	return vm->setup.host_cnp && vm->setup.cpu.cnp;
}

/* ---- vm_asid.c ---------------------------------------------------------------------------- */

void vm_fini_asids(struct vm *vm);

/* ---- vm_check.c --------------------------------------------------------------------------- */

/* Levels of the host's own tables; 0: no limit. */
unsigned vm_host_levels(const struct vm_setup *setup);

/* The geometries of both stages, if such a VM can be. */
enum exit_status vm_check_setup(const struct vm_setup *setup, struct s1_geometry *s1,
				struct s2_geometry *s2, struct diag *diag);

/* End of the memslot: what was asked for, or all that fits, up to 1 TiB. */
uint64_t vm_memory_end(const struct vm_setup *setup);

#endif

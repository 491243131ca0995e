/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM side of a VM: its stage-2 tables, faults, and TLB maintenance. */
#include "os/vm_private.h"

#include <inttypes.h>

/* ---- TLB maintenance ---------------------------------------------------------------------- */

/* IPAS2E1; DSB; VMALLE1; DSB: the helpers in the kernel's hyp/{nvhe,vhe}/tlb.c. */
static void flush_ipa(struct vm *vm, uint32_t vcpu, uint64_t first, uint64_t last)
{
	const struct tlb_match all = { .scope = TLB_SCOPE_VMID, .context = { .vmid = vm->vmid } };

	mmu_invalidate_ipa(vm->mmu, vcpu, vm->vmid, WALK_POINTS_ALL, first, last);
	mmu_invalidate(vm->mmu, vcpu, &all, WALK_CACHE_STAGE1);
}

/* The same by range; its steps share one barrier. */
static void flush_range(struct vm *vm, uint64_t ipa, uint64_t bytes)
{
	const struct tlb_match all = { .scope = TLB_SCOPE_VMID, .context = { .vmid = vm->vmid } };
	const unsigned page = vm->setup.s2_granule;
	uint64_t step;

	for (uint64_t pages = bytes >> page; pages > 0; pages -= step) {
		step = kvm_tlbi_range_step(&vm->kvm.pgt, ipa, pages);
		mmu_invalidate_ipa(vm->mmu, MMU_ALL_VCPUS, vm->vmid, WALK_POINTS_ALL, ipa,
				   ipa + (step << page) - 1);
		vm->mmu->stats.v[STAT_tlbis_unwaited] += pages > step;
		ipa += step << page;
	}
	mmu_invalidate(vm->mmu, MMU_ALL_VCPUS, &all, WALK_CACHE_STAGE1);
}

static void send_tlbi(void *ctx, const struct kvm_tlbi *tlbi)
{
	struct vm *vm = ctx;
	const struct tlb_match all = { .scope = TLB_SCOPE_VMID, .context = { .vmid = vm->vmid } };
	const uint64_t page_mask = low_mask(vm->setup.s2_granule);

	if (!vm->mmu)
		return;
	switch (tlbi->kind) {
	case KVM_TLBI_IPA:
		flush_ipa(vm, MMU_ALL_VCPUS, tlbi->ipa & ~page_mask, tlbi->ipa | page_mask);
		break;
	case KVM_TLBI_IPA_LOCAL:
		flush_ipa(vm, vm->vcpu, tlbi->ipa & ~page_mask, tlbi->ipa | page_mask);
		break;
	case KVM_TLBI_RANGE:
		flush_range(vm, tlbi->ipa, tlbi->bytes);
		break;
	case KVM_TLBI_VMID:
		mmu_invalidate(vm->mmu, MMU_ALL_VCPUS, &all, WALK_CACHE_BOTH);
		break;
	case KVM_TLBI_KINDS:
		break;
	}
}

/* ---- set-up ------------------------------------------------------------------------------- */

static bool host_exhausted(struct vm *vm)
{
	diag_set(&vm->diag, STATUS_BAD_INPUT,
		 "host memory exhausted: no room for more of the guest's pages and tables "
		 "(host.memory, host.fragmentation)");
	return false;
}

/* What mmap() of hugetlbfs answers with ENOMEM. */
static void pool_too_small(struct vm *vm)
{
	diag_set(&vm->diag, STATUS_BAD_INPUT,
		 "hugetlbfs: the host has %" PRIu64 " free pages of 2^%u bytes, guest.memory wants "
		 "%" PRIu64 " (host.memory, host.fragmentation)",
		 vm->kvm.pool_had, vm->setup.backing_bits, vm->kvm.pool_asked);
}

static bool add_memory(struct vm *vm)
{
	const struct vm_setup *setup = &vm->setup;
	const struct kvm_slot_setup slot = {
		.base = vm->memory_first,
		.bytes = vm->memory_end - vm->memory_first,
		.user = vm->memory_first + setup->user_skew,
		.backing = setup->backing,
		.hugetlb_bits = setup->backing_bits,
		.pool = setup->pool,
	};

	switch (kvm_mmu_add_slot(&vm->kvm, &slot, &vm->slot)) {
	case KVM_E_NONE:
		return true;
	case KVM_E_NOMEM:
		if (vm->kvm.pool_had < vm->kvm.pool_asked)
			pool_too_small(vm);
		else
			diag_set(&vm->diag, STATUS_INTERNAL, "out of memory");
		return false;
	default:
		diag_set(&vm->diag, STATUS_BAD_INPUT,
			 "KVM refuses a memslot of %" PRIu64 " bytes at IPA 0x%" PRIx64
			 ": at most 2^31 - 1 pages, all below 2^%u",
			 slot.bytes, slot.base, setup->ipa_bits);
		return false;
	}
}

bool vm_init_stage2(struct vm *vm)
{
	const struct vm_setup *setup = &vm->setup;
	const struct arch_cpu *cpu = &setup->cpu;
	const struct kvm_host host = {
		.kernel = setup->kernel,
		.page = setup->s2_granule,
		.ipa_limit_bits = 52, /* the geometry was checked against this core */
		.dic = setup->dic,
		.fwb = cpu->fwb,
		.lpa2 = vm->geometry.ds,
		.tlbi_range = cpu->tlbi_range,
		.hw_af = cpu->hw_af,
		.walker = setup->walker,
		.host_levels = vm_host_levels(setup),
		.rule = setup->host,
	};
	const struct kvm_vm_setup kvm = { .ipa_bits = setup->ipa_bits,
					  .start = KVM_START_LEVEL,
					  .start_level = vm->geometry.start_level,
					  .split_chunk_bytes = setup->split_chunk_bytes };

	if (kvm_mmu_init(&vm->kvm, &host, &kvm, vm->mem, vm->frames) != KVM_E_NONE)
		return host_exhausted(vm);
	vm->kvm.tlbi = send_tlbi;
	vm->kvm.tlbi_ctx = vm;
	vm->regs.hcr_el2 = HCR_EL2_VM | HCR_EL2_PTW | HCR_EL2_RW | (cpu->fwb ? HCR_EL2_FWB : 0) |
			   (setup->force_broadcast ? HCR_EL2_FB : 0);
	vm->regs.vtcr_el2 = geometry_vtcr(cpu, &vm->geometry);
	if (setup->s2_walks == WALKS_NON_CACHEABLE)
		vm->regs.vtcr_el2 &= ~VTCR_EL2_WALKS;
	vm->regs.vttbr_el2 =
		geometry_vttbr(cpu, &vm->geometry, vm->kvm.pgt.root, vm->vmid) | vm_vttbr_cnp(vm);
	if (add_memory(vm))
		return true;
	kvm_mmu_fini(&vm->kvm);
	return false;
}

/* ---- faults ------------------------------------------------------------------------------- */

/* Of a fault, or of several until the access is done. */
static enum mmu_fault_result result_of(struct vm *vm, uint64_t ipa, enum kvm_access_result result)
{
	if (vm->image_no_memory)
		result = KVM_ACCESS_NO_MEMORY;
	switch (result) {
	case KVM_ACCESS_OK:
	case KVM_ACCESS_FAULTED:
		return MMU_FAULT_HANDLED;
	case KVM_ACCESS_MMIO:
		return MMU_FAULT_EMULATED;
	case KVM_ACCESS_NO_FRAMES:
		host_exhausted(vm);
		break;
	case KVM_ACCESS_NO_MEMORY:
		diag_set(&vm->diag, STATUS_INTERNAL, "out of memory");
		break;
	case KVM_ACCESS_ABORT:
	case KVM_ACCESS_STUCK:
		diag_set(&vm->diag, STATUS_BAD_INPUT,
			 "IPA 0x%" PRIx64 ": KVM has no answer to this stage-2 fault", ipa);
		break;
	}
	return MMU_FAULT_FAILED;
}

bool vm_guest_writes(struct vm *vm, uint64_t ipa)
{
	const uint64_t before = vm->slot->faults;
	const enum kvm_access_result result = kvm_mmu_access(&vm->kvm, ipa, ACCESS_STORE);

	vm->s2_faults += vm->slot->faults - before;
	return result_of(vm, ipa, result) == MMU_FAULT_HANDLED;
}

/*
 * What KVM takes the access for. A page that the host has not seen yet was cleared by the guest
 * kernel, or loaded, before anything else happened to it: a store. Table walks count as reads, but
 * a permission fault on one as a hardware update (kvm_is_write_fault()).
 */
static enum access_kind kind_of(const struct vm *vm, const struct mmu_request *request,
				uint64_t ipa, const struct fault *fault)
{
	if (!kvm_mmu_touched(&vm->kvm, ipa))
		return ACCESS_STORE;
	if (fault->s1ptw)
		return fault->type == FAULT_PERMISSION ? ACCESS_STORE : ACCESS_LOAD;
	return request->kind;
}

enum mmu_fault_result vm_s2_fault(void *ctx, const struct mmu_request *request, ipa_t ipa,
				  const struct fault *fault)
{
	struct vm *vm = ((struct space *)request->space->os)->vm;
	const enum access_kind kind = kind_of(vm, request, ipa.v, fault);
	enum kvm_access_result result;

	(void)ctx;
	vm->vcpu = request->vcpu;
	switch (fault->type) {
	case FAULT_TRANSLATION:
	case FAULT_PERMISSION:
	case FAULT_ACCESS_FLAG:
		vm->s2_faults++;
		vm->s2_walk_faults++;
		if (fault->s1ptw)
			vm->s2_table_faults++;
		result = kvm_mmu_fault(&vm->kvm, ipa.v, kind);
		if (result == KVM_ACCESS_OK && fault->type == FAULT_PERMISSION)
			kvm_mmu_stale_fault(&vm->kvm, ipa.v);
		return result_of(vm, ipa.v, result);
	default:
		diag_set(&vm->diag, STATUS_INTERNAL,
			 "stage-2 fault with status code 0x%x on IPA 0x%" PRIx64, fault_fsc(fault),
			 ipa.v);
		return MMU_FAULT_FAILED;
	}
}

bool vm_ipa_mapped(const struct vm *vm, uint64_t ipa)
{
	int level;

	return kvm_pgtable_get_leaf(&vm->kvm.pgt, ipa, &level) & DESC_VALID;
}

unsigned vm_ipa_leaf_bits(const struct vm *vm, uint64_t ipa)
{
	int level;

	return kvm_pgtable_get_leaf(&vm->kvm.pgt, ipa, &level) & DESC_VALID
		       ? level_shift(vm->setup.s2_granule, level)
		       : 0;
}

pa_t vm_ipa_to_pa(const struct vm *vm, uint64_t ipa)
{
	int level;
	const uint64_t desc = kvm_pgtable_get_leaf(&vm->kvm.pgt, ipa, &level);
	const unsigned leaf_bits = level_shift(vm->setup.s2_granule, level);

	return pa_of(desc_leaf_address(&vm->kvm.pgt.format, desc, leaf_bits) |
		     (ipa & low_mask(leaf_bits)));
}

/* ---- what userspace and the host do ------------------------------------------------------- */

enum exit_status vm_set_logging(struct vm *vm, bool on, struct diag *diag)
{
	if (kvm_mmu_set_logging(vm->slot, on) == KVM_E_NONE)
		return STATUS_OK;
	return diag_set(diag, STATUS_INTERNAL, "out of memory for the dirty log");
}

void vm_sync_log(struct vm *vm)
{
	if (!vm_is_logging(vm))
		return;
	vm->dirty_syncs++;
	vm->dirty_pages += kvm_mmu_get_log(vm->slot);
}

bool vm_is_logging(const struct vm *vm)
{
	return vm->slot->dirty != NULL;
}

void vm_age(struct vm *vm, enum vm_flush flush)
{
	const struct kvm_slot_setup *slot = &vm->slot->setup;

	kvm_mmu_clear_young(vm->slot, slot->user, slot->user + slot->bytes, flush == VM_FLUSH);
}

void vm_scan(struct vm *vm, uint64_t bytes)
{
	const struct kvm_slot_setup *slot = &vm->slot->setup;
	const uint64_t first = vm->scanned < slot->bytes ? vm->scanned : 0;
	const uint64_t room = slot->bytes - first;
	const uint64_t now = bytes < room ? bytes : room;

	kvm_mmu_unmap_user(vm->slot, slot->user + first, slot->user + first + now);
	vm->scanned = first + now;
}

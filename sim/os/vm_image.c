/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest whose stage-1 tables are those of a memory image: nothing is mapped, only looked up. */
#include <inttypes.h>

#include "os/vm_private.h"

/* ---- set-up ------------------------------------------------------------------------------- */

/* Both halves must have the granule of the set-up, and the larger one its size. */
static enum exit_status check_geometry(const struct vm_setup *setup,
				       const struct guest_image *image, struct diag *diag)
{
	unsigned va_bits = 0;

	for (unsigned i = 0; i < 2; i++) {
		const struct guest_image_half half = guest_image_half(image, i);

		if (!half.walks)
			continue;
		if (half.granule != setup->s1_granule)
			return diag_set(diag, STATUS_BAD_INPUT,
					"stage1.granule is %uK, but the guest of guest.image has a "
					"granule of %uK (TCR_EL1.TG%u)",
					1u << (setup->s1_granule - 10),
					half.granule ? 1u << (half.granule - 10) : 0, i);
		if (half.va_bits > va_bits)
			va_bits = half.va_bits;
	}
	if (va_bits == setup->va_bits)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT,
			"stage1.va_bits is %u, but the guest of guest.image has %u bits of VA "
			"(TCR_EL1.T0SZ, T1SZ)",
			setup->va_bits, va_bits);
}

static enum exit_status check_memory(const struct vm_setup *setup,
				     const struct guest_image_regs *regs, struct diag *diag)
{
	if (setup->memory_base != regs->ram_base)
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.memory_base is 0x%" PRIx64 ", but guest.image has RAM from "
				"0x%" PRIx64 " on",
				setup->memory_base, regs->ram_base);
	if (setup->memory_bytes && setup->memory_bytes != regs->ram_bytes)
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.memory is %" PRIu64 ", but guest.image has %" PRIu64
				" bytes; 0 takes what it has",
				setup->memory_bytes, regs->ram_bytes);
	if (setup->dirty_state == DIRTY_HARDWARE && !(regs->tcr_el1 & TCR_EL1_HD))
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.dirty_state: the guest of guest.image does not let hardware "
				"set dirty state (TCR_EL1.HD is 0)");
	return STATUS_OK;
}

enum exit_status vm_image_open(struct vm_setup *setup, struct guest_image **out, struct diag *diag)
{
	enum exit_status status;

	*out = NULL;
	if (!setup->image)
		return STATUS_OK;
	status = guest_image_open(setup->image, out, diag);
	if (status == STATUS_OK)
		status = check_geometry(setup, *out, diag);
	if (status == STATUS_OK)
		status = check_memory(setup, guest_image_regs(*out), diag);
	if (status == STATUS_OK) {
		setup->memory_bytes = guest_image_regs(*out)->ram_bytes;
		return STATUS_OK;
	}
	guest_image_close(*out);
	*out = NULL;
	return status;
}

/* Host memory for [user, user + 2^size_bits): its pages are the image's. */
static void place(void *ctx, uint64_t user, unsigned size_bits, pa_t pa)
{
	struct vm *vm = ctx;
	const uint64_t ipa = user - vm->setup.user_skew;

	for (uint64_t at = 0; at >> size_bits == 0; at += UINT64_C(1) << PHYS_PAGE_BITS) {
		uint64_t *words = guest_image_words(vm->image, ipa_of(ipa + at));

		/* Huge pages may reach beyond the RAM. */
		if (words && !phys_map_page(vm->mem, pa_of(pa.v + at), words))
			vm->image_no_memory = true;
	}
}

void vm_image_init(struct vm *vm)
{
	const struct guest_image_regs *regs = guest_image_regs(vm->image);

	vm->regs.sctlr_el1 = regs->sctlr_el1;
	vm->regs.tcr_el1 = regs->tcr_el1;
	vm->regs.mair_el1 = regs->mair_el1;
	vm->regs.ttbr0_el1 = regs->ttbr0_el1;
	vm->regs.ttbr1_el1 = regs->ttbr1_el1;
	vm->slot->memory.placed = place;
	vm->slot->memory.placed_ctx = vm;
}

/* ---- address spaces ----------------------------------------------------------------------- */

static void set_regime(struct space *space, const struct mmu_regs *regs)
{
	regime_init(&space->regime, &space->vm->setup.cpu, regs, REGIME_EL10);
	/* The registers at the time of the dump may hold another ASID. */
	space->regime.asid = space->mmu.context.asid;
	space->ttbr0 = regs->ttbr0_el1;
	space->ttbr1 = regs->ttbr1_el1;
}

void vm_image_space(struct space *space)
{
	set_regime(space, &space->vm->regs);
}

enum exit_status vm_set_tables(struct vm *vm, uint16_t asid, uint64_t ttbr0, uint64_t ttbr1,
			       struct diag *diag)
{
	const struct mmu_regs *own = &vm->regs;
	struct mmu_regs regs = *own;
	struct space *space;
	struct regime regime;

	if (!vm->image || (!ttbr0 && !ttbr1))
		return STATUS_OK;
	if (!vm_space(vm, asid, diag))
		return diag ? diag->status : STATUS_BAD_INPUT;
	space = vm_find_space(vm, asid);
	regs.ttbr0_el1 = ttbr0 ? ttbr0 : space->ttbr0;
	regs.ttbr1_el1 = ttbr1 ? ttbr1 : space->ttbr1;
	/* Between two address spaces TTBR0_EL1 maps nothing: the ASID has not got its tables yet.
	 */
	regime_init(&regime, &vm->setup.cpu, &regs, REGIME_EL10);
	if (guest_image_is_empty_table(vm->image, ipa_of(regime.s1[0].base),
				       vm->s1_geometry.root_bytes))
		regs.ttbr0_el1 = space->ttbr0;
	set_regime(space, &regs);
	return STATUS_OK;
}

/* ---- faults ------------------------------------------------------------------------------- */

static const char *name_of(enum fault_type type)
{
	switch (type) {
	case FAULT_TRANSLATION:
		return "translation";
	case FAULT_ADDRESS_SIZE:
		return "address size";
	case FAULT_ACCESS_FLAG:
		return "access flag";
	case FAULT_PERMISSION:
		return "permission";
	default:
		return "other";
	}
}

enum mmu_fault_result vm_image_fault(struct vm *vm, const struct mmu_request *request,
				     const struct fault *fault)
{
	const struct space *space = request->space->os;
	const bool upper = regime_half(request->va);

	diag_set(&vm->diag, STATUS_BAD_INPUT,
		 "VA 0x%" PRIx64 " (ASID %u): %s fault at level %d of the tables in guest.image, "
		 "TTBR%d_EL1 0x%" PRIx64 "; does the image belong to this trace?",
		 request->va.v, space->asid, name_of(fault->type), fault->level, upper,
		 upper ? space->ttbr1 : space->ttbr0);
	return MMU_FAULT_FAILED;
}

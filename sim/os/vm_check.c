/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VMs can be made at all. */
#include "os/vm_private.h"

#include <inttypes.h>

static enum exit_status check_stage1(const struct vm_setup *setup, struct s1_geometry *geometry,
				     struct diag *diag)
{
	const enum geometry_status status =
		geometry_s1(&setup->cpu, setup->s1_granule, setup->va_bits, geometry);
	struct desc_format format;

	if (status != GEOMETRY_OK)
		return diag_set(diag, STATUS_BAD_INPUT,
				"stage 1 with %uK granule and %u-bit VA: %s",
				1u << (setup->s1_granule - 10), setup->va_bits,
				geometry_status_text(status));
	format = desc_format_of(setup->s1_granule, geometry->ds, setup->cpu.pa_bits);
	if (vm_leaf_level(setup->s1_granule, setup->guest_leaf_bits) < geometry->start_level ||
	    !desc_leaf_allowed(&format, vm_leaf_level(setup->s1_granule, setup->guest_leaf_bits)))
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.pages: stage 1 with %uK granule and %u-bit VA has no leaves "
				"of 2^%u bytes",
				1u << (setup->s1_granule - 10), setup->va_bits,
				setup->guest_leaf_bits);
	return STATUS_OK;
}

unsigned vm_host_levels(const struct vm_setup *setup)
{
	return setup->host_va_bits ? geometry_host_levels(setup->s2_granule, setup->host_va_bits)
				   : 0;
}

/* The start level that was asked for; GEOMETRY_START_AUTO: KVM's. */
static int start_level_of(const struct vm_setup *setup)
{
	const struct kvm_pgtable_setup plain = {
		.granule = setup->s2_granule,
		.ia_bits = setup->ipa_bits,
		.start = KVM_START_PLAIN,
		.host_levels = vm_host_levels(setup),
	};
	int level;

	if (setup->start_level == LEVEL_PLAIN && kvm_pgtable_start_level(&plain, &level))
		return level;
	return setup->start_level < -1 ? GEOMETRY_START_AUTO : setup->start_level;
}

/* Could KVM of the time that was asked for run such a VM? */
static enum exit_status check_era(const struct vm_setup *setup, const struct s2_geometry *geometry,
				  struct diag *diag)
{
	const struct kvm_era_vm vm = { .era = setup->era,
				       .walker = setup->walker,
				       .page = setup->s2_granule,
				       .ipa_bits = setup->ipa_bits,
				       .pa_bits = setup->cpu.pa_bits,
				       .start_level = geometry->start_level,
				       .host_levels = vm_host_levels(setup) };
	const char *refusal = kvm_era_refusal(&vm);

	if (setup->walker == KVM_WALKER_FAKE_PGD && !setup->host_va_bits)
		return diag_set(diag, STATUS_BAD_INPUT,
				"host.walker: fake-pgd needs the host's levels: set host.va_bits");
	return refusal ? diag_set(diag, STATUS_BAD_INPUT, "%s", refusal) : STATUS_OK;
}

static enum exit_status check_stage2(const struct vm_setup *setup, struct s2_geometry *geometry,
				     struct diag *diag)
{
	const enum geometry_status status = geometry_s2(
		&setup->cpu, setup->s2_granule, setup->ipa_bits, start_level_of(setup), geometry);

	if (status != GEOMETRY_OK)
		return diag_set(diag, STATUS_BAD_INPUT,
				"stage 2 with %uK granule and %u-bit IPA: %s",
				1u << (setup->s2_granule - 10), setup->ipa_bits,
				geometry_status_text(status));
	if (setup->host_va_bits &&
	    geometry->levels > geometry_host_levels(setup->s2_granule, setup->host_va_bits))
		return diag_set(
			diag, STATUS_BAD_INPUT,
			"stage 2 needs %u levels, more than a host with host.va_bits %u has "
			"(%u)",
			geometry->levels, setup->host_va_bits,
			geometry_host_levels(setup->s2_granule, setup->host_va_bits));
	if (setup->backing_bits != (unsigned)setup->s2_granule &&
	    !kvm_hugetlb_exists(setup->s2_granule, setup->backing_bits))
		return diag_set(diag, STATUS_BAD_INPUT,
				"host.backing: a host with %uK pages has no pages of 2^%u bytes",
				1u << (setup->s2_granule - 10), setup->backing_bits);
	if (setup->user_skew & low_mask((unsigned)setup->s2_granule))
		return diag_set(diag, STATUS_BAD_INPUT,
				"host.user_skew: %" PRIu64 " is no multiple of the host's pages",
				setup->user_skew);
	if (setup->split_chunk_bytes && setup->kernel < KVM_KERNEL(6, 5))
		return diag_set(
			diag, STATUS_BAD_INPUT,
			"host.split_chunk: KVM splits eagerly from 6.5 on, host.kernel is %u.%u",
			setup->kernel / 1000, setup->kernel % 1000);
	if (setup->split_chunk_bytes &&
	    !kvm_block_size_supported(setup->s2_granule, setup->split_chunk_bytes))
		return diag_set(diag, STATUS_BAD_INPUT,
				"host.split_chunk: %" PRIu64 " bytes are not the size of a page or "
				"block that KVM maps with %uK pages",
				setup->split_chunk_bytes, 1u << (setup->s2_granule - 10));
	return check_era(setup, geometry, diag);
}

uint64_t vm_memory_end(const struct vm_setup *setup)
{
	const uint64_t space_end = UINT64_C(1) << setup->ipa_bits;

	if (setup->memory_bytes)
		return setup->memory_base + setup->memory_bytes;
	if (setup->memory_base >= space_end)
		return setup->memory_base;
	if (space_end - setup->memory_base > UINT64_C(1) << MEMORY_AUTO_BITS)
		return (setup->memory_base + (UINT64_C(1) << MEMORY_AUTO_BITS)) &
		       ~low_mask(SLOT_ALIGN_BITS);
	return space_end;
}

static enum exit_status check_memory(const struct vm_setup *setup, bool s1_ds, struct diag *diag)
{
	const uint64_t end = vm_memory_end(setup);
	const unsigned page_bits =
		setup->s1_granule > setup->s2_granule ? setup->s1_granule : setup->s2_granule;
	const unsigned oa_bits = setup->s1_granule == GRANULE_64K || s1_ds ? 52 : 48;

	if ((setup->memory_base | end) & low_mask(page_bits))
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.memory_base and guest.memory must be multiples of %uK",
				1u << (page_bits - 10));
	if (end <= setup->memory_base)
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.memory_base 0x%" PRIx64 " leaves no room in %u bits of IPA",
				setup->memory_base, setup->ipa_bits);
	if ((end - setup->memory_base) >> TABLE_CHUNK_BITS == 0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.memory: a guest needs 2M at the least, for its tables");
	if (end > UINT64_C(1) << setup->ipa_bits)
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.memory ends at IPA 0x%" PRIx64 ", beyond %u bits", end,
				setup->ipa_bits);
	if (end > UINT64_C(1) << oa_bits)
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.memory ends at IPA 0x%" PRIx64
				", but the guest's descriptors hold %u bits",
				end, oa_bits);
	return STATUS_OK;
}

static enum exit_status check_guest(const struct vm_setup *setup, struct diag *diag)
{
	const struct guest_setup guest = vm_guest_setup(setup);
	const unsigned asid_bits = setup->asid_bits;
	const char *why = setup->guest->refuse ? setup->guest->refuse(&guest) : NULL;

	if (asid_bits && ((asid_bits != 8 && asid_bits != 16) || asid_bits > setup->cpu.asid_bits))
		return diag_set(diag, STATUS_BAD_INPUT,
				"guest.asid_bits: %u; ASIDs have 8 or 16 bits, on this core at "
				"most %u",
				asid_bits, setup->cpu.asid_bits);
	return why ? diag_set(diag, STATUS_BAD_INPUT, "%s", why) : STATUS_OK;
}

enum exit_status vm_check_setup(const struct vm_setup *setup, struct s1_geometry *s1,
				struct s2_geometry *s2, struct diag *diag)
{
	enum exit_status status = check_stage1(setup, s1, diag);

	if (status == STATUS_OK)
		status = check_stage2(setup, s2, diag);
	if (status == STATUS_OK && setup->dirty_state == DIRTY_HARDWARE && !setup->cpu.hw_dirty)
		return diag_set(
			diag, STATUS_BAD_INPUT,
			"guest.dirty_state: this core does not update dirty state in hardware "
			"(ID_AA64MMFR1_EL1.HAFDBS)");
	if (status == STATUS_OK)
		status = check_guest(setup, diag);
	return status == STATUS_OK ? check_memory(setup, s1->ds, diag) : status;
}

enum exit_status vm_check_geometry(const struct vm_setup *setup, struct s1_geometry *s1,
				   struct s2_geometry *s2, struct diag *diag)
{
	struct vm_setup own = *setup;
	struct guest_image *image = NULL;
	enum exit_status status = vm_image_open(&own, &image, diag);

	if (status == STATUS_OK)
		status = vm_check_setup(&own, s1, s2, diag);
	guest_image_close(image);
	return status;
}

enum exit_status vm_check(const struct vm_setup *setup, struct diag *diag)
{
	struct s1_geometry s1;
	struct s2_geometry s2;

	return vm_check_geometry(setup, &s1, &s2, diag);
}

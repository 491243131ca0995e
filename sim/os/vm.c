/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/vm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/desc.h"
#include "arch/geometry.h"
#include "mmu/regime.h"
#include "os/backing.h"

enum {
	ASIDS = 1 << 16,
	MEMORY_AUTO_BITS = 40, /* guest.memory 0: at most 1 TiB */
	SLOT_ALIGN_BITS = 30,  /* of the end of that: whole PUD blocks */
};

/* One address space: the guest's TTBR0 and the registers that go with it. */
struct space {
	struct mmu_space mmu;
	struct regime regime;
	struct table low; /* TTBR0_EL1; TTBR1_EL1's tables are shared by the VM */
	struct vm *vm;
};

struct vm {
	struct vm_setup setup;
	struct phys_mem *mem;
	struct frames *frames;
	uint16_t vmid;
	struct geometry geometry; /* of stage 2 */
	struct mmu_regs regs;	  /* TTBR0_EL1 is each space's own */
	uint64_t memory_first, memory_end; /* IPA: the memslot */
	uint64_t tables_next;	  /* IPA: guest tables lie at and above it */
	pa_t *table_pa;		  /* of guest tables by table_unit, downwards from memory_end */
	unsigned table_unit_bits; /* the smaller granule: so much of a table is contiguous */
	size_t table_pas, table_pas_room;
	struct table stage2;
	struct table high;	  /* TTBR1_EL1 */
	struct backing backing;
	void *guest_state;
	struct space **spaces;	  /* by ASID; NULL: not made yet */
	uint64_t s1_faults, s2_faults, s2_table_faults;
	struct diag diag;
};

/* ---- stage 2: KVM ------------------------------------------------------------------------- */

static bool s2_alloc(void *ctx, uint64_t *address)
{
	struct vm *vm = ctx;
	pa_t pa;

	if (!frames_alloc(vm->frames, vm->setup.s2_granule, &pa))
		return false;
	*address = pa.v;
	return true;
}

static pa_t s2_locate(void *ctx, uint64_t address)
{
	(void)ctx;
	return pa_of(address);
}

static const struct table_ops s2_ops = { .alloc = s2_alloc, .locate = s2_locate };

/* Sizes of blocks around ipa that lie in the memslot. User address and IPA agree modulo any size. */
static uint64_t fitting_blocks(const struct vm *vm, uint64_t ipa)
{
	uint64_t fitting = 0;

	for (unsigned bits = vm->setup.s2_granule; bits < 52; bits++) {
		const uint64_t first = ipa & ~low_mask(bits);

		if (first >= vm->memory_first && (first | low_mask(bits)) < vm->memory_end)
			fitting |= UINT64_C(1) << bits;
	}
	return fitting;
}

static bool s2_out_of_memory(struct vm *vm)
{
	diag_set(&vm->diag, STATUS_BAD_INPUT,
		 "host memory exhausted: the core's %u-bit physical addresses have no room for more "
		 "of the guest's pages and tables",
		 vm->setup.cpu.pa_bits);
	return false;
}

/* Map the block of 2^block_bits bytes around ipa, by leaves no larger than the tables have. */
static bool s2_map_block(struct vm *vm, uint64_t ipa, unsigned block_bits)
{
	const enum granule granule = vm->setup.s2_granule;
	const uint64_t first = ipa & ~low_mask(block_bits);
	int level = level_of_size(granule, block_bits);
	pa_t backing;

	if (level < vm->geometry.start_level)
		level = vm->geometry.start_level;

	const unsigned leaf_bits = level_shift(granule, level);

	for (uint64_t at = first; at <= (first | low_mask(block_bits));
	     at += UINT64_C(1) << leaf_bits) {
		enum table_result result;

		if (!backing_of(&vm->backing, vm->frames, ipa_of(at), &backing))
			return s2_out_of_memory(vm);
		result = table_map(&vm->stage2, at, level, backing.v, DESC_S2_KVM_NORMAL);
		/* KVM would collapse a table into the block; a first touch never meets one. */
		if (result == TABLE_NO_MEMORY)
			return s2_out_of_memory(vm);
		if (result == TABLE_OCCUPIED) {
			diag_set(&vm->diag, STATUS_INTERNAL,
				 "stage-2 fault on IPA 0x%" PRIx64 ", which is mapped", at);
			return false;
		}
	}
	return true;
}

static bool s2_fault_ipa(struct vm *vm, uint64_t ipa)
{
	struct host_fault fault;

	if (ipa < vm->memory_first || ipa >= vm->memory_end) {
		diag_set(&vm->diag, STATUS_INTERNAL,
			 "IPA 0x%" PRIx64 " lies outside the VM's memory", ipa);
		return false;
	}
	fault = (struct host_fault){
		.granule = vm->setup.s2_granule,
		.levels = (unsigned)(4 - vm->geometry.start_level),
		.backing_bits = vm->setup.backing_bits,
		.fitting = fitting_blocks(vm, ipa),
	};
	vm->s2_faults++;
	return s2_map_block(vm, ipa, vm->setup.host->block_bits(&fault));
}

bool vm_s2_fault(void *ctx, const struct mmu_request *request, ipa_t ipa,
		 const struct fault *fault)
{
	struct vm *vm = ((struct space *)request->space->os)->vm;

	(void)ctx;
	if (fault->type == FAULT_TRANSLATION)
		return s2_fault_ipa(vm, ipa.v);
	diag_set(&vm->diag, STATUS_INTERNAL, "stage-2 %s fault on IPA 0x%" PRIx64,
		 fault_name(fault->type), ipa.v);
	return false;
}

/* ---- stage 1: the guest ------------------------------------------------------------------- */

/* PA of a mapped IPA; KVM has mapped it. */
static pa_t s2_lookup(const struct vm *vm, uint64_t ipa)
{
	int level;
	const uint64_t desc = table_find(&vm->stage2, ipa, &level);

	return pa_of(desc_address(desc, vm->setup.s2_granule, vm->stage2.wide) |
		     (ipa & low_mask(level_shift(vm->setup.s2_granule, level))));
}

static bool table_pa_push(struct vm *vm, pa_t pa)
{
	if (vm->table_pas == vm->table_pas_room) {
		const size_t room = vm->table_pas_room ? 2 * vm->table_pas_room : 64;
		pa_t *grown = realloc(vm->table_pa, room * sizeof(*grown));

		if (!grown)
			return false;
		vm->table_pa = grown;
		vm->table_pas_room = room;
	}
	vm->table_pa[vm->table_pas++] = pa;
	return true;
}

/* Guest tables come from the end of memory downwards; KVM maps them when the guest clears them. */
static bool s1_alloc(void *ctx, uint64_t *address)
{
	struct vm *vm = ctx;
	const uint64_t unit_bytes = UINT64_C(1) << vm->table_unit_bits;
	const uint64_t end = vm->tables_next - (UINT64_C(1) << vm->setup.s1_granule);
	int level;

	if (vm->tables_next - vm->memory_first < UINT64_C(1) << vm->setup.s1_granule)
		return false;
	while (vm->tables_next > end) {
		const uint64_t ipa = vm->tables_next - unit_bytes;

		if (!table_find(&vm->stage2, ipa, &level)) {
			vm->s2_table_faults++;
			if (!s2_fault_ipa(vm, ipa))
				return false;
		}
		if (!table_pa_push(vm, s2_lookup(vm, ipa)))
			return false;
		vm->tables_next = ipa;
	}
	*address = end;
	return true;
}

static pa_t s1_locate(void *ctx, uint64_t address)
{
	const struct vm *vm = ctx;
	const uint64_t unit = (vm->memory_end - 1 - address) >> vm->table_unit_bits;

	return pa_of(vm->table_pa[unit].v | (address & low_mask(vm->table_unit_bits)));
}

static const struct table_ops s1_ops = { .alloc = s1_alloc, .locate = s1_locate };

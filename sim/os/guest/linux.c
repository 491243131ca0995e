/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Linux guest on arm64: anonymous memory of processes in the lower half, by pages, contiguous
 * sets of pages (mTHP with CONFIG_ARM64_CONTPTE), transparent huge pages or hugetlbfs; the kernel
 * in the upper half: linear map, text, and vmalloc space by pages.
 */
#include "os/guest.h"

/* Text lies in segments of whole 2 MiB: a block with 4K pages, a contiguous set with 16K and 64K.
 */
enum { TEXT_BITS = 21 };

struct linux_guest {
	const struct guest_setup *setup;
	struct guest_memory *memory;
	uint64_t memstart; /* IPA of the first byte of the linear map */
};

static void init(void *state, const struct guest_setup *setup, struct guest_memory *memory)
{
	/* ARM64_MEMSTART_ALIGN: 1 GiB, with 64K pages 512 MiB. */
	const unsigned align_bits = setup->page_bits == GRANULE_64K ? 29 : 30;
	struct linux_guest *own = state;

	*own = (struct linux_guest){
		.setup = setup,
		.memory = memory,
		.memstart = setup->first.v & ~low_mask(align_bits),
	};
}

static bool take(void *state, unsigned bits, ipa_t *out)
{
	const struct linux_guest *own = state;

	return guest_memory_take(own->memory, bits, out);
}

/* A seeded draw for the region of 2^bits bytes that holds va: the same however often it is asked.
 */
static bool chosen(const struct linux_guest *own, const struct guest_fault *fault, unsigned bits,
		   uint32_t permille)
{
	uint64_t x = own->setup->seed ^ (uint64_t)bits << 56;

	x = (x + (fault->va.v >> bits)) * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 29 ^ fault->asid) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 32) * UINT64_C(0x94d049bb133111eb);
	return (x >> 33) % 1000 < permille;
}

static bool take_leaf(const struct linux_guest *own, unsigned leaf_bits, unsigned span_bits,
		      struct guest_leaf *leaf)
{
	if (!guest_memory_take(own->memory, span_bits, &leaf->ipa)) {
		leaf->fallback = true;
		return false;
	}
	leaf->leaf_bits = leaf_bits;
	leaf->span_bits = span_bits;
	return true;
}

static enum guest_result take_page(const struct linux_guest *own, struct guest_leaf *leaf)
{
	const unsigned bits = own->setup->page_bits;

	return take_leaf(own, bits, bits, leaf) ? GUEST_OK : GUEST_NO_MEMORY;
}

/* Only for the kernel's mappings, and where the draw is for more than a page. */
static bool wants_hole(const void *state, const struct guest_fault *fault)
{
	const struct linux_guest *own = state;
	const struct guest_setup *setup = own->setup;

	if (fault->va.v >> 55 & 1)
		return true;
	return (setup->thp_permille && chosen(own, fault, setup->pmd_bits, setup->thp_permille)) ||
	       (setup->contiguous_permille &&
		chosen(own, fault, setup->contiguous_bits, setup->contiguous_permille));
}

/* do_anonymous_page(): a PMD where none is yet, else an order whose entries are all none, else one
 * page. With guest.pages larger than a page, hugetlbfs: its pool is all that there is. */
static enum guest_result user_fault(const struct linux_guest *own, const struct guest_fault *fault,
				    struct guest_leaf *leaf)
{
	const struct guest_setup *setup = own->setup;

	if (setup->leaf_bits != setup->page_bits)
		return take_leaf(own, setup->leaf_bits, setup->leaf_bits, leaf) ? GUEST_OK
										: GUEST_NO_MEMORY;
	if (fault->hole_bits >= setup->pmd_bits &&
	    chosen(own, fault, setup->pmd_bits, setup->thp_permille) &&
	    take_leaf(own, setup->pmd_bits, setup->pmd_bits, leaf))
		return GUEST_OK;
	if (fault->hole_bits >= setup->contiguous_bits &&
	    chosen(own, fault, setup->contiguous_bits, setup->contiguous_permille) &&
	    take_leaf(own, setup->page_bits, setup->contiguous_bits, leaf))
		return GUEST_OK;
	return take_page(own, leaf);
}

/* The lower half of the kernel's half maps all memory at a fixed offset (__phys_to_virt). */
static bool in_linear_map(const struct linux_guest *own, va_t va, uint64_t *ipa)
{
	const uint64_t offset = va.v & low_mask(own->setup->va_bits);

	if (!(va.v >> 55 & 1) || offset >> (own->setup->va_bits - 1))
		return false;
	*ipa = own->memstart + offset;
	return *ipa >= own->setup->first.v && *ipa < own->setup->end.v;
}

/* The largest leaf or contiguous set around ipa that lies in memory (alloc_init_pud and below). */
static void map_linear(const struct linux_guest *own, const struct guest_fault *fault, uint64_t ipa,
		       struct guest_leaf *leaf)
{
	const struct guest_setup *setup = own->setup;
	const struct {
		unsigned leaf_bits, span_bits;
	} sizes[] = {
		{ setup->pud_bits, setup->page_bits == GRANULE_4K ? setup->pud_bits : UINT8_MAX },
		{ setup->pmd_bits, setup->pmd_bits },
		{ setup->page_bits, setup->contiguous_bits },
	};

	leaf->leaf_bits = leaf->span_bits = setup->page_bits;
	for (unsigned i = 0; i < 3 && setup->kernel_map == KERNEL_BLOCKS; i++) {
		const unsigned bits = sizes[i].span_bits;

		if (bits > fault->hole_bits || (ipa & ~low_mask(bits)) < setup->first.v ||
		    (ipa | low_mask(bits)) >= setup->end.v)
			continue;
		leaf->leaf_bits = sizes[i].leaf_bits;
		leaf->span_bits = bits;
		break;
	}
	leaf->ipa = ipa_of(ipa & ~low_mask(leaf->span_bits));
	leaf->cleared = false;
}

static enum guest_result kernel_fault(const struct linux_guest *own,
				      const struct guest_fault *fault, struct guest_leaf *leaf)
{
	const struct guest_setup *setup = own->setup;
	const unsigned text_leaf_bits =
		setup->page_bits == GRANULE_4K ? setup->pmd_bits : setup->page_bits;
	uint64_t ipa;

	if (in_linear_map(own, fault->va, &ipa)) {
		map_linear(own, fault, ipa, leaf);
		return GUEST_OK;
	}
	if (setup->kernel_map == KERNEL_BLOCKS && fault->kind == ACCESS_FETCH &&
	    fault->hole_bits >= TEXT_BITS && take_leaf(own, text_leaf_bits, TEXT_BITS, leaf))
		return GUEST_OK;
	return take_page(own, leaf);
}

static enum guest_result fault(void *state, const struct guest_fault *fault,
			       struct guest_leaf *leaf)
{
	leaf->fallback = false;
	leaf->cleared = true;
	return fault->va.v >> 55 & 1 ? kernel_fault(state, fault, leaf)
				     : user_fault(state, fault, leaf);
}

/* What the linear map maps belongs to others. */
static void give_back(void *state, va_t va, unsigned bits, ipa_t ipa)
{
	const struct linux_guest *own = state;
	uint64_t linear;

	if (!in_linear_map(own, va, &linear))
		guest_memory_give_back(own->memory, bits, ipa);
}

const struct guest_ops guest_linux = {
	.name = "linux",
	.help = "Linux: buddy allocator, THP, contiguous pages, hugetlbfs, kernel in blocks",
	.state_bytes = sizeof(struct linux_guest),
	.init = init,
	.wants_hole = wants_hole,
	.fault = fault,
	.take = take,
	.give_back = give_back,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's own mapping of a memslot's memory, as far as KVM sees it through get_user_pages() and
 * the MMU notifiers: what is mapped at a user address, how large, writable or not. Memory is
 * private and anonymous, or a device's; it is given back when its slot ends.
 */
#ifndef TWOSTAGE_OS_KVM_MEMORY_H
#define TWOSTAGE_OS_KVM_MEMORY_H

#include <stdbool.h>

#include "arch/types.h"
#include "mem/frames.h"

enum kvm_backing {
	KVM_BACKING_ANON,    /* pages, transparent huge pages off */
	KVM_BACKING_THP,     /* transparent huge pages of the PMD size */
	KVM_BACKING_HUGETLB, /* hugetlbfs */
	KVM_BACKING_DEVICE,  /* a device's memory (VM_PFNMAP): there already, no frames */
};

/* Called before a mapping is taken away (invalidate_range_start) from user addresses [first, end).
 */
typedef void kvm_invalidate_fn(void *ctx, uint64_t first, uint64_t end);

/* Called when user addresses [user, user + 2^size_bits) have got memory of their own, at pa; or
 * lost it. */
typedef void kvm_placed_fn(void *ctx, uint64_t user, unsigned size_bits, pa_t pa);

struct kvm_memory {
	enum kvm_backing backing;
	enum granule page;
	unsigned unit_bits;  /* log2 of what one user page table entry below a chunk maps */
	unsigned chunk_bits; /* log2 of the larger of a PMD and a unit */
	uint64_t first;	     /* user address of chunk 0 */
	uint64_t chunks;
	struct kvm_chunk **chunk; /* NULL: never touched */
	struct kvm_chunk *newest; /* of those there are */
	struct frames *frames;
	uint64_t device_pa; /* KVM_BACKING_DEVICE: of user address device_user */
	uint64_t device_user;
	uint64_t zero_page, huge_zero_page; /* PA + 1; 0: not made yet */
	pa_t *pool;			    /* KVM_MEMORY_POOL: pages that are not used yet */
	uint64_t pool_pages, pool_next;
	uint64_t huge_fallbacks; /* THP: chunks that no huge frame was there for */
	kvm_invalidate_fn *invalidate;
	void *invalidate_ctx;
	kvm_placed_fn *placed;	/* may be NULL */
	kvm_placed_fn *dropped; /* may be NULL; not called at the end */
	void *placed_ctx;
};

/* Does hugetlbfs have pages of 2^bits bytes where the host's base pages are `page` (Linux arm64)?
 */
bool kvm_hugetlb_exists(enum granule page, unsigned bits);

/*
 * Nothing is mapped yet at user addresses [user, user + bytes). hugetlb_bits: page size of
 * KVM_BACKING_HUGETLB. KVM_BACKING_DEVICE: the caller sets device_pa. False: out of memory.
 */
bool kvm_memory_init(struct kvm_memory *memory, enum kvm_backing backing, unsigned hugetlb_bits,
		     enum granule page, uint64_t user, uint64_t bytes, struct frames *frames);
void kvm_memory_fini(struct kvm_memory *memory);

/*
 * KVM_BACKING_HUGETLB: take all pages of user addresses [user, user + bytes) out of the host's
 * memory now, as mmap() reserves them in the pool, to be handed out in that order. *asked and *had:
 * pages. False: not all could be had, or out of memory (*had == *asked).
 */
bool kvm_memory_reserve(struct kvm_memory *memory, uint64_t user, uint64_t bytes, uint64_t *asked,
			uint64_t *had);

/* Is a page there at `user`? A zero page is one. */
bool kvm_memory_touched(const struct kvm_memory *memory, uint64_t user);

/* log2 of the page size that the VMA has (get_vma_page_shift); of a device's: a page. */
unsigned kvm_memory_vma_bits(const struct kvm_memory *memory);

struct kvm_pin {
	pa_t pa;	  /* of the page */
	bool writable;	  /* the host maps it writable */
	bool invalidated; /* a mapping was taken away meanwhile: the fault must be tried again */
	bool copied;	  /* by copying one page on write, which tells change_pte() up to v6.9 */
	unsigned mapped_bits; /* log2 of what the host's entry maps (get_user_mapping_size) */
	uint64_t zeroed_4k;   /* memory cleared for it, in units of 4 KiB */
};

enum kvm_memory_result { KVM_MEMORY_OK, KVM_MEMORY_NO_FRAMES, KVM_MEMORY_NO_MEMORY };

/*
 * hva_to_pfn(): fault the page at `user` in, for writing or not. A first read of anonymous memory
 * maps a zero page, of THP memory the huge zero page; a write to it then splits that into pages.
 * THP memory falls back to pages where no huge frame can be had.
 */
enum kvm_memory_result kvm_memory_pin(struct kvm_memory *memory, uint64_t user,
				      enum access_kind access, struct kvm_pin *pin);

/*
 * madvise(MADV_DONTNEED) of user addresses [first, end): what lies in it altogether is given back.
 * A huge page that lies in it in part is split for good, a hugetlb page stays.
 */
enum kvm_memory_result kvm_memory_discard(struct kvm_memory *memory, uint64_t first, uint64_t end);

/*
 * khugepaged (collapse_huge_page): if the PMD's worth of THP memory around `user` is made of pages,
 * one of them written, copy them to a huge frame. KVM_MEMORY_OK also where there is nothing to do.
 */
enum kvm_memory_result kvm_memory_collapse(struct kvm_memory *memory, uint64_t user);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Simulated physical memory: sparse, 52-bit, little-endian 64-bit words. Only pages that were
 * written take host memory (translation tables; data pages have no contents); the rest reads 0.
 */
#ifndef TWOSTAGE_MEM_PHYS_H
#define TWOSTAGE_MEM_PHYS_H

#include <stddef.h>

#include "arch/types.h"

struct phys_mem;

/* Returns NULL when out of memory. */
struct phys_mem *phys_create(void);
void phys_destroy(struct phys_mem *mem);

/* Forget all contents and abort ranges, keep the allocation for reuse. */
void phys_reset(struct phys_mem *mem);

/* Accesses to [first, end) give a synchronous External abort. At most 8 ranges; false if full. */
bool phys_add_abort_range(struct phys_mem *mem, pa_t first, pa_t end);
bool phys_aborts(const struct phys_mem *mem, pa_t pa);

/* 64-bit word at pa, which must be 8-byte aligned. */
uint64_t phys_read64(const struct phys_mem *mem, pa_t pa);

/* False when out of memory. */
bool phys_write64(struct phys_mem *mem, pa_t pa, uint64_t value);

/* Give the 4 KiB page of pa back, contents lost. No effect on a page never written. */
void phys_free_page(struct phys_mem *mem, pa_t pa);

/* Host bytes held by page contents. */
size_t phys_bytes(const struct phys_mem *mem);

#endif

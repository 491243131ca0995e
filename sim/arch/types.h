/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three address spaces of two-stage translation, and the kinds of access.
 * Each is a struct of one member, so that mixing them does not compile. C++ may include this, too.
 */
#ifndef TWOSTAGE_ARCH_TYPES_H
#define TWOSTAGE_ARCH_TYPES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	uint64_t v;
} va_t; /* guest virtual address: input of stage 1 */
typedef struct {
	uint64_t v;
} ipa_t; /* intermediate physical address: output of stage 1, input of stage 2 */
typedef struct {
	uint64_t v;
} pa_t; /* physical address: output of stage 2 */

static inline va_t va_of(uint64_t v)
{
	const va_t va = { v };

	return va;
}

static inline ipa_t ipa_of(uint64_t v)
{
	const ipa_t ipa = { v };

	return ipa;
}

static inline pa_t pa_of(uint64_t v)
{
	const pa_t pa = { v };

	return pa;
}

/* Bits [hi:lo] of v, right-justified; 0 <= lo <= hi <= 63. */
static inline uint64_t bits(uint64_t v, unsigned hi, unsigned lo)
{
	return (v >> lo) & (~UINT64_C(0) >> (63 - (hi - lo)));
}

/* A mask of the n low bits, n in 0..64. */
static inline uint64_t low_mask(unsigned n)
{
	return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

/*
 * A VA with bits 63:56 as copies of bit 55, which chooses the half of the address space: what is
 * left of a tagged pointer under TBI, and how TLBs and walk caches compare addresses.
 */
static inline uint64_t va_sign_extend(uint64_t va)
{
	return va >> 55 & 1 ? va | ~low_mask(56) : va & low_mask(56);
}

enum access_kind { ACCESS_FETCH, ACCESS_LOAD, ACCESS_STORE };

/* Translation granule; the value is log2 of its bytes. */
enum granule { GRANULE_4K = 12, GRANULE_16K = 14, GRANULE_64K = 16 };

/* Bits of IA that one level of a table resolves: 9, 11, 13. */
static inline unsigned granule_stride(enum granule g)
{
	return (unsigned)g - 3;
}

/* log2 of the bytes that one entry of a table at `level` (-1..3) maps. */
static inline unsigned level_shift(enum granule g, int level)
{
	return (unsigned)g + (unsigned)(3 - level) * granule_stride(g);
}

#endif

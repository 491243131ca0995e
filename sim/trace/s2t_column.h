/* SPDX-License-Identifier: BSD-2-Clause */
/* Passes over the values of a column, for s2t_decode.c alone. */
#ifndef TWOSTAGE_TRACE_S2T_COLUMN_H
#define TWOSTAGE_TRACE_S2T_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIDEN(to_type, from_type)                                                                  \
	for (size_t i = 0; i < n; i++) {                                                           \
		from_type v;                                                                       \
		memcpy(&v, from + i * sizeof(v), sizeof(v));                                       \
		((to_type *)to)[i] = v;                                                            \
	}

/* n elements of `width` bytes to an array of wider ones, of `to_width` bytes. */
static inline void widen(void *restrict to, unsigned to_width, const unsigned char *restrict from,
			 unsigned width, size_t n)
{
	if (to_width == 2)
		WIDEN(uint16_t, uint8_t)
	else if (to_width == 4 && width == 1)
		WIDEN(uint32_t, uint8_t)
	else if (to_width == 4)
		WIDEN(uint32_t, uint16_t)
	else if (width == 1)
		WIDEN(uint64_t, uint8_t)
	else if (width == 2)
		WIDEN(uint64_t, uint16_t)
	else
		WIDEN(uint64_t, uint32_t)
}

#define FILL(to_type)                                                                              \
	for (size_t i = 0; i < n; i++)                                                             \
		((to_type *)to)[i] = (to_type)value;

static inline void fill(void *to, unsigned to_width, uint64_t value, size_t n)
{
	if (to_width == 2)
		FILL(uint16_t)
	else if (to_width == 4)
		FILL(uint32_t)
	else
		FILL(uint64_t)
}

static inline unsigned max_of_8(const uint8_t *value, size_t n)
{
	uint8_t max = 0;

	for (size_t i = 0; i < n; i++)
		max = value[i] > max ? value[i] : max;
	return max;
}

static inline unsigned max_of_16(const uint16_t *value, size_t n)
{
	uint16_t max = 0;

	for (size_t i = 0; i < n; i++)
		max = value[i] > max ? value[i] : max;
	return max;
}

#define ANY_ZERO(type)                                                                             \
	for (size_t i = 1; i < n; i++) {                                                           \
		type v;                                                                            \
		memcpy(&v, step + i * sizeof(v), sizeof(v));                                       \
		any |= v == 0;                                                                     \
	}

/* Is one of n values of 1, 2 or 4 bytes, but for the first, 0? */
static inline bool any_zero(const unsigned char *step, unsigned width, size_t n)
{
	unsigned any = 0;

	if (width == 1)
		return memchr(step + 1, 0, n - 1);
	if (width == 2)
		ANY_ZERO(uint16_t)
	else
		ANY_ZERO(uint32_t)
	return any;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Arrays that grow within a bound that they share. */
#ifndef TWOSTAGE_RUN_BUDGET_H
#define TWOSTAGE_RUN_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct budget {
	size_t bytes, most_bytes;
};

/*
 * Room for one more than `n` elements of `array`, which has *room. Returns the array, perhaps
 * elsewhere; NULL when the budget or memory is spent, `array` is then as it was.
 */
static inline void *budget_grow(struct budget *budget, void *array, size_t n, size_t *room,
				size_t element_bytes)
{
	const size_t more = n / 8 + 1024;
	void *grown;

	if (n < *room)
		return array;
	if (budget->bytes + more * element_bytes > budget->most_bytes)
		return NULL;
	grown = realloc(array, (*room + more) * element_bytes);
	if (!grown)
		return NULL;
	*room += more;
	budget->bytes += more * element_bytes;
	return grown;
}

#endif

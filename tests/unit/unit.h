/* SPDX-License-Identifier: BSD-2-Clause */
/* What the unit tests of the engine share: cmocka with the headers that it wants, random numbers.
 */
#ifndef TWOSTAGE_TESTS_UNIT_H
#define TWOSTAGE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace/rng.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* For seeds and loops: how often something happens in n of m draws. */
static inline bool chance(struct rng *rng, uint64_t n, uint64_t m)
{
	return rng_below(rng, m) < n;
}

static inline unsigned pick(struct rng *rng, unsigned n)
{
	return (unsigned)rng_below(rng, n);
}

#endif

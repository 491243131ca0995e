/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers of the synthetic traces: xoshiro256**, seeded by splitmix64. Integers only. */
#ifndef TWOSTAGE_TRACE_RNG_H
#define TWOSTAGE_TRACE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* A good mix of the bits of x: the finaliser of splitmix64. */
static inline uint64_t rng_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline struct rng rng_seed(uint64_t seed)
{
	struct rng r;

	for (int i = 0; i < 4; i++)
		r.s[i] = rng_mix(seed += UINT64_C(0x9e3779b97f4a7c15));
	return r;
}

static inline uint64_t rng_rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static inline uint64_t rng_next(struct rng *r)
{
	const uint64_t result = rng_rotate(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rng_rotate(r->s[3], 45);
	return result;
}

__extension__ typedef unsigned __int128 rng_u128;

/* 0 .. n-1, n > 0; the high half of a product. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return (uint64_t)((rng_u128)rng_next(r) * n >> 64);
}

#endif

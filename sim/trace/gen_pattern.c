/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/gen_pattern.h"

#include <stdlib.h>
#include <string.h>

enum {
	ZIPF_SINGLE = 4096,   /* ranks with a weight of their own */
	ZIPF_PER_OCTAVE = 64, /* groups of ranks between two powers of two behind them */
	WEIGHT_BITS = 40,
	ROUNDS = 4,
};

/* log2(x) with 32 fractional bits, x >= 1: square, and see whether it passes 2. */
static uint64_t log2_q32(uint64_t x)
{
	unsigned whole = 63 - (unsigned)__builtin_clzll(x);
	uint64_t m = x << (63 - whole); /* 1.0 <= m/2^63 < 2.0 */
	uint64_t result = (uint64_t)whole << 32;

	for (int bit = 31; bit >= 0; bit--) {
		rng_u128 square = (rng_u128)m * m; /* 126 fractional bits */

		if (square >> 127) {
			result |= UINT64_C(1) << bit;
			m = (uint64_t)(square >> 64);
		} else {
			m = (uint64_t)(square >> 63);
		}
	}
	return result;
}

/* The integer square root of a number below 2^128. */
static uint64_t square_root(rng_u128 x)
{
	uint64_t root = 0;

	for (int bit = 63; bit >= 0; bit--) {
		uint64_t more = root | UINT64_C(1) << bit;

		if ((rng_u128)more * more <= x)
			root = more;
	}
	return root;
}

/* 2^-x for x with 32 fractional bits, with WEIGHT_BITS fractional bits. */
static uint64_t exp2_negative(uint64_t x)
{
	uint64_t factor = UINT64_C(1) << 63; /* 2^(-2^-i) with 63 fractional bits: starts at 1/2 */
	uint64_t result = UINT64_C(1) << 63;

	factor >>= 1;
	for (int bit = 31; bit >= 0; bit--) {
		factor = square_root((rng_u128)factor << 63);
		if (x >> bit & 1)
			result = (uint64_t)((rng_u128)result * factor >> 63);
	}
	if (x >> 32 > WEIGHT_BITS)
		return 0;
	return result >> (63 - WEIGHT_BITS) >> (x >> 32);
}

uint64_t gen_zipf_weight(uint64_t rank, uint64_t skew)
{
	uint64_t weight = exp2_negative((uint64_t)((rng_u128)log2_q32(rank) * skew / 1000));

	return weight ? weight : 1;
}

/* The first rank of group `g`: each of the first ranks alone, then parts of octaves. */
static uint64_t group_first(size_t g)
{
	uint64_t octave, part;

	if (g < ZIPF_SINGLE)
		return g + 1;
	octave = (g - ZIPF_SINGLE) / ZIPF_PER_OCTAVE;
	part = (g - ZIPF_SINGLE) % ZIPF_PER_OCTAVE;
	return ((uint64_t)ZIPF_SINGLE << octave) +
	       part * (((uint64_t)ZIPF_SINGLE << octave) / ZIPF_PER_OCTAVE) + 1;
}

/* Ranks of a group share the weight of the one in its middle. */
static bool init_zipf(struct gen_shared *s)
{
	const size_t max = ZIPF_SINGLE + 64 * ZIPF_PER_OCTAVE;
	uint64_t sum = 0;

	s->ends = calloc(max + 1, sizeof(*s->ends));
	s->firsts = calloc(max + 2, sizeof(*s->firsts));
	if (!s->ends || !s->firsts)
		return false;
	for (size_t g = 0; group_first(g) <= s->items; g++) {
		uint64_t first = group_first(g), end = group_first(g + 1);

		end = end > s->items + 1 ? s->items + 1 : end;
		s->firsts[g] = first;
		s->firsts[g + 1] = end;
		sum += (end - first) *
		       gen_zipf_weight(first + (end - 1 - first) / 2, s->phase->skew);
		s->ends[g] = sum;
		s->n_groups = g + 1;
	}
	return true;
}

bool gen_shared_init(struct gen_shared *s, const struct gen_phase *phase, uint64_t seed)
{
	const bool zipf = phase->pattern == GEN_ZIPF;

	memset(s, 0, sizeof(*s));
	s->phase = phase;
	s->elements = phase->footprint / phase->size;
	s->item_bytes = phase->item ? phase->item : zipf ? 4096 : 64;
	s->items = phase->footprint / s->item_bytes;
	s->scatter = rng_mix(seed ^ UINT64_C(0x7363617474657221));
	s->half_bits = 1;
	while (s->half_bits < 32 && s->items > UINT64_C(1) << 2 * s->half_bits)
		s->half_bits++;
	return !zipf || init_zipf(s);
}

void gen_shared_free(struct gen_shared *s)
{
	free(s->ends);
	free(s->firsts);
}

/* A permutation of 0 .. items-1: a Feistel network, again until the result is in range. */
static uint64_t scatter(const struct gen_shared *s, uint64_t x)
{
	const uint64_t mask = low_mask(s->half_bits);

	do {
		uint64_t left = x >> s->half_bits, right = x & mask;

		for (uint64_t round = 0; round < ROUNDS; round++) {
			uint64_t next = left ^ (rng_mix(s->scatter + (round << 56) + right) & mask);

			left = right;
			right = next;
		}
		x = left << s->half_bits | right;
	} while (x >= s->items);
	return x;
}

static uint64_t draw_rank(const struct gen_shared *s, struct rng *rng)
{
	uint64_t r = rng_below(rng, s->ends[s->n_groups - 1]);
	size_t low = 0, high = s->n_groups - 1;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (r < s->ends[middle])
			high = middle;
		else
			low = middle + 1;
	}
	return s->firsts[low] - 1 + rng_below(rng, s->firsts[low + 1] - s->firsts[low]);
}

struct gen_stream gen_stream_start(const struct gen_shared *s, uint64_t seed, uint64_t vcpu,
				   uint64_t vcpus)
{
	struct gen_stream stream = { .rng = rng_seed(seed) };
	uint64_t steps = 0;

	/* Streams without chance start apart, spread over the footprint. */
	if (s->phase->pattern == GEN_CHASE)
		steps = s->items;
	else if (s->phase->pattern == GEN_STRIDE)
		steps = s->phase->footprint / s->phase->stride;
	else if (s->phase->pattern == GEN_STENCIL)
		steps = s->elements / 2;
	stream.at = (uint64_t)((rng_u128)steps * vcpu / vcpus);
	return stream;
}

static uint64_t element(const struct gen_shared *s, uint64_t index)
{
	return s->phase->base + index * s->phase->size;
}

/* Each inner point of the first grid with its neighbours, then the same point of the second. */
static struct gen_access next_stencil(const struct gen_shared *s, struct gen_stream *stream)
{
	const struct gen_phase *p = s->phase;
	const uint64_t columns = p->row / p->size, rows = p->footprint / 2 / p->row;
	const uint64_t point = stream->at % ((columns - 2) * (rows - 2));
	const uint64_t va = p->base + (1 + point / (columns - 2)) * p->row +
			    (1 + point % (columns - 2)) * p->size;
	const uint64_t reads[] = { va - p->row, va - p->size, va, va + p->size, va + p->row };

	if (stream->step < 5)
		return (struct gen_access){ reads[stream->step++], ACCESS_LOAD };
	stream->step = 0;
	stream->at++;
	return (struct gen_access){ va + rows * p->row, ACCESS_STORE };
}

static struct gen_access next_gups(const struct gen_shared *s, struct gen_stream *stream)
{
	if (stream->step == 0)
		stream->va = element(s, rng_below(&stream->rng, s->elements));
	stream->step ^= 1;
	return (struct gen_access){ stream->va, stream->step ? ACCESS_LOAD : ACCESS_STORE };
}

static uint64_t next_zipf(const struct gen_shared *s, struct gen_stream *stream)
{
	uint64_t item = scatter(s, draw_rank(s, &stream->rng));
	uint64_t inside = rng_below(&stream->rng, s->item_bytes / s->phase->size);

	return s->phase->base + item * s->item_bytes + inside * s->phase->size;
}

struct gen_access gen_stream_next(const struct gen_shared *s, struct gen_stream *stream)
{
	const struct gen_phase *p = s->phase;
	struct gen_access access = { .kind = ACCESS_LOAD };

	switch ((enum gen_pattern)p->pattern) {
	case GEN_STENCIL:
		return next_stencil(s, stream);
	case GEN_GUPS:
		return next_gups(s, stream);
	case GEN_CHASE:
		access.va = p->base + scatter(s, stream->at++ % s->items) * s->item_bytes;
		return access;
	case GEN_STRIDE:
		access.va = p->base + stream->at++ % (p->footprint / p->stride) * p->stride;
		break;
	case GEN_UNIFORM:
		access.va = element(s, rng_below(&stream->rng, s->elements));
		break;
	case GEN_ZIPF:
		access.va = next_zipf(s, stream);
		break;
	}
	if (p->stores && rng_below(&stream->rng, 100) < p->stores)
		access.kind = ACCESS_STORE;
	return access;
}

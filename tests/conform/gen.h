/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random translation cases: a PE, registers (legal, or legal and then perturbed), accesses, and
 * memory whose words are invented when the naive translator first reads them. So every table that a
 * walk reaches has something plausible in it, whatever the geometry, and a case needs no builder
 * that would have to know the rules under test.
 */
#ifndef TWOSTAGE_CONFORM_GEN_H
#define TWOSTAGE_CONFORM_GEN_H

#include "naive.h"
#include "words.h"

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);		 /* splitmix64 */
uint64_t rng_below(struct rng *rng, uint64_t n); /* 0..n-1 */
bool rng_chance(struct rng *rng, unsigned percent);

struct gen_pe {
	const char *name; /* as QEMU names it */
	uint64_t mmfr0, mmfr1, mmfr2;
	bool pauth;
};

enum { GEN_PES = 7 };
extern const struct gen_pe gen_pes[GEN_PES];

/* By the name up to a space; NULL: none of them. */
const struct gen_pe *gen_pe_find(const char *name);
struct naive_cpu gen_cpu(const struct gen_pe *pe);

enum gen_kind {
	GEN_S1,	  /* stage 2 off */
	GEN_S2,	  /* stage 1 off */
	GEN_S12,  /* both */
	GEN_BAD,  /* both, with bits of the control registers flipped */
	GEN_EL20, /* EL2&0 */
	GEN_KINDS
};

struct gen_case {
	struct rng rng;
	const struct gen_pe *pe;
	enum gen_kind kind;
	struct naive_cpu cpu;
	struct naive_regs regs;
	unsigned address_bits;	     /* most invented addresses have as many */
	uint64_t low_mask;	     /* bits of an address below the larger granule */
	uint64_t ram_first, ram_end; /* tables lie here; 0, 0: anywhere */
	struct words words;
	struct naive_memory memory; /* invents words of `words` */
	unsigned trouble_percent;   /* how often descriptors are wrong or rare; gen_case: 100 */
	const struct naive_result *running; /* of the translation that reads; may be NULL */
};

/* Start a case; keeps the abort range of `words`, and ram_first and ram_end. */
void gen_case(struct gen_case *c, uint64_t seed, const struct gen_pe *pe, enum gen_kind kind);

/* Translate, with memory of the case. */
void gen_translate(struct gen_case *c, const struct naive_access *a, struct naive_result *result);

/* A random descriptor for the place that c->running reads; a random base register value. */
uint64_t gen_descriptor(struct gen_case *c);
uint64_t gen_base(struct gen_case *c, int stage);

/* A VA for the case's registers, mostly canonical; and a whole access. */
uint64_t gen_va(struct gen_case *c);
struct naive_access gen_access(struct gen_case *c);

#endif

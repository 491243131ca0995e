/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several address spaces of several VMs over random tables, behind the program's hierarchy of TLBs
 * and walk caches, with the naive translator as its twin on the same memory. Descriptors can be
 * changed; twin_use says what each one is for, so that a test can choose the TLB invalidation that
 * the change requires.
 */
#ifndef TWOSTAGE_CONFORM_TWIN_H
#define TWOSTAGE_CONFORM_TWIN_H

#include "engine.h"
#include "mmu/hierarchy.h"

enum { TWIN_VMS = 2, TWIN_ASIDS = 2, TWIN_SPACES = TWIN_VMS * TWIN_ASIDS, TWIN_VCPUS = 2 };
enum { TWIN_POOL = 24 };

/* Where a word was met in walks. */
struct twin_use {
	bool met, mixed; /* mixed: in more than one role */
	int8_t stage, level;
	uint8_t shift;
	bool upper;
	uint16_t space; /* stage 1, lower half: index; upper half and stage 2: its VM */
	uint64_t ia;
};

struct twin {
	struct gen_case gen;
	struct engine engine;
	struct mmu mmu;
	struct naive_regs regs[TWIN_SPACES];
	struct regime regimes[TWIN_SPACES];
	struct mmu_space spaces[TWIN_SPACES];
	struct twin_use use[WORDS_MAX];	   /* by words_index() */
	uint64_t pool[TWIN_POOL], last_va; /* addresses that are accessed */
	unsigned current;		   /* the space that walks */
	uint32_t vcpu;			   /* on this vCPU */
	struct fault fault;		   /* the last that the hierarchy met */
	unsigned long hits, faults;
	/* What the naive translator reads in place of word `i`; NULL: memory. */
	uint64_t (*reads)(uint32_t i, uint64_t value);
};

enum twin_updates { TWIN_UPDATES, TWIN_NO_UPDATES }; /* of access flags and dirty state */

/* Once, before all; false when out of memory. The twin must be zeroed. */
bool twin_init(struct twin *w);
void twin_start(struct twin *w, uint64_t seed, enum twin_updates updates);
void twin_stop(struct twin *w); /* after each start */
void twin_fini(struct twin *w);

/* What the hierarchy answered. */
struct twin_answer {
	const struct tlb_leaf *leaf; /* NULL: a fault, in w->fault */
};

/* A random access to the pool by a random vCPU; may change the current space. */
struct naive_access twin_pick(struct twin *w);

/* What the hierarchy answers to it. */
void twin_ask(struct twin *w, const struct naive_access *a, struct twin_answer *answer);

/* The naive translator on the current space and memory. */
void twin_naive(struct twin *w, const struct naive_access *a, struct naive_result *r);

/*
 * The same answer? An entry without the permission that the access needs is a permission fault.
 * If not, `difference` says why.
 */
bool twin_agrees(const struct twin *w, const struct naive_access *a,
		 const struct naive_result *naive, const struct twin_answer *answer,
		 char difference[ENGINE_DIFFERENCE_MAX]);

bool twin_memory_agrees(const struct twin *w, char difference[ENGINE_DIFFERENCE_MAX]);

/* A new value for word `i`, which stays what it is for. */
uint64_t twin_new_word(struct twin *w, uint32_t i);

/* Write word `i` for both. */
void twin_write(struct twin *w, uint32_t i, uint64_t value);

/* Execute a TLBI by its encoding in a VM. */
void twin_tlbi(struct twin *w, uint32_t encoding, uint64_t xt, unsigned vm);

/* op1:CRn:CRm:op2 */
enum twin_tlbi {
	VMALLE1 = 0x438,
	VAE1 = 0x439,
	ASIDE1 = 0x43a,
	VAAE1 = 0x43b,
	VALE1 = 0x43d,
	VAALE1 = 0x43f,
	VAE1IS = 0x419,
	VMALLE1IS = 0x418,
	ALLE1 = 0x243c,
	VMALLS12E1 = 0x243e,
	VMALLS12E1IS = 0x241e,
	IPAS2E1 = 0x2421,
	IPAS2LE1 = 0x2425,
	IPAS2E1IS = 0x2401,
};

#endif

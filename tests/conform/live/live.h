/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live proof: random translation cases are answered by our walker and by an emulated PE that runs
 * a bare-metal program (guest/), and the answers compared.
 */
#ifndef TWOSTAGE_CONFORM_LIVE_H
#define TWOSTAGE_CONFORM_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "arch/fault.h"
#include "arch/regs.h"
#include "mem/phys.h"
#include "mmu/regime.h"
#include "mmu/walk.h"
#include "tests/conform/gen.h"
#include "wire.h"

enum { LIVE_QUERIES = 6, LIVE_WORDS = 1024, LIVE_CHANGES = 32, LIVE_READS = 96 };

/* The kinds of case, as in the names of cases; one lot of cases goes through them in turn. */
enum live_category {
	LIVE_S2,
	LIVE_S1,
	LIVE_S12,
	LIVE_BADCFG,
	LIVE_HAFDBS,
	LIVE_HAFEXEC,
	LIVE_EXEC,
	LIVE_FETCH,
	LIVE_CATEGORIES
};
extern const char *const live_category_names[LIVE_CATEGORIES];
extern const char *const live_op_names[WIRE_OPS];

/* The emulated machine. Its memory map follows from the PE. */
struct live_machine {
	struct gen_pe pe;	     /* name as -cpu wants it, and ID registers as read there */
	unsigned ram_gib;	     /* from 0x40000000 */
	uint64_t ram_end;	     /* cases use RAM from WIRE_GUEST_END to here */
	uint64_t ext_first, ext_end; /* accesses abort */
	unsigned version;	     /* of QEMU: major * 100 + minor */
};

struct live_change {
	uint64_t pa, value;
};

/* The answer to a query, from either side. */
struct live_result {
	enum wire_outcome outcome;
	uint64_t value; /* PAR_EL1 or loaded data */
	uint8_t ec, fsc;
	bool s1ptw, wnr;
	uint64_t far, hpfar;
	unsigned changes_count;
	struct live_change changes[LIVE_CHANGES]; /* sorted by address */
};

struct live_query {
	enum wire_op op;
	uint64_t va;
	/* Ours, with what the walk did. */
	struct live_result ours;
	struct translation walk;
	bool hpfar_known;
	unsigned reads_count;
	struct walk_read reads[LIVE_READS];
	/* Theirs. */
	struct live_result theirs;
};

struct live_case {
	const struct live_machine *machine;
	enum live_category category;
	uint64_t seed;
	struct arch_cpu cpu;
	struct mmu_regs regs;
	struct regime regime;
	unsigned words_count;
	struct live_change words[LIVE_WORDS];
	unsigned queries_count;
	struct live_query queries[LIVE_QUERIES];
};

static inline bool live_op_is_at(enum wire_op op)
{
	return op < WIRE_LDR;
}

static inline bool live_op_is_fetch(enum wire_op op)
{
	return op >= WIRE_IFETCH1;
}

/*
 * Make case `seed` and answer it with our walker. A category that the PE has no hardware for gets
 * the next best. The case may have no query; then it is of no use.
 */
void live_generate(struct live_case *c, const struct live_machine *machine,
		   enum live_category category, uint64_t seed);

/* Our answers to all queries; drops those that would leave the machine's memory map. */
void live_answer(struct live_case *c, struct phys_mem *mem);

/* Is PA one that a case may read, write or have an abort from? */
bool live_pa_is_ram(const struct live_machine *machine, uint64_t pa);
bool live_pa_is_ext(const struct live_machine *machine, uint64_t pa);

/* ---- comparing ----------------------------------------------------------------------------- */

enum live_verdict { LIVE_SAME, LIVE_EXCUSED, LIVE_DIFFERENT };

/* Compares and, when the answers differ, looks for a known deviation, whose index it sets. */
enum live_verdict live_compare(const struct live_case *c, const struct live_query *q,
			       unsigned *deviation);

/* Architecturally equal: UNKNOWN and RES bits masked. */
bool live_same(const struct live_query *q, const struct live_result *ours,
	       const struct live_result *theirs);

/* One known deviation of the emulator from the architecture. */
struct live_deviation {
	const char *name;
	const char *rule;      /* what the architecture says, and where */
	const char *emulator;  /* what QEMU does instead */
	unsigned first, fixed; /* major * 100 + minor; 0: from the beginning, never */
	bool skip;	       /* it kills the emulator: the query is not asked */
	bool (*applies)(const struct live_case *c, const struct live_query *q);
};
extern const struct live_deviation live_deviations[];
extern const unsigned live_deviations_count;

/* Would this query kill the emulator? Sets the index of the deviation. */
bool live_must_skip(const struct live_case *c, const struct live_query *q, unsigned *deviation);

/* ---- the emulator -------------------------------------------------------------------------- */

struct live_emulator {
	const char *qemu;  /* program */
	const char *guest; /* ELF file */
	const char *dir;   /* folder for the two files */
	unsigned timeout_s;
};

/*
 * Ask a machine all queries of all cases; sets pe's ID registers when there are no cases, else
 * checks them. Returns the number of queries answered, from the first; fewer than asked when the
 * emulator died. -1: it could not be run at all, with a message on stderr.
 */
long live_run(const struct live_emulator *emulator, struct live_machine *machine,
	      struct live_case *const *cases, size_t count);

/* Version of QEMU as major * 100 + minor; 0 if it cannot be run. */
unsigned live_version(const struct live_emulator *emulator);

/* The case in the text format of translation cases, with their answers to the queries of `mask`. */
void live_print_case(FILE *out, const struct live_case *c, unsigned mask);
void live_print_result(FILE *out, const struct live_query *q, const struct live_result *r);

#endif

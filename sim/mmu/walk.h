/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two-stage translation table walk: the architected result of one access, from registers and
 * descriptors in simulated memory alone. One loop serves both stages; their differences are data.
 *
 * The walker keeps no state. Walk caches, latency accounting and logs attach through walk_hooks.
 */
#ifndef TWOSTAGE_MMU_WALK_H
#define TWOSTAGE_MMU_WALK_H

#include "arch/cpu.h"
#include "arch/fault.h"
#include "arch/regs.h"
#include "arch/types.h"
#include "mem/latency.h"
#include "mem/phys.h"

struct regime; /* decoded registers: sim/mmu/regime.h */

/* The access that wants a translation. */
struct access {
	va_t va;
	enum access_kind kind;
	uint8_t el;	   /* exception level whose permissions apply: 0, 1 or 2 */
	bool at;	   /* an AT instruction: never sets dirty state */
	bool speculative;  /* a prefetch: a clear access flag is a fault, so that nothing is written
			    */
	bool stage1_only;  /* AT S1E*: the result is the IPA of stage 1 */
	uint8_t size_log2; /* bytes accessed, for alignment checks; 0 = no check */
};

/* One descriptor read (or hardware update, a read-modify-write) in the order of the walk. */
struct walk_read {
	pa_t pa;	  /* of the descriptor */
	uint64_t desc;	  /* as read */
	uint64_t ia;	  /* input address of this stage: VA or IPA */
	int8_t stage;	  /* 1 or 2 */
	int8_t level;	  /* -1..3, of the table read */
	int8_t for_level; /* stage 2: the stage-1 level whose table it locates, or WALK_FOR_FINAL */
	bool cacheable;	  /* inner and outer write-back: may be found in a data cache */
	bool update;	  /* hardware update of access flag or dirty state */
};

/* What a walk cache knows about an input address of one stage. */
struct walk_point {
	int8_t level; /* of the table to read next, or of the leaf */
	bool leaf;    /* desc is the leaf descriptor of ia; nothing left to read */
	union {
		uint64_t desc;	/* leaf: the descriptor */
		uint64_t table; /* not leaf: output address (stage 1: IPA) of the next table */
	};
	pa_t table_pa;	       /* stage 1, not leaf: PA of that table, stage 2 applied */
	uint8_t hierarchy;     /* stage 1: APTable/XNTable/PXNTable gathered so far */
	uint8_t table_s2_bits; /* stage 1, not leaf: log2 size of the stage-2 leaf of the table */
	uint8_t table_attr;    /* stage 1, not leaf: memory attributes of reads of the table */
};

/* Why stage 2 translates an address. */
enum walk_purpose {
	WALK_FOR_ACCESS,       /* it is the final IPA */
	WALK_FOR_TABLE_READ,   /* of a stage-1 descriptor */
	WALK_FOR_TABLE_UPDATE, /* the same for a hardware update of it */
};

/* Of one stage: points that learn() does not want to hear of; bit n: of level n - 1. */
struct walk_unwanted {
	uint8_t tables, leaves;
};

/* More than any walk makes: 35 reads, and an update of each leaf. */
enum { WALK_READS_MOST = 64 };

/* walk_read.for_level of the stage-2 walk for the final IPA. */
enum { WALK_FOR_FINAL = 4 };

/* Rows of counts by stage and level, levels from -1 on. */
static inline unsigned walk_row(int stage, int level)
{
	return (unsigned)(5 * (stage - 1) + level + 1);
}

/* The level of such a row. */
static inline int walk_row_level(int stage, uint8_t row)
{
	return row - 5 * (stage - 1) - 1;
}

/* The reads of a walk for those who look at them only behind it, all at once. */
struct walk_log {
	uint32_t reads;	  /* the walk adds to them */
	uint32_t unasked; /* and to stage-2 probes left out by walk_hooks.idle_stage2 */
	struct latency_query query[WALK_READS_MOST];
};

/* All optional (NULL); `ctx` is passed through. Calls come in the order of the walk. */
struct walk_hooks {
	void *ctx;
	struct walk_log *log;		  /* in place of read() */
	struct walk_hints *hints;	  /* learnt; for speed alone */
	struct walk_unwanted unwanted[2]; /* stage 1, stage 2 */
	/* Bit n: of enum walk_purpose n: stage-2 translations that neither probe() nor learn() is
	 * asked about. */
	uint8_t unserved;
	/* A stage-2 probe would find nothing: it may be counted in the log instead. */
	bool idle_stage2;
	/* Deepest point known for ia. False: none, start from the translation table base. */
	bool (*probe)(void *ctx, int stage, uint64_t ia, struct walk_point *out);
	/* A table was reached (before its entry is read) or a leaf was accepted (after all checks
	 * of that stage and hardware updates). Not called for the start table of a stage. */
	void (*learn)(void *ctx, int stage, uint64_t ia, const struct walk_point *point);
	void (*read)(void *ctx, const struct walk_read *read);
};

/* Result of a walk without fault; with fault.type != FAULT_NONE only `fault` and `ipa` count. */
struct translation {
	struct fault fault;
	pa_t pa;	      /* stage1_only: the IPA */
	ipa_t ipa;	      /* final IPA (equal to the VA when stage 1 is off) */
	uint8_t s1_bits;      /* log2 of the stage-1 leaf; 0: stage 1 off */
	uint8_t s2_bits;      /* log2 of the stage-2 leaf; 0: stage 2 off */
	uint8_t s1_span_bits; /* log2 of the contiguous span if the hint may be used, else s1_bits
			       */
	uint8_t s2_span_bits;
	bool global; /* stage-1 leaf with nG = 0, or stage 1 off */
	/* A store through a cached copy must walk again: it would set dirty state. */
	bool dirty_clear;
	uint8_t perms; /* PERM_* bits below, both stages combined */
	uint8_t attr;  /* MAIR-encoded memory attributes, both stages combined */
	uint8_t sh;    /* shareability: 0 NSH, 2 OSH, 3 ISH */
};

enum perm_bits {
	PERM_R1 = 1, /* EL1 (or EL2 of EL2&0) read, write, execute */
	PERM_W1 = 2,
	PERM_X1 = 4,
	PERM_R0 = 8, /* EL0 */
	PERM_W0 = 16,
	PERM_X0 = 32,
};

/*
 * Translate one access. Faults are results, never errors. May write descriptors (hardware updates
 * of access flag and dirty state). Reads at most 5 * 6 + 5 descriptors and as many again for each
 * hardware update that is lost to another one.
 */
void mmu_walk(const struct regime *regime, struct phys_mem *mem, const struct access *access,
	      const struct walk_hooks *hooks, struct translation *out);

#endif

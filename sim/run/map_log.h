/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What guest and host did to the translation of one replay, in order: the words of the tables that
 * they changed, the TLBIs they sent, and the faults they did it for. Together with the misses of a
 * miss stream that is all that decides what L2 TLB and walk caches see, so that another point can
 * be replayed from both without guest or host, as long as its walks take the same faults.
 */
#ifndef TWOSTAGE_RUN_MAP_LOG_H
#define TWOSTAGE_RUN_MAP_LOG_H

#include "mem/phys.h"
#include "mmu/hierarchy.h"
#include "mmu/regime.h"
#include "run/budget.h"

enum map_op_kind {
	MAP_WRITE, /* address: PA; value: the word */
	MAP_FREE,  /* address: PA of the page */
	MAP_TLBI,  /* value: index of the operation */
	MAP_AT,	   /* what follows happened before the walks of miss `value` */
	MAP_FAULT, /* the walks of miss map_fault_miss() took it; value: the IPA of stage 2 */
	MAP_DONE,  /* the fault is handled */
};

/* PAs are multiples of 8, so the kind has the low bits. */
struct map_op {
	uint64_t word, value;
};

static inline enum map_op_kind map_op_kind(const struct map_op *op)
{
	return (enum map_op_kind)(op->word & 7);
}

/* Registers and tags of an address space, from a miss on. */
struct map_space {
	uint32_t from;	/* index of the miss */
	uint32_t index; /* of the space in the miss stream */
	struct tlb_context context;
	struct regime regime;
};

struct map_log {
	struct map_op *op; /* owned, as the other arrays */
	size_t ops, room;
	struct mmu_invalidation *tlbi;
	size_t tlbis, tlbi_room;
	struct map_space *space;
	size_t spaces, space_room;
	uint32_t *newest; /* by index of the space: its last in `space`, plus 1 */
	size_t newest_room;
	uint32_t at;   /* miss of the last MAP_AT, plus 1 */
	bool overflow; /* the recording was given up */
};

void map_log_fini(struct map_log *log);
size_t map_log_bytes(const struct map_log *log);

/* Before the walks of miss `miss`, or for the fault under way of it. */
enum map_when { MAP_BETWEEN, MAP_HANDLING };

void map_log_change(struct map_log *log, struct budget *budget, enum map_when when, uint32_t miss,
		    struct map_op op);
void map_log_tlbi(struct map_log *log, struct budget *budget, enum map_when when, uint32_t miss,
		  const struct mmu_invalidation *what);

/* A walk of miss `miss` took a fault; MAP_HANDLING until map_log_done(). */
void map_log_fault(struct map_log *log, struct budget *budget, uint32_t miss,
		   const struct fault *fault);
void map_log_done(struct map_log *log, struct budget *budget);

/* Miss `miss` was made in `space`, whose index in the miss stream is `index`. */
void map_log_space(struct map_log *log, struct budget *budget, uint32_t miss, uint32_t index,
		   const struct mmu_space *space);

/* The operation that map_log_fault() writes. */
struct map_op map_fault_op(uint32_t miss, const struct fault *fault);

/* What another point with the same mapping must have in common: of all of it, for tests. */
uint64_t map_log_digest(const struct map_log *log);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listens to a replay and writes down what other points may be replayed from: what got through L1
 * (miss_stream.h), what became of the mapping (map_log.h), what walks read (read_log.h) and where
 * they found it (time_log.h).
 */
#ifndef TWOSTAGE_RUN_RECORDER_H
#define TWOSTAGE_RUN_RECORDER_H

#include "run/machine.h"
#include "run/map_log.h"
#include "run/miss_stream.h"
#include "run/read_log.h"

enum recorder_state {
	RECORDER_BETWEEN,  /* accesses */
	RECORDER_WALKING,  /* an access is made */
	RECORDER_HANDLING, /* a fault that it took */
};

/* NULL: not written down. All are the caller's, as is the budget. */
struct recorder {
	struct budget *budget;
	struct miss_stream *stream;
	struct map_log *map;
	struct read_log *walks;
	struct time_log *times;
	struct machine_tally *tally; /* never NULL where there is a machine */
	/* From here on the recorder's own. */
	struct machine *machine;
	struct mmu_os os; /* the machine's */
	enum recorder_state state;
	uint32_t misses; /* so far */
	uint32_t space;	 /* of the miss before, and its tags */
	uint16_t vmid, asid;
	uint64_t tlbis;	       /* digest of all operations so far that L1 hears of */
	uint64_t walks_before; /* the access under way */
	bool s2_idle; /* at the end: the stage-2 cache served all walks, and held nothing */
};

/* Before the first access of a machine that has its VMs; until recorder_detach(). */
void recorder_attach(struct recorder *recorder, struct machine *machine);
void recorder_detach(struct recorder *recorder);

/* After the last access: timeline_count(), and what recordings keep of it. */
void recorder_count(struct recorder *recorder, struct machine *machine,
		    const struct trace_totals *totals, struct stats *stats);

/* The same for an MMU with or without machine: of its walks alone. */
void recorder_attach_walks(struct recorder *recorder, struct mmu *mmu);
void recorder_detach_walks(struct recorder *recorder, struct mmu *mmu);

/* Around mmu_access(). */
void recorder_begin(struct recorder *recorder);
void recorder_end(struct recorder *recorder);

/* Instead of recorder_end(), of an access that missed L1 and filled `leaf`. */
void recorder_miss(struct recorder *recorder, const struct trace_key *key,
		   const struct mmu_space *space, const struct tlb_leaf *leaf);

/* The same for a miss of a stream that is replayed; `index`: of its space there. */
void recorder_follow(struct recorder *recorder, uint32_t index, const struct mmu_space *space);

/* An access did what recordings do not know: misses and mapping are given up. */
void recorder_spoil(struct recorder *recorder);

/* The same of walks. */
void recorder_spoil_walks(struct recorder *recorder);

static inline uint32_t recorder_digest(const struct recorder *recorder)
{
	return (uint32_t)(recorder->tlbis >> 32);
}

#endif

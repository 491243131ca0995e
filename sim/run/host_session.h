/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host does on its own while a trace is replayed: dirty logging, ageing, NUMA balancing,
 * time slices, assigned devices. Actions are due at ordinals: before the access (page piece) of
 * that number.
 */
#ifndef TWOSTAGE_RUN_HOST_SESSION_H
#define TWOSTAGE_RUN_HOST_SESSION_H

#include "run/machine.h"

/* In the order in which actions that are due at once happen. */
enum host_action {
	HOST_LOG_STOP,
	HOST_LOG_START,
	HOST_LOG_SYNC,
	HOST_AGE,
	HOST_SCAN,
	HOST_DEVICE_RESET,
	HOST_DEVICE_DMA,
	HOST_TIMESLICE,
	HOST_ACTIONS,
};

enum host_phase { PHASE_BEFORE, PHASE_DURING, PHASE_AFTER, PHASES };

/* Counts at one moment. */
struct host_sample {
	uint64_t lookups, l2_tlb_misses, walk_cycles, s2_faults, software_cycles;
};

struct host_session {
	struct machine *machine;
	uint64_t due; /* ordinal of the next action; UINT64_MAX: none */
	uint64_t next[HOST_ACTIONS], period[HOST_ACTIONS]; /* period 0: once */
	uint64_t slice;					   /* number of the time slice */
	enum host_phase phase;
	struct host_sample sample[PHASES]; /* at the end of each phase */
	struct host_sample start;	   /* where the statistics begin: the end of the warm-up */
};

void host_session_init(struct host_session *session, struct machine *machine);

/* Does it change what stores are allowed? Then each store of a run has to be looked up. */
bool host_session_watches_stores(const struct host_session *session);

/* Does the VM of an access follow from the time slice? */
bool host_session_schedules(const struct host_session *session);

/* All that is due at session->due, which then moves on. */
enum exit_status host_session_act(struct host_session *session, struct diag *diag);

/* The statistics of phases begin here, after `lookups` of a warm-up. */
void host_session_start(struct host_session *session, uint64_t lookups);

/* After the last access, `lookups` in all: the statistics of the phases of dirty logging. */
void host_session_count(struct host_session *session, uint64_t lookups, struct stats *stats);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SystemC side of timing: vCPUs as TLM-2.0 initiators, an interconnect, a last-level cache and
 * DRAM as targets with finite bandwidth. C and C++ include this. One cycle of the cores is one unit
 * of the time resolution.
 *
 * SystemC elaborates once in the life of a process, so systemc_create() works once: each point has
 * a process of its own (run/point_process.h). No exception leaves these functions.
 */
#ifndef TWOSTAGE_TIMING_SYSTEMC_H
#define TWOSTAGE_TIMING_SYSTEMC_H

#ifdef __cplusplus
extern "C" {
#endif

#include <stddef.h>
#include <stdint.h>

#include "mem/latency.h"
#include "mmu/account.h"

/* A vCPU is a coroutine with a stack of its own. */
enum { SYSTEMC_VCPUS_MAX = 1024 };

struct timing_config {
	uint32_t vcpus; /* 1..SYSTEMC_VCPUS_MAX */
	const struct latency_ops *latency;
	struct latency_config latency_config;
	uint64_t quantum_cycles; /* how far a vCPU's time may be ahead of the others'; not 0 */
	struct {
		uint32_t latency_cycles; /* from a core to the LLC and back */
		uint32_t request_cycles; /* between two requests; 0: no limit */
		uint32_t dvm_cycles;	 /* of a broadcast, for each core that it reaches */
	} interconnect;
	struct {
		uint32_t request_cycles; /* between two requests; 0: no limit */
		uint32_t queue_depth;	 /* requests that wait there; 0: no limit */
	} llc, dram;
};

struct timing_event {
	uint64_t passed; /* cycles of the vCPU since the event before */
	uint64_t what;	 /* enum mmu_event_type above its value of MMU_EVENT_VALUE_BITS bits */
};

/* What a vCPU does: its events, and the cycles that it has passed after the last one. */
struct timing_stream {
	const struct timing_event *events;
	size_t n;
	uint64_t rest;
};

/* Where cycles are counted; not owned. */
struct timing_counts {
	struct stats *stats;
	struct walk_latencies *latencies;
};

struct systemc;

/*
 * NULL on failure, with the reason in `why`. What it returns lives as long as the process: to take
 * an elaborated design apart is not foreseen. `counts` must outlive all calls of systemc_replay().
 */
struct systemc *systemc_create(const struct timing_config *config,
			       const struct timing_counts *counts, char *why, size_t why_bytes);

/*
 * Run all vCPUs to the end of their streams (`vcpus` of them). All begin at the same time: that at
 * which the last one finished before. Returns 0, or -1 with the reason in `why`.
 */
int systemc_replay(struct systemc *systemc, const struct timing_stream *streams, char *why,
		   size_t why_bytes);

#ifdef __cplusplus
}
#endif

#endif

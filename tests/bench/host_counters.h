/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's own counters of this thread, in user mode: processor cycles, and misses of its
 * last-level cache and of its data TLB. Many virtual machines have none of them.
 */
#ifndef TWOSTAGE_TESTS_BENCH_HOST_COUNTERS_H
#define TWOSTAGE_TESTS_BENCH_HOST_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

enum host_counter { HOST_CYCLES, HOST_CACHE_MISSES, HOST_TLB_MISSES, HOST_COUNTERS };

/* As JSON has it. */
const char *host_counter_name(enum host_counter counter);

struct host_counters {
	int fd[HOST_COUNTERS]; /* -1: the host has none, or does not permit it */
};

void host_counters_start(struct host_counters *counters);

/* Since the start, scaled if the host had to share its counters. False in known[]: not counted. */
void host_counters_stop(struct host_counters *counters, uint64_t count[HOST_COUNTERS],
			bool known[HOST_COUNTERS]);

#endif

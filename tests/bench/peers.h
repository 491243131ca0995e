/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other simulators on the start of the same trace, where they are on PATH: Dinero IV used as TLBs
 * (caches with blocks of 4 KiB: 64 entries for fetches, 64 for data, fully associative, 1024 in 4
 * ways behind both; no walks) and ChampSim (a core, caches, TLBs and walks as it was built).
 */
#ifndef TWOSTAGE_TESTS_BENCH_PEERS_H
#define TWOSTAGE_TESTS_BENCH_PEERS_H

#include <stdbool.h>

#include "base/diag.h"
#include "trace/trace.h"

/* NULL behind the last. */
const char *peer_name(unsigned index);
bool peer_installed(unsigned index);

/*
 * Give the first `most` accesses of a trace of page runs, each at the start of its page, to a peer
 * that is installed. *rate: accesses a second of the processor time of its process, reading its
 * input included. Its input is a file in $TMPDIR that is gone afterwards; what it prints is
 * dropped. STATUS_IO: it cannot be run, or fails.
 */
enum exit_status peer_run(unsigned index, const struct trace_reader *trace, uint64_t most,
			  uint64_t *accesses, double *rate, struct diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages a trace has, guessed from a few of its blocks. */
#ifndef TWOSTAGE_SWEEP_FORECAST_PAGES_H
#define TWOSTAGE_SWEEP_FORECAST_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "trace/trace.h"

struct forecast_pages {
	/* 4 KiB pages of the whole trace, of those that are looked at: of a trace of many pages a
	 * part, drawn by a hash. Only the ratio to forecast_pages_in() means something. */
	uint64_t pages;
	uint64_t below; /* those whose hash is no larger */
	/* Simulated tables that a replay makes: a page of each stage for each 2 MiB of addresses
	 * that the blocks have in them. */
	uint64_t table_bytes;
	/* What a point that shares nothing takes, if nothing is replayed to find out: from records
	 * and the distinct keys of a block. Depends on the trace alone. */
	uint64_t guess_micros;
};

/* From up to 64 blocks, spread evenly. */
enum exit_status forecast_pages(const struct trace_reader *trace, struct forecast_pages *pages,
				struct diag *diag);

/* Of the pages that were looked at, those that `n` blocks have. */
enum exit_status forecast_pages_in(const struct trace_reader *trace,
				   const struct forecast_pages *pages, const uint64_t *blocks,
				   size_t n, uint64_t *n_pages, struct diag *diag);

/* `n` of `all` blocks, n <= all: the ones in the middle of `n` equal parts. */
void forecast_spread(uint64_t all, size_t n, uint64_t *blocks);

#endif

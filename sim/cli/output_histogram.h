/* SPDX-License-Identifier: BSD-2-Clause */
/* The histogram of walk latencies, as text and JSON. */
#ifndef TWOSTAGE_CLI_OUTPUT_HISTOGRAM_H
#define TWOSTAGE_CLI_OUTPUT_HISTOGRAM_H

#include <stdio.h>

#include "mmu/account.h"

/*
 * One row for each range of cycles that some walk took: eight ranges to each power of two, single
 * cycles below 16. A column for each pair of leaf sizes that walks led to.
 */
void output_histogram(FILE *out, const struct walk_latencies *latencies);

/* [{"from": cycles, "to": cycles, "walks": n, "page_page": n, ...}, ...], all pairs. */
void output_json_histogram(FILE *out, const struct walk_latencies *latencies);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What subcommands share when they print. */
#ifndef TWOSTAGE_CLI_OUTPUT_H
#define TWOSTAGE_CLI_OUTPUT_H

#include <stdio.h>

#include "base/diag.h"
#include "config/config.h"
#include "mmu/stats.h"
#include "run/timeline.h"

#define PROGRAM_VERSION "0.1"

/*
 * Print a failure on standard error, "PLACE: error: TEXT" or "twostage: error: TEXT", and return
 * its status, so that commands can `return output_diag(&diag)`. Prints nothing for STATUS_OK.
 */
int output_diag(const struct diag *diag);

/* As output_diag, from a format; returns `status`. */
int output_error(enum exit_status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* With --salvage: say what `damage` names, if it does, and that the rest is used. */
void output_salvaged(const struct diag *damage);

/* "512B", "16K", "4T": rounded down to a whole number of the largest unit. Returns text. */
const char *output_size(uint64_t bytes, char text[16]);

struct output_count {
	char text[48];
};

/* "1 point", "2 points". */
struct output_count output_count(uint64_t n, const char *one, const char *many);

/* A JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD. */
void output_json_string(FILE *out, const char *text);

/* {"key": value, ...}: plain numbers where params_is_number(), else canonical text. */
void output_json_params(FILE *out, const struct config *config);

/* {"name": value, ...} */
void output_json_stats(FILE *out, const struct stats *stats);

/* [{NAME: 0, "name": value, ...}, ...]; NAME: "interval" or "sample" */
void output_json_intervals(FILE *out, const char *name, const struct interval_table *intervals);

/* {"name": {"total": value, "low": value or null, "high": value or null}, ...}, of the whole trace
 * of so many accesses. */
void output_json_estimates(FILE *out, const struct interval_table *samples, uint64_t accesses);

/* The same as a table. */
void output_estimates(FILE *out, const struct interval_table *samples, uint64_t accesses);

/* A table of the intervals as text; nothing when there are none. */
void output_intervals(FILE *out, const struct interval_table *intervals);

/* Statistics as text: grouped, rows of 0 left out, derived figures at the end. */
void output_stats(FILE *out, const struct stats *stats);

#endif

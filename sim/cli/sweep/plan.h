/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TWOSTAGE_CLI_SWEEP_PLAN_H
#define TWOSTAGE_CLI_SWEEP_PLAN_H

#include <stdint.h>

#include "cli/sweep/args.h"
#include "sweep/plan.h"

/*
 * `twostage sweep --dry-run`: what the sweep would do, what its points share, and what it is
 * expected to cost. Nothing is written. Returns the exit status.
 */
int sweep_plan_print(const struct sweep_args *arguments, const struct plan *plan,
		     const char *database);

/* "150 ms", "3.2 s", "15 min", "7.5 h". Returns text. */
const char *sweep_duration(uint64_t micros, char text[32]);

#endif

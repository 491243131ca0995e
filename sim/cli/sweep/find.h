/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TWOSTAGE_CLI_SWEEP_FIND_H
#define TWOSTAGE_CLI_SWEEP_FIND_H

#include "cli/sweep/args.h"
#include "sweep/find.h"
#include "sweep/plan.h"
#include "sweep/sweep.h"

/*
 * `twostage sweep --find`: run what the searches need into the database and print where the
 * condition changes. `plan` is expanded and `find` begun; `options` has the callbacks for progress
 * and failures. Returns the exit status.
 */
int sweep_find(const struct sweep_args *arguments, struct plan *plan, struct find *find,
	       const char *database, struct sweep_options *options);

#endif

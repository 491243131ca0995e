/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage sweep --confidence`: the samples of all points, chosen before the sweep. */
#ifndef TWOSTAGE_CLI_SWEEP_CONFIDENCE_H
#define TWOSTAGE_CLI_SWEEP_CONFIDENCE_H

#include "cli/sweep/args.h"
#include "sweep/plan.h"

/*
 * Choose samples for the first point of each trace, and give them to all points of that trace: they
 * are then compared over the same samples. A trace that is needed as a whole gets none. The traces
 * of the plan are open, and it is not expanded yet. Says on standard error what came of each trace.
 */
enum exit_status sweep_choose_samples(const struct sweep_args *arguments, struct plan *plan,
				      struct diag *diag);

#endif

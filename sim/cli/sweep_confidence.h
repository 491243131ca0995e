/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage sweep --confidence`: the samples of all points, chosen before the sweep. */
#ifndef TWOSTAGE_CLI_SWEEP_CONFIDENCE_H
#define TWOSTAGE_CLI_SWEEP_CONFIDENCE_H

#include "cli/sweep_args.h"
#include "run/plan.h"

/*
 * Choose samples for the first point of each trace and set the parameters of all models to the
 * densest of them, with the longest warm-up; so all points have the same samples. Nothing is set if
 * one of these points wants all of its trace. The plan is as loaded; says on standard error what
 * came of it.
 */
enum exit_status sweep_choose_samples(const struct sweep_args *arguments, struct plan *plan,
				      struct diag *diag);

#endif

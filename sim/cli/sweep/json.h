/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TWOSTAGE_CLI_SWEEP_JSON_H
#define TWOSTAGE_CLI_SWEEP_JSON_H

#include "sweep/plan.h"

/*
 * How every JSON object of `twostage sweep` begins, on standard output: up to the first two of its
 * "params", which the caller goes on with or closes.
 */
void sweep_json_begin(const struct plan *plan, const char *database);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Figures of a point that follow from its settings alone, by names for expressions (stat_expr.h).
 */
#ifndef TWOSTAGE_RESULTS_DERIVED_H
#define TWOSTAGE_RESULTS_DERIVED_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* NULL behind the last. */
const char *derived_name(size_t index);

/* False: such tables cannot be. Of the first VM. */
bool derived_value(size_t index, const struct config *config, double *value);

#endif

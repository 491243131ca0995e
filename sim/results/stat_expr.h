/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figures computed from a point's statistics: "walk_reads / walks", "100 * 1G * s2_mapped_1g /
 * (...)". Names of statistics and of parameters that are plain numbers or granules (in bytes),
 * figures that follow from the settings (run/derived.h), numbers with an optional K, M, G or T
 * (1024s), + - * / and parentheses. For tables that people read; no part of any result.
 */
#ifndef TWOSTAGE_RESULTS_STAT_EXPR_H
#define TWOSTAGE_RESULTS_STAT_EXPR_H

#include <stdbool.h>

#include "base/diag.h"
#include "config/config.h"
#include "mmu/stats.h"

struct stat_expr;

/* NULL with a diagnostic (without place) that names the word it stumbled over. */
struct stat_expr *stat_expr_parse(const char *text, struct diag *diag);
void stat_expr_free(struct stat_expr *expr);

/* False: something was divided by 0, or a derived figure does not exist. */
bool stat_expr_value(const struct stat_expr *expr, const struct config *config,
		     const struct stats *stats, double *value);

/* Is there a division in it? Without one its value is a whole number. */
bool stat_expr_is_ratio(const struct stat_expr *expr);

/* Is there a statistic in it? Without one it has its value before anything is replayed. */
bool stat_expr_needs_run(const struct stat_expr *expr);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of a spec's `print:`, filled from the result database. */
#ifndef TWOSTAGE_CLI_SWEEP_TABLES_H
#define TWOSTAGE_CLI_SWEEP_TABLES_H

#include <stdio.h>

#include "base/diag.h"
#include "sweep/plan.h"

enum sweep_form { SWEEP_TEXT, SWEEP_CSV, SWEEP_JSON };

/*
 * Can every table be laid out? STATUS_BAD_INPUT for one whose rows and columns do not tell its
 * points apart, or that has no point at all. The plan is expanded.
 */
enum exit_status sweep_tables_check(const struct plan *plan, struct diag *diag);

/*
 * Write all tables. As text: impossible points are (1), (2), ... with their reasons below, points
 * that are not in the database "?", a division by 0 "-". As CSV: a `# title` line before each,
 * empty cells for all of these. As JSON: the value of "tables", null for them.
 */
enum exit_status sweep_tables_write(const struct plan *plan, const char *database,
				    enum sweep_form form, FILE *out, struct diag *diag);

#endif

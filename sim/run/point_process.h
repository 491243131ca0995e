/* SPDX-License-Identifier: BSD-2-Clause */
/* A point in a child process of its own. */
#ifndef TWOSTAGE_RUN_POINT_PROCESS_H
#define TWOSTAGE_RUN_POINT_PROCESS_H

#include "run/point.h"

/* As point_run_intervals(). */
typedef enum exit_status point_runner(const struct config *config, const struct trace_reader *trace,
				      const struct point_progress *progress, struct stats *stats,
				      struct interval_table *intervals, struct diag *diag);

/*
 * Have a child do `run` and return what it returns, statistics, intervals and diagnostic included.
 * A child that dies is STATUS_INTERNAL; it dies with us. Steps of `progress` are made in the child.
 */
enum exit_status point_in_process(point_runner *run, const struct config *config,
				  const struct trace_reader *trace,
				  const struct point_progress *progress, struct stats *stats,
				  struct interval_table *intervals, struct diag *diag);

#endif

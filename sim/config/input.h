/* SPDX-License-Identifier: BSD-2-Clause */
/* In what form a foreign trace has to be converted for a configuration. */
#ifndef TWOSTAGE_CONFIG_INPUT_H
#define TWOSTAGE_CONFIG_INPUT_H

#include "config/config.h"
#include "trace/trace.h"

/* Page runs where all TLBs' policies replay them exactly (repl_ops.run_safe), else single accesses.
 */
enum trace_granularity input_granularity(const struct config *config);

/* File name of a path: how results name a trace. Points into `path`. */
const char *input_name(const char *path);

#endif

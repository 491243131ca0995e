/* SPDX-License-Identifier: BSD-2-Clause */
/* The identities between statistics (docs/model.md). */
#ifndef TWOSTAGE_REPRO_IDENTITIES_H
#define TWOSTAGE_REPRO_IDENTITIES_H

#include "config/config.h"
#include "mmu/stats.h"
#include "trace/trace.h"

/* The first identity that does not hold, as text; NULL if all do. */
const char *identities_broken(const struct config *config, const struct trace_totals *totals,
			      const struct stats *stats);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a group of points costs, measured: the first one, and one for each depth of sharing that the
 * others have, replay a few blocks of the trace with the code that a sweep runs.
 */
#ifndef TWOSTAGE_SWEEP_FORECAST_PROBE_H
#define TWOSTAGE_SWEEP_FORECAST_PROBE_H

#include "base/diag.h"
#include "sweep/forecast_pages.h"
#include "sweep/plan.h"
#include "sweep/schedule.h"
#include "sweep/share.h"

struct forecast_probe {
	uint64_t records; /* replayed; 0: the point does not run on a part of its trace */
	uint64_t micros;  /* processor time of one that is alone, over the whole trace */
	/* The first of each depth over one that is alone; SHARE_NOTHING: with recording. 0: the
	 * group has none. */
	double ratio[SHARE_DEPTHS];
	/* What the same points record, over the whole trace. */
	uint64_t recorded_bytes[SHARE_DEPTHS];
};

/*
 * `place` shares nothing with the place before. `pages` are those of its trace. Failures of the
 * replay are none of this: the sweep itself will report them.
 */
enum exit_status forecast_probe(const struct plan *plan, const struct schedule *schedule,
				size_t place, const struct forecast_pages *pages,
				struct forecast_probe *probe, struct diag *diag);

/* Processor time of this process and its children so far. */
uint64_t forecast_processor_nanos(void);

#endif

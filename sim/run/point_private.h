/* SPDX-License-Identifier: BSD-2-Clause */
/* Between point.c and point_feed.c. */
#ifndef TWOSTAGE_RUN_POINT_PRIVATE_H
#define TWOSTAGE_RUN_POINT_PRIVATE_H

#include "run/machine.h"
#include "run/point.h"

/* What machine and replay refuse is no fault of the trace: this configuration cannot run it. */
static inline enum exit_status refuse_point(enum exit_status status, struct diag *diag)
{
	if (status == STATUS_BAD_INPUT && diag)
		diag->impossible = true;
	return status;
}

/* With the vCPUs and VMs that the trace needs, one of each at least. */
static inline enum exit_status build_machine(struct machine *machine, const struct config *config,
					     const struct trace_info *info, struct diag *diag)
{
	return machine_init(machine, config, info->vcpus ? info->vcpus : 1,
			    machine_vms(config, info->vms ? info->vms : 1), diag);
}

static inline uint64_t point_lookups(const struct stats *stats)
{
	return stats->v[STAT_accesses] + stats->v[STAT_page_splits];
}

#endif

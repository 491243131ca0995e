/* SPDX-License-Identifier: BSD-2-Clause */
#include "live.h"

static bool level_m1_leaf_fault(const struct live_case *c, const struct live_query *q)
{
	(void)c;
	return (q->walk.fault.type == FAULT_PERMISSION ||
		q->walk.fault.type == FAULT_ACCESS_FLAG) &&
	       q->walk.fault.level == -1;
}

const struct live_deviation live_deviations[] = {
	{ .name = "level -1 assertion",
	  .rule = "",
	  .emulator = "",
	  .first = 0,
	  .fixed = 0,
	  .skip = true,
	  .applies = level_m1_leaf_fault },
};
const unsigned live_deviations_count = sizeof(live_deviations) / sizeof(live_deviations[0]);

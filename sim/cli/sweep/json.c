/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep/json.h"

#include <stdio.h>

#include "cli/output.h"

void sweep_json_begin(const struct plan *plan, const char *database)
{
	printf("{\"schema\":1,\"params\":{\"sweep\":");
	output_json_string(stdout, plan->name);
	printf(",\"database\":");
	output_json_string(stdout, database);
}

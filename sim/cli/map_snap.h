/* SPDX-License-Identifier: BSD-2-Clause */
/* One snapshot of `twostage map`, as a line of its format and as JSON. */
#ifndef TWOSTAGE_CLI_MAP_SNAP_H
#define TWOSTAGE_CLI_MAP_SNAP_H

#include <stdio.h>

#include "os/kvm_snapshot.h"

struct map_snap {
	unsigned number;
	/* What was refused and how, e.g. "KVM_CREATE_VM" and "EINVAL"; NULL: nothing, and the rest
	 * counts. */
	const char *call, *error;
	enum granule page;
	int start_level;
	unsigned root_tables;
	struct kvm_snapshot tables;
	uint64_t faults;
};

void map_snap_line(FILE *out, const struct map_snap *snap); /* without a newline */
void map_snap_json(FILE *out, const struct map_snap *snap);

#endif

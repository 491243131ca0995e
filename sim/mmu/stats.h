/* SPDX-License-Identifier: BSD-2-Clause */
/* The statistics of one point: one 64-bit count for each row of stats.def. */
#ifndef TWOSTAGE_MMU_STATS_H
#define TWOSTAGE_MMU_STATS_H

#include <stdbool.h>
#include <stdint.h>

enum stat_id {
#define STAT(name, unit, help) STAT_##name,
#include "mmu/stats.def"
#undef STAT
	STAT_COUNT
};

struct stat_row {
	const char *name, *unit, *help;
	bool at_end; /* no sum over time: the state at the end, or an order statistic */
};

extern const struct stat_row stat_rows[STAT_COUNT];

struct stats {
	uint64_t v[STAT_COUNT];
};

#endif

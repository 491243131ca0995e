/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/stats.h"

const struct stat_row stat_rows[STAT_COUNT] = {
#define STAT(name, unit, help)	      { #name, unit, help, false },
#define STAT_AT_END(name, unit, help) { #name, unit, help, true },
#include "mmu/stats.def"
#undef STAT
};

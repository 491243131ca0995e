/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time that a replay spends in walks, the faults they take included. The linker puts the clock
 * around mmu_walk_for() (`--wrap`), so that the program itself has none.
 */
#ifndef TWOSTAGE_TESTS_BENCH_WALK_CLOCK_H
#define TWOSTAGE_TESTS_BENCH_WALK_CLOCK_H

#include <stdint.h>

struct walk_clock {
	uint64_t walks;
	double seconds; /* less what reading the time took */
};

/* From here on; forgets what was. */
void walk_clock_start(void);

/* Since walk_clock_start(); stops the clock, which costs a replay nothing then. */
struct walk_clock walk_clock_stop(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/walk_clock.h"

#include <stdbool.h>
#include <time.h>

#include "mmu/hierarchy_private.h"

enum { CALIBRATION_READINGS = 10000 };

/* Of this process's one replay: the wrapped function has no place to keep it. */
static struct {
	bool running;
	struct walk_clock so_far;
} the_clock;

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* What a pair of readings with nothing between them shows. */
static double empty_seconds(void)
{
	double sum = 0;

	for (int i = 0; i < CALIBRATION_READINGS; i++) {
		const double begin = now_seconds();

		sum += now_seconds() - begin;
	}
	return sum / CALIBRATION_READINGS;
}

/* The names are the linker's. */
enum mmu_fault_result __real_mmu_walk_for(struct mmu *mmu, const struct mmu_request *request,
					  struct tlb_leaf *leaf);
enum mmu_fault_result __wrap_mmu_walk_for(struct mmu *mmu, const struct mmu_request *request,
					  struct tlb_leaf *leaf);

enum mmu_fault_result __wrap_mmu_walk_for(struct mmu *mmu, const struct mmu_request *request,
					  struct tlb_leaf *leaf)
{
	enum mmu_fault_result result;
	double begin;

	if (!the_clock.running)
		return __real_mmu_walk_for(mmu, request, leaf);
	begin = now_seconds();
	result = __real_mmu_walk_for(mmu, request, leaf);
	the_clock.so_far.seconds += now_seconds() - begin;
	the_clock.so_far.walks++;
	return result;
}

void walk_clock_start(void)
{
	the_clock.so_far = (struct walk_clock){ 0 };
	the_clock.running = true;
}

struct walk_clock walk_clock_stop(void)
{
	struct walk_clock clock = the_clock.so_far;

	the_clock.running = false;
	clock.seconds -= (double)clock.walks * empty_seconds();
	if (clock.seconds < 0)
		clock.seconds = 0;
	return clock;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Replay of a miss stream over the mapping of another point: MMUs alone, without guest and host. */
#ifndef TWOSTAGE_RUN_MAP_FOLLOW_H
#define TWOSTAGE_RUN_MAP_FOLLOW_H

#include "run/recorder.h"

/*
 * `shape` is that of the point, with the L1 TLBs of the recording; `record` writes down the walks
 * if it has where. The counts are those of mmu_count(). False: a walk took another fault than in
 * `map`, an entry came out different than in `stream`, or memory ran out.
 */
bool map_follow(const struct mmu_shape *shape, const struct miss_stream *stream,
		const struct map_log *map, struct recorder *record, struct stats *stats);

#endif

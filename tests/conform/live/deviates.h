/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Predicates of the known deviations of QEMU: does one explain how an answer differs? Each looks at
 * the case, at our answer with its walk, and at theirs, and is as narrow as what QEMU does allows.
 */
#ifndef TWOSTAGE_CONFORM_DEVIATES_H
#define TWOSTAGE_CONFORM_DEVIATES_H

#include "arch/attr.h"
#include "live.h"

/* What an answer says, in whatever register. */
struct deviates_report {
	bool fault, stage2, s1ptw;
	uint8_t fsc;
};

struct deviates_report deviates_report(const struct live_result *r);

/* Decoded registers of a stage; of stage 1 the half that the VA is in. */
const struct regime_stage *deviates_stage(const struct live_case *c, const struct live_query *q,
					  int stage);

/* The last descriptor that our walk read; NULL if none. */
const struct walk_read *deviates_last_read(const struct live_query *q);

/* Level of the stage-1 descriptor that was being located when stage 2 faulted. */
int deviates_s1_level(const struct live_case *c, const struct live_query *q);

/* Is `read` a block descriptor at a level where this granule has none? */
bool deviates_illegal_block(const struct live_case *c, const struct live_query *q,
			    const struct walk_read *read);

/* Of QEMU 7.2, gone in 10.0. */
bool deviates_s1ptw_level(const struct live_case *c, const struct live_query *q);
bool deviates_block_level(const struct live_case *c, const struct live_query *q);
bool deviates_start_level(const struct live_case *c, const struct live_query *q);
bool deviates_size_against_ps(const struct live_case *c, const struct live_query *q);
bool deviates_sh_not_forced(const struct live_case *c, const struct live_query *q);
bool deviates_level_m1(const struct live_case *c, const struct live_query *q);

/* Is their answer ours but for the level of the fault? */
bool deviates_by_level(const struct live_query *q, int level);

/* Of QEMU 10.0, not yet of 7.2. */
bool deviates_size_against_pamax(const struct live_case *c, const struct live_query *q);
bool deviates_ptw_level(const struct live_case *c, const struct live_query *q);
bool deviates_at_permission(const struct live_case *c, const struct live_query *q);

/* Of both. */
bool deviates_side_field(const struct live_case *c, const struct live_query *q);
bool deviates_block_address(const struct live_case *c, const struct live_query *q);
bool deviates_reserved_ps(const struct live_case *c, const struct live_query *q);
bool deviates_base_field(const struct live_case *c, const struct live_query *q);
bool deviates_device_with_nc(const struct live_case *c, const struct live_query *q);
bool deviates_at_dirties(const struct live_case *c, const struct live_query *q);
bool deviates_fwb_device(const struct live_case *c, const struct live_query *q);
bool deviates_flat_sh(const struct live_case *c, const struct live_query *q);
bool deviates_hpd_without_feature(const struct live_case *c, const struct live_query *q);
bool deviates_tbid_without_feature(const struct live_case *c, const struct live_query *q);
bool deviates_fetch_from_clean(const struct live_case *c, const struct live_query *q);
bool deviates_transient_lost(const struct live_case *c, const struct live_query *q);
bool deviates_reserved_sh(const struct live_case *c, const struct live_query *q);
bool deviates_af_with_fault(const struct live_case *c, const struct live_query *q);

#endif

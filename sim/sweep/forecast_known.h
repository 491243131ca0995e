/* SPDX-License-Identifier: BSD-2-Clause */
/* How long points took that are in the database already. */
#ifndef TWOSTAGE_SWEEP_FORECAST_KNOWN_H
#define TWOSTAGE_SWEEP_FORECAST_KNOWN_H

#include <stdbool.h>

#include "base/diag.h"
#include "results/db.h"
#include "sweep/plan.h"

/* Of points of one trace. */
struct forecast_times {
	bool asked;
	uint64_t n_points;    /* 0: nothing is known */
	uint64_t most_micros; /* of the one that took longest; others may have shared its replay */
	uint64_t table_bytes; /* simulated tables of the one that has most */
};

struct forecast_known;

/* `db` may be NULL. To be freed; NULL: out of memory. */
struct forecast_known *forecast_known_create(const struct plan *plan, struct db *db);

/* Of the point's trace and model; if there is nothing, of its trace. */
enum exit_status forecast_known(struct forecast_known *known, const struct plan_point *point,
				const struct forecast_times **times, struct diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two sets of results side by side. A setting that has one value throughout A and another
 * throughout B is a difference between the sets; by all others, and by the trace, points of A and B
 * are matched.
 */
#ifndef TWOSTAGE_RESULTS_COMPARE_H
#define TWOSTAGE_RESULTS_COMPARE_H

#include <stdbool.h>

#include "results/result_set.h"

/* Index of the trace among the settings, behind the parameters. */
enum { COMPARE_TRACE = PARAM_COUNT, COMPARE_SETTINGS = PARAM_COUNT + 1 };

enum compare_setting {
	COMPARE_SAME,	  /* one value in both sets */
	COMPARE_DIFFERS,  /* one value in A, another in B */
	COMPARE_VARIES,	  /* several values: names points */
	COMPARE_BY_MODEL, /* likewise, but each model has one value in both sets */
};

struct compare_pair {
	const struct result_point *a, *b; /* NULL: only in the other set */
	bool equal;			  /* both are there, with the same results */
};

struct comparison {
	enum compare_setting setting[COMPARE_SETTINGS];
	struct compare_pair *pair; /* sorted by settings */
	size_t pairs;
	size_t equal, different, only_a, only_b; /* how many of them */
};

/* Sorts the points of both sets, which must outlive the comparison. STATUS_INTERNAL: no memory. */
enum exit_status compare_sets(struct result_set *a, struct result_set *b,
			      struct comparison *comparison, struct diag *diag);
void comparison_free(struct comparison *comparison);

#endif

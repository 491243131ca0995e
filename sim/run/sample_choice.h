/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Choosing the samples of a trace for a wanted confidence, after SMARTS (Wunderlich et al., ISCA
 * 2003): a pilot run says how far samples scatter, and so how many are needed.
 */
#ifndef TWOSTAGE_RUN_SAMPLE_CHOICE_H
#define TWOSTAGE_RUN_SAMPLE_CHOICE_H

#include "run/point.h"
#include "run/sample_estimate.h"

/* Wanted: a 95 % interval of at most +- `relative` of a statistic. */
struct sample_goal {
	double relative;
	unsigned count; /* index of interval_counts */
};

/* "1%", "0.5%:walk_cycles"; walks if no statistic is named. STATUS_BAD_INPUT says what is wrong. */
enum exit_status sample_goal_parse(struct sample_goal *goal, const char *text, struct diag *diag);

struct sample_choice {
	struct config config; /* with sample.*; sample.period is 0 if all of the trace is needed */
	const char *whole;    /* why all of the trace is needed; NULL: it is not */
	unsigned runs;	      /* made on the way, the last one included */
	uint64_t replayed;    /* accesses replayed in them, warm-ups included */
	struct stats stats;   /* of the last one */
	struct interval_table samples; /* likewise; interval_table_free() */
	struct sample_ratio achieved;  /* relative: of 1; known and 0 wide without samples */
};

/*
 * Run the point until its samples are enough, or all of the trace where these would be most of it.
 * sample.warm of the configuration is kept if it is a number; where it is `all`, one is looked for
 * with which the estimate stays where it is. Failures are those of
 * point_run_intervals(), and STATUS_BAD_INPUT if sample.period is set; then *choice holds nothing.
 */
enum exit_status sample_choose(const struct config *config, const struct trace_reader *trace,
			       const struct sample_goal *goal,
			       const struct point_progress *progress, struct sample_choice *choice,
			       struct diag *diag);

#endif

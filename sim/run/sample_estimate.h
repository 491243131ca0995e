/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What samples tell of the whole trace: ratio estimates with their 95 % confidence intervals, from
 * the counts of each sample (docs/sampling.md). Floating point, and no part of what is simulated.
 */
#ifndef TWOSTAGE_RUN_SAMPLE_ESTIMATE_H
#define TWOSTAGE_RUN_SAMPLE_ESTIMATE_H

#include "run/timeline.h"

/*
 * Samples that carry a count at least, for an interval: if few do, the next one could change all,
 * and no formula for the mean of many holds.
 */
enum { SAMPLE_CARRIERS_MIN = 10 };

struct sample_ratio {
	double value;	   /* of `above` to `below` */
	double half_width; /* of the interval around it; valid if `known` */
	bool known;
};

/*
 * `above` and `below` are indices of interval_counts; `fraction` is the share of the trace that
 * lies in samples: 1 leaves no doubt. A `below` that is 0 gives value 0, not known.
 */
struct sample_ratio sample_ratio(const struct interval *sample, uint64_t n, unsigned above,
				 unsigned below, double fraction);

/* Share of a trace of so many accesses that lies in these samples. */
double sample_fraction(const struct interval *sample, uint64_t n, uint64_t accesses);

/* A statistic of the whole trace. */
struct sample_estimate {
	uint64_t total;
	uint64_t low, high; /* valid if `known` */
	bool known;
};

/* `count`: index of interval_counts. */
struct sample_estimate sample_estimate(const struct interval *sample, uint64_t n, unsigned count,
				       uint64_t accesses);

/* Index of a statistic in interval_counts; INTERVAL_COUNTS: it is none of them. */
unsigned sample_count_of(enum stat_id stat);

/* Accesses and instructions of a trace are known without samples. */
bool sample_is_estimated(unsigned count);

/* The 97.5 % quantile of Student's t with `freedom` > 0 degrees of freedom, to 0.0005. */
double sample_student(uint64_t freedom);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/sample_estimate.h"

#include <math.h>

double sample_student(uint64_t freedom)
{
	/* Tables of the t distribution; from 11 on Fisher's expansion in 1/freedom. */
	static const double table[] = { 0,	 12.7062, 4.30265, 3.18245, 2.77645, 2.57058,
					2.44691, 2.36462, 2.30600, 2.26216, 2.22814 };
	const double z = 1.959964, v = (double)freedom;
	const double g1 = (pow(z, 3) + z) / 4;
	const double g2 = (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / 96;
	const double g3 = (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * pow(z, 3) - 15 * z) / 384;

	if (freedom < sizeof(table) / sizeof(table[0]))
		return table[freedom];
	return z + g1 / v + g2 / (v * v) + g3 / (v * v * v);
}

unsigned sample_count_of(enum stat_id stat)
{
	unsigned i = 0;

	while (i < INTERVAL_COUNTS && interval_counts[i] != stat)
		i++;
	return i;
}

bool sample_is_estimated(unsigned count)
{
	return interval_counts[count] != STAT_accesses &&
	       interval_counts[count] != STAT_instructions;
}

static double sum_of(const struct interval *sample, uint64_t n, unsigned count)
{
	double sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += (double)sample[i].v[count];
	return sum;
}

/* How many equal samples would scatter as these do; 0 if nothing was counted. */
static double carriers_of(const struct interval *sample, uint64_t n, unsigned count)
{
	const double sum = sum_of(sample, n, count);
	double squares = 0;

	for (uint64_t i = 0; i < n; i++)
		squares += (double)sample[i].v[count] * (double)sample[i].v[count];
	return squares > 0 ? sum * sum / squares : 0;
}

struct sample_ratio sample_ratio(const struct interval *sample, uint64_t n, unsigned above,
				 unsigned below, double fraction)
{
	const double base = sum_of(sample, n, below);
	struct sample_ratio ratio = { 0 };
	double squares = 0;

	if (base <= 0)
		return ratio;
	ratio.value = sum_of(sample, n, above) / base;
	ratio.known = fraction >= 1 || (carriers_of(sample, n, above) >= SAMPLE_CARRIERS_MIN &&
					carriers_of(sample, n, below) >= SAMPLE_CARRIERS_MIN);
	if (!ratio.known || fraction >= 1)
		return ratio;
	for (uint64_t i = 0; i < n; i++) {
		const double rest =
			(double)sample[i].v[above] - ratio.value * (double)sample[i].v[below];

		squares += rest * rest;
	}
	ratio.half_width = sample_student(n - 1) *
			   sqrt((1 - fraction) * squares * (double)n / (double)(n - 1)) / base;
	return ratio;
}

double sample_fraction(const struct interval *sample, uint64_t n, uint64_t accesses)
{
	return accesses ? sum_of(sample, n, sample_count_of(STAT_accesses)) / (double)accesses : 1;
}

struct sample_estimate sample_estimate(const struct interval *sample, uint64_t n, unsigned count,
				       uint64_t accesses)
{
	const struct sample_ratio ratio =
		sample_ratio(sample, n, count, sample_count_of(STAT_accesses),
			     sample_fraction(sample, n, accesses));
	const double all = (double)accesses, seen = sum_of(sample, n, count);
	const double total = round(ratio.value * all);
	const double low = floor(total - ratio.half_width * all);

	return (struct sample_estimate){
		.total = (uint64_t)total,
		/* What was counted is there for certain. */
		.low = (uint64_t)(low > seen	 ? low
				  : seen < total ? seen
						 : total),
		.high = (uint64_t)ceil(total + ratio.half_width * all),
		.known = ratio.known,
	};
}

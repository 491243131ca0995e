/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/sample_choice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/sample.h"

enum {
	PILOT_SAMPLES = 250,
	LENGTH = 1000,	    /* of a sample; short ones scatter least for their cost */
	WARM_FIRST = 16384, /* the first warm-up that is tried */
	SKIPPED_MIN = 4,    /* a period is so many warm-ups and samples, or all is replayed */
	ROUNDS_MAX = 6,
};

/* More samples than the formula says, so that few runs are made in vain. */
#define MARGIN 1.15

enum exit_status sample_goal_parse(struct sample_goal *goal, const char *text, struct diag *diag)
{
	char *end;
	const double percent = strtod(text, &end);

	if (end == text || *end != '%' || !(percent > 0) || percent > 50)
		return diag_set(diag, STATUS_USAGE,
				"--confidence %s: PERCENT%% or PERCENT%%:STATISTIC expected, "
				"at most 50%%",
				text);
	goal->relative = percent / 100;
	goal->count = sample_count_of(STAT_walks);
	if (!end[1])
		return STATUS_OK;
	for (goal->count = 0; end[1] == ':' && goal->count < INTERVAL_COUNTS; goal->count++)
		if (sample_is_estimated(goal->count) &&
		    strcmp(stat_rows[interval_counts[goal->count]].name, end + 2) == 0)
			return STATUS_OK;
	return diag_set(diag, STATUS_USAGE,
			"--confidence %s: no statistic that samples estimate; `walks` or "
			"`walk_cycles`, for example",
			text);
}

/* The search under way. */
struct search {
	const struct trace_reader *trace;
	const struct sample_goal *goal;
	const struct point_progress *progress;
	struct sample_choice *choice;
	uint64_t all; /* ordinals of the trace */
	struct diag *diag;
};

/* One run with the choice as it stands. */
static enum exit_status try_samples(struct search *search)
{
	struct sample_choice *choice = search->choice;
	const struct config *config = &choice->config;
	const uint64_t accesses = trace_accesses(&trace_info(search->trace)->totals);
	const uint64_t each = config->sample.length + config->sample.warm;
	enum exit_status status;

	interval_table_free(&choice->samples);
	status = point_run_intervals(config, search->trace, search->progress, &choice->stats,
				     &choice->samples, search->diag);
	if (status != STATUS_OK)
		return status;
	choice->runs++;
	choice->replayed += sample_wanted(config) ? choice->samples.n * each : search->all;
	choice->achieved = (struct sample_ratio){ .known = true };
	if (!sample_wanted(config))
		return STATUS_OK;
	choice->achieved =
		sample_ratio(choice->samples.row, choice->samples.n, search->goal->count,
			     sample_count_of(STAT_accesses),
			     sample_fraction(choice->samples.row, choice->samples.n, accesses));
	return STATUS_OK;
}

static void take_all(struct sample_choice *choice, const char *why)
{
	choice->config.sample.period = 0;
	choice->whole = why;
}

/* Where little would be skipped, all of the trace costs as much and leaves no doubt. */
static void set_period(struct search *search, double period)
{
	struct config *config = &search->choice->config;
	const double each = (double)config->sample.length + (double)config->sample.warm;

	if (period < SKIPPED_MIN * each)
		take_all(search->choice,
			 "the samples and their warm-ups would be more than a quarter of it");
	else if ((double)search->all / period > INTERVALS_MAX)
		take_all(search->choice, "it would take more samples than are kept");
	else
		config->sample.period = (uint64_t)period;
}

/*
 * Double the warm-up until that no longer moves the estimate by a quarter of what is wanted. The
 * samples are the same each time, so what moves is what was cold.
 */
static enum exit_status find_warm(struct search *search)
{
	struct config *config = &search->choice->config;
	const struct sample_ratio *now = &search->choice->achieved;
	const bool given = config->sample.warm != 0;
	enum exit_status status;
	double before;

	if (!given)
		config->sample.warm = WARM_FIRST;
	set_period(search, (double)search->all / PILOT_SAMPLES);
	status = try_samples(search);
	do {
		if (given || status != STATUS_OK || !sample_wanted(config))
			return status;
		before = now->value;
		config->sample.warm *= 2;
		set_period(search, (double)config->sample.period);
		status = try_samples(search);
	} while (fabs(now->value - before) > search->goal->relative / 4 * now->value);
	return status;
}

/* How many samples the ones at hand ask for. */
static double samples_needed(const struct search *search)
{
	const struct sample_choice *choice = search->choice;
	const double n = (double)choice->samples.n;
	const double length = (double)choice->config.sample.length, all = (double)search->all;
	const double relative = choice->achieved.half_width / choice->achieved.value;
	const double goal = search->goal->relative / relative;
	const double left = 1 - n * length / all;

	/* (1 - f) / n shrinks by the square of what the interval must shrink by. */
	if (!choice->achieved.known || !(relative > 0) || left <= 0)
		return 4 * n;
	return MARGIN / (left / n * goal * goal + length / all);
}

static bool reached(const struct search *search)
{
	const struct sample_ratio *achieved = &search->choice->achieved;

	return achieved->known && achieved->half_width <= search->goal->relative * achieved->value;
}

static enum exit_status search_samples(struct search *search)
{
	struct sample_choice *choice = search->choice;
	enum exit_status status;

	status = find_warm(search);
	for (unsigned round = 1; status == STATUS_OK && !reached(search); round++) {
		if (round == ROUNDS_MAX)
			take_all(choice, "no samples that were tried scatter little enough");
		else
			set_period(search, (double)search->all / samples_needed(search));
		status = try_samples(search);
	}
	return status;
}

enum exit_status sample_choose(const struct config *config, const struct trace_reader *trace,
			       const struct sample_goal *goal,
			       const struct point_progress *progress, struct sample_choice *choice,
			       struct diag *diag)
{
	const struct trace_info *info = trace_info(trace);
	struct search search = {
		.trace = trace,
		.goal = goal,
		.progress = progress,
		.choice = choice,
		.all = trace_accesses(&info->totals) + info->totals.splits,
		.diag = diag,
	};
	enum exit_status status;

	*choice = (struct sample_choice){ .config = *config };
	if (sample_wanted(config))
		return diag_set(diag, STATUS_BAD_INPUT,
				"--confidence chooses sample.period, which is set already");
	choice->config.sample.length = LENGTH;
	choice->config.sample.offset = 0;
	status = search_samples(&search);
	if (status != STATUS_OK)
		interval_table_free(&choice->samples);
	return status;
}

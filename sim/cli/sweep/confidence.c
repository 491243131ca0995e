/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep/confidence.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/progress.h"
#include "run/sample_choice.h"

static int show_step(void *ctx, uint64_t done_accesses, uint64_t all_accesses)
{
	progress_show(ctx, done_accesses, all_accesses);
	return interrupt_seen();
}

/* The samples that the point asks for become those of its trace. */
static enum exit_status choose_for(struct plan *plan, const struct plan_point *point,
				   const struct sample_goal *goal, struct diag *diag)
{
	struct plan_trace *trace = &plan->traces[point->trace];
	struct progress progress;
	struct point_progress steps = { .step = show_step, .ctx = &progress };
	struct sample_choice choice;
	enum exit_status status;
	struct config config;

	plan_config(plan, point, &config);
	progress_init(&progress, "accesses");
	status = sample_choose(&config, trace->reader, goal, &steps, &choice, diag);
	progress_clear(&progress);
	if (status != STATUS_OK)
		return status;
	interval_table_free(&choice.samples);
	if (choice.whole) {
		fprintf(stderr, "twostage: %s: no samples, all of it is replayed: %s\n",
			trace->name.name, choice.whole);
		return STATUS_OK;
	}
	trace->sample_period = choice.config.sample.period;
	trace->sample_length = choice.config.sample.length;
	trace->sample_warm = choice.config.sample.warm;
	fprintf(stderr,
		"twostage: %s: sample.period=%" PRIu64 " sample.length=%" PRIu64
		" sample.warm=%" PRIu64 "\n",
		trace->name.name, trace->sample_period, trace->sample_length, trace->sample_warm);
	return STATUS_OK;
}

enum exit_status sweep_choose_samples(const struct sweep_args *arguments, struct plan *plan,
				      struct diag *diag)
{
	struct sample_goal goal;
	enum exit_status status = sample_goal_parse(&goal, arguments->confidence, diag);
	size_t last = SIZE_MAX;

	interrupt_catch();
	/* Points of one trace stand together. */
	for (size_t i = 0; status == STATUS_OK && i < plan->n_points; i++) {
		struct config config;

		plan_config(plan, &plan->points[i], &config);
		if (plan->points[i].trace == last || point_check(&config, NULL) != STATUS_OK)
			continue;
		last = plan->points[i].trace;
		status = choose_for(plan, &plan->points[i], &goal, diag);
	}
	if (status == STATUS_INTERRUPTED)
		diag_set(diag, status, "interrupted; repeat the command");
	return status;
}

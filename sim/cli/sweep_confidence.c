/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep_confidence.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/progress.h"
#include "run/sample.h"
#include "run/sample_choice.h"

static int show_step(void *ctx, uint64_t done_accesses, uint64_t all_accesses)
{
	progress_show(ctx, done_accesses, all_accesses);
	return interrupt_seen();
}

/* What the first points of the traces want. */
struct wanted {
	uint64_t period, length, warm; /* period UINT64_MAX: nothing yet; 0: all of a trace */
	char whole[128];	       /* the name of that trace */
};

static enum exit_status choose_point(const struct plan *plan, const struct plan_point *point,
				     const struct sample_goal *goal, struct wanted *wanted,
				     struct diag *diag)
{
	struct progress progress;
	struct point_progress steps = { .step = show_step, .ctx = &progress };
	struct sample_choice choice;
	enum exit_status status;
	struct config config;

	plan_config(plan, point, &config);
	progress_init(&progress, "accesses");
	status = sample_choose(&config, plan->traces[point->trace].reader, goal, &steps, &choice,
			       diag);
	progress_clear(&progress);
	if (status != STATUS_OK)
		return status;
	interval_table_free(&choice.samples);
	if (choice.config.sample.period == 0)
		snprintf(wanted->whole, sizeof(wanted->whole), "%s",
			 plan->traces[point->trace].name.name);
	if (choice.config.sample.period < wanted->period)
		wanted->period = choice.config.sample.period;
	if (choice.config.sample.warm > wanted->warm)
		wanted->warm = choice.config.sample.warm;
	wanted->length = choice.config.sample.length;
	return STATUS_OK;
}

/* Over a plan of its own, which is expanded. */
static enum exit_status choose(struct plan *plan, const struct sample_goal *goal,
			       struct wanted *wanted, struct diag *diag)
{
	enum exit_status status = plan_open_traces(plan, diag);
	size_t last = SIZE_MAX;

	if (status == STATUS_OK)
		status = plan_expand(plan, diag);
	/* Points of one trace stand together. */
	for (size_t i = 0; status == STATUS_OK && i < plan->n_points; i++) {
		struct config config;

		plan_config(plan, &plan->points[i], &config);
		if (plan->points[i].trace == last || point_check(&config, NULL) != STATUS_OK)
			continue;
		last = plan->points[i].trace;
		status = choose_point(plan, &plan->points[i], goal, wanted, diag);
	}
	return status;
}

static void set(struct plan *plan, const char *key, uint64_t value, struct diag *diag)
{
	char option[64];

	snprintf(option, sizeof(option), "%s=%" PRIu64, key, value);
	for (size_t i = 0; i < plan->n_models; i++)
		model_set_option(plan->models[i], option, diag);
}

enum exit_status sweep_choose_samples(const struct sweep_args *arguments, struct plan *plan,
				      struct diag *diag)
{
	struct wanted wanted = { .period = UINT64_MAX };
	struct plan *own = plan_load(arguments->spec, diag);
	struct sample_goal goal;
	enum exit_status status;

	if (!own)
		return diag->status;
	status = sample_goal_parse(&goal, arguments->confidence, diag);
	interrupt_catch();
	if (status == STATUS_OK)
		status = choose(own, &goal, &wanted, diag);
	plan_free(own);
	if (status == STATUS_INTERRUPTED)
		diag_set(diag, status, "interrupted; repeat the command");
	if (status != STATUS_OK)
		return status;
	if (wanted.period == 0 || wanted.period == UINT64_MAX) {
		fprintf(stderr, "twostage: no samples: %s is needed as a whole\n",
			*wanted.whole ? wanted.whole : "each trace");
		return STATUS_OK;
	}
	fprintf(stderr,
		"twostage: samples: sample.period=%" PRIu64 " sample.length=%" PRIu64
		" sample.warm=%" PRIu64 "\n",
		wanted.period, wanted.length, wanted.warm);
	set(plan, "sample.period", wanted.period, diag);
	set(plan, "sample.length", wanted.length, diag);
	set(plan, "sample.warm", wanted.warm, diag);
	return diag->status;
}

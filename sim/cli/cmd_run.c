/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/config_args.h"
#include "cli/output.h"
#include "cli/output_histogram.h"
#include "cli/progress.h"
#include "config/input.h"
#include "config/model.h"
#include "run/point.h"
#include "run/sample.h"
#include "run/sample_choice.h"
#include "trace/trace.h"

enum { TRACES_MAX = 256 };

struct arguments {
	struct config_args config;
	const char *from;
	const char *traces[TRACES_MAX];
	size_t n_traces;
	const char *confidence; /* --confidence; NULL: none */
	struct sample_goal goal;
	char timing[64]; /* the setting that --timing stands for */
	int json, salvage, histogram;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'f':
		arguments->from = arg;
		return 0;
	case 'S':
		arguments->salvage = 1;
		return 0;
	case 't':
		snprintf(arguments->timing, sizeof(arguments->timing), "timing.backend=%s", arg);
		return config_args_parse(&arguments->config, 's', arguments->timing, state);
	case 'C':
		arguments->confidence = arg;
		return 0;
	case 'H':
		arguments->histogram = 1;
		return 0;
	case 'j':
		arguments->json = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->n_traces == TRACES_MAX)
			argp_error(state, "too many traces");
		arguments->traces[arguments->n_traces++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		return 0;
	default:
		return config_args_parse(&arguments->config, key, arg, state);
	}
}

static int show_step(void *ctx, uint64_t done_accesses, uint64_t all_accesses)
{
	progress_show(ctx, done_accesses, all_accesses);
	return interrupt_seen();
}

/* One of the two: a trace that is read while it is replayed, and any other. */
struct input {
	const char *path;
	struct trace_feed *feed;
	struct trace_reader *reader;
};

static const struct trace_info *info_of(const struct input *input)
{
	return input->feed ? trace_feed_info(input->feed) : trace_info(input->reader);
}

static void close_input(struct input *input)
{
	trace_feed_close(input->feed);
	trace_close(input->reader);
}

static enum exit_status open_input(const struct arguments *arguments, const struct model *model,
				   struct input *input, struct diag *diag)
{
	const enum trace_granularity granularity = input_granularity(&model->config);
	const bool salvage = arguments->salvage != 0;
	enum exit_status status;

	if (arguments->confidence || !point_takes_feed(&model->config)) {
		input->reader =
			trace_open_any(input->path, arguments->from, salvage, granularity, diag);
		return input->reader ? STATUS_OK : diag->status;
	}
	status = trace_open_once(input->path, arguments->from, salvage, granularity, &input->reader,
				 &input->feed, diag);
	if (status == STATUS_OK && input->feed && arguments->json)
		status = trace_feed_want_digest(input->feed, diag);
	return status;
}

/* `latencies` may be NULL. */
static void print_json(const struct model *model, const struct input *input,
		       const struct sample_choice *choice, const struct walk_latencies *latencies)
{
	const struct trace_info *info = info_of(input);
	const struct config *config = &choice->config;
	const struct interval_table *intervals = &choice->samples;

	printf("{\"schema\":1,\"engine\":\"%s\",\"model\":", ENGINE_VERSION);
	output_json_string(stdout, model->name);
	printf(",\"trace\":{\"name\":");
	output_json_string(stdout, input_name(input->path));
	printf(",\"digest\":\"%016" PRIx64 "\",\"accesses\":%" PRIu64 "},\"params\":",
	       info->content_digest, trace_accesses(&info->totals));
	output_json_params(stdout, config);
	printf(",\"stats\":");
	output_json_stats(stdout, &choice->stats);
	if (latencies) {
		printf(",\"walk_latencies\":");
		output_json_histogram(stdout, latencies);
	}
	if (sample_wanted(config)) {
		printf(",\"estimates\":");
		output_json_estimates(stdout, intervals, trace_accesses(&info->totals));
		printf(",\"samples\":");
		output_json_intervals(stdout, "sample", intervals);
	} else if (intervals->n) {
		printf(",\"intervals\":");
		output_json_intervals(stdout, "interval", intervals);
	}
	printf("}\n");
}

/* What the reader of the statistics has to know about their exactness. */
static void print_notes(const struct config *config, const struct stats *stats)
{
	if (sample_wanted(config) && config->sample.warm)
		printf("note: the intervals do not know whether sample.warm is long enough "
		       "(docs/sampling.md)\n");
	if (stats->v[STAT_run_relookups])
		printf("note: TLBIs or VM switches fell into runs of this trace, so misses, walks "
		       "and "
		       "faults may be off by up to\n%" PRIu64
		       " (run_relookups); a raw trace is exact (docs/model.md, M26)\n",
		       stats->v[STAT_run_relookups]);
}

/* What --confidence came to. */
static void print_choice(const struct sample_choice *choice, const struct sample_goal *goal)
{
	const struct config *config = &choice->config;

	if (!sample_wanted(config)) {
		printf("All of the trace was replayed: %s (runs made: %u).\n", choice->whole,
		       choice->runs);
		return;
	}
	printf("Chosen: sample.period=%" PRIu64 " sample.length=%" PRIu64 " sample.warm=%" PRIu64
	       "; %s +-%.2f %% (runs made: %u, accesses replayed: %" PRIu64 ").\n",
	       config->sample.period, config->sample.length, config->sample.warm,
	       stat_rows[interval_counts[goal->count]].name,
	       100 * choice->achieved.half_width / choice->achieved.value, choice->runs,
	       choice->replayed);
}

/* One run, or as many as --confidence wants; *choice says what came of it either way. */
static enum exit_status run_point(const struct arguments *arguments, const struct model *model,
				  const struct input *input, const struct point_progress *steps,
				  struct sample_choice *choice, struct diag *diag)
{
	if (arguments->confidence)
		return sample_choose(&model->config, input->reader, &arguments->goal, steps, choice,
				     diag);
	*choice = (struct sample_choice){ .config = model->config };
	if (input->feed)
		return point_run_feed(&model->config, input->feed, steps, &choice->stats, diag);
	return point_run_intervals(&model->config, input->reader, steps, &choice->stats,
				   &choice->samples, diag);
}

static void print(const struct arguments *arguments, const struct model *model,
		  const struct input *input, const struct sample_choice *choice,
		  const struct walk_latencies *latencies)
{
	if (arguments->json) {
		print_json(model, input, choice, latencies);
		return;
	}
	printf("%s on %s\n", input_name(input->path), model->name);
	output_stats(stdout, &choice->stats);
	if (sample_wanted(&choice->config))
		output_estimates(stdout, &choice->samples, trace_accesses(&info_of(input)->totals));
	else
		output_intervals(stdout, &choice->samples);
	if (latencies)
		output_histogram(stdout, latencies);
	if (arguments->confidence)
		print_choice(choice, &arguments->goal);
	print_notes(&choice->config, &choice->stats);
}

static enum exit_status run_input(const struct arguments *arguments, const struct model *model,
				  const struct input *input, struct diag *diag)
{
	struct progress progress;
	struct point_progress steps = { .step = show_step, .ctx = &progress };
	struct sample_choice choice;
	enum exit_status status;

	if (arguments->histogram)
		steps.latencies = calloc(1, sizeof(*steps.latencies));
	if (arguments->histogram && !steps.latencies)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	progress_init(&progress, "accesses");
	status = run_point(arguments, model, input, &steps, &choice, diag);
	progress_clear(&progress);
	if (status == STATUS_INTERRUPTED)
		diag_set(diag, status, "%s: interrupted; repeat the command", input->path);
	if (status == STATUS_OK) {
		if (input->feed)
			output_salvaged(trace_feed_damage(input->feed));
		print(arguments, model, input, &choice, steps.latencies);
		interval_table_free(&choice.samples);
	}
	free(steps.latencies);
	return status;
}

static enum exit_status run_trace(const struct arguments *arguments, const struct model *model,
				  const char *path, struct diag *diag)
{
	struct input input = { .path = path };
	struct diag damage = DIAG_INIT;
	enum exit_status status = open_input(arguments, model, &input, &damage);

	if (status == STATUS_OK) {
		output_salvaged(&damage);
		status = run_input(arguments, model, &input, diag);
	} else {
		*diag = damage;
	}
	close_input(&input);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		CONFIG_OPTIONS,
		{ "from", 'f', "FORMAT", 0, "importer of a foreign trace; else its content decides",
		  0 },
		{ "timing", 't', "BACKEND", 0, "analytic or systemc: --set timing.backend=BACKEND",
		  0 },
		{ "confidence", 'C', "PERCENT%[:STAT]", 0,
		  "take as many samples as make the 95 % interval of STAT (walks) so narrow", 0 },
		{ "histogram", 'H', NULL, 0, "print how many walks took how many cycles, too", 0 },
		{ "salvage", 'S', NULL, 0, "replay what is sound of a damaged trace", 0 },
		{ "json", 'j', NULL, 0, "print JSON, one object a line and trace", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "TRACE...",
		.doc = "Replay traces through one configuration and print the statistics. A TRACE "
		       "may be "
		       "of any format of 'twostage list plugins', compressed (gz, xz, zst) or not, "
		       "a "
		       "specification NAME.yaml, or - for standard input.",
	};
	struct arguments arguments = { 0 };
	struct diag diag = DIAG_INIT;
	struct model *model;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.confidence &&
	    sample_goal_parse(&arguments.goal, arguments.confidence, &diag) != STATUS_OK)
		return output_diag(&diag);
	model = config_args_load(&arguments.config, &diag);
	if (!model)
		return output_diag(&diag);
	if (arguments.histogram && point_has_process(&model->config)) {
		model_free(model);
		return output_error(STATUS_USAGE, "--histogram wants timing.backend=analytic");
	}
	interrupt_catch();
	for (size_t i = 0; i < arguments.n_traces && diag.status == STATUS_OK; i++) {
		if (i && !arguments.json)
			putchar('\n');
		run_trace(&arguments, model, arguments.traces[i], &diag);
		if (fflush(stdout) != 0)
			diag_set(&diag, STATUS_IO, "standard output: %s", strerror(errno));
	}
	model_free(model);
	return output_diag(&diag);
}

const struct command cmd_run = { "run", "replay a trace through one configuration", run };

/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/trace_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

const char *trace_granularity_name(enum trace_granularity granularity)
{
	switch (granularity) {
	case TRACE_RAW:
		return "raw";
	case TRACE_LINE_RUNS:
		return "line";
	case TRACE_PAGE_RUNS:
		break;
	}
	return "page";
}

static void parse_granularity(struct trace_args *args, const char *arg, struct argp_state *state)
{
	static const enum trace_granularity all[] = { TRACE_RAW, TRACE_LINE_RUNS, TRACE_PAGE_RUNS };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(arg, trace_granularity_name(all[i])) == 0) {
			args->granularity = all[i];
			args->granularity_given = true;
			return;
		}
	}
	argp_error(state, "granularity '%s': expected page, line or raw", arg);
}

static void parse_level(struct trace_args *args, const char *arg, struct argp_state *state)
{
	char *end;
	long level = strtol(arg, &end, 10);

	if (end == arg || *end || level < 1 || level > 19)
		argp_error(state, "level '%s': expected 1..19", arg);
	args->level = (int)level;
}

error_t trace_args_parse(int key, char *arg, struct argp_state *state)
{
	struct trace_args *args = state->input;

	switch (key) {
	case TRACE_KEY_FROM:
		args->from = arg;
		return 0;
	case TRACE_KEY_SALVAGE:
		args->salvage = true;
		return 0;
	case TRACE_KEY_LEVEL:
		parse_level(args, arg, state);
		return 0;
	case 'g':
		parse_granularity(args, arg, state);
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case 'o':
		if (strcmp(arg, "-") == 0)
			argp_error(state, "-o -: a trace goes into a file, since its header is "
					  "written last");
		args->out = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (args->n_paths == args->max_paths)
			argp_error(state, "too many arguments");
		args->paths[args->n_paths++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->n_paths == 0)
			argp_error(state, "no trace");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct trace_reader *trace_args_open(const struct trace_args *args, size_t i,
				     enum trace_granularity granularity, int *status)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader =
		trace_open_any(args->paths[i], args->from, args->salvage, granularity, &diag);

	*status = STATUS_OK;
	if (!reader)
		*status = output_diag(&diag);
	else
		output_salvaged(&diag);
	return reader;
}

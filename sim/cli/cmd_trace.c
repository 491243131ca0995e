/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>

#include "cli/command.h"
#include "cli/group.h"
#include "cli/trace_args.h"

static int run(int argc, char **argv)
{
	static const struct command info = { "info", "totals and provenance of a trace",
					     trace_run_info };
	static const struct command check = { "check", "read traces to their end and check them",
					      trace_run_check };
	static const struct command cat = { "cat", "records of a trace as text", trace_run_cat };
	static const struct command convert = { "convert", "any trace to a native one",
						trace_run_convert };
	static const struct command gen = { "gen", "make a synthetic trace", trace_run_gen };
	static const struct command *const commands[] = {
		&cat, &check, &convert, &gen, &info, NULL
	};
	static const struct command_group group = {
		.name = "twostage trace",
		.intro = "Traces of memory accesses: look at them, convert them, make them.\n",
		.outro = "",
		.commands = commands,
	};

	return group_run(&group, argc, argv);
}

const struct command cmd_trace = { "trace", "traces: info, check, cat, convert, gen", run };

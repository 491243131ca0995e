/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands of `twostage trace` share. */
#ifndef TWOSTAGE_CLI_TRACE_ARGS_H
#define TWOSTAGE_CLI_TRACE_ARGS_H

#include <argp.h>
#include <stdbool.h>

#include "trace/trace.h"

enum { TRACE_ARGS_MAX = 256 };

/* Keys of the long options without a letter. */
enum { TRACE_KEY_FROM = 0x100, TRACE_KEY_SALVAGE, TRACE_KEY_LEVEL };

struct trace_args {
	const char *paths[TRACE_ARGS_MAX];
	size_t n_paths, max_paths;
	const char *from, *out;
	bool salvage, json;
	bool granularity_given;
	enum trace_granularity granularity;
	int level; /* of zstd; 0: default */
};

/* The rows of argp options, for the tables of the commands. */
#define TRACE_OPTION_FROM                                                                          \
	{                                                                                          \
		"from", TRACE_KEY_FROM, "FORMAT", 0,                                               \
			"read the trace as FORMAT (see 'twostage list plugins'); the content "     \
			"decides otherwise",                                                       \
			0                                                                          \
	}
#define TRACE_OPTION_SALVAGE                                                                       \
	{                                                                                          \
		"salvage", TRACE_KEY_SALVAGE, NULL, 0,                                             \
			"read a damaged or truncated trace up to the damage", 0                    \
	}
#define TRACE_OPTION_JSON                                                                          \
	{                                                                                          \
		"json", 'j', NULL, 0, "print JSON", 0                                              \
	}
#define TRACE_OPTION_GRANULARITY                                                                   \
	{                                                                                          \
		"granularity", 'g', "page|line|raw", 0,                                            \
			"what a record stands for: a run of accesses to one page or to one "       \
			"64-byte "                                                                 \
			"line, or one access",                                                     \
			0                                                                          \
	}
#define TRACE_OPTION_OUT                                                                           \
	{                                                                                          \
		"output", 'o', "FILE", 0, "write the trace to FILE", 0                             \
	}
#define TRACE_OPTION_LEVEL                                                                         \
	{                                                                                          \
		"level", TRACE_KEY_LEVEL, "N", 0, "compression level of zstd, 1..19 (default 3)",  \
			0                                                                          \
	}

/* The parser of all of them; state->input is a struct trace_args. */
error_t trace_args_parse(int key, char *arg, struct argp_state *state);

/* "page", "line" or "raw". */
const char *trace_granularity_name(enum trace_granularity granularity);

/*
 * Open args->paths[i] for reading, foreign formats as `granularity`. Prints the failure, or with
 * --salvage what was lost. NULL on failure with *status set.
 */
struct trace_reader *trace_args_open(const struct trace_args *args, size_t i,
				     enum trace_granularity granularity, int *status);

/* The subcommands: trace_info.c, trace_cat.c, trace_convert.c, trace_gen.c. */
int trace_run_info(int argc, char **argv);
int trace_run_check(int argc, char **argv);
int trace_run_cat(int argc, char **argv);
int trace_run_convert(int argc, char **argv);
int trace_run_gen(int argc, char **argv);

#endif

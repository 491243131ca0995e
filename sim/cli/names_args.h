/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of subcommands that take names and --json, or a list of files. */
#ifndef TWOSTAGE_CLI_NAMES_ARGS_H
#define TWOSTAGE_CLI_NAMES_ARGS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

enum { NAMES_ARGS_MAX = 4096 };

struct names_args {
	const char *names[NAMES_ARGS_MAX];
	size_t n_names;
	size_t max_names;    /* at most NAMES_ARGS_MAX; more are refused */
	const char *missing; /* what to say if there is none; NULL: none will do */
	bool json;
};

extern const struct argp_option names_args_options[];

/* The parser of these options and of names; state->input is a struct names_args. */
error_t names_args_parse(int key, char *arg, struct argp_state *state);

/* Part of argv. */
struct files_args {
	char **files;
	int files_count;
};

/* What is left for the parser of a command with FILE...: at least one, or it is refused. */
error_t files_args_parse(struct files_args *args, int key, struct argp_state *state);

#endif

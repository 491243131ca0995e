/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/names_args.h"

#include <errno.h>

const struct argp_option names_args_options[] = {
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ 0 },
};

error_t names_args_parse(int key, char *arg, struct argp_state *state)
{
	struct names_args *args = state->input;

	switch (key) {
	case 'j':
		args->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->n_names == args->max_names)
			argp_error(state, "too many arguments");
		args->names[args->n_names++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->n_names == 0 && args->missing)
			argp_error(state, "%s", args->missing);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

error_t files_args_parse(struct files_args *args, int key, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARGS:
		args->files = state->argv + state->next;
		args->files_count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no FILE; '-' is standard input");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

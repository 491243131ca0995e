/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage compare`: two results, or two sets of them, side by side. */
#include <argp.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/compare_output.h"
#include "cli/names_args.h"
#include "cli/output.h"

struct arguments {
	struct names_args names; /* first: the input of names_args_parse() */
	enum compare_detail detail;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	if (key == 'q') {
		arguments->detail = COMPARE_SUMMARY;
		return 0;
	}
	if (key == ARGP_KEY_END && arguments->names.n_names != 2)
		argp_error(state, "two results expected");
	return names_args_parse(key, arg, state);
}

static enum exit_status compare(const struct arguments *arguments, struct result_set set[2],
				struct diag *diag)
{
	struct compare_output output = {
		.name = { arguments->names.names[0], arguments->names.names[1] },
		.set = { &set[0], &set[1] },
		.detail = arguments->detail,
	};
	struct comparison comparison;
	enum exit_status status = compare_sets(&set[0], &set[1], &comparison, diag);

	if (status != STATUS_OK)
		return status;
	output.comparison = &comparison;
	if (arguments->names.json)
		compare_output_json(&output);
	else
		compare_output_text(&output);
	if (comparison.equal != comparison.pairs)
		status = STATUS_MISMATCH;
	comparison_free(&comparison);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "print JSON", 0 },
		{ "quiet", 'q', NULL, 0, "print the numbers of points alone", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "A B",
		.doc = "Compare results: what differs in settings, what in counts, absolute and "
		       "relative. A and B are databases of `twostage sweep` or files of `twostage "
		       "run --json`; FILE:SELECTOR is a part of one, where SELECTOR is "
		       "NAME=VALUE,... (a parameter, model or trace) or the first digits of a "
		       "point's key. Exit status 1 if results differ.",
	};
	static struct arguments arguments = { .names = { .max_names = 2 }, .detail = COMPARE_ALL };
	struct diag diag = DIAG_INIT;
	struct result_set set[2] = { 0 };
	enum exit_status status;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	status = result_set_load(&set[0], arguments.names.names[0], &diag);
	if (status == STATUS_OK)
		status = result_set_load(&set[1], arguments.names.names[1], &diag);
	if (status == STATUS_OK)
		status = compare(&arguments, set, &diag);
	result_set_free(&set[0]);
	result_set_free(&set[1]);
	return diag.status == STATUS_OK ? (int)status : output_diag(&diag);
}

const struct command cmd_compare = { "compare", "two results, or two databases, side by side",
				     run };

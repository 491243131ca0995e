/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/translate_args.h"

#include <argp.h>
#include <string.h>

bool translate_choose(struct arch_cpu *cpu, const char *choice)
{
	const char *equals = strchr(choice, '=');
	char name[64];

	if (!equals || (size_t)(equals - choice) >= sizeof(name))
		return false;
	memcpy(name, choice, (size_t)(equals - choice));
	name[equals - choice] = '\0';
	return cpu_choose(cpu, name, equals + 1);
}

static const struct argp_option argp_options[] = {
	{ "check", 'c', NULL, 0, "Compare with the results in FILE; exit 1 on any mismatch", 0 },
	{ "explain", 'e', NULL, 0, "Print each descriptor read of each query", 0 },
	{ "json", 'j', NULL, 0, "Print JSON; with --check, of the mismatches", 0 },
	{ "set", 's', "KEY=VALUE", 0,
	  "Make an IMPLEMENTATION DEFINED choice, such as core.txsz_out_of_range=clamp", 0 },
	{ 0 },
};

static void add_choice(struct translate_options *options, char *text, struct argp_state *state)
{
	const int room = sizeof(options->choices) / sizeof(options->choices[0]);
	struct arch_cpu cpu;

	if (strncmp(text, "core.", 5) != 0 || !translate_choose(&cpu, text + 5))
		argp_error(state, "--set %s: expected a choice of docs/translation.md", text);
	if (options->choices_count == room)
		argp_error(state, "more than %d --set", room);
	options->choices[options->choices_count++] = text + 5;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct translate_options *options = state->input;

	switch (key) {
	case 'c':
		options->mode = MODE_CHECK;
		return 0;
	case 'e':
		options->explain = true;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case 's':
		add_choice(options, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (options->json && options->explain)
			argp_error(state, "--explain is text; leave --json out");
		return 0;
	default:
		return files_args_parse(&options->input, key, state);
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.args_doc = "FILE...",
	.doc = "Print the architected result of each query of translation cases: output address "
	       "and "
	       "attributes, or the fault, and the descriptors that hardware updates."
	       "\vFILE is in the format of docs/translation.md; '-' is standard input.",
};

void translate_args_parse(int argc, char **argv, struct translate_options *options)
{
	argp_parse(&argp, argc, argv, 0, NULL, options);
}

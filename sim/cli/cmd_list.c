/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/command.h"
#include "cli/output.h"
#include "config/params.h"
#include "trace/import.h"

struct arguments {
	const char *what; /* NULL: plug-ins */
	int json;
};

/* Rooms of plug-ins that parameters choose from; importers are chosen by content or --from. */
static const struct {
	const char *name, *title;
} rooms[] = {
	{ "repl", "replacement policies (tlb.*.replacement)" },
	{ "guest", "guest page policies (guest.policy)" },
	{ "host", "KVM's block-size rules (host.block_rule)" },
	{ "latency", "latency of descriptor reads (latency.model)" },
};

enum { N_ROOMS = sizeof(rooms) / sizeof(rooms[0]) };

static void json_plugin(const char *name, const char *help, int first)
{
	printf("%s{\"name\":", first ? "" : ",");
	output_json_string(stdout, name);
	printf(",\"help\":");
	output_json_string(stdout, help ? help : "");
	putchar('}');
}

static void list_plugins_json(void)
{
	const char *name, *help = NULL;

	printf("{\"schema\":1,\"plugins\":{");
	for (size_t r = 0; r < N_ROOMS; r++) {
		printf("\"%s\":[", rooms[r].name);
		for (size_t i = 0; (name = params_plugin(rooms[r].name, i, &help)); i++)
			json_plugin(name, help, i == 0);
		printf("],");
	}
	printf("\"import\":[");
	for (size_t i = 0; fmt_registry[i]; i++)
		json_plugin(fmt_registry[i]->name, fmt_registry[i]->help, i == 0);
	printf("]}}\n");
}

static void list_plugins(void)
{
	const char *name, *help = NULL;

	for (size_t r = 0; r < N_ROOMS; r++) {
		printf("%s\n", rooms[r].title);
		for (size_t i = 0; (name = params_plugin(rooms[r].name, i, &help)); i++)
			printf("  %-14s %s\n", name, help ? help : "");
	}
	printf("importers of foreign traces (--from)\n");
	for (size_t i = 0; fmt_registry[i]; i++)
		printf("  %-14s %s\n", fmt_registry[i]->name, fmt_registry[i]->help);
}

static void list_stats(int json)
{
	if (json)
		printf("{\"schema\":1,\"stats\":[");
	for (size_t i = 0; i < STAT_COUNT; i++) {
		const struct stat_row *row = &stat_rows[i];

		if (!json) {
			printf("%-26s %-10s %s\n", row->name, row->unit, row->help);
			continue;
		}
		printf("%s{\"name\":\"%s\",\"unit\":\"%s\",\"help\":", i ? "," : "", row->name,
		       row->unit);
		output_json_string(stdout, row->help);
		putchar('}');
	}
	if (json)
		printf("]}\n");
}

static int has_range(const struct param *param)
{
	return params_is_number(param) || param->type == PARAM_HEX;
}

static void list_param_json(const struct param *param, const char *expected)
{
	printf("{\"key\":\"%s\",\"unit\":\"%s\",\"default\":", param->key, param->unit);
	output_json_string(stdout, param->default_text);
	if (has_range(param))
		printf(",\"min\":%" PRIu64 ",\"max\":%" PRIu64, param->min, param->max);
	printf(",\"values\":");
	output_json_string(stdout, expected);
	printf(",\"help\":");
	output_json_string(stdout, param->help);
	putchar('}');
}

static void list_params(int json)
{
	char expected[PARAM_TEXT_MAX];

	if (json)
		printf("{\"schema\":1,\"params\":[");
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		const struct param *param = &params[i];

		params_expectation(param, expected);
		if (json) {
			printf("%s", i ? "," : "");
			list_param_json(param, expected);
			continue;
		}
		printf("%s: %s\n    %s", param->key, param->help, expected);
		if (params_is_number(param))
			printf(", %" PRIu64 " to %" PRIu64 "%s%s", param->min, param->max,
			       *param->unit ? " " : "", param->unit);
		printf("; default %s\n", param->default_text);
	}
	if (json)
		printf("]}\n");
}

static int refuse(const char *what)
{
	struct suggest search;

	suggest_init(&search, what);
	suggest_offer(&search, "plugins");
	suggest_offer(&search, "params");
	suggest_offer(&search, "stats");
	if (search.best)
		return output_error(STATUS_USAGE, "cannot list '%s'; did you mean '%s'?", what,
				    search.best);
	return output_error(STATUS_USAGE, "cannot list '%s'; expected plugins, params or stats",
			    what);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'j':
		arguments->json = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->what)
			argp_error(state, "one kind of list at a time");
		arguments->what = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "print JSON", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[plugins|params|stats]",
		.doc = "List the plug-ins of all rooms, the parameters, or the statistics.",
	};
	struct arguments arguments = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (!arguments.what || strcmp(arguments.what, "plugins") == 0) {
		if (arguments.json)
			list_plugins_json();
		else
			list_plugins();
	} else if (strcmp(arguments.what, "stats") == 0) {
		list_stats(arguments.json);
	} else if (strcmp(arguments.what, "params") == 0) {
		list_params(arguments.json);
	} else {
		return refuse(arguments.what);
	}
	return STATUS_OK;
}

const struct command cmd_list = { "list", "plug-ins, parameters and statistics there are", run };

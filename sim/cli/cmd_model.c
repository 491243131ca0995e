/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/group.h"
#include "cli/names_args.h"
#include "cli/output.h"
#include "config/model.h"
#include "run/point.h"

enum { CHECKED_MAX = 256 };

static int run_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = names_args_options,
		.parser = names_args_parse,
		.doc = "List the models that can be named with -c: those in ./models, beside the "
		       "program, and in $TWOSTAGE_MODELS.",
	};
	struct names_args arguments = { .max_names = 0 };
	struct diag diag = DIAG_INIT;
	struct model_entry *entries;
	size_t n;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (model_list(&entries, &n, &diag) != STATUS_OK)
		return output_diag(&diag);
	if (arguments.json)
		printf("{\"schema\":1,\"models\":[");
	for (size_t i = 0; i < n && diag.status == STATUS_OK; i++) {
		struct model *model = model_load(entries[i].path, &diag);
		const char *description = model && model->description ? model->description : "";

		if (arguments.json) {
			printf("%s{\"name\":", i ? "," : "");
			output_json_string(stdout, entries[i].name);
			printf(",\"path\":");
			output_json_string(stdout, entries[i].path);
			printf(",\"description\":");
			output_json_string(stdout, description);
			putchar('}');
		} else if (model) {
			printf("%-16s %s\n", entries[i].name, description);
		}
		model_free(model);
	}
	if (arguments.json)
		printf("]}\n");
	model_list_free(entries, n);
	return output_diag(&diag);
}

static const char *origin_name(enum model_origin origin)
{
	switch (origin) {
	case ORIGIN_DEFAULT:
		return "default";
	case ORIGIN_SOURCE:
		return "source";
	case ORIGIN_ASSUMED:
		return "assumed";
	case ORIGIN_OPTION:
		return "option";
	case ORIGIN_PLAIN:
		break;
	}
	return "no source";
}

/* Name, parameters and how many values there are of each origin: a JSON object, not yet closed. */
static void print_json(const struct model *model, const size_t n[ORIGIN_OPTION + 1])
{
	printf("{\"schema\":1,\"model\":");
	output_json_string(stdout, model->name);
	printf(",\"params\":");
	output_json_params(stdout, &model->config);
	printf(",\"stats\":{\"values_with_source\":%zu,\"values_assumed\":%zu,"
	       "\"values_at_default\":%zu}",
	       n[ORIGIN_SOURCE], n[ORIGIN_ASSUMED], n[ORIGIN_DEFAULT]);
}

static void count_origins(const struct model *model, size_t n[ORIGIN_OPTION + 1])
{
	for (size_t i = 0; i <= ORIGIN_OPTION; i++)
		n[i] = 0;
	for (size_t i = 0; i < PARAM_COUNT; i++)
		n[model->values[i].origin]++;
}

static void show_text(const struct model *model)
{
	char text[PARAM_TEXT_MAX];

	printf("%s: %s\n%s\n", model->name, model->description ? model->description : "",
	       model->files[0]->path);
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		const struct model_value *value = &model->values[i];

		params_format(&model->config, &params[i], text);
		printf("%-28s %s%s%s%s\n", params[i].key, text, *params[i].unit ? " " : "",
		       params[i].unit, value->origin == ORIGIN_DEFAULT ? " (default)" : "");
		if (value->origin != ORIGIN_DEFAULT)
			printf("%-28s   %s%s%s\n", "", origin_name(value->origin),
			       value->note ? ": " : "", value->note ? value->note : "");
	}
}

static void show_json(const struct model *model)
{
	size_t n[ORIGIN_OPTION + 1];

	count_origins(model, n);
	print_json(model, n);
	printf(",\"origins\":{");
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		const struct model_value *value = &model->values[i];

		printf("%s\"%s\":{\"origin\":\"%s\"", i ? "," : "", params[i].key,
		       origin_name(value->origin));
		if (value->note) {
			printf(",\"note\":");
			output_json_string(stdout, value->note);
		}
		putchar('}');
	}
	printf("}}\n");
}

static int run_show(int argc, char **argv)
{
	static const struct argp argp = {
		.options = names_args_options,
		.parser = names_args_parse,
		.args_doc = "MODEL",
		.doc = "Print every parameter of a model with its unit, and where the value comes "
		       "from: a source, an assumption with its reason, or the default.",
	};
	struct names_args arguments = { .max_names = 1 };
	struct diag diag = DIAG_INIT;
	struct model *model;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.n_names == 0)
		return output_error(STATUS_USAGE, "no model; try 'twostage model list'");
	model = model_load(arguments.names[0], &diag);
	if (!model)
		return output_diag(&diag);
	if (arguments.json)
		show_json(model);
	else
		show_text(model);
	model_free(model);
	return STATUS_OK;
}

/* Prints what is wrong, or how many values there are of each origin. */
static int check_model(const char *name, int json)
{
	struct diag diag = DIAG_INIT;
	struct model *model = model_load(name, &diag);
	size_t n[ORIGIN_OPTION + 1];

	if (!model)
		return output_diag(&diag);
	if (model_check_sources(model, &diag) == STATUS_OK &&
	    point_check(&model->config, &diag) == STATUS_OK) {
		count_origins(model, n);
		if (json) {
			print_json(model, n);
			printf("}\n");
		} else {
			printf("%s: ok, %s with a source, %zu assumed, %zu left at the default\n",
			       model->name, output_count(n[ORIGIN_SOURCE], "value", "values").text,
			       n[ORIGIN_ASSUMED], n[ORIGIN_DEFAULT]);
		}
	}
	diag_place(&diag, "%s", model->files[0]->path);
	model_free(model);
	return output_diag(&diag);
}

static int run_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = names_args_options,
		.parser = names_args_parse,
		.args_doc = "[MODEL...]",
		.doc = "Check models, all that can be named if none is given: every value has a "
		       "source or is marked assumed, and the core can exist.",
	};
	struct names_args arguments = { .max_names = CHECKED_MAX };
	struct diag diag = DIAG_INIT;
	struct model_entry *entries;
	int status = STATUS_OK, one;
	size_t n;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	for (size_t i = 0; i < arguments.n_names; i++) {
		one = check_model(arguments.names[i], arguments.json);
		status = status ? status : one;
	}
	if (arguments.n_names)
		return status;
	if (model_list(&entries, &n, &diag) != STATUS_OK)
		return output_diag(&diag);
	for (size_t i = 0; i < n; i++) {
		one = check_model(entries[i].path, arguments.json);
		status = status ? status : one;
	}
	model_list_free(entries, n);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct command list = { "list", "models that can be named", run_list };
	static const struct command show = { "show", "values of a model and their sources",
					     run_show };
	static const struct command check = {
		"check", "refuse values without a source, and impossible cores", run_check
	};
	static const struct command *const commands[] = { &check, &list, &show, NULL };
	static const struct command_group group = {
		.name = "twostage model",
		.intro = "Core models: YAML files that set parameters and name their sources.\n",
		.outro = "",
		.commands = commands,
	};

	return group_run(&group, argc, argv);
}

const struct command cmd_model = { "model", "core models: list, show, check", run };

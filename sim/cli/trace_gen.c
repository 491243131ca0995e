/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage trace gen`: synthetic traces. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/output.h"
#include "cli/trace_args.h"
#include "trace/gen.h"

enum { MAX_OPTIONS = 40, KEY_BASE = 0x200 };

struct gen_args {
	struct trace_args trace;
	struct gen_spec *spec;
	const char *values[MAX_OPTIONS]; /* by key; NULL: not given */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct gen_args *args = state->input;

	if (key >= KEY_BASE && key < KEY_BASE + MAX_OPTIONS) {
		args->values[key - KEY_BASE] = arg;
		return 0;
	}
	if (key == ARGP_KEY_END)
		return 0; /* the specification may come from options alone */
	state->input = &args->trace;
	error_t error = trace_args_parse(key, arg, state);

	state->input = args;
	return error;
}

/* The file first, then the options over it; with phases, over all of them. */
static enum exit_status make_spec(const struct gen_args *args, struct diag *diag)
{
	char range[GEN_RANGE_BYTES];

	gen_spec_init(args->spec);
	if (args->trace.n_paths && gen_load(args->spec, args->trace.paths[0], diag) != STATUS_OK)
		return diag->status;
	for (size_t k = 0; gen_keys[k].name; k++) {
		for (size_t i = 0; args->values[k] && i < args->spec->n_phases; i++) {
			const char *wrong =
				gen_set(args->spec, i, &gen_keys[k], args->values[k], range);

			if (wrong)
				return diag_set(diag, STATUS_USAGE, "--%s %s: expected %s",
						gen_keys[k].name, args->values[k], wrong);
		}
	}
	return gen_check(args->spec, diag);
}

static enum exit_status generate(const struct gen_args *args, struct diag *diag)
{
	char *provenance = gen_describe(args->spec);
	struct trace_writer_options options = {
		.granularity = args->trace.granularity,
		.zstd_level = args->trace.level,
		.atomic = true,
		.provenance = provenance,
	};
	struct trace_writer *writer;
	struct trace_collapser *collapser;
	enum exit_status status, finished;

	if (!provenance)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	writer = trace_create(args->trace.out, &options, diag);
	free(provenance);
	if (!writer)
		return diag->status;
	collapser = trace_collapser_create(writer, options.granularity);
	if (!collapser) {
		trace_abandon(writer);
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	}
	status = gen_run(args->spec, collapser, diag);
	finished = trace_collapser_finish(collapser, diag);
	status = status ? status : finished;
	if (status) {
		trace_abandon(writer);
		return status;
	}
	return trace_finish(writer, NULL, diag);
}

/* One option for each key of the specification, behind those that all have. */
static void list_options(struct argp_option *options)
{
	static const struct argp_option fixed[] = {
		TRACE_OPTION_OUT,
		TRACE_OPTION_GRANULARITY,
		TRACE_OPTION_LEVEL,
	};
	size_t n = 0;

	for (; n < sizeof(fixed) / sizeof(fixed[0]); n++)
		options[n] = fixed[n];
	for (size_t k = 0; gen_keys[k].name && n < MAX_OPTIONS; k++)
		options[n++] = (struct argp_option){ .name = gen_keys[k].name,
						     .key = KEY_BASE + (int)k,
						     .arg = gen_keys[k].unit,
						     .doc = gen_keys[k].help,
						     .group = 1 };
}

int trace_run_gen(int argc, char **argv)
{
	struct argp_option options[MAX_OPTIONS + 1] = { 0 };
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[SPEC.yaml]",
		.doc = "Make a synthetic trace from a YAML specification (the long options without "
		       "dashes are its keys; `phases` is a list of maps of them) or from options, "
		       "which win. The same specification gives the same trace on every machine.",
	};
	struct gen_args args = { .trace = { .max_paths = 1, .granularity = TRACE_PAGE_RUNS } };
	struct diag diag = DIAG_INIT;

	list_options(options);
	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (!args.trace.out)
		return output_error(STATUS_USAGE, "no output; name it with -o FILE");
	args.spec = malloc(sizeof(*args.spec));
	if (!args.spec)
		return output_error(STATUS_INTERNAL, "out of memory");
	if (make_spec(&args, &diag) == STATUS_OK)
		(void)generate(&args, &diag);
	free(args.spec);
	return output_diag(&diag);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage trace convert`: any trace to a native one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/trace_args.h"
#include "trace/import.h"

/* Where the new trace comes from; the caller frees it. NULL: no memory. */
static char *provenance_of(struct trace_input *input, const struct trace_args *args)
{
	const struct trace_reader *native = trace_input_native(input);
	const char *slash = strrchr(args->paths[0], '/');
	char *text = NULL;
	int n;

	if (native)
		n = asprintf(&text, "%sconverted: from %s to %s%s\n",
			     trace_info(native)->provenance,
			     trace_granularity_name(trace_info(native)->granularity),
			     trace_granularity_name(args->granularity),
			     trace_info(native)->complete ? "" : ", salvaged");
	else
		n = asprintf(&text, "imported-from: %s\nformat: %s\n",
			     slash ? slash + 1 : args->paths[0], trace_input_format(input));
	return n < 0 ? NULL : text;
}

/* The damage of a foreign input is found while it is read, and reported with STATUS_OK. */
static enum exit_status convert(struct trace_input *input, const struct trace_args *args,
				struct diag *damage, struct diag *diag)
{
	char *provenance = provenance_of(input, args);
	struct trace_writer_options options = {
		.granularity = args->granularity,
		.zstd_level = args->level,
		.atomic = true,
		.provenance = provenance,
	};
	struct diag copy = DIAG_INIT;
	struct trace_writer *writer;
	enum exit_status status;

	if (!provenance)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	writer = trace_create(args->out, &options, diag);
	free(provenance);
	if (!writer)
		return diag->status;
	status = trace_input_copy(input, writer, args->granularity, &copy);
	if (status) {
		trace_abandon(writer);
		return diag_set(diag, status, "%s", copy.text);
	}
	if (copy.status)
		diag_set(damage, copy.status, "%s", copy.text);
	return trace_finish(writer, NULL, diag);
}

int trace_run_convert(int argc, char **argv)
{
	static const struct argp_option options[] = {
		TRACE_OPTION_OUT,     TRACE_OPTION_GRANULARITY, TRACE_OPTION_FROM,
		TRACE_OPTION_SALVAGE, TRACE_OPTION_LEVEL,	{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = trace_args_parse,
		.args_doc = "TRACE",
		.doc = "Convert a trace of any format to the native one, by default to page runs. "
		       "TRACE may be - for standard input; compressed input (gz, xz, zst) is "
		       "recognised.",
	};
	struct trace_args args = { .max_paths = 1, .granularity = TRACE_PAGE_RUNS };
	struct diag diag = DIAG_INIT, damage = DIAG_INIT;
	struct trace_input *input;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (!args.out)
		return output_error(STATUS_USAGE, "no output; name it with -o FILE");
	input = trace_input_open(args.paths[0], args.from, args.salvage, &damage);
	if (!input)
		return output_diag(&damage);
	if (convert(input, &args, &damage, &diag) == STATUS_OK)
		output_salvaged(&damage);
	trace_input_close(input);
	return output_diag(&diag);
}

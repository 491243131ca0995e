/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage mrc`: TLB misses at every size, in one pass over a trace. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/mrc_output.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/trace_args.h"

enum { KEY_SIZES = 0x200, KEY_FINE, KEY_CSV, KEY_GRANULE };

enum format { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON };

struct arguments {
	struct trace_args trace; /* first: the input of trace_args_parse() */
	struct mrc_setup setup;
	struct mrc_rows rows; /* none: chosen by `steps` */
	enum mrc_steps steps;
	enum format format;
};

static const struct argp_option options[] = {
	{ "page-size", 'p', "LIST", 0, "page sizes, 4K to 256T (default 4K,16K,64K,2M,32M,512M,1G)",
	  0 },
	{ "stream", 't', "data|fetch|all", 0, "which accesses (default all)", 0 },
	{ "sizes", KEY_SIZES, "LIST", 0, "numbers of entries (default 1,2,4,... while misses fall)",
	  0 },
	{ "fine", KEY_FINE, NULL, 0, "numbers of entries in steps of a quarter", 0 },
	{ "granule", KEY_GRANULE, "4K|16K|64K", 0,
	  "translation granule of the traced guest, which tells what its TLBI ranges mean "
	  "(default 4K)",
	  0 },
	{ "csv", KEY_CSV, NULL, 0, "print CSV", 0 },
	TRACE_OPTION_JSON,
	TRACE_OPTION_FROM,
	TRACE_OPTION_SALVAGE,
	{ 0 },
};

/* "64", "4K", "1G" at *text, which moves behind it. 0: not a positive number, or too large. */
static uint64_t parse_number(const char **text)
{
	static const char units[] = "KMGT";
	char *end;
	uint64_t number;
	const char *unit;

	if (**text < '0' || **text > '9' || strspn(*text, "0123456789") > 15)
		return 0;
	number = strtoull(*text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		const unsigned shift = 10 * (unsigned)(unit - units + 1);

		end++;
		if (number >> (62 - shift))
			return 0;
		number <<= shift;
	}
	*text = end;
	return number;
}

/* Each once, however often it is named. */
static void add_page_size(struct mrc_setup *setup, uint8_t bits)
{
	for (size_t i = 0; i < setup->page_sizes; i++)
		if (setup->page_bits[i] == bits)
			return;
	setup->page_bits[setup->page_sizes++] = bits;
}

static void add_row(struct mrc_rows *rows, uint64_t entries)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->entries[i] == entries)
			return;
	rows->entries[rows->n++] = entries;
}

static void parse_page_sizes(struct mrc_setup *setup, const char *list, struct argp_state *state)
{
	setup->page_sizes = 0;
	for (const char *at = list;; at++) {
		const uint64_t size = parse_number(&at);

		if (!size || (size & (size - 1)) || size >> MRC_PAGE_BITS_MIN == 0 ||
		    size >> MRC_PAGE_BITS_MAX > 1 || (*at && *at != ','))
			argp_error(state,
				   "page sizes '%s': expected powers of two from 4K to 256T, with "
				   "commas between",
				   list);
		if (setup->page_sizes == MRC_PAGE_SIZES_MAX)
			argp_error(state, "more than %d page sizes", MRC_PAGE_SIZES_MAX);
		add_page_size(setup, (uint8_t)__builtin_ctzll(size));
		if (!*at)
			return;
	}
}

static void parse_rows(struct mrc_rows *rows, const char *list, struct argp_state *state)
{
	rows->n = 0;
	for (const char *at = list;; at++) {
		const uint64_t entries = parse_number(&at);

		if (!entries || (*at && *at != ','))
			argp_error(state, "sizes '%s': expected numbers, with commas between",
				   list);
		if (rows->n == MRC_OUTPUT_ROWS_MAX)
			argp_error(state, "more than %d sizes", MRC_OUTPUT_ROWS_MAX);
		add_row(rows, entries);
		if (!*at)
			return;
	}
}

static void parse_stream(struct mrc_setup *setup, const char *text, struct argp_state *state)
{
	const bool all = strcmp(text, "all") == 0;

	setup->stream[STREAM_DATA] = all || strcmp(text, "data") == 0;
	setup->stream[STREAM_FETCH] = all || strcmp(text, "fetch") == 0;
	if (!setup->stream[STREAM_DATA] && !setup->stream[STREAM_FETCH])
		argp_error(state, "stream '%s': expected data, fetch or all", text);
}

static void parse_granule(struct mrc_setup *setup, const char *text, struct argp_state *state)
{
	const char *at = text;
	const uint64_t size = parse_number(&at);

	if (*at || (size != 4096 && size != 16384 && size != 65536))
		argp_error(state, "granule '%s': expected 4K, 16K or 64K", text);
	setup->granule = (enum granule)__builtin_ctzll(size);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'p':
		parse_page_sizes(&arguments->setup, arg, state);
		return 0;
	case 't':
		parse_stream(&arguments->setup, arg, state);
		return 0;
	case KEY_SIZES:
		parse_rows(&arguments->rows, arg, state);
		return 0;
	case KEY_FINE:
		arguments->steps = MRC_STEPS_QUARTER;
		return 0;
	case KEY_GRANULE:
		parse_granule(&arguments->setup, arg, state);
		return 0;
	case KEY_CSV:
		arguments->format = FORMAT_CSV;
		return 0;
	default:
		return trace_args_parse(key, arg, state);
	}
}

static int show_step(void *ctx, uint64_t done_accesses, uint64_t all_accesses)
{
	progress_show(ctx, done_accesses, all_accesses);
	return interrupt_seen();
}

static void print(const struct arguments *arguments, const struct mrc_output *output)
{
	if (arguments->trace.json)
		mrc_output_json(output);
	else if (arguments->format == FORMAT_CSV)
		mrc_output_csv(output);
	else
		mrc_output_text(output);
}

static enum exit_status run_trace(struct arguments *arguments, const struct trace_reader *trace,
				  struct diag *diag)
{
	struct mrc mrc;
	const struct mrc_output output = { &mrc, &arguments->setup, &arguments->rows, trace };
	struct progress progress;
	const struct point_progress steps = { .step = show_step, .ctx = &progress };
	enum exit_status status;

	progress_init(&progress, "accesses");
	status = mrc_run(&arguments->setup, trace, &steps, &mrc, diag);
	progress_clear(&progress);
	if (status != STATUS_OK) {
		diag_place(diag, "%s", trace_path(trace));
		return status;
	}
	if (!arguments->rows.n)
		mrc_rows_of(&mrc, arguments->steps, &arguments->rows);
	print(arguments, &output);
	mrc_fini(&mrc);
	return STATUS_OK;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "TRACE",
		.doc = "Miss-ratio curves: how often level-1 TLBs of every size miss, in one pass. "
		       "The TLBs are fully associative and LRU, one for data and one for fetches "
		       "on each vCPU, and all their entries are of one page size.",
	};
	static struct arguments arguments = {
		.trace = { .max_paths = 1 },
		.setup = { .page_bits = { 12, 14, 16, 21, 25, 29, 30 },
			   .page_sizes = 7,
			   .stream = { true, true },
			   .granule = GRANULE_4K },
	};
	struct diag diag = DIAG_INIT;
	struct trace_reader *trace;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	trace = trace_args_open(&arguments.trace, 0, TRACE_PAGE_RUNS, &status);
	if (!trace)
		return status;
	interrupt_catch();
	run_trace(&arguments, trace, &diag);
	trace_close(trace);
	return output_diag(&diag);
}

const struct command cmd_mrc = { "mrc", "TLB misses at every size, in one pass over a trace", run };

/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage trace info` and `check`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/trace_args.h"

struct figure {
	const char *name;
	uint64_t value;
};

enum { MAX_FIGURES = 16 };

static const struct argp_option options[] = {
	TRACE_OPTION_JSON,
	TRACE_OPTION_FROM,
	TRACE_OPTION_SALVAGE,
	{ 0 },
};

static size_t figures_of(const struct trace_info *info, struct figure *f)
{
	const struct trace_totals *t = &info->totals;
	size_t n = 0;

	f[n++] = (struct figure){ "accesses", trace_accesses(t) };
	f[n++] = (struct figure){ "instructions", t->instructions };
	f[n++] = (struct figure){ "fetches", t->fetches };
	f[n++] = (struct figure){ "loads", t->loads };
	f[n++] = (struct figure){ "stores", t->stores };
	f[n++] = (struct figure){ "splits", t->splits };
	f[n++] = (struct figure){ "events", t->events };
	f[n++] = (struct figure){ "records", t->records };
	f[n++] = (struct figure){ "blocks", info->blocks };
	f[n++] = (struct figure){ "vcpus", info->vcpus };
	f[n++] = (struct figure){ "vms", info->vms };
	f[n++] = (struct figure){ "va_bits", info->va_bits };
	f[n++] = (struct figure){ "ipa_bits", info->ipa_bits };
	return n;
}

static void print_text(const struct trace_reader *reader)
{
	const struct trace_info *info = trace_info(reader);
	struct figure figures[MAX_FIGURES];
	size_t n = figures_of(info, figures);

	printf("%-14s %s\n", "trace", trace_path(reader));
	printf("%-14s %s\n", "granularity", trace_granularity_name(info->granularity));
	printf("%-14s %s\n", "complete", info->complete ? "yes" : "no");
	printf("%-14s %016" PRIx64 "\n", "content", info->content_digest);
	for (size_t i = 0; i < n; i++)
		printf("%-14s %" PRIu64 "\n", figures[i].name, figures[i].value);
	if (info->provenance && *info->provenance)
		printf("\n%s%s", info->provenance,
		       info->provenance[strlen(info->provenance) - 1] == '\n' ? "" : "\n");
}

static void print_json(const struct trace_reader *reader)
{
	const struct trace_info *info = trace_info(reader);
	struct figure figures[MAX_FIGURES];
	size_t n = figures_of(info, figures);

	printf("{\"schema\":1,\"params\":{\"trace\":");
	output_json_string(stdout, trace_path(reader));
	printf(",\"granularity\":\"%s\",\"version\":%u,\"complete\":%s,\"content\":\"%016" PRIx64
	       "\",\"provenance\":",
	       trace_granularity_name(info->granularity), info->version,
	       info->complete ? "true" : "false", info->content_digest);
	output_json_string(stdout, info->provenance ? info->provenance : "");
	printf("},\"stats\":{");
	for (size_t i = 0; i < n; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", figures[i].name, figures[i].value);
	printf("}}\n");
}

int trace_run_info(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = trace_args_parse,
		.args_doc = "TRACE",
		.doc = "Print what a trace holds: totals, address sizes, provenance. Foreign "
		       "traces are converted to page runs for it; the totals of accesses, "
		       "splits and instructions do not depend on that.",
	};
	struct trace_args args = { .max_paths = 1 };
	struct trace_reader *reader;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	reader = trace_args_open(&args, 0, TRACE_PAGE_RUNS, &status);
	if (!reader)
		return status;
	if (args.json)
		print_json(reader);
	else
		print_text(reader);
	trace_close(reader);
	return STATUS_OK;
}

/* ---- check --------------------------------------------------------------------------------- */

static enum exit_status refuse(const struct trace_reader *r, uint64_t block, struct diag *diag,
			       const char *what)
{
	return diag_set(diag, STATUS_BAD_INPUT, "%s: block %" PRIu64 ": %s", trace_path(r), block,
			what);
}

/* Do the columns sum up to the totals, and are the records in order? */
static enum exit_status check_block(const struct trace_reader *r, uint64_t index,
				    const struct trace_block *b, uint64_t *next_ordinal,
				    struct diag *diag)
{
	struct trace_totals t = { .records = b->n_records, .events = b->n_events };

	for (uint32_t i = 0; i < b->n_records; i++) {
		if (b->ordinal[i] < *next_ordinal || b->last_ordinal[i] < b->ordinal[i])
			return refuse(r, index, diag, "the records are not in order");
		if (b->store_ordinal[i] != UINT64_MAX && b->store_ordinal[i] > b->last_ordinal[i])
			return refuse(r, index, diag, "a first store lies outside its record");
		*next_ordinal = b->ordinal[i] + 1;
		if (b->keys[b->key[i]].stream == STREAM_FETCH)
			t.fetches += b->reads[i];
		else
			t.loads += b->reads[i];
		t.stores += b->stores[i];
		t.splits += b->splits[i];
		t.instructions += b->instructions[i];
	}
	if (memcmp(&t, &b->totals, sizeof(t)) != 0)
		return refuse(r, index, diag, "the totals are not the sums of the columns");
	return STATUS_OK;
}

static int check_trace(const struct trace_args *args, size_t i)
{
	struct trace_block block = { 0 };
	struct diag diag = DIAG_INIT;
	const struct trace_info *info;
	uint64_t next_ordinal = 0;
	int status;
	struct trace_reader *reader = trace_args_open(args, i, TRACE_PAGE_RUNS, &status);

	if (!reader)
		return status;
	info = trace_info(reader);
	for (uint64_t b = 0; b < info->blocks && !diag.status; b++) {
		if (trace_read_block(reader, b, COLUMN_ALL, &block, &diag) == STATUS_OK)
			check_block(reader, b, &block, &next_ordinal, &diag);
	}
	trace_block_free(&block);
	if (diag.status == STATUS_OK && args->json)
		print_json(reader);
	else if (diag.status == STATUS_OK)
		printf("%s: ok, %s, %s, %s\n", args->paths[i],
		       output_count(info->blocks, "block", "blocks").text,
		       output_count(info->totals.records, "record", "records").text,
		       output_count(trace_accesses(&info->totals), "access", "accesses").text);
	trace_close(reader);
	return output_diag(&diag);
}

int trace_run_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = trace_args_parse,
		.args_doc = "TRACE...",
		.doc = "Read traces to their end: checksums, order of the records, totals.",
	};
	struct trace_args args = { .max_paths = TRACE_ARGS_MAX };
	int status = STATUS_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	for (size_t i = 0; i < args.n_paths; i++) {
		int one = check_trace(&args, i);

		status = status ? status : one;
	}
	return status;
}

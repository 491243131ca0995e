/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage trace cat`: records as text. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/output.h"
#include "cli/trace_args.h"

static void print_event(const struct trace_event *e)
{
	static const char *const names[] = { "?",    "context-switch", "vm-switch",
					     "tlbi", "unmap",	       "fork" };

	printf("# event %s vcpu %u vm %u asid %u 0x%" PRIx64 " 0x%" PRIx64 "\n",
	       e->type <= EVENT_FORK ? names[e->type] : names[0], e->vcpu, e->vm, e->asid,
	       e->args[0], e->args[1]);
}

static void print_ipa(const struct trace_key *key)
{
	if (key->ipa == TRACE_IPA_UNKNOWN)
		printf(",,0");
	else
		printf(",0x%" PRIx64 ",%u", key->ipa, key->device);
}

/* One access, as the csv importer reads it. It makes the second piece of an access again itself. */
static void print_raw(const struct trace_run *run)
{
	const struct trace_key *k = &run->key;
	const char *kind = k->stream == STREAM_FETCH ? "fetch" : run->stores ? "store" : "load";

	if (run->splits) {
		printf("# second page of the access before: 0x%" PRIx64 "\n", k->va);
		return;
	}
	printf("%u,%u,%u,%u,%s,0x%" PRIx64 ",%u", k->vcpu, k->vm, k->asid, k->el, kind, k->va,
	       1u << k->size_log2);
	print_ipa(k);
	printf(",%" PRIu32 "\n", run->instructions);
}

static void print_run(const struct trace_run *run)
{
	const struct trace_key *k = &run->key;

	printf("%u,%u,%u,%u,%s,0x%" PRIx64, k->vcpu, k->vm, k->asid, k->el,
	       k->stream == STREAM_FETCH ? "fetch" : "data", k->va);
	print_ipa(k);
	printf(",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",",
	       run->reads, run->stores, run->splits, run->instructions, run->ordinal,
	       run->last_ordinal);
	if (run->store_ordinal != UINT64_MAX)
		printf("%" PRIu64, run->store_ordinal);
	putchar('\n');
}

static void print_block(const struct trace_block *b, enum trace_granularity granularity)
{
	uint32_t event = 0;

	for (uint32_t i = 0; i <= b->n_records; i++) {
		while (event < b->n_events && b->events[event].before == i)
			print_event(&b->events[event++]);
		if (i < b->n_records) {
			struct trace_run run = trace_block_run(b, i);

			if (granularity == TRACE_RAW)
				print_raw(&run);
			else
				print_run(&run);
		}
	}
}

static int cat(const struct trace_args *args)
{
	struct trace_block block = { 0 };
	struct diag diag = DIAG_INIT;
	struct trace_reader *reader;
	enum trace_granularity granularity;
	int status;

	reader = trace_args_open(args, 0, args->granularity, &status);
	if (!reader)
		return status;
	granularity = trace_info(reader)->granularity;
	puts(granularity == TRACE_RAW
		     ? "vcpu,vm,asid,el,kind,va,size,ipa,device,instructions"
		     : "vcpu,vm,asid,el,stream,va,ipa,device,reads,stores,splits,instructions,"
		       "ordinal,last_ordinal,store_ordinal");
	for (uint64_t i = 0; i < trace_info(reader)->blocks && !ferror(stdout); i++) {
		if (trace_read_block(reader, i, COLUMN_ALL, &block, &diag) != STATUS_OK)
			break;
		print_block(&block, granularity);
	}
	trace_block_free(&block);
	trace_close(reader);
	return output_diag(&diag);
}

int trace_run_cat(int argc, char **argv)
{
	static const struct argp_option options[] = {
		TRACE_OPTION_FROM,
		TRACE_OPTION_SALVAGE,
		{ "granularity", 'g', "page|line|raw", 0,
		  "of the records made from a foreign trace (default raw)", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = trace_args_parse,
		.args_doc = "TRACE",
		.doc = "Print the records of a trace as comma-separated values, events as "
		       "comments. What it prints of a raw trace can be imported again (csv).",
	};
	struct trace_args args = { .max_paths = 1, .granularity = TRACE_RAW };

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	return cat(&args);
}

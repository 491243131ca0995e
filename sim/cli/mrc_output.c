/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/mrc_output.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/output.h"
#include "config/input.h"

static const char *stream_name(enum trace_stream stream)
{
	return stream == STREAM_FETCH ? "fetch" : "data";
}

static const char *page_size(const struct mrc_curve *curve, char text[16])
{
	return output_size(UINT64_C(1) << curve->page_bits, text);
}

void mrc_rows_of(const struct mrc *mrc, enum mrc_steps steps, struct mrc_rows *rows)
{
	uint64_t depth = 1, entries = 1;

	for (size_t i = 0; i < mrc->curves; i++)
		if (mrc->curve[i].depth > depth)
			depth = mrc->curve[i].depth;
	rows->n = 0;
	while (rows->n < MRC_OUTPUT_ROWS_MAX) {
		rows->entries[rows->n++] = entries;
		if (entries >= depth)
			return;
		entries += steps == MRC_STEPS_DOUBLE ? entries : entries / 4 + (entries < 4);
	}
}

static double per_thousand(const struct mrc_curve *curve, uint64_t misses)
{
	return curve->lookups ? 1000.0 * (double)misses / (double)curve->lookups : 0;
}

/* The curves of one stream, which lie together, side by side. */
static void text_table(const struct mrc_output *output, const struct mrc_curve *curve)
{
	const size_t n = output->setup->page_sizes;
	char text[16];

	printf("\n%s: misses per 1000 of %" PRIu64 " lookups, by entries and page size\n",
	       curve->stream == STREAM_FETCH ? "Fetches (L1I TLB)" : "Data (L1D TLB)",
	       curve->lookups);
	printf("%12s", "entries");
	for (size_t c = 0; c < n; c++)
		printf(" %10s", page_size(&curve[c], text));
	putchar('\n');
	for (size_t i = 0; i < output->rows->n; i++) {
		const uint64_t entries = output->rows->entries[i];

		printf("%12" PRIu64, entries);
		for (size_t c = 0; c < n; c++)
			printf(" %10.3f", per_thousand(&curve[c], mrc_misses(&curve[c], entries)));
		putchar('\n');
	}
	printf("%12s", "first uses");
	for (size_t c = 0; c < n; c++)
		printf(" %10" PRIu64, curve[c].first_uses);
	printf("\n%12s", "invalidated");
	for (size_t c = 0; c < n; c++)
		printf(" %10" PRIu64, curve[c].dropped_uses);
	printf("\n%12s", "enough");
	for (size_t c = 0; c < n; c++)
		printf(" %10zu", curve[c].depth);
	putchar('\n');
}

void mrc_output_text(const struct mrc_output *output)
{
	const struct mrc *mrc = output->mrc;

	printf("%s: fully associative LRU TLBs of one page size\n",
	       input_name(trace_path(output->trace)));
	for (size_t i = 0; i < mrc->curves; i += output->setup->page_sizes)
		text_table(output, &mrc->curve[i]);
	if (mrc->has_forks)
		printf("\nnote: this trace may have forks; what copies on write invalidate is left "
		       "out (docs/mrc.md)\n");
}

void mrc_output_csv(const struct mrc_output *output)
{
	printf("stream,page_size,entries,lookups,misses\n");
	for (size_t c = 0; c < output->mrc->curves; c++) {
		const struct mrc_curve *curve = &output->mrc->curve[c];

		for (size_t i = 0; i < output->rows->n; i++)
			printf("%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
			       stream_name(curve->stream), UINT64_C(1) << curve->page_bits,
			       output->rows->entries[i], curve->lookups,
			       mrc_misses(curve, output->rows->entries[i]));
	}
}

static void json_curve(const struct mrc_curve *curve, const struct mrc_rows *rows)
{
	printf("{\"stream\":\"%s\",\"page_size\":%" PRIu64 ",\"lookups\":%" PRIu64
	       ",\"first_uses\":%" PRIu64 ",\"invalidated_uses\":%" PRIu64
	       ",\"enough_entries\":%zu,\"misses\":[",
	       stream_name(curve->stream), UINT64_C(1) << curve->page_bits, curve->lookups,
	       curve->first_uses, curve->dropped_uses, curve->depth);
	for (size_t i = 0; i < rows->n; i++)
		printf("%s%" PRIu64, i ? "," : "", mrc_misses(curve, rows->entries[i]));
	printf("]}");
}

void mrc_output_json(const struct mrc_output *output)
{
	const struct trace_info *info = trace_info(output->trace);
	char text[16];

	printf("{\"schema\":1,\"params\":{\"trace\":{\"name\":");
	output_json_string(stdout, input_name(trace_path(output->trace)));
	printf(",\"digest\":\"%016" PRIx64 "\",\"accesses\":%" PRIu64 "},\"granule\":\"%s\"},",
	       info->content_digest, trace_accesses(&info->totals),
	       output_size(UINT64_C(1) << output->setup->granule, text));
	printf("\"stats\":{\"accesses\":%" PRIu64 ",\"records\":%" PRIu64 ",\"events\":%" PRIu64
	       ",\"memory_bytes\":%zu},\"has_forks\":%s,\"entries\":[",
	       trace_accesses(&info->totals), info->totals.records, info->totals.events,
	       output->mrc->memory_bytes, output->mrc->has_forks ? "true" : "false");
	for (size_t i = 0; i < output->rows->n; i++)
		printf("%s%" PRIu64, i ? "," : "", output->rows->entries[i]);
	printf("],\"curves\":[");
	for (size_t c = 0; c < output->mrc->curves; c++) {
		if (c)
			putchar(',');
		json_curve(&output->mrc->curve[c], output->rows);
	}
	printf("]}\n");
}

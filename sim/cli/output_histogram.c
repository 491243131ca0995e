/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/output_histogram.h"

#include <inttypes.h>
#include <string.h>

enum { SUB_BITS = 3, PAIRS = LEAF_SIZES * LEAF_SIZES };

/* As the statistics of the pair are named. */
static const char *const pair_names[PAIRS] = {
	"page_page", "page_pmd", "page_pud", "pmd_page", "pmd_pmd",
	"pmd_pud",   "pud_page", "pud_pmd",  "pud_pud",
};

struct range {
	uint64_t from, to; /* cycles, both inside */
	uint64_t walks, pair[PAIRS];
};

/* The last cycle of the range that begins with, or holds, `cycles`. */
static uint64_t end_of(uint64_t cycles)
{
	const unsigned log2 = cycles ? 63u - (unsigned)__builtin_clzll(cycles) : 0;

	return log2 <= SUB_BITS ? cycles : cycles | ((UINT64_C(1) << (log2 - SUB_BITS)) - 1);
}

/* The next range that has walks, from bucket *at on, which moves behind it. False: none. */
static bool next_range(const struct walk_latencies *latencies, unsigned *at, struct range *range)
{
	memset(range, 0, sizeof(*range));
	for (; *at < HISTOGRAM_BUCKETS; ++*at) {
		const uint64_t cycles = histogram_value(*at);

		if (range->walks && cycles > range->to)
			break;
		if (!latencies->all.bucket[*at])
			continue;
		if (!range->walks)
			range->from = cycles;
		range->to = end_of(cycles);
		range->walks += latencies->all.bucket[*at];
		for (unsigned p = 0; p < PAIRS; p++)
			range->pair[p] +=
				latencies->by_leaf[p / LEAF_SIZES][p % LEAF_SIZES].bucket[*at];
	}
	return range->walks != 0;
}

static uint64_t pair_total(const struct walk_latencies *latencies, unsigned pair)
{
	return latencies->by_leaf[pair / LEAF_SIZES][pair % LEAF_SIZES].total;
}

void output_histogram(FILE *out, const struct walk_latencies *latencies)
{
	uint64_t sum = 0;
	struct range range;
	unsigned at = 0;

	fprintf(out,
		"Walks by cycles, and by the leaves of stage 1 and stage 2\n"
		"  %10s %10s %14s %8s",
		"from", "to", "walks", "% so far");
	for (unsigned p = 0; p < PAIRS; p++)
		if (pair_total(latencies, p))
			fprintf(out, " %12s", pair_names[p]);
	fputc('\n', out);
	while (next_range(latencies, &at, &range)) {
		sum += range.walks;
		fprintf(out, "  %10" PRIu64 " %10" PRIu64 " %14" PRIu64 " %8.2f", range.from,
			range.to, range.walks, 100.0 * (double)sum / (double)latencies->all.total);
		for (unsigned p = 0; p < PAIRS; p++)
			if (pair_total(latencies, p))
				fprintf(out, " %12" PRIu64, range.pair[p]);
		fputc('\n', out);
	}
}

void output_json_histogram(FILE *out, const struct walk_latencies *latencies)
{
	const char *comma = "";
	struct range range;
	unsigned at = 0;

	fputc('[', out);
	for (; next_range(latencies, &at, &range); comma = ",") {
		fprintf(out, "%s{\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"walks\":%" PRIu64, comma,
			range.from, range.to, range.walks);
		for (unsigned p = 0; p < PAIRS; p++)
			fprintf(out, ",\"%s\":%" PRIu64, pair_names[p], range.pair[p]);
		fputc('}', out);
	}
	fputc(']', out);
}

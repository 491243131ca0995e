/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/share.h"

#include <stdlib.h>
#include <string.h>

/* Recordings that are kept; the one used last comes first. */
enum { RECORDINGS = 8 };

struct recording {
	const struct trace_reader *trace; /* NULL: none */
	struct tlb_config l1i, l1d;
	uint64_t seed;
	uint64_t run_relookups; /* the one count that looks into the runs themselves */
	struct miss_stream stream;
};

struct share {
	size_t most_bytes;
	struct recording recording[RECORDINGS];
	struct share_counts counts;
};

struct share *share_create(size_t most_bytes)
{
	struct share *share = calloc(1, sizeof(*share));

	if (share)
		share->most_bytes = most_bytes;
	return share;
}

static void forget(struct recording *recording)
{
	miss_stream_fini(&recording->stream);
	memset(recording, 0, sizeof(*recording));
}

void share_free(struct share *share)
{
	for (unsigned i = 0; share && i < RECORDINGS; i++)
		forget(&share->recording[i]);
	free(share);
}

struct share_counts share_counts(const struct share *share)
{
	return share->counts;
}

static bool same_tlb(const struct tlb_config *a, const struct tlb_config *b)
{
	return a->entries == b->entries && a->ways == b->ways && a->page_sizes == b->page_sizes &&
	       strcmp(a->replacement, b->replacement) == 0 &&
	       strcmp(a->contiguous, b->contiguous) == 0 && strcmp(a->index, b->index) == 0;
}

/* Worth a try: what is decided below L1 is compared on the way. */
static bool may_follow(const struct recording *recording, const struct config *config,
		       const struct trace_reader *trace)
{
	return recording->trace == trace && recording->seed == config->seed &&
	       same_tlb(&recording->l1i, &config->tlb.l1i) &&
	       same_tlb(&recording->l1d, &config->tlb.l1d);
}

static void move_to_front(struct share *share, unsigned index)
{
	const struct recording used = share->recording[index];

	memmove(&share->recording[1], &share->recording[0], index * sizeof(used));
	share->recording[0] = used;
}

static bool follow(struct share *share, const struct config *config,
		   const struct trace_reader *trace, struct stats *stats)
{
	for (unsigned i = 0; i < RECORDINGS; i++) {
		struct recording *recording = &share->recording[i];

		if (!may_follow(recording, config, trace))
			continue;
		if (point_follow(config, trace, &recording->stream, stats)) {
			stats->v[STAT_run_relookups] = recording->run_relookups;
			share->counts.followed++;
			move_to_front(share, i);
			return true;
		}
		share->counts.diverged++;
	}
	return false;
}

/* Keep a new recording, and no more of the old ones than there is room for. */
static void keep(struct share *share, const struct config *config, const struct trace_reader *trace,
		 const struct stats *stats, const struct miss_stream *stream)
{
	size_t bytes = miss_stream_bytes(stream);

	forget(&share->recording[RECORDINGS - 1]);
	move_to_front(share, RECORDINGS - 1);
	share->recording[0] = (struct recording){
		.trace = trace,
		.l1i = config->tlb.l1i,
		.l1d = config->tlb.l1d,
		.seed = config->seed,
		.run_relookups = stats->v[STAT_run_relookups],
		.stream = *stream,
	};
	for (unsigned i = 1; i < RECORDINGS; i++) {
		bytes += miss_stream_bytes(&share->recording[i].stream);
		if (bytes > share->most_bytes)
			forget(&share->recording[i]);
	}
}

enum exit_status share_run(struct share *share, const struct config *config,
			   const struct trace_reader *trace, struct stats *stats,
			   struct interval_table *intervals, struct diag *diag)
{
	struct miss_stream stream;
	enum exit_status status;

	*intervals = (struct interval_table){ 0 };
	if (point_has_process(config)) {
		share->counts.alone++;
		return point_run_intervals(config, trace, NULL, stats, intervals, diag);
	}
	if (follow(share, config, trace, stats))
		return STATUS_OK;
	miss_stream_init(&stream, share->most_bytes);
	status = point_run_recorded(config, trace, stats, intervals, &stream, diag);
	share->counts.alone++;
	if (status == STATUS_OK && !stream.overflow)
		keep(share, config, trace, stats, &stream);
	else
		miss_stream_fini(&stream);
	return status;
}

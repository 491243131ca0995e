/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/share.h"

#include <stdlib.h>
#include <string.h>

#include "run/params.h"

/* Recordings of all kinds that are kept. */
enum { PARTS = 48 };

/* Reads are of use to few points: they may take 1 in so many bytes. */
enum { WALKS_DIVISOR = 8 };

/* What points must agree in to share a recording. */
static const unsigned agree[SHARE_DEPTHS] = {
	[SHARE_STREAM] = 1 << PARAM_DECIDES_ALL,
	[SHARE_MAP] = 1 << PARAM_DECIDES_ALL | 1 << PARAM_DECIDES_MAPPING,
	[SHARE_WALKS] = 1 << PARAM_DECIDES_ALL | 1 << PARAM_DECIDES_MAPPING |
			1 << PARAM_DECIDES_L2 | 1 << PARAM_DECIDES_WALKS,
};

/* A recording: what one point leaves to those that share so much with it. */
struct part {
	enum share_depth depth;
	const struct part *above; /* what it was recorded along; NULL: nothing */
	uint64_t used;		  /* when, last: never later than `above` */
	struct config config;
	const struct trace_reader *trace;
	/* SHARE_STREAM */
	struct miss_stream stream;
	uint64_t run_relookups; /* the one count that looks into the runs themselves */
	/* SHARE_MAP */
	struct map_log map; /* of no use after an overflow, but there may be parts below */
	struct machine_tally tally;
	/* SHARE_WALKS */
	struct read_log walks;
};

struct share {
	size_t most_bytes;
	uint64_t clock;
	struct part *part[PARTS]; /* NULL: free */
	struct share_counts counts;
};

enum share_depth share_depth(const struct config *a, const struct config *b)
{
	enum share_depth depth = SHARE_WALKS;

	while (depth > SHARE_NOTHING && !params_agree(a, b, agree[depth]))
		depth--;
	return depth;
}

void share_keys(const struct config *config, uint32_t trace, uint64_t keys[SHARE_DEPTHS])
{
	for (unsigned depth = SHARE_NOTHING; depth < SHARE_DEPTHS; depth++)
		keys[depth] = params_hash(config, agree[depth], trace);
}

struct share *share_create(size_t most_bytes)
{
	struct share *share = calloc(1, sizeof(*share));

	if (share)
		share->most_bytes = most_bytes;
	return share;
}

struct share_counts share_counts(const struct share *share)
{
	return share->counts;
}

/* ---- what is kept ------------------------------------------------------------------------- */

static void part_free(struct part *part)
{
	if (!part)
		return;
	miss_stream_fini(&part->stream);
	map_log_fini(&part->map);
	read_log_fini(&part->walks);
	free(part);
}

void share_free(struct share *share)
{
	for (unsigned i = 0; share && i < PARTS; i++)
		part_free(share->part[i]);
	free(share);
}

static size_t part_bytes(const struct part *part)
{
	return miss_stream_bytes(&part->stream) + map_log_bytes(&part->map) +
	       read_log_bytes(&part->walks);
}

/* Bytes of all, and how many there are. */
static size_t all_bytes(const struct share *share, unsigned *n)
{
	size_t bytes = 0;

	*n = 0;
	for (unsigned i = 0; i < PARTS; i++) {
		*n += share->part[i] != NULL;
		bytes += share->part[i] ? part_bytes(share->part[i]) : 0;
	}
	return bytes;
}

/* The one used longest ago, the deeper of two: nothing lies below it. NULL: all are newer. */
static struct part **oldest_part(struct share *share, uint64_t newer)
{
	struct part **oldest = NULL;

	for (unsigned i = 0; i < PARTS; i++) {
		struct part *part = share->part[i];

		if (part && part->used < newer &&
		    (!oldest || part->used < (*oldest)->used ||
		     (part->used == (*oldest)->used && part->depth > (*oldest)->depth)))
			oldest = &share->part[i];
	}
	return oldest;
}

/* Forget what was not used for this point until no more than `bytes` and `parts` are left. */
static void forget(struct share *share, size_t bytes, unsigned parts)
{
	unsigned n;

	while (all_bytes(share, &n) > bytes || n > parts) {
		struct part **oldest = oldest_part(share, share->clock);

		if (!oldest)
			return;
		part_free(*oldest);
		*oldest = NULL;
	}
}

static struct part *part_create(enum share_depth depth, const struct config *config,
				const struct trace_reader *trace)
{
	struct part *part = calloc(1, sizeof(*part));

	if (!part)
		return NULL;
	part->depth = depth;
	part->config = *config;
	part->trace = trace;
	return part;
}

/* The share owns the part from now on, or it is gone. */
static const struct part *keep(struct share *share, struct part *part, const struct part *above)
{
	part->above = above;
	part->used = share->clock;
	for (unsigned i = 0; i < PARTS; i++) {
		if (share->part[i])
			continue;
		share->part[i] = part;
		return part;
	}
	part_free(part);
	return NULL;
}

/* The part of this depth that the point may share and that was used last, but before `before`. */
static struct part *find(struct share *share, enum share_depth depth, const struct part *above,
			 const struct config *config, const struct trace_reader *trace,
			 uint64_t before)
{
	struct part *found = NULL;

	for (unsigned i = 0; i < PARTS; i++) {
		struct part *part = share->part[i];

		if (part && part->depth == depth && part->above == above && part->trace == trace &&
		    part->used < before && (!found || part->used > found->used) &&
		    params_agree(&part->config, config, agree[depth]))
			found = part;
	}
	return found;
}

/* ---- running ------------------------------------------------------------------------------ */

/* A point under way. */
struct job {
	struct share *share;
	const struct config *config;
	const struct trace_reader *trace;
	enum share_depth wanted;
	struct stats *stats;
	/* What is recorded of it; NULL: it is not. */
	struct part *stream, *map, *walks;
	struct machine_tally tally; /* if `map` is NULL */
	struct budget budget;
	struct recorder recorder;
};

static struct part *begin_part(struct job *job, enum share_depth depth)
{
	return depth <= job->wanted ? part_create(depth, job->config, job->trace) : NULL;
}

/* Record from `depth` on. */
static struct recorder *begin(struct job *job, enum share_depth depth)
{
	struct share *share = job->share;
	unsigned n;

	forget(share, share->most_bytes / 4, PARTS - SHARE_DEPTHS);
	job->budget = (struct budget){ all_bytes(share, &n), share->most_bytes };
	if (depth == SHARE_STREAM)
		job->stream = begin_part(job, SHARE_STREAM);
	if (depth <= SHARE_MAP)
		job->map = begin_part(job, SHARE_MAP);
	job->walks = begin_part(job, SHARE_WALKS);
	job->recorder = (struct recorder){
		.budget = &job->budget,
		.stream = job->stream ? &job->stream->stream : NULL,
		.map = job->map ? &job->map->map : NULL,
		.walks = job->walks ? &job->walks->walks : NULL,
		.tally = job->map ? &job->map->tally : &job->tally,
	};
	if (job->walks)
		job->walks->walks.most_bytes = share->most_bytes / WALKS_DIVISOR;
	return &job->recorder;
}

static void drop(struct job *job)
{
	part_free(job->stream);
	part_free(job->map);
	part_free(job->walks);
	job->stream = job->map = job->walks = NULL;
}

/* Keep what was recorded; `above` is what it was recorded along. */
static void end(struct job *job, const struct part *above)
{
	if (job->stream && !job->stream->stream.overflow) {
		job->stream->run_relookups = job->stats->v[STAT_run_relookups];
		above = keep(job->share, job->stream, NULL);
		job->stream = NULL;
	}
	if (above && job->map) {
		if (job->map->map.overflow)
			map_log_fini(&job->map->map);
		above = keep(job->share, job->map, above);
		job->map = NULL;
	}
	if (above && above->depth == SHARE_MAP && job->walks && !job->walks->walks.overflow) {
		keep(job->share, job->walks, above);
		job->walks = NULL;
	}
	drop(job);
}

static void touch(struct share *share, struct part *part)
{
	if (part)
		part->used = share->clock;
}

static bool succeed(struct job *job, const struct part *stream, enum share_depth depth)
{
	job->stats->v[STAT_run_relookups] = stream->run_relookups;
	job->share->counts.points[depth]++;
	return true;
}

static bool fail(struct job *job)
{
	drop(job);
	job->share->counts.diverged++;
	return false;
}

/* Over the mapping of another point. */
static bool follow_map(struct job *job, const struct part *stream, struct part *map)
{
	struct part *walks =
		find(job->share, SHARE_WALKS, map, job->config, job->trace, UINT64_MAX);
	struct recorder *recorder;

	touch(job->share, map);
	touch(job->share, walks);
	if (walks &&
	    point_follow_walks(job->config, job->trace, &walks->walks, &map->tally, job->stats))
		return succeed(job, stream, SHARE_WALKS);
	if (!map->map.op)
		return false;
	recorder = begin(job, SHARE_WALKS);
	recorder->tally = &map->tally;
	if (!point_follow_map(job->config, job->trace, &stream->stream, &map->map, recorder,
			      job->stats))
		return fail(job);
	end(job, map);
	return succeed(job, stream, SHARE_MAP);
}

/* From what another point let through its L1 TLBs. */
static bool follow_stream(struct job *job, struct part *stream)
{
	struct part *map = find(job->share, SHARE_MAP, stream, job->config, job->trace, UINT64_MAX);

	touch(job->share, stream);
	if (map && follow_map(job, stream, map))
		return true;
	if (!point_follow(job->config, job->trace, &stream->stream,
			  begin(job, map ? SHARE_WALKS : SHARE_MAP), job->stats))
		return fail(job);
	end(job, map ? map : stream);
	return succeed(job, stream, SHARE_STREAM);
}

static bool follow(struct job *job)
{
	struct share *share = job->share;
	const uint64_t now = ++share->clock;
	struct part *stream;

	/* One that was tried is touched. */
	while ((stream = find(share, SHARE_STREAM, NULL, job->config, job->trace, now)))
		if (follow_stream(job, stream))
			return true;
	return false;
}

enum exit_status share_run(struct share *share, const struct config *config,
			   const struct trace_reader *trace, enum share_depth wanted,
			   struct stats *stats, struct interval_table *intervals, struct diag *diag)
{
	struct job job = {
		.share = share, .config = config, .trace = trace, .wanted = wanted, .stats = stats
	};
	enum exit_status status;

	*intervals = (struct interval_table){ 0 };
	if (!point_is_alone(config) && follow(&job))
		return STATUS_OK;
	share->counts.points[SHARE_NOTHING]++;
	if (point_is_alone(config) || wanted == SHARE_NOTHING)
		return point_run_intervals(config, trace, NULL, stats, intervals, diag);
	status = point_run_recorded(config, trace, stats, intervals, begin(&job, SHARE_STREAM),
				    diag);
	if (status == STATUS_OK)
		end(&job, NULL);
	else
		drop(&job);
	return status;
}

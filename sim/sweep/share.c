/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/share.h"

#include <stdlib.h>
#include <string.h>

#include "config/params.h"

/* Recordings of all kinds that are kept. */
enum { PARTS = 48 };

/* Reads are of use to few points: they may take half, and go when all but an eighth is taken. */
enum { WALKS_DIVISOR = 2 };

/* Fewer walks than this read tables that the host's caches hold. */
enum { FAR_WALKS = 1 << 12 };

/* What points must agree in to share a recording. */
static const unsigned agree[SHARE_DEPTHS] = {
	[SHARE_STREAM] = 1 << PARAM_DECIDES_ALL,
	[SHARE_MAP] = 1 << PARAM_DECIDES_ALL | 1 << PARAM_DECIDES_MAPPING,
	[SHARE_WALKS] = 1 << PARAM_DECIDES_ALL | 1 << PARAM_DECIDES_MAPPING |
			1 << PARAM_DECIDES_L2 | 1 << PARAM_DECIDES_WALKS,
	[SHARE_PLACES] = 1 << PARAM_DECIDES_ALL | 1 << PARAM_DECIDES_MAPPING |
			 1 << PARAM_DECIDES_L2 | 1 << PARAM_DECIDES_WALKS |
			 1 << PARAM_DECIDES_PLACES,
};

/* At which depths of points to come a recording of a depth is of use. */
static const unsigned serves[SHARE_DEPTHS] = {
	[SHARE_STREAM] = 1 << SHARE_STREAM | 1 << SHARE_MAP,
	[SHARE_MAP] = 1 << SHARE_MAP,
	[SHARE_WALKS] = 1 << SHARE_WALKS,
	/* It costs next to nothing, and points with other walk caches may make the same walks. */
	[SHARE_PLACES] = 1 << SHARE_MAP | 1 << SHARE_WALKS | 1 << SHARE_PLACES,
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
	/* SHARE_WALKS, SHARE_PLACES; `above` is NULL */
	struct read_log walks;
	struct time_log times;
	struct stats stats;
	struct os_work work;
	bool s2_idle; /* struct recorder */
};

struct share {
	size_t most_bytes, recorded_bytes;
	uint64_t clock;
	struct part *part[PARTS]; /* NULL: free */
	struct share_counts counts;
};

enum share_depth share_depth(const struct config *a, const struct config *b)
{
	enum share_depth depth = SHARE_PLACES;

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
	time_log_fini(&part->times);
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
	       read_log_bytes(&part->walks) + time_log_bytes(&part->times);
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

size_t share_recorded_bytes(const struct share *share)
{
	return share->recorded_bytes;
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

/*
 * May the point share the part? If a stage-2 cache that served all walks never held anything, one
 * of another size or for fewer walks makes no difference to them.
 */
static bool may_share(const struct part *part, const struct config *config)
{
	const struct config *recorded = &part->config;
	struct config same;

	if (params_agree(recorded, config, agree[part->depth]))
		return true;
	if (!part->s2_idle)
		return false;
	same = *config;
	same.walk_cache.s2.entries = recorded->walk_cache.s2.entries;
	same.walk_cache.s2.ways = recorded->walk_cache.s2.ways;
	same.walk_cache.s2.serves = recorded->walk_cache.s2.serves;
	return params_agree(recorded, &same, agree[part->depth]);
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
		    may_share(part, config))
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
	unsigned wanted;
	struct stats *stats;
	/* What is recorded of it, by depth; NULL: it is not. */
	struct part *part[SHARE_DEPTHS];
	struct machine_tally tally; /* without part[SHARE_MAP] */
	struct budget budget;
	size_t kept_bytes; /* of it, before it began */
	struct recorder recorder;
};

/* Record from `depth` on. */
static struct recorder *begin(struct job *job, enum share_depth depth)
{
	struct share *share = job->share;
	struct part **part = job->part;
	unsigned n;

	forget(share, share->most_bytes / SHARE_KEPT_DIVISOR, PARTS - SHARE_DEPTHS);
	job->kept_bytes = all_bytes(share, &n);
	job->budget = (struct budget){ job->kept_bytes, share->most_bytes };
	for (unsigned d = depth; d < SHARE_DEPTHS; d++)
		part[d] = job->wanted & serves[d] ? part_create(d, job->config, job->trace) : NULL;
	job->recorder = (struct recorder){
		.budget = &job->budget,
		.stream = part[SHARE_STREAM] ? &part[SHARE_STREAM]->stream : NULL,
		.map = part[SHARE_MAP] ? &part[SHARE_MAP]->map : NULL,
		.walks = part[SHARE_WALKS] ? &part[SHARE_WALKS]->walks : NULL,
		.times = part[SHARE_PLACES] ? &part[SHARE_PLACES]->times : NULL,
		.tally = part[SHARE_MAP] ? &part[SHARE_MAP]->tally : &job->tally,
	};
	if (part[SHARE_WALKS])
		part[SHARE_WALKS]->walks.most_bytes = share->most_bytes / WALKS_DIVISOR;
	return &job->recorder;
}

static void drop(struct job *job)
{
	job->share->recorded_bytes = job->budget.bytes - job->kept_bytes;
	for (unsigned depth = 0; depth < SHARE_DEPTHS; depth++) {
		part_free(job->part[depth]);
		job->part[depth] = NULL;
	}
}

static const struct part *keep_recorded(struct job *job, enum share_depth depth,
					const struct part *above)
{
	struct part *part = job->part[depth];

	job->part[depth] = NULL;
	return keep(job->share, part, above);
}

/* Keep the walks of the point, or their times, with what else it leaves. */
static void end_walks(struct job *job, enum share_depth depth, bool overflow,
		      const struct os_work *work)
{
	struct part *part = job->part[depth];

	if (!part || overflow)
		return;
	part->stats = *job->stats;
	part->work = *work;
	part->s2_idle = job->recorder.s2_idle;
	keep_recorded(job, depth, NULL);
}

/* Descriptors of so many walks, most of them to other pages, outgrow the host's caches. */
static bool walks_far(const struct stats *stats)
{
	const uint64_t *v = stats->v;

	return v[STAT_walks] > FAR_WALKS && v[STAT_walks] > v[STAT_l2_tlb_hits];
}

/* Keep what was recorded; `stream` is what it was recorded along, if it was. */
static void end(struct job *job, const struct part *stream)
{
	struct part **part = job->part;
	const struct recorder *recorder = &job->recorder;

	end_walks(job, SHARE_WALKS, recorder->walks && recorder->walks->overflow,
		  &recorder->tally->work);
	end_walks(job, SHARE_PLACES, recorder->times && recorder->times->overflow,
		  &recorder->tally->work);
	if (part[SHARE_STREAM] && !part[SHARE_STREAM]->stream.overflow) {
		part[SHARE_STREAM]->run_relookups = job->stats->v[STAT_run_relookups];
		part[SHARE_STREAM]->stream.far = walks_far(job->stats);
		stream = keep_recorded(job, SHARE_STREAM, NULL);
	}
	if (stream && part[SHARE_MAP]) {
		if (part[SHARE_MAP]->map.overflow)
			map_log_fini(&part[SHARE_MAP]->map);
		keep_recorded(job, SHARE_MAP, stream);
	}
	drop(job);
}

static void touch(struct share *share, struct part *part)
{
	if (part)
		part->used = share->clock;
}

/* The point was run along another one. */
static bool succeed(struct job *job, const struct part *stream, enum share_depth depth)
{
	if (stream)
		job->stats->v[STAT_run_relookups] = stream->run_relookups;
	job->share->counts.points[depth]++;
	end(job, stream);
	return true;
}

static bool fail(struct job *job)
{
	drop(job);
	job->share->counts.diverged++;
	return false;
}

/* ---- from walks --------------------------------------------------------------------------- */

/* The part's stage-2 cache served all translations and knew nothing: how many another is asked. */
static void count_idle(const struct part *part, const struct config *config, struct stats *stats)
{
	const char *whom = config->walk_cache.s2.serves;
	uint64_t *misses = &stats->v[STAT_walk_cache_s2_misses];
	const uint64_t final = stats->v[STAT_walks];

	if (!part->s2_idle)
		return;
	if (!config->walk_cache.s2.entries)
		*misses = 0;
	else if (strcmp(whom, "data") == 0)
		*misses = final;
	else if (strcmp(whom, "tables") == 0)
		*misses -= final;
}

static bool serves_all(const struct config *config)
{
	return config->walk_cache.s2.entries && strcmp(config->walk_cache.s2.serves, "all") == 0;
}

static struct part *find_walks(struct job *job, enum share_depth depth)
{
	struct part *part = find(job->share, depth, NULL, job->config, job->trace, UINT64_MAX);

	touch(job->share, part);
	if (part) {
		*job->stats = part->stats;
		count_idle(part, job->config, job->stats);
	}
	return part;
}

/* From the walks of another point. */
static bool follow_walks(struct job *job)
{
	struct part *part = find_walks(job, SHARE_PLACES);
	struct recorder *recorder;

	if (part &&
	    point_follow_times(job->config, job->trace, &part->times, &part->work, job->stats)) {
		job->share->counts.points[SHARE_PLACES]++;
		return true;
	}
	part = find_walks(job, SHARE_WALKS);
	if (!part)
		return false;
	recorder = begin(job, SHARE_PLACES);
	if (!point_follow_walks(job->config, job->trace, &part->walks, &part->work, recorder,
				job->stats))
		return fail(job);
	job->tally.work = part->work;
	recorder->s2_idle = part->s2_idle && serves_all(job->config);
	return succeed(job, NULL, SHARE_WALKS);
}

/* ---- from misses -------------------------------------------------------------------------- */

/* Over the mapping of another point. */
static bool follow_map(struct job *job, const struct part *stream, struct part *map)
{
	struct recorder *recorder;

	touch(job->share, map);
	if (!map->map.op)
		return false;
	recorder = begin(job, SHARE_WALKS);
	recorder->tally = &map->tally;
	if (!point_follow_map(job->config, job->trace, &stream->stream, &map->map, recorder,
			      job->stats))
		return fail(job);
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
	return succeed(job, stream, SHARE_STREAM);
}

static bool follow(struct job *job)
{
	struct share *share = job->share;
	const uint64_t now = ++share->clock;
	struct part *stream;

	if (follow_walks(job))
		return true;
	/* One that was tried is touched. */
	while ((stream = find(share, SHARE_STREAM, NULL, job->config, job->trace, now)))
		if (follow_stream(job, stream))
			return true;
	return false;
}

enum exit_status share_run(struct share *share, const struct config *config,
			   const struct trace_reader *trace, unsigned wanted, struct stats *stats,
			   struct interval_table *intervals, struct diag *diag)
{
	struct job job = {
		.share = share, .config = config, .trace = trace, .wanted = wanted, .stats = stats
	};
	enum exit_status status;

	share->recorded_bytes = 0;
	*intervals = (struct interval_table){ 0 };
	if (!point_is_alone(config) && follow(&job))
		return STATUS_OK;
	share->counts.points[SHARE_NOTHING]++;
	if (point_is_alone(config) || !(wanted & ~(1u << SHARE_NOTHING)))
		return point_run_intervals(config, trace, NULL, stats, intervals, diag);
	status = point_run_recorded(config, trace, stats, intervals, begin(&job, SHARE_STREAM),
				    diag);
	if (status == STATUS_OK)
		end(&job, NULL);
	else
		drop(&job);
	return status;
}

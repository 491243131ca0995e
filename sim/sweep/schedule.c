/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "run/point.h"
#include "trace/trace.h"

/* What a point costs by what it shares, in parts of one that shares nothing. */
enum { COST_PARTS = 1024 };

/* Most traces; and those whose misses mostly walk, which nearly every point does itself. */
static const uint64_t usual_parts[SHARE_DEPTHS] = {
	[SHARE_NOTHING] = COST_PARTS, [SHARE_STREAM] = 320, [SHARE_MAP] = 200,
	[SHARE_WALKS] = 30,	      [SHARE_PLACES] = 2,
};
static const uint64_t walking_parts[SHARE_DEPTHS] = {
	[SHARE_NOTHING] = COST_PARTS, [SHARE_STREAM] = 900, [SHARE_MAP] = 770,
	[SHARE_WALKS] = 250,	      [SHARE_PLACES] = 2,
};

/* What a copy of a worker costs, in records: a page fault for each page that either writes. */
enum { COPY_RECORDS = 1 << 19 };

/* A point on its way to its place. */
struct entry {
	size_t point;
	uint64_t key[SHARE_DEPTHS]; /* equal: they may share so much */
	size_t group[SHARE_DEPTHS]; /* the first point of those */
	bool alone;		    /* it shares nothing, whatever the keys */
};

/* What qsort() compares. */
struct by_key {
	uint64_t key;
	struct entry *entry;
};

static int compare_keys(const void *a, const void *b)
{
	const struct by_key *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->entry->point < y->entry->point ? -1 : 1;
}

static int compare_groups(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	for (unsigned depth = SHARE_STREAM; depth < SHARE_DEPTHS; depth++)
		if (x->group[depth] != y->group[depth])
			return x->group[depth] < y->group[depth] ? -1 : 1;
	return x->point < y->point ? -1 : 1;
}

/* Keys depend on host addresses; groups do not. */
static void set_groups(struct entry *entries, struct by_key *sorted, size_t n, unsigned depth)
{
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct by_key){ entries[i].key[depth], &entries[i] };
	qsort(sorted, n, sizeof(*sorted), compare_keys);
	for (size_t i = 0; i < n; i++)
		sorted[i].entry->group[depth] =
			i && sorted[i].key == sorted[i - 1].key && !sorted[i].entry->alone
				? sorted[i - 1].entry->group[depth]
				: sorted[i].entry->point;
}

static enum share_depth shared_by(const struct entry *a, const struct entry *b)
{
	enum share_depth depth = SHARE_PLACES;

	while (depth > SHARE_NOTHING && a->group[depth] != b->group[depth])
		depth--;
	return depth;
}

/* A place shares with one behind it as much as each between them does with the next. */
static void set_wanted(struct schedule *schedule)
{
	for (size_t i = schedule->n; i-- > 1;) {
		const unsigned next = 1u << schedule->places[i].shared;

		schedule->places[i - 1].wanted =
			(uint8_t)(next | (schedule->places[i].wanted & (next - 1)));
	}
}

/* What points of a trace cost: its middle block says. One that cannot be read fails in the run. */
static const uint64_t *parts_of(const struct trace_reader *trace)
{
	const uint64_t blocks = trace_info(trace)->blocks;
	struct trace_block block = { 0 };
	struct diag ignored = DIAG_INIT;
	const bool walking = blocks &&
			     trace_read_block(trace, blocks / 2, COLUMN_KEYS_ALONE, &block,
					      &ignored) == STATUS_OK &&
			     block.n_keys >= TRACE_MANY_KEYS;

	trace_block_free(&block);
	return walking ? walking_parts : usual_parts;
}

/* In records. */
static uint64_t cost_of_one(uint64_t records, uint64_t parts)
{
	return records / COST_PARTS * parts + records % COST_PARTS * parts / COST_PARTS + 1;
}

/* False when out of memory. */
static bool set_places(struct schedule *schedule, const struct plan *plan,
		       const struct entry *entries)
{
	const uint64_t **parts_by_trace = calloc(plan->n_traces, sizeof(*parts_by_trace));
	uint64_t before = 0;

	if (!parts_by_trace)
		return false;
	for (size_t i = 0; i < schedule->n; i++) {
		const size_t point = entries[i].point;
		const size_t trace = plan->points[point].trace;
		const struct trace_reader *reader = plan->traces[trace].reader;
		const uint64_t records = trace_info(reader)->totals.records;
		const uint64_t **parts = &parts_by_trace[trace];
		const enum share_depth shared =
			i ? shared_by(&entries[i], &entries[i - 1]) : SHARE_NOTHING;

		if (!*parts)
			*parts = parts_of(reader);
		schedule->places[i] = (struct schedule_place){
			.point = point,
			.before = before,
			.alone = cost_of_one(records, (*parts)[SHARE_NOTHING]),
			.shared = (uint8_t)shared,
			.walking = *parts == walking_parts,
		};
		before += cost_of_one(records, (*parts)[shared]);
	}
	schedule->places[schedule->n] = (struct schedule_place){ .before = before };
	set_wanted(schedule);
	free(parts_by_trace);
	return true;
}

enum exit_status schedule_init(struct schedule *schedule, const struct plan *plan, size_t first,
			       size_t end, unsigned n_workers, struct diag *diag)
{
	const size_t n = end - first;
	struct entry *entries = calloc(n + 1, sizeof(*entries));
	struct by_key *sorted = calloc(n + 1, sizeof(*sorted));

	*schedule = (struct schedule){ .n = n, .n_lanes = n_workers };
	schedule->places = calloc(n + 1, sizeof(*schedule->places));
	schedule->lanes = calloc(n_workers, sizeof(*schedule->lanes));
	bool done = entries && sorted && schedule->places && schedule->lanes;

	for (size_t i = 0; done && i < n; i++) {
		const struct plan_point *point = &plan->points[first + i];
		struct config config;

		plan_config(plan, point, &config);
		entries[i].point = first + i;
		entries[i].alone = point_is_alone(&config);
		share_keys(&config, point->trace, entries[i].key);
	}
	if (done) {
		for (unsigned depth = SHARE_STREAM; depth < SHARE_DEPTHS; depth++)
			set_groups(entries, sorted, n, depth);
		qsort(entries, n, sizeof(*entries), compare_groups);
		done = set_places(schedule, plan, entries);
		schedule->lanes[0].end = n;
		for (unsigned i = 0; i < n_workers; i++) {
			schedule->lanes[i].last = SCHEDULE_NONE;
			schedule->lanes[i].like = i;
		}
	}
	free(entries);
	free(sorted);
	if (done)
		return STATUS_OK;
	schedule_fini(schedule);
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

void schedule_fini(struct schedule *schedule)
{
	free(schedule->places);
	free(schedule->lanes);
	memset(schedule, 0, sizeof(*schedule));
}

/* Of the places begin to end - 1, by a worker that did the one in front of them. */
static uint64_t cost_of(const struct schedule *schedule, size_t begin, size_t end)
{
	return schedule->places[end].before - schedule->places[begin].before;
}

/* How much more a place costs if it shares no more than `depth`. */
static uint64_t extra_of(const struct schedule *schedule, size_t i, enum share_depth depth)
{
	const struct schedule_place *place = &schedule->places[i];
	const uint64_t *parts = place->walking ? walking_parts : usual_parts;

	return depth >= place->shared
		       ? 0
		       : (place->alone - 1) * (parts[depth] - parts[place->shared]) / COST_PARTS;
}

static enum share_depth shared_at(const struct schedule *schedule, size_t i, enum share_depth most)
{
	const enum share_depth shared = (enum share_depth)schedule->places[i].shared;

	return shared < most ? shared : most;
}

/* What a worker that did place `last` shares with place `i`. */
static enum share_depth shared_since(const struct schedule *schedule, size_t last, size_t i)
{
	enum share_depth depth = SHARE_PLACES;

	if (last == SCHEDULE_NONE || last >= i)
		return SHARE_NOTHING;
	while (i > last && depth > SHARE_NOTHING)
		depth = shared_at(schedule, i--, depth);
	return depth;
}

struct cut {
	size_t at;   /* the other lane's end: nowhere */
	bool copied; /* the worker becomes a copy of the other one */
};

/*
 * Where to cut a lane in two, so that the later half is done soonest. A worker of its own begins at
 * once, but may have to record what the other one does, too; a copy waits until that one is done
 * with its point.
 */
static struct cut find_cut(const struct schedule *schedule, const struct schedule_lane *own,
			   const struct schedule_lane *lane)
{
	enum share_depth owned = shared_since(schedule, own->last, lane->begin);
	enum share_depth copied = lane->last == SCHEDULE_NONE ? SHARE_NOTHING : SHARE_PLACES;
	uint64_t best = lane->doing + cost_of(schedule, lane->begin, lane->end);
	struct cut cut = { .at = lane->end };

	for (size_t i = lane->begin; i < lane->end; i++) {
		const uint64_t left = cost_of(schedule, lane->begin, i);
		const uint64_t right = cost_of(schedule, i, lane->end);

		owned = shared_at(schedule, i, owned);
		copied = shared_at(schedule, i, copied);

		const uint64_t more = extra_of(schedule, i, owned);
		const uint64_t begun =
			more + right > lane->doing + left ? more + right : lane->doing + left;
		const uint64_t again = extra_of(schedule, i, copied) + right + COPY_RECORDS;
		const uint64_t waited = lane->doing + (again > left ? again : left);

		if (begun < best) {
			best = begun;
			cut = (struct cut){ .at = i };
		}
		if (copied > owned && waited < best) {
			best = waited;
			cut = (struct cut){ .at = i, .copied = true };
		}
	}
	return cut;
}

/* The lane with most to do. */
static struct schedule_lane *longest(const struct schedule *schedule)
{
	struct schedule_lane *found = &schedule->lanes[0];
	uint64_t most = 0;

	for (unsigned i = 0; i < schedule->n_lanes; i++) {
		struct schedule_lane *lane = &schedule->lanes[i];
		const uint64_t cost =
			schedule->places[lane->end].before - schedule->places[lane->begin].before;

		if (cost > most) {
			most = cost;
			found = lane;
		}
	}
	return found;
}

size_t schedule_next(struct schedule *schedule, unsigned worker)
{
	struct schedule_lane *own = &schedule->lanes[worker], *other;
	struct cut cut;

	if (own->begin < own->end)
		return own->begin;
	other = longest(schedule);
	cut = find_cut(schedule, own, other);
	if (cut.at == other->end)
		return SCHEDULE_NONE;
	own->begin = cut.at;
	own->end = other->end;
	own->like = worker;
	if (cut.copied) {
		own->last = other->last;
		own->like = (unsigned)(other - schedule->lanes);
	}
	other->end = cut.at;
	return own->begin;
}

void schedule_take(struct schedule *schedule, unsigned worker)
{
	struct schedule_lane *lane = &schedule->lanes[worker];
	const size_t place = lane->begin++;
	const enum share_depth depth = shared_since(schedule, lane->last, place);

	lane->doing = cost_of(schedule, place, place + 1) + extra_of(schedule, place, depth);
	lane->last = place;
}

unsigned schedule_like(struct schedule *schedule, unsigned worker)
{
	const unsigned like = schedule->lanes[worker].like;

	schedule->lanes[worker].like = worker;
	return like;
}

unsigned schedule_wanted(const struct schedule *schedule, size_t place)
{
	return schedule->places[place].wanted;
}

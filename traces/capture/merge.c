/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One order for the segments of all vCPUs.
 *
 * Inside an epoch the k-th of n pieces of a segment is taken to have happened at
 * start + (end - start) * k / n; pieces are ordered by that time, then by segment. With one vCPU
 * the clock plays no part: the order is the order of execution.
 */
#include <stdlib.h>

#include "capture.h"

__extension__ typedef unsigned __int128 uint128;

struct epoch_segments {
	struct segment **segments;
	size_t n;
	uint64_t base; /* ordinal of the epoch's first piece */
};

static int in_order(const void *a, const void *b)
{
	const struct segment *s = *(struct segment *const *)a, *t = *(struct segment *const *)b;

	if (s->epoch != t->epoch)
		return s->epoch < t->epoch ? -1 : 1;
	if (s->start_ns != t->start_ns)
		return s->start_ns < t->start_ns ? -1 : 1;
	return s->sequence < t->sequence ? -1 : 1;
}

static uint64_t piece_time(const struct segment *s, uint64_t k)
{
	return s->start_ns + (uint64_t)((uint128)(s->end_ns - s->start_ns) * k / s->pieces);
}

/* How many pieces of `s` come before `time_ns` (or at it, with `inclusive` 1). */
static uint64_t pieces_before(const struct segment *s, uint64_t time_ns, unsigned inclusive)
{
	const uint64_t limit = time_ns + inclusive;
	uint64_t span = s->end_ns - s->start_ns;
	uint128 k;

	if (limit <= s->start_ns)
		return 0;
	if (limit - s->start_ns > span || span == 0)
		return s->pieces;
	k = ((uint128)(limit - s->start_ns) * s->pieces + span - 1) / span;
	return k < s->pieces ? (uint64_t)k : s->pieces;
}

/* Ordinal in the trace of piece k of the segment at `position`. */
static uint64_t rank(const struct epoch_segments *e, size_t position, uint64_t k)
{
	uint64_t r = e->base + k, time_ns;

	if (e->n == 1)
		return r;
	time_ns = piece_time(e->segments[position], k);
	for (size_t i = 0; i < e->n; i++)
		if (i != position)
			r += pieces_before(e->segments[i], time_ns, i < position);
	return r;
}

static enum exit_status put_run(struct trace_writer *writer, const struct epoch_segments *e,
				size_t position, const struct trace_run *run, struct diag *diag)
{
	struct trace_run out = *run;

	out.ordinal = rank(e, position, run->ordinal);
	out.last_ordinal = rank(e, position, run->last_ordinal);
	if (run->store_ordinal != UINT64_MAX)
		out.store_ordinal = rank(e, position, run->store_ordinal);
	return trace_put_run(writer, &out, diag);
}

/* Where a segment stands in the merge. */
struct cursor {
	uint32_t next; /* run to write next */
	uint64_t rank; /* its ordinal in the trace; UINT64_MAX: no more */
};

static void find_rank(const struct epoch_segments *e, size_t position, struct cursor *c)
{
	const struct segment *s = e->segments[position];

	c->rank = c->next < s->n_runs ? rank(e, position, s->runs[c->next].ordinal) : UINT64_MAX;
}

static size_t first_of(const struct cursor *cursors, size_t n)
{
	size_t first = 0;

	for (size_t i = 1; i < n; i++)
		if (cursors[i].rank < cursors[first].rank)
			first = i;
	return first;
}

static enum exit_status write_epoch(struct trace_writer *writer, struct epoch_segments *e,
				    struct diag *diag)
{
	struct cursor *cursors = calloc(e->n, sizeof(*cursors));
	enum exit_status status = STATUS_OK;
	size_t i;

	if (!cursors)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	for (i = 0; i < e->n; i++)
		find_rank(e, i, &cursors[i]);
	for (i = first_of(cursors, e->n); cursors[i].rank != UINT64_MAX && status == STATUS_OK;
	     i = first_of(cursors, e->n)) {
		status = put_run(writer, e, i, &e->segments[i]->runs[cursors[i].next], diag);
		cursors[i].next++;
		find_rank(e, i, &cursors[i]);
	}
	free(cursors);
	for (i = 0; i < e->n; i++)
		e->base += e->segments[i]->pieces;
	return status;
}

static struct segment **sorted(struct segment *list, size_t *n)
{
	struct segment **all;
	size_t i = 0;

	*n = 0;
	for (struct segment *s = list; s; s = s->next)
		*n += s->n_runs != 0;
	all = malloc((*n + 1) * sizeof(struct segment *));
	if (!all)
		return NULL;
	for (struct segment *s = list; s; s = s->next)
		if (s->n_runs)
			all[i++] = s;
	qsort(all, *n, sizeof(struct segment *), in_order);
	return all;
}

enum exit_status merge_write(struct trace_writer *writer, struct segment *segments,
			     const struct pending_event *events, size_t n_events, uint64_t *ordinal,
			     struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	size_t n, first = 0, event = 0;
	struct segment **all = sorted(segments, &n);

	if (!all)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	while (status == STATUS_OK && (first < n || event < n_events)) {
		const uint64_t epoch = first < n ? all[first]->epoch : UINT64_MAX;
		struct epoch_segments e = { .segments = &all[first], .base = *ordinal };

		for (; event < n_events && events[event].epoch <= epoch && !status; event++)
			status = trace_put_event(writer, &events[event].event, diag);
		while (first + e.n < n && all[first + e.n]->epoch == epoch)
			e.n++;
		if (e.n && !status)
			status = write_epoch(writer, &e, diag);
		*ordinal = e.base;
		first += e.n;
	}
	free(all);
	return status;
}

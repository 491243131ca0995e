/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bfs [SCALE [EDGE_FACTOR]]: breadth-first search, top down, on a Kronecker graph as Graph500
 * defines it (A = 0.57, B = C = 0.19), with 2^SCALE vertices and EDGE_FACTOR edges for each,
 * stored both ways as compressed sparse rows.
 *
 * The search runs twice from one root. The region of interest begins, in the second, after
 * seven eighths of the level with the most vertices: hubs with their long lists have been seen by
 * then, and the many short lists that follow lie all over the graph.
 */
#include <string.h>

#include "memory.h"
#include "random.h"
#include "roi.h"

struct graph {
	unsigned scale;
	uint64_t n, n_edges;
	uint64_t *start;     /* n + 1: where the neighbours of a vertex begin */
	uint32_t *neighbour; /* 2 n_edges */
};

struct search {
	uint32_t *parent, *frontier, *next;
	uint64_t largest; /* vertices of the largest level */
	uint64_t visited, scanned;
};

#define NO_VERTEX UINT32_MAX

/* A one-to-one map of the vertices, so that their numbers say nothing about their degrees. */
static uint32_t scramble(uint64_t v, unsigned scale)
{
	const uint64_t mask = (UINT64_C(1) << scale) - 1;

	for (int i = 0; i < 3; i++) {
		v = v * UINT64_C(0x9e3779b97f4a7c15) & mask;
		v ^= v >> (scale / 2);
	}
	return (uint32_t)v;
}

/* Two levels of the recursion for each random number. */
static void make_edge(uint64_t *state, unsigned scale, uint32_t edge[2])
{
	const uint32_t a = 0x91eb851f, b = 0xc28f5c29, c = 0xf3333333; /* .57, .76, .95 of 2^32 */
	uint64_t from = 0, to = 0, r = 0;

	for (unsigned i = 0; i < scale; i++) {
		r = i & 1 ? r >> 32 : random_next(state);
		uint32_t draw = (uint32_t)r;

		from = from << 1 | (draw >= b);
		to = to << 1 | ((draw >= a && draw < b) || draw >= c);
	}
	edge[0] = scramble(from, scale);
	edge[1] = scramble(to, scale);
}

static void build(struct graph *g, unsigned scale, uint64_t edge_factor)
{
	uint32_t(*edges)[2];
	uint64_t state = 1, sum = 0;

	g->scale = scale;
	g->n = UINT64_C(1) << scale;
	g->n_edges = g->n * edge_factor;
	g->start = memory_map(g->n + 1, sizeof(*g->start));
	g->neighbour = memory_map(2 * g->n_edges, sizeof(*g->neighbour));
	edges = memory_map(g->n_edges, sizeof(*edges));
	for (uint64_t i = 0; i < g->n_edges; i++) {
		make_edge(&state, scale, edges[i]);
		g->start[edges[i][0]]++;
		g->start[edges[i][1]]++;
	}
	for (uint64_t v = 0; v <= g->n; v++) { /* ends, which filling moves down to starts */
		sum += v < g->n ? g->start[v] : 0;
		g->start[v] = sum;
	}
	for (uint64_t i = 0; i < g->n_edges; i++) {
		g->neighbour[--g->start[edges[i][0]]] = edges[i][1];
		g->neighbour[--g->start[edges[i][1]]] = edges[i][0];
	}
	munmap(edges, g->n_edges * sizeof(*edges));
}

/* Vertices first..end of the frontier; `found` are in `next` already. Returns how many then are. */
static uint64_t expand(const struct graph *g, struct search *s, uint64_t first, uint64_t end,
		       uint64_t found)
{
	for (uint64_t i = first; i < end; i++) {
		const uint32_t v = s->frontier[i];
		const uint64_t last = g->start[v + 1];

		for (uint64_t e = g->start[v]; e < last; e++) {
			const uint32_t w = g->neighbour[e];

			if (s->parent[w] == NO_VERTEX) {
				s->parent[w] = v;
				s->next[found++] = w;
			}
		}
		s->scanned += last - g->start[v];
	}
	return found;
}

/* Marks the region after seven eighths of the level with `mark_at` vertices; 0: nowhere. */
static void search(const struct graph *g, struct search *s, uint32_t root, uint64_t mark_at)
{
	uint64_t n = 1;

	memset(s->parent, 0xff, g->n * sizeof(*s->parent));
	s->visited = s->scanned = 0;
	s->parent[root] = root;
	s->frontier[0] = root;
	while (n) {
		const uint64_t most = n - n / 8;
		uint32_t *swap = s->next;
		uint64_t found = expand(g, s, 0, most, 0);

		if (n == mark_at)
			roi_begin();
		s->largest = n > s->largest ? n : s->largest;
		s->visited += n;
		n = expand(g, s, most, n, found);
		s->next = s->frontier;
		s->frontier = swap;
	}
	if (mark_at)
		roi_end();
}

int main(int argc, char **argv)
{
	struct graph g = { 0 };
	struct search s = { 0 };
	uint32_t root = 0;

	build(&g, (unsigned)argument(argc, argv, 1, 24), argument(argc, argv, 2, 16));
	s.parent = memory_map(g.n, sizeof(*s.parent));
	s.frontier = memory_map(g.n, sizeof(*s.frontier));
	s.next = memory_map(g.n, sizeof(*s.next));
	while (g.start[root] == g.start[root + 1])
		root++;
	search(&g, &s, root, 0);
	fprintf(stderr, "%" PRIu64 " vertices in the largest level\n", s.largest);
	search(&g, &s, root, s.largest);
	printf("%" PRIu64 " of %" PRIu64 " vertices visited, %" PRIu64 " edges scanned\n",
	       s.visited, g.n, s.scanned);
	return 0;
}

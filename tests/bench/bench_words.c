/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_words TRACE OUTPUT - a native trace of page runs as one of raw 8-byte words, for measuring
 * what reading those costs. Accesses come in an order that gives the same runs again: each has its
 * first and last access where the trace says, and those between are spread evenly. Offsets in a
 * page and sizes are made up, second pieces become loads, and address spaces are not written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/raw_word.h"
#include "trace/rng.h"
#include "trace/trace.h"

enum { ACTIVE_MAX = 4096 };

/* A run with accesses to come. */
struct active {
	struct trace_key key;
	uint64_t rest, stores; /* pieces to come, and how many of them are stores */
	uint64_t last, store;  /* ordinals of the last piece and of the first store */
};

struct words {
	FILE *file;
	struct rng rng;
	uint64_t ordinal;
	size_t n;
	struct active active[ACTIVE_MAX];
};

static int fail(const char *name, const char *text)
{
	fprintf(stderr, "bench_words: error: %s: %s\n", name, text);
	return STATUS_IO;
}

static enum access_kind kind_of(const struct words *w, const struct active *a)
{
	if (a->key.stream == STREAM_FETCH)
		return ACCESS_FETCH;
	if (a->store == UINT64_MAX || w->ordinal < a->store || !a->stores)
		return ACCESS_LOAD;
	return w->ordinal == a->store || a->stores == a->rest ||
			       rng_below(&((struct words *)w)->rng, a->rest) < a->stores
		       ? ACCESS_STORE
		       : ACCESS_LOAD;
}

/* One access of active run i. */
static void put(struct words *w, size_t i)
{
	struct active *a = &w->active[i];
	const enum access_kind kind = kind_of(w, a);
	const uint64_t log2 = kind == ACCESS_FETCH ? 2 : 3;
	const uint64_t offset = rng_below(&w->rng, 4096 >> log2) << log2;
	const uint64_t word =
		raw_word_of(a->key.va + offset, a->key.vcpu) | (uint64_t)kind << 49 | log2 << 51;

	fwrite(&word, sizeof(word), 1, w->file);
	w->ordinal++;
	a->stores -= kind == ACCESS_STORE;
	if (--a->rest == 0)
		*a = w->active[--w->n];
}

/* The run that is most behind, or one that ends now. */
static size_t choose(const struct words *w)
{
	size_t best = 0;
	uint64_t best_rest = 0, best_time = 1;

	for (size_t i = 0; i < w->n; i++) {
		const struct active *a = &w->active[i];
		const uint64_t time = a->last > w->ordinal ? a->last - w->ordinal : 0;
		const uint64_t rest = a->rest - 1;

		if (time == 0)
			return i;
		if (rest * best_time > best_rest * time) {
			best = i;
			best_rest = rest;
			best_time = time;
		}
	}
	return best;
}

static void put_until(struct words *w, uint64_t ordinal)
{
	while (w->n && w->ordinal < ordinal)
		put(w, choose(w));
	w->ordinal = ordinal;
}

static void put_block(struct words *w, const struct trace_block *block)
{
	for (uint32_t i = 0; i < block->n_records; i++) {
		const struct trace_run run = trace_block_run(block, i);

		put_until(w, run.ordinal);
		if (w->n == ACTIVE_MAX)
			w->n--;
		w->active[w->n++] = (struct active){
			.key = run.key,
			.rest = (uint64_t)run.reads + run.stores + run.splits,
			.stores = run.stores,
			.last = run.last_ordinal,
			.store = run.store_ordinal,
		};
		put(w, w->n - 1);
	}
}

int main(int argc, char **argv)
{
	struct trace_block block = { 0 };
	struct diag diag = DIAG_INIT;
	struct words *words = calloc(1, sizeof(*words));
	struct trace_reader *trace;

	if (argc != 3 || !words) {
		fputs("usage: bench_words TRACE OUTPUT\n", stderr);
		return STATUS_USAGE;
	}
	words->rng = rng_seed(1);
	trace = trace_open(argv[1], false, &diag);
	words->file = fopen(argv[2], "wb");
	if (!words->file)
		return fail(argv[2], strerror(errno));
	for (uint64_t i = 0; trace && i < trace_info(trace)->blocks; i++) {
		if (trace_read_block(trace, i, COLUMN_ALL, &block, &diag) != STATUS_OK)
			break;
		put_block(words, &block);
	}
	put_until(words, UINT64_MAX);
	if (diag.status)
		return fail(argv[1], diag.text);
	if (fclose(words->file) != 0)
		return fail(argv[2], strerror(errno));
	trace_block_free(&block);
	trace_close(trace);
	free(words);
	return STATUS_OK;
}

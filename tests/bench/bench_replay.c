/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_replay [-c MODEL] [-r RUNS] [-p ACCESSES] TRACE... - how fast traces are replayed, as JSON
 * on standard output.
 *
 * One core, from disk with a warm page cache, decoding included; rates are accesses of the trace
 * (fetches, loads, stores) per second of processor time, the median of RUNS runs. `decode` reads
 * the one column that a replay under LRU needs and does nothing with it, `decode_share` is its part
 * of the time of a replay; `walk_share` is that of walks and their faults, by a clock around each
 * in a run of its own, and `tlb_share` what is left: TLB look-ups and fills, and the replay's loop.
 * `host` has the host's own counters per access where there are such, else null. `bound` is the
 * idealised loop of bound.h on the same records, its decoding included. `peers` has one entry for
 * each simulator of peers.h that is installed, run once on the first ACCESSES (5 million) of the
 * trace, or a part of them.
 *
 * A TRACE of raw 8-byte words (.raw8) is replayed as it is read: `decode` makes its runs, and
 * `bound` goes through the words.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/model.h"
#include "run/point.h"
#include "tests/bench/bound.h"
#include "tests/bench/host_counters.h"
#include "tests/bench/peers.h"
#include "tests/bench/walk_clock.h"

enum { RUNS_MAX = 99, PEER_ACCESSES = 5 * 1000 * 1000, WORDS_AT_ONCE = 1 << 15 };

enum kind { REPLAY, DECODE, BOUND, KINDS };

static const char *const kind_name[KINDS] = { "replay", "decode", "bound" };

static int fail(const struct diag *diag)
{
	fprintf(stderr, "bench_replay: error: %s\n", diag->text);
	return (int)diag->status;
}

static double processor_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A trace of words, for the bound alone. */
static enum exit_status read_words(const char *path, struct bound *bound, struct diag *diag)
{
	static uint64_t words[WORDS_AT_ONCE];
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;

	while (fd >= 0 && (got = read(fd, words, sizeof(words))) > 0)
		bound_replay_words(bound, words, (size_t)got / sizeof(words[0]));
	if (fd < 0 || got < 0)
		return diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	close(fd);
	return STATUS_OK;
}

static enum exit_status read_feed(struct trace_feed *feed, struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	struct trace_block block;
	bool more = true;

	while (status == STATUS_OK && more)
		status = trace_feed_next(feed, &block, &more, diag);
	return status;
}

static enum exit_status read_all(const struct trace_reader *trace, struct bound *bound,
				 struct diag *diag)
{
	struct trace_block block = { 0 };
	enum exit_status status = STATUS_OK;

	for (uint64_t i = 0; i < trace_info(trace)->blocks && status == STATUS_OK; i++) {
		status = trace_read_block(trace, i, COLUMN_KEY, &block, diag);
		if (status == STATUS_OK && bound)
			bound_replay(bound, &block);
	}
	trace_block_free(&block);
	return status;
}

static enum exit_status run_opened(enum kind kind, const struct config *config, const char *path,
				   struct bound *bound, struct diag *diag)
{
	struct trace_reader *trace;
	struct trace_feed *feed;
	struct stats stats;
	enum exit_status status =
		trace_open_once(path, NULL, false, TRACE_PAGE_RUNS, &trace, &feed, diag);

	if (status != STATUS_OK)
		return status;
	if (feed && kind == BOUND)
		status = read_words(path, bound, diag);
	else if (feed)
		status = kind == REPLAY ? point_run_feed(config, feed, NULL, &stats, diag)
					: read_feed(feed, diag);
	else
		status = kind == REPLAY ? point_run(config, trace, NULL, &stats, diag)
					: read_all(trace, bound, diag);
	trace_feed_close(feed);
	trace_close(trace);
	return status;
}

/* One run of one kind, opening the trace included. */
static enum exit_status run_once(enum kind kind, const struct config *config, const char *path,
				 double *seconds, struct diag *diag)
{
	struct bound *bound = kind == BOUND ? bound_create() : NULL;
	enum exit_status status;
	double begin;

	if (kind == BOUND && !bound)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	begin = processor_seconds();
	status = run_opened(kind, config, path, bound, diag);
	*seconds = processor_seconds() - begin;
	bound_free(bound);
	return status;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *all, int n)
{
	qsort(all, (size_t)n, sizeof(all[0]), compare);
	return all[n / 2];
}

static enum exit_status measure(enum kind kind, const struct config *config, const char *path,
				int runs, double *seconds, struct diag *diag)
{
	double all[RUNS_MAX];

	for (int i = 0; i < runs; i++) {
		if (run_once(kind, config, path, &all[i], diag) != STATUS_OK)
			return diag->status;
	}
	*seconds = median(all, runs);
	return STATUS_OK;
}

static double elapsed_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The part of a replay's time that its walks take: the median of `runs`. */
static enum exit_status measure_walks(const struct config *config, const char *path, int runs,
				      double *share, struct diag *diag)
{
	double all[RUNS_MAX];

	for (int i = 0; i < runs; i++) {
		const double begin = elapsed_seconds();
		double seconds;

		walk_clock_start();
		if (run_once(REPLAY, config, path, &seconds, diag) != STATUS_OK)
			return diag->status;
		seconds = elapsed_seconds() - begin;
		all[i] = walk_clock_stop().seconds / seconds;
	}
	*share = median(all, runs);
	return STATUS_OK;
}

/* The host's own counters of one replay, per access. */
static enum exit_status print_host(const struct config *config, const char *path, uint64_t accesses,
				   struct diag *diag)
{
	struct host_counters counters;
	uint64_t count[HOST_COUNTERS];
	bool known[HOST_COUNTERS];
	double seconds;
	const char *comma = "";

	host_counters_start(&counters);
	const enum exit_status status = run_once(REPLAY, config, path, &seconds, diag);
	host_counters_stop(&counters, count, known);
	if (status != STATUS_OK)
		return status;
	fputs(",\"host\":{", stdout);
	for (int i = 0; i < HOST_COUNTERS; i++) {
		printf("%s\"%s_per_access\":", comma, host_counter_name((enum host_counter)i));
		if (known[i])
			printf("%.4g", (double)count[i] / (double)accesses);
		else
			fputs("null", stdout);
		comma = ",";
	}
	putchar('}');
	return STATUS_OK;
}

/* A peer that fails is named on standard error; the others' figures stand. */
static void bench_peers(const struct trace_reader *trace, uint64_t most)
{
	const char *comma = "";

	fputs(",\"peers\":[", stdout);
	for (unsigned i = 0; peer_name(i); i++) {
		struct diag diag = DIAG_INIT;
		uint64_t accesses = 0;
		double rate = 0;

		if (!peer_installed(i))
			continue;
		if (peer_run(i, trace, most, &accesses, &rate, &diag) != STATUS_OK) {
			fail(&diag);
			continue;
		}
		printf("%s{\"peer\":\"%s\",\"accesses\":%llu,\"accesses_per_second\":%.4g}", comma,
		       peer_name(i), (unsigned long long)accesses, rate);
		comma = ",";
	}
	fputs("]", stdout);
}

/* The rates of one trace, and where the time of its replay goes. */
static enum exit_status bench_replay(const struct config *config, const char *path, int runs,
				     uint64_t accesses, double rate[KINDS], struct diag *diag)
{
	double walk_share = 0, decode_share;

	for (int k = 0; k < KINDS; k++) {
		double seconds = 0;

		if (measure((enum kind)k, config, path, runs, &seconds, diag) != STATUS_OK)
			return diag->status;
		rate[k] = (double)accesses / seconds;
		printf(",\"%s_accesses_per_second\":%.4g", kind_name[k], rate[k]);
	}
	if (measure_walks(config, path, runs, &walk_share, diag) != STATUS_OK)
		return diag->status;
	decode_share = rate[REPLAY] / rate[DECODE];
	printf(",\"decode_share\":%.3f,\"tlb_share\":%.3f,\"walk_share\":%.3f", decode_share,
	       1 - decode_share - walk_share, walk_share);
	printf(",\"replay_to_bound\":%.3f", rate[REPLAY] / rate[BOUND]);
	return print_host(config, path, accesses, diag);
}

/* What there is to replay. */
static enum exit_status count(const char *path, struct trace_totals *totals, struct diag *diag)
{
	struct trace_reader *trace;
	struct trace_feed *feed;
	enum exit_status status =
		trace_open_once(path, NULL, false, TRACE_PAGE_RUNS, &trace, &feed, diag);

	if (status == STATUS_OK && feed)
		status = read_feed(feed, diag);
	if (status == STATUS_OK)
		*totals = feed ? trace_feed_info(feed)->totals : trace_info(trace)->totals;
	trace_feed_close(feed);
	trace_close(trace);
	return status;
}

static enum exit_status bench_trace(const struct config *config, const char *path, int runs,
				    uint64_t peer_accesses, double log_rate[KINDS],
				    struct diag *diag)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	struct trace_reader *trace;
	struct trace_totals totals;
	double rate[KINDS];

	if (count(path, &totals, diag) != STATUS_OK)
		return diag->status;
	printf("    {\"trace\":\"%s\",\"accesses\":%llu,\"records\":%llu", slash ? slash + 1 : path,
	       (unsigned long long)trace_accesses(&totals), (unsigned long long)totals.records);
	if (bench_replay(config, path, runs, trace_accesses(&totals), rate, diag) != STATUS_OK)
		return diag->status;
	for (int k = 0; k < KINDS; k++)
		log_rate[k] += log(rate[k]);
	if (dot && strcmp(dot, ".s2t") == 0) {
		trace = trace_open(path, false, diag);
		if (!trace)
			return diag->status;
		bench_peers(trace, peer_accesses);
		trace_close(trace);
	}
	putchar('}');
	return STATUS_OK;
}

static enum exit_status bench_all(const struct model *model, char **paths, int n, int runs,
				  uint64_t peer_accesses, struct diag *diag)
{
	double log_rate[KINDS] = { 0 };

	printf("{\"schema\":1,\n  \"params\":{\"model\":\"%s\",\"engine\":\"%s\",\"runs\":%d},\n"
	       "  \"traces\":[\n",
	       model->name, ENGINE_VERSION, runs);
	for (int i = 0; i < n; i++) {
		if (bench_trace(&model->config, paths[i], runs, peer_accesses, log_rate, diag) !=
		    STATUS_OK)
			return diag->status;
		fputs(i + 1 < n ? ",\n" : "\n", stdout);
	}
	fputs("  ],\n  \"stats\":{", stdout);
	for (int k = 0; k < KINDS; k++)
		printf("\"%s_accesses_per_second_geomean\":%.4g,", kind_name[k],
		       exp(log_rate[k] / n));
	printf("\"replay_to_bound_geomean\":%.3f}\n}\n",
	       exp((log_rate[REPLAY] - log_rate[BOUND]) / n));
	return fflush(stdout) == 0 ? STATUS_OK : diag_set(diag, STATUS_IO, "standard output");
}

int main(int argc, char **argv)
{
	const char *name = "neoverse-n1";
	struct diag diag = DIAG_INIT;
	struct model *model;
	long peer_accesses = PEER_ACCESSES;
	int runs = 5, option;

	while ((option = getopt(argc, argv, "c:p:r:")) != -1) {
		if (option == 'c')
			name = optarg;
		else if (option == 'r')
			runs = atoi(optarg);
		else if (option == 'p')
			peer_accesses = atol(optarg);
		else
			return STATUS_USAGE;
	}
	if (optind == argc || runs < 1 || runs > RUNS_MAX || peer_accesses < 1) {
		fputs("usage: bench_replay [-c MODEL] [-r RUNS] [-p ACCESSES] TRACE...\n", stderr);
		return STATUS_USAGE;
	}
	model = model_load(name, &diag);
	if (!model)
		return fail(&diag);
	if (bench_all(model, argv + optind, argc - optind, runs, (uint64_t)peer_accesses, &diag) !=
	    STATUS_OK)
		return fail(&diag);
	model_free(model);
	return STATUS_OK;
}

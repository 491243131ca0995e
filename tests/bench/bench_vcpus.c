/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_vcpus [-c MODEL] [-r RUNS] TRACE... - how fast several vCPUs are replayed side by side, as
 * JSON on standard output.
 *
 * Each trace with the analytic backend, with SystemC and no limit of bandwidth, and with SystemC
 * and a memory that is short of it. Rates are accesses of the trace, of all vCPUs together, per
 * second of processor time, which counts the processes that SystemC runs in, too: the median of
 * RUNS runs, the backends in turns. Decoding is included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/model.h"
#include "run/point.h"

enum { RUNS_MAX = 99, MACHINES = 3, OPTIONS_MAX = 5 };

struct machine_kind {
	const char *name;
	const char *option[OPTIONS_MAX]; /* beside the model's; up to NULL */
};

static const struct machine_kind kinds[MACHINES] = {
	{ "analytic", { NULL } },
	{ "systemc", { "timing.backend=systemc", NULL } },
	{ "systemc_contended",
	  { "timing.backend=systemc", "cache.l2.size=0", "cache.llc.size=1M", "dram.line_cycles=16",
	    NULL } },
};

static int fail(const struct diag *diag)
{
	fprintf(stderr, "bench_vcpus: error: %s\n", diag->text);
	return (int)diag->status;
}

static double seconds_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static double processor_seconds(void)
{
	return seconds_of(RUSAGE_SELF) + seconds_of(RUSAGE_CHILDREN);
}

static enum exit_status run_once(const struct config *config, const char *path, double *seconds,
				 struct stats *stats, struct diag *diag)
{
	const double begin = processor_seconds();
	struct trace_reader *trace = trace_open(path, false, diag);
	enum exit_status status;

	status = trace ? point_run(config, trace, NULL, stats, diag) : diag->status;
	trace_close(trace);
	*seconds = processor_seconds() - begin;
	return status;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_trace(const char *path, const struct trace_info *info, const double *seconds,
			const struct stats *stats)
{
	const char *slash = strrchr(path, '/');
	const double accesses = (double)trace_accesses(&info->totals);

	printf("    {\"trace\":\"%s\",\"vcpus\":%u,\"accesses\":%.0f,\"records\":%llu,"
	       "\"walks_per_access\":%.3f",
	       slash ? slash + 1 : path, info->vcpus, accesses,
	       (unsigned long long)info->totals.records, (double)stats->v[STAT_walks] / accesses);
	for (int k = 0; k < MACHINES; k++)
		printf(",\"%s_accesses_per_second\":%.4g", kinds[k].name, accesses / seconds[k]);
	printf(",\"systemc_to_analytic\":%.3f}", seconds[0] / seconds[1]);
}

static enum exit_status bench_trace(const struct config *configs, const char *path, int runs,
				    struct diag *diag)
{
	struct trace_reader *trace = trace_open(path, false, diag);
	double all[MACHINES][RUNS_MAX], median[MACHINES];
	struct stats stats;

	for (int run = 0; trace && run < runs; run++) {
		for (int k = 0; k < MACHINES; k++) {
			if (run_once(&configs[k], path, &all[k][run], &stats, diag) == STATUS_OK)
				continue;
			trace_close(trace);
			return diag->status;
		}
	}
	if (!trace)
		return diag->status;
	for (int k = 0; k < MACHINES; k++) {
		qsort(all[k], (size_t)runs, sizeof(all[k][0]), compare);
		median[k] = all[k][runs / 2];
	}
	print_trace(path, trace_info(trace), median, &stats);
	trace_close(trace);
	return STATUS_OK;
}

static enum exit_status configure(const char *model_name, struct config *configs, struct diag *diag)
{
	for (int k = 0; k < MACHINES; k++) {
		struct model *model = model_load(model_name, diag);

		for (int i = 0; model && kinds[k].option[i]; i++)
			if (model_set_option(model, kinds[k].option[i], diag) != STATUS_OK)
				break;
		if (model)
			configs[k] = model->config;
		model_free(model);
		if (diag->status != STATUS_OK)
			return diag->status;
	}
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	const char *name = "neoverse-n1";
	struct config configs[MACHINES];
	struct diag diag = DIAG_INIT;
	int runs = 5, option;

	while ((option = getopt(argc, argv, "c:r:")) != -1) {
		if (option == 'c')
			name = optarg;
		else if (option == 'r')
			runs = atoi(optarg);
		else
			return STATUS_USAGE;
	}
	if (optind == argc || runs < 1 || runs > RUNS_MAX) {
		fputs("usage: bench_vcpus [-c MODEL] [-r RUNS] TRACE...\n", stderr);
		return STATUS_USAGE;
	}
	if (configure(name, configs, &diag) != STATUS_OK)
		return fail(&diag);
	printf("{\"schema\":1,\n  \"params\":{\"model\":\"%s\",\"engine\":\"%s\",\"runs\":%d},\n"
	       "  \"traces\":[\n",
	       name, ENGINE_VERSION, runs);
	for (int i = optind; i < argc; i++) {
		if (bench_trace(configs, argv[i], runs, &diag) != STATUS_OK)
			return fail(&diag);
		fputs(i + 1 < argc ? ",\n" : "\n", stdout);
		fflush(stdout);
	}
	fputs("  ]\n}\n", stdout);
	return fflush(stdout) == 0 ? STATUS_OK : STATUS_IO;
}

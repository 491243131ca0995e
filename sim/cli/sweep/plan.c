/* SPDX-License-Identifier: BSD-2-Clause */
/* `twostage sweep --dry-run`. */
#include "cli/sweep/plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/output.h"
#include "cli/sweep/json.h"
#include "run/point.h"
#include "sweep/forecast.h"
#include "sweep/sweep.h"

enum {
	NAME_MAX_BYTES = 1024,
	/* Processor time after which no further group is probed. */
	PROBE_MICROS = 3 * 1000 * 1000,
};

static void print_point(const struct plan *plan, const struct forecast *forecast, size_t i)
{
	static const char *const states[] = { "to run", "there already", "impossible" };
	const struct plan_point *point = &plan->points[i];
	struct diag reason = DIAG_INIT;
	char name[NAME_MAX_BYTES];
	struct config config;

	plan_describe(plan, point, name, sizeof(name));
	if (forecast->states[i] == FORECAST_IMPOSSIBLE) {
		plan_config(plan, point, &config);
		point_check(&config, &reason);
	}
	printf("%6zu  %-13s  %s%s%s\n", i, states[forecast->states[i]], name,
	       *reason.text ? ": " : "", reason.text);
}

const char *sweep_duration(uint64_t micros, char text[32])
{
	const double seconds = (double)micros / 1e6;

	if (seconds < 1)
		snprintf(text, 32, "%.0f ms", seconds * 1000);
	else if (seconds < 100)
		snprintf(text, 32, "%.1f s", seconds);
	else if (seconds < 6000)
		snprintf(text, 32, "%.0f min", seconds / 60);
	else
		snprintf(text, 32, "%.1f h", seconds / 3600);
	return text;
}

/* Groups of one trace stand together. */
static void print_groups(const struct plan *plan, const struct forecast *forecast)
{
	for (size_t i = 0; i < forecast->n_groups;) {
		const uint32_t trace = forecast->groups[i].trace;
		size_t n_points = 0, n_shared[SHARE_DEPTHS] = { 0 };

		for (; i < forecast->n_groups && forecast->groups[i].trace == trace; i++) {
			n_points += forecast->groups[i].n_points;
			for (unsigned depth = 0; depth < SHARE_DEPTHS; depth++)
				n_shared[depth] += forecast->groups[i].n_shared[depth];
		}
		printf("%s: %s to run: %zu replay the trace, %zu the L1 TLBs' misses of "
		       "another, %zu also with its tables, %zu also with its walks\n",
		       plan->traces[trace].name.name,
		       output_count(n_points, "point", "points").text, n_shared[SHARE_NOTHING],
		       n_shared[SHARE_STREAM], n_shared[SHARE_MAP],
		       n_shared[SHARE_WALKS] + n_shared[SHARE_PLACES]);
	}
}

/* How many of the points' times come from where. */
static void print_sources(const struct forecast *forecast)
{
	const size_t n_guessed = forecast->n_to_run - forecast->n_measured - forecast->n_probed;
	const char *comma = "";
	char text[32];

	fputs("  of one point alone:", stdout);
	if (forecast->n_measured) {
		printf(" for %zu as the database has it of their trace", forecast->n_measured);
		comma = ",";
	}
	if (forecast->n_probed) {
		printf("%s for %zu from a probe", comma, forecast->n_probed);
		comma = ",";
	}
	if (n_guessed)
		printf("%s for %zu guessed from records and keys of the trace", comma, n_guessed);
	putchar('\n');
	if (forecast->n_probes)
		printf("  probed just now: %zu of %s, %.*f million records, %s\n",
		       forecast->n_probes, output_count(forecast->n_groups, "group", "groups").text,
		       forecast->probe_records < 1000000 ? 3 : 1,
		       (double)forecast->probe_records / 1e6,
		       sweep_duration(forecast->probe_micros, text));
}

static void print_costs(const struct forecast *forecast)
{
	char all[32], wall[32], point[16], share[16], tables[16], worker[16], expected[16];
	const unsigned n = forecast->n_workers;
	const struct output_count workers = output_count(n, "worker", "workers");

	printf("time: about %s of processor time, %s with %s and a processor for each\n",
	       sweep_duration(forecast->micros, all), sweep_duration(forecast->wall_micros, wall),
	       workers.text);
	print_sources(forecast);
	output_size(FORECAST_POINT_BYTES, point);
	output_size(forecast->share_bytes, share);
	output_size(forecast->table_bytes, tables);
	output_size(forecast->worker_bytes * n, worker);
	output_size(forecast->expected_bytes * n, expected);
	printf("memory: about %s, at most %s, %s x (at most %s a point, at most %s of recordings, "
	       "about %s of simulated tables)\n",
	       expected, worker, workers.text, point, share, tables);
}

static void print_text(const struct plan *plan, const struct forecast *forecast)
{
	for (size_t i = 0; i < plan->n_points; i++)
		print_point(plan, forecast, i);
	print_groups(plan, forecast);
	if (forecast->n_to_run)
		print_costs(forecast);
	printf("%s (%zu more were duplicates): %zu there already, %zu impossible, %zu to run, %s "
	       "to replay\n",
	       output_count(plan->n_points, "point", "points").text, plan->n_duplicates,
	       forecast->n_done, forecast->n_impossible, forecast->n_to_run,
	       output_count(forecast->accesses, "access", "accesses").text);
}

static void print_json_point(const struct plan *plan, size_t i)
{
	char name[NAME_MAX_BYTES];

	plan_describe(plan, &plan->points[i], name, sizeof(name));
	printf("{\"point\":%zu,\"name\":", i);
	output_json_string(stdout, name);
}

static void print_json_lists(const struct plan *plan, const struct forecast *forecast)
{
	const char *comma = "";

	fputs("\"groups\":[", stdout);
	for (size_t i = 0; i < forecast->n_groups; i++) {
		const struct forecast_group *group = &forecast->groups[i];

		printf("%s{\"trace\":", i ? "," : "");
		output_json_string(stdout, plan->traces[group->trace].name.name);
		printf(",\"first\":%zu,\"points\":%zu,\"misses_shared\":%zu,\"tables_shared\":%zu,"
		       "\"walks_shared\":%zu}",
		       group->example, group->n_points, group->n_shared[SHARE_STREAM],
		       group->n_shared[SHARE_MAP],
		       group->n_shared[SHARE_WALKS] + group->n_shared[SHARE_PLACES]);
	}
	fputs("],\"impossible\":[", stdout);
	for (size_t i = 0; i < plan->n_points; i++) {
		struct diag reason = DIAG_INIT;
		struct config config;

		if (forecast->states[i] != FORECAST_IMPOSSIBLE)
			continue;
		plan_config(plan, &plan->points[i], &config);
		point_check(&config, &reason);
		fputs(comma, stdout);
		print_json_point(plan, i);
		fputs(",\"reason\":", stdout);
		output_json_string(stdout, reason.text);
		fputs("}", stdout);
		comma = ",";
	}
	fputs("],", stdout);
}

static void print_json(const struct plan *plan, const struct forecast *forecast,
		       const char *database)
{
	sweep_json_begin(plan, database);
	printf(",\"workers\":%u},", forecast->n_workers);
	print_json_lists(plan, forecast);
	printf("\"stats\":{\"points\":%zu,\"duplicates\":%zu,\"skipped\":%zu,\"impossible\":%zu,"
	       "\"to_run\":%zu,\"accesses\":%" PRIu64 ",\"groups\":%zu,\"measured\":%zu,"
	       "\"probed\":%zu,\"probes\":%zu,\"probe_records\":%" PRIu64
	       ",\"probe_micros\":%" PRIu64 ","
	       "\"processor_micros\":%" PRIu64 ",\"wall_micros\":%" PRIu64
	       ",\"worker_bytes\":%" PRIu64 ",\"expected_bytes\":%" PRIu64
	       ",\"table_bytes\":%" PRIu64 "}}\n",
	       plan->n_points, plan->n_duplicates, forecast->n_done, forecast->n_impossible,
	       forecast->n_to_run, forecast->accesses, forecast->n_groups, forecast->n_measured,
	       forecast->n_probed, forecast->n_probes, forecast->probe_records,
	       forecast->probe_micros, forecast->micros, forecast->wall_micros,
	       forecast->worker_bytes, forecast->expected_bytes, forecast->table_bytes);
}

int sweep_plan_print(const struct sweep_args *arguments, const struct plan *plan,
		     const char *database)
{
	struct diag diag = DIAG_INIT;
	struct forecast forecast = { 0 };
	struct db *db = NULL;

	if (db_open_existing(database, &db, &diag) == STATUS_OK)
		forecast_make(&forecast, plan, db, arguments->n_workers, PROBE_MICROS, &diag);
	db_close(db, NULL);
	if (diag.status == STATUS_OK && arguments->json)
		print_json(plan, &forecast, database);
	else if (diag.status == STATUS_OK)
		print_text(plan, &forecast);
	forecast_free(&forecast);
	return output_diag(&diag);
}

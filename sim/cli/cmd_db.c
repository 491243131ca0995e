/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/group.h"
#include "cli/names_args.h"
#include "cli/output.h"
#include "config/params.h"
#include "results/db.h"

static const char which[] = "which database?";

/* Run a query and print each row by `print`; *diag as usual. */
static enum exit_status each_row(struct db *db, const char *statement,
				 void (*print)(sqlite3_stmt *row, int json, int first), int json,
				 struct diag *diag)
{
	sqlite3_stmt *query;
	enum exit_status status = db_prepare(db, statement, &query, diag);
	int step = SQLITE_DONE, first = 1;

	while (status == STATUS_OK && (step = sqlite3_step(query)) == SQLITE_ROW) {
		print(query, json, first);
		first = 0;
	}
	if (status == STATUS_OK && step != SQLITE_DONE)
		status = db_failure(db, diag);
	sqlite3_finalize(query);
	return status;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? text : "";
}

static void print_group(sqlite3_stmt *row, int json, int first)
{
	if (!json) {
		printf("  %-16s %-20s engine %-4s %6lld ok %6lld impossible\n", text_of(row, 0),
		       text_of(row, 1), text_of(row, 2), sqlite3_column_int64(row, 3),
		       sqlite3_column_int64(row, 4));
		return;
	}
	printf("%s{\"model\":", first ? "" : ",");
	output_json_string(stdout, text_of(row, 0));
	printf(",\"trace\":");
	output_json_string(stdout, text_of(row, 1));
	printf(",\"engine\":");
	output_json_string(stdout, text_of(row, 2));
	printf(",\"ok\":%lld,\"impossible\":%lld}", sqlite3_column_int64(row, 3),
	       sqlite3_column_int64(row, 4));
}

static void print_sweep(sqlite3_stmt *row, int json, int first)
{
	if (!json) {
		printf("  %-16s %s, %lld of them done\n", text_of(row, 0),
		       output_count((uint64_t)sqlite3_column_int64(row, 1), "point", "points").text,
		       sqlite3_column_int64(row, 2));
		return;
	}
	printf("%s{\"name\":", first ? "" : ",");
	output_json_string(stdout, text_of(row, 0));
	printf(",\"points\":%lld,\"done\":%lld}", sqlite3_column_int64(row, 1),
	       sqlite3_column_int64(row, 2));
}

static void print_totals(sqlite3_stmt *row, int json, int first)
{
	(void)json;
	(void)first;
	printf("{\"points\":%lld,\"ok\":%lld,\"impossible\":%lld}", sqlite3_column_int64(row, 0),
	       sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2));
}

/* The start of the JSON object, up to the value of "stats"; `from` as well unless NULL. */
static void print_json_params(const struct db *db, const char *from)
{
	printf("{\"schema\":1,\"params\":{\"database\":");
	output_json_string(stdout, db_path(db));
	if (from) {
		printf(",\"from\":");
		output_json_string(stdout, from);
	}
	printf(",\"version\":%d},\"stats\":", db_version(db));
}

static const char total_query[] =
	"SELECT count(*), total(status = 'ok'), total(status <> 'ok') FROM point";
static const char group_query[] =
	"SELECT model, trace, engine, sum(status = 'ok'), sum(status <> 'ok') FROM point "
	"GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
static const char sweep_query[] =
	"SELECT name, count(*), count(p.\"key\") FROM sweep AS s LEFT JOIN point AS p "
	"USING (\"key\") GROUP BY 1 ORDER BY 1";

static int run_info(int argc, char **argv)
{
	static const struct argp argp = {
		.options = names_args_options,
		.parser = names_args_parse,
		.args_doc = "DATABASE",
		.doc = "Say what a result database holds: points by model and trace, and sweeps.",
	};
	struct names_args arguments = { .max_names = 1, .missing = which };
	struct diag diag = DIAG_INIT;
	struct db *db;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	db = db_open(arguments.names[0], DB_READ, &diag);
	if (!db)
		return output_diag(&diag);
	if (arguments.json) {
		print_json_params(db, NULL);
		each_row(db, total_query, print_totals, 1, &diag);
		printf(",\"points\":[");
	} else {
		printf("%s: schema version %d\npoints\n", db_path(db), db_version(db));
	}
	each_row(db, group_query, print_group, arguments.json, &diag);
	printf(arguments.json ? "],\"sweeps\":[" : "sweeps\n");
	if (diag.status == STATUS_OK)
		each_row(db, sweep_query, print_sweep, arguments.json, &diag);
	printf(arguments.json ? "]}\n" : "");
	db_close(db, &diag);
	return output_diag(&diag);
}

/* What db_check() found sound. */
static void print_sound(const struct db *db, uint64_t n_points, bool json)
{
	if (json) {
		print_json_params(db, NULL);
		printf("{\"points\":%" PRIu64 "}}\n", n_points);
		return;
	}
	printf("%s: ok, %s", db_path(db), output_count(n_points, "point", "points").text);
	if (db_version(db) < DB_SCHEMA_VERSION)
		printf("; schema version %d has no digests", db_version(db));
	puts("");
}

static int run_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = names_args_options,
		.parser = names_args_parse,
		.args_doc = "DATABASE...",
		.doc = "Prove databases sound: SQLite's integrity check, the key of each point "
		       "computed again, the identities between its counters, and the digests of "
		       "points and sweeps.",
	};
	struct names_args arguments = { .max_names = NAMES_ARGS_MAX, .missing = which };
	int status = STATUS_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	for (size_t i = 0; i < arguments.n_names; i++) {
		struct diag diag = DIAG_INIT;
		struct db *db = db_open(arguments.names[i], DB_READ, &diag);
		uint64_t n_points = 0;

		if (db && db_check(db, &n_points, &diag) == STATUS_OK)
			print_sound(db, n_points, arguments.json);
		db_close(db, &diag);
		if (diag.status != STATUS_OK && !status)
			status = (int)diag.status;
		output_diag(&diag);
	}
	return status;
}

/* One field of a CSV record (RFC 4180). */
static void csv_field(const char *text, int first)
{
	if (!first)
		putchar(',');
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static enum exit_status print_csv(void *ctx, const struct db_point *point, struct diag *diag)
{
	char text[PARAM_TEXT_MAX];

	(void)ctx;
	(void)diag;
	csv_field(point->key, 1);
	csv_field(point->model, 0);
	csv_field(point->trace.name, 0);
	printf(",%016" PRIx64 ",%" PRIu64 ",", point->trace.digest, point->trace.accesses);
	csv_field(point->engine, 1);
	csv_field(point->status == DB_POINT_OK ? "ok" : "impossible", 0);
	csv_field(point->reason ? point->reason : "", 0);
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		params_format(&point->config, &params[i], text);
		if (params_is_number(&params[i]))
			printf(",%" PRIu64, params_number(&point->config, &params[i]));
		else
			csv_field(text, 0);
	}
	for (size_t i = 0; i < STAT_COUNT; i++) {
		if (point->status == DB_POINT_OK)
			printf(",%" PRIu64, point->stats.v[i]);
		else
			putchar(',');
	}
	putchar('\n');
	return STATUS_OK;
}

/* The commands that open a database and print one thing of it. */
static int print_database(int argc, char **argv, const struct argp *argp,
			  void (*print)(struct db *db, struct diag *diag))
{
	struct names_args arguments = { .max_names = 1, .missing = which };
	struct diag diag = DIAG_INIT;
	struct db *db;

	argp_parse(argp, argc, argv, 0, NULL, &arguments);
	db = db_open(arguments.names[0], DB_READ, &diag);
	if (!db)
		return output_diag(&diag);
	print(db, &diag);
	db_close(db, &diag);
	return output_diag(&diag);
}

static void export_points(struct db *db, struct diag *diag)
{
	for (size_t i = 0; db_column_name(i); i++)
		csv_field(db_column_name(i), i == 0);
	putchar('\n');
	db_scan(db, print_csv, NULL, diag);
}

static int run_export(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = names_args_parse,
		.args_doc = "DATABASE",
		.doc = "Print all points as CSV, in an order that depends on their contents alone. "
		       "Statistics of impossible points are empty.",
	};

	return print_database(argc, argv, &argp, export_points);
}

static enum exit_status print_interval(void *ctx, const struct db_interval *interval,
				       struct diag *diag)
{
	(void)ctx;
	(void)diag;
	csv_field(interval->key, 1);
	csv_field(interval->model, 0);
	csv_field(interval->trace, 0);
	printf(",%" PRIu64, interval->index);
	for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
		printf(",%" PRIu64, interval->counts.v[i]);
	putchar('\n');
	return STATUS_OK;
}

static void export_intervals(struct db *db, struct diag *diag)
{
	fputs("key,model,trace,interval", stdout);
	for (unsigned i = 0; i < INTERVAL_COUNTS; i++)
		csv_field(stat_rows[interval_counts[i]].name, 0);
	putchar('\n');
	db_intervals_scan(db, print_interval, NULL, diag);
}

static int run_intervals(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = names_args_parse,
		.args_doc = "DATABASE",
		.doc = "Print the intervals (interval.instructions) or samples (sample.period) of "
		       "all points as CSV, in an order that depends on their contents alone. The "
		       "key is that of the point.",
	};

	return print_database(argc, argv, &argp, export_intervals);
}

static enum exit_status print_estimate(void *ctx, const struct db_estimate *estimate,
				       struct diag *diag)
{
	(void)ctx;
	(void)diag;
	csv_field(estimate->key, 1);
	csv_field(estimate->model, 0);
	csv_field(estimate->trace, 0);
	csv_field(estimate->statistic, 0);
	printf(",%" PRIu64, estimate->value.total);
	if (estimate->value.known)
		printf(",%" PRIu64 ",%" PRIu64 "\n", estimate->value.low, estimate->value.high);
	else
		puts(",,");
	return STATUS_OK;
}

static void export_estimates(struct db *db, struct diag *diag)
{
	puts("key,model,trace,statistic,total,low,high");
	db_estimates_scan(db, print_estimate, NULL, diag);
}

static int run_estimates(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = names_args_parse,
		.args_doc = "DATABASE",
		.doc = "Print what the samples of points (sample.period) tell of their whole "
		       "traces as CSV: totals with 95 % confidence intervals, empty where the "
		       "samples are too few for one. The order depends on contents alone.",
	};

	return print_database(argc, argv, &argp, export_estimates);
}

enum { KEY_POINTS = 0x100 };

struct merge_args {
	struct names_args names; /* first: the input of names_args_parse() */
	enum db_merge_what what;
};

static error_t parse_merge(int key, char *arg, struct argp_state *state)
{
	struct merge_args *arguments = state->input;

	if (key != KEY_POINTS)
		return names_args_parse(key, arg, state);
	arguments->what = DB_MERGE_POINTS;
	return 0;
}

static int run_merge(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "print JSON", 0 },
		{ "points", KEY_POINTS, NULL, 0,
		  "copy points alone, and leave out which sweeps asked for them", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_merge,
		.args_doc = "INTO FROM...",
		.doc = "Copy the points of databases into one, which is made if it is not there. "
		       "Different results of one point are refused, and so are different sweeps of "
		       "one name.",
	};
	struct merge_args arguments = { { .max_names = NAMES_ARGS_MAX, .missing = which },
					DB_MERGE_ALL };
	const struct names_args *names = &arguments.names;
	struct diag diag = DIAG_INIT;
	struct db *db;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (names->n_names < 2)
		return output_error(STATUS_USAGE, "merge: INTO and at least one FROM expected");
	/* Before INTO is made. */
	for (size_t i = 1; i < names->n_names; i++)
		if (access(names->names[i], F_OK) != 0 && errno == ENOENT)
			return output_error(STATUS_NO_INPUT, "%s: no such file", names->names[i]);
	db = db_open(names->names[0], DB_WRITE, &diag);
	for (size_t i = 1; db && i < names->n_names && diag.status == STATUS_OK; i++) {
		uint64_t n_new;

		if (db_merge(db, names->names[i], arguments.what, &n_new, &diag) != STATUS_OK)
			break;
		if (!names->json) {
			printf("%s: %s from %s\n", db_path(db),
			       output_count(n_new, "new point", "new points").text,
			       names->names[i]);
			continue;
		}
		print_json_params(db, names->names[i]);
		printf("{\"new_points\":%" PRIu64 "}}\n", n_new);
	}
	db_close(db, &diag);
	return output_diag(&diag);
}

static int run_schema(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = names_args_parse,
		.doc = "Print the SQL that makes an empty database (results/schema.sql).",
	};
	struct names_args arguments = { .max_names = 0 };
	char *schema;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	schema = db_schema();
	if (!schema)
		return output_error(STATUS_INTERNAL, "out of memory");
	printf("-- SPDX-License-Identifier: BSD-2-Clause\n"
	       "-- Printed by `twostage db schema`.\n%s",
	       schema);
	free(schema);
	return STATUS_OK;
}

static int run(int argc, char **argv)
{
	static const struct command info = { "info", "what a database holds", run_info };
	static const struct command check = { "check", "prove a database sound", run_check };
	static const struct command export = { "export", "all points as CSV", run_export };
	static const struct command intervals = { "intervals", "intervals of points as CSV",
						  run_intervals };
	static const struct command estimates = { "estimates", "estimates from samples as CSV",
						  run_estimates };
	static const struct command merge = { "merge", "join databases into one", run_merge };
	static const struct command schema = { "schema", "SQL of the tables", run_schema };
	static const struct command *const commands[] = { &check,     &estimates, &export, &info,
							  &intervals, &merge,	  &schema, NULL };
	static const struct command_group group = {
		.name = "twostage db",
		.intro = "Result databases, as `twostage sweep` writes them.\n",
		.outro = "",
		.commands = commands,
	};

	return group_run(&group, argc, argv);
}

const struct command cmd_db = { "db", "result databases: info, check, export, merge and others",
				run };

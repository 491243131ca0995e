/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/compare_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"

static const char *setting_name(size_t setting)
{
	return setting == COMPARE_TRACE ? "trace" : params[setting].key;
}

static const char *setting_text(const struct result_point *point, size_t setting)
{
	return setting == COMPARE_TRACE ? point->trace : point->text[setting];
}

static bool has_settings(const struct comparison *comparison, enum compare_setting kind)
{
	for (size_t s = 0; s < COMPARE_SETTINGS; s++)
		if (comparison->setting[s] == kind)
			return true;
	return false;
}

/* The counts that differ, in both points. */
static bool differs(const struct compare_pair *pair, size_t stat)
{
	return pair->a->stats.v[stat] != pair->b->stats.v[stat];
}

static bool both_ok(const struct compare_pair *pair)
{
	return pair->a->status == DB_POINT_OK && pair->b->status == DB_POINT_OK;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a < b ? b - a : a - b;
}

static const char *status_name(enum db_status status)
{
	return status == DB_POINT_OK ? "ok" : "impossible";
}

/* ---- text ---------------------------------------------------------------------------------- */

/* What names a point among those of its set. */
static void text_point(const struct comparison *comparison, const struct result_point *point)
{
	printf("%s on %s", point->trace, point->model);
	for (size_t s = 0; s < PARAM_COUNT; s++)
		if (comparison->setting[s] == COMPARE_VARIES)
			printf(" %s=%s", params[s].key, point->text[s]);
	putchar('\n');
}

static void text_stats(const struct compare_pair *pair)
{
	for (size_t i = 0; i < STAT_COUNT; i++) {
		const uint64_t a = pair->a->stats.v[i], b = pair->b->stats.v[i];
		char relative[32] = "-", change[32];

		if (!differs(pair, i))
			continue;
		if (a)
			snprintf(relative, sizeof(relative), "%+.2f %%",
				 100.0 * ((double)b - (double)a) / (double)a);
		snprintf(change, sizeof(change), "%c%" PRIu64, b < a ? '-' : '+', distance(a, b));
		printf("  %-26s %16" PRIu64 " %16" PRIu64 " %17s %12s\n", stat_rows[i].name, a, b,
		       change, relative);
	}
}

static void text_pair(const struct comparison *comparison, const struct compare_pair *pair)
{
	if (pair->equal)
		return;
	putchar('\n');
	if (!pair->a || !pair->b)
		printf("only in %c: ", pair->a ? 'A' : 'B');
	text_point(comparison, pair->a ? pair->a : pair->b);
	if (!pair->a || !pair->b)
		return;
	if (!both_ok(pair)) {
		printf("  %-26s %16s %16s\n", "status", status_name(pair->a->status),
		       status_name(pair->b->status));
		return;
	}
	printf("  %-26s %16s %16s %17s %12s\n", "", "A", "B", "B - A", "relative");
	text_stats(pair);
}

static void text_settings(const struct compare_output *output)
{
	const struct comparison *comparison = output->comparison;

	if (has_settings(comparison, COMPARE_DIFFERS))
		printf("\n  %-32s %-24s %s\n", "settings that differ", "A", "B");
	for (size_t s = 0; s < COMPARE_SETTINGS; s++)
		if (comparison->setting[s] == COMPARE_DIFFERS)
			printf("  %-32s %-24s %s\n", setting_name(s),
			       setting_text(output->set[0]->point, s),
			       setting_text(output->set[1]->point, s));
}

void compare_output_text(const struct compare_output *output)
{
	const struct comparison *comparison = output->comparison;

	if (output->detail == COMPARE_ALL) {
		for (int i = 0; i < 2; i++)
			printf("%c: %s, %zu point%s\n", 'A' + i, output->name[i], output->set[i]->n,
			       output->set[i]->n == 1 ? "" : "s");
		text_settings(output);
		for (size_t i = 0; i < comparison->pairs; i++)
			text_pair(comparison, &comparison->pair[i]);
		putchar('\n');
	}
	printf("%zu equal, %zu different, %zu only in A, %zu only in B\n", comparison->equal,
	       comparison->different, comparison->only_a, comparison->only_b);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void json_member(const char *separator, const char *name, const char *text)
{
	printf("%s\"%s\":", separator, name);
	output_json_string(stdout, text);
}

static void json_point(const struct comparison *comparison, const struct result_point *point)
{
	json_member("{", "model", point->model);
	json_member(",", "trace", point->trace);
	for (size_t s = 0; s < PARAM_COUNT; s++)
		if (comparison->setting[s] == COMPARE_VARIES)
			json_member(",", params[s].key, point->text[s]);
	putchar('}');
}

static void json_stats(const struct compare_pair *pair)
{
	bool first = true;

	for (size_t i = 0; i < STAT_COUNT; i++) {
		const uint64_t a = pair->a->stats.v[i], b = pair->b->stats.v[i];

		if (!differs(pair, i))
			continue;
		printf("%s{\"name\":\"%s\",\"a\":%" PRIu64 ",\"b\":%" PRIu64
		       ",\"difference\":%s%" PRIu64 ",\"relative\":",
		       first ? "" : ",", stat_rows[i].name, a, b, b < a ? "-" : "", distance(a, b));
		if (a)
			printf("%.6g}", ((double)b - (double)a) / (double)a);
		else
			printf("null}");
		first = false;
	}
}

static void json_pair(const struct comparison *comparison, const struct compare_pair *pair)
{
	printf("{\"in\":\"%s\",\"point\":", !pair->b ? "a" : !pair->a ? "b" : "both");
	json_point(comparison, pair->a ? pair->a : pair->b);
	if (pair->a)
		json_member(",", "status_a", status_name(pair->a->status));
	if (pair->b)
		json_member(",", "status_b", status_name(pair->b->status));
	printf(",\"differences\":[");
	if (pair->a && pair->b && both_ok(pair))
		json_stats(pair);
	printf("]}");
}

static void json_settings(const struct compare_output *output)
{
	const char *separator = "";

	for (size_t s = 0; s < COMPARE_SETTINGS; s++) {
		if (output->comparison->setting[s] != COMPARE_DIFFERS)
			continue;
		printf("%s", separator);
		json_member("{", "name", setting_name(s));
		json_member(",", "a", setting_text(output->set[0]->point, s));
		json_member(",", "b", setting_text(output->set[1]->point, s));
		putchar('}');
		separator = ",";
	}
}

void compare_output_json(const struct compare_output *output)
{
	const struct comparison *comparison = output->comparison;
	bool first = true;

	printf("{\"schema\":1,\"params\":");
	json_member("{", "a", output->name[0]);
	json_member(",", "b", output->name[1]);
	printf("},\"stats\":{\"points_a\":%zu,\"points_b\":%zu,\"equal\":%zu,\"different\":%zu,"
	       "\"only_a\":%zu,\"only_b\":%zu},\"settings\":[",
	       output->set[0]->n, output->set[1]->n, comparison->equal, comparison->different,
	       comparison->only_a, comparison->only_b);
	json_settings(output);
	printf("],\"points\":[");
	for (size_t i = 0; i < comparison->pairs && output->detail == COMPARE_ALL; i++) {
		if (comparison->pair[i].equal)
			continue;
		printf("%s", first ? "" : ",");
		json_pair(comparison, &comparison->pair[i]);
		first = false;
	}
	printf("]}\n");
}

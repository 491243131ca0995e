/* SPDX-License-Identifier: BSD-2-Clause */
#include "results/compare.h"

#include <stdlib.h>
#include <string.h>

static int order_of(const struct result_point *a, const struct result_point *b, size_t setting)
{
	if (setting == COMPARE_TRACE)
		return (a->digest > b->digest) - (a->digest < b->digest);
	return strcmp(a->text[setting], b->text[setting]);
}

static bool is_constant(const struct result_set *set, size_t setting)
{
	for (size_t i = 1; i < set->n; i++)
		if (order_of(&set->point[0], &set->point[i], setting) != 0)
			return false;
	return true;
}

static enum compare_setting classify(const struct result_set *a, const struct result_set *b,
				     size_t setting)
{
	if (!is_constant(a, setting) || !is_constant(b, setting))
		return COMPARE_VARIES;
	return order_of(&a->point[0], &b->point[0], setting) ? COMPARE_DIFFERS : COMPARE_SAME;
}

/* The first point of either set with this model. */
static const struct result_point *first_of(const struct result_set *a, const struct result_set *b,
					   const char *model)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->point[i].model, model) == 0)
			return &a->point[i];
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->point[i].model, model) == 0)
			return &b->point[i];
	return NULL;
}

/* Settings that only the models bring along need not be named with them. */
static void find_by_model(const struct result_set *a, const struct result_set *b,
			  struct comparison *comparison)
{
	bool by_model[PARAM_COUNT];

	for (size_t s = 0; s < PARAM_COUNT; s++)
		by_model[s] = comparison->setting[s] == COMPARE_VARIES;
	for (size_t i = 0; i < a->n + b->n; i++) {
		const struct result_point *point = i < a->n ? &a->point[i] : &b->point[i - a->n];
		const struct result_point *first = first_of(a, b, point->model);

		for (size_t s = 0; s < PARAM_COUNT; s++)
			by_model[s] = by_model[s] && order_of(first, point, s) == 0;
	}
	for (size_t s = 0; s < PARAM_COUNT; s++)
		if (by_model[s])
			comparison->setting[s] = COMPARE_BY_MODEL;
}

/* By the settings that name points. */
static int order_by(const enum compare_setting *setting, const struct result_point *a,
		    const struct result_point *b)
{
	int order = 0;

	for (size_t i = COMPARE_SETTINGS; i-- > 0 && !order;) /* the trace first */
		if (setting[i] >= COMPARE_VARIES)
			order = order_of(a, b, i);
	return order;
}

static int order_points(const void *left, const void *right, void *ctx)
{
	const struct result_point *a = left, *b = right;
	const int order = order_by(ctx, a, b);

	return order ? order : strcmp(a->engine, b->engine);
}

static bool same_results(const struct result_point *a, const struct result_point *b)
{
	if (a->status != b->status)
		return false;
	return a->status != DB_POINT_OK || memcmp(&a->stats, &b->stats, sizeof(a->stats)) == 0;
}

static void add_pair(struct comparison *comparison, const struct result_point *a,
		     const struct result_point *b)
{
	struct compare_pair *pair = &comparison->pair[comparison->pairs++];

	*pair = (struct compare_pair){ a, b, a && b && same_results(a, b) };
	comparison->only_a += !b;
	comparison->only_b += !a;
	comparison->equal += pair->equal;
	comparison->different += a && b && !pair->equal;
}

enum exit_status compare_sets(struct result_set *a, struct result_set *b,
			      struct comparison *comparison, struct diag *diag)
{
	size_t i = 0, j = 0;

	memset(comparison, 0, sizeof(*comparison));
	comparison->pair = calloc(a->n + b->n, sizeof(*comparison->pair));
	if (!comparison->pair)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	for (size_t s = 0; s < COMPARE_SETTINGS; s++)
		comparison->setting[s] = classify(a, b, s);
	find_by_model(a, b, comparison);
	qsort_r(a->point, a->n, sizeof(*a->point), order_points, comparison->setting);
	qsort_r(b->point, b->n, sizeof(*b->point), order_points, comparison->setting);
	while (i < a->n || j < b->n) {
		const int order =
			i == a->n   ? 1
			: j == b->n ? -1
				    : order_by(comparison->setting, &a->point[i], &b->point[j]);

		add_pair(comparison, order <= 0 ? &a->point[i] : NULL,
			 order >= 0 ? &b->point[j] : NULL);
		i += order <= 0;
		j += order >= 0;
	}
	return STATUS_OK;
}

void comparison_free(struct comparison *comparison)
{
	free(comparison->pair);
	memset(comparison, 0, sizeof(*comparison));
}

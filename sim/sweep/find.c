/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/find.h"

#include <stdlib.h>
#include <string.h>

#include "results/stat_expr.h"
#include "run/point.h"
#include "sweep/sweep.h"

/* What stands between the two sides of a condition. */
enum comparison { LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };

struct find {
	const struct plan *plan;
	const struct param *param;
	struct stat_expr *left, *right;
	enum comparison comparison;
	size_t *candidates; /* points of the plan */
	size_t n_candidates;
	struct find_search *searches; /* their points follow each other in the plan */
	size_t n_searches;
	size_t next_end;  /* ends handed out: two a search, low and high */
	size_t *halfways; /* points to run next, the last one first */
	size_t n_halfways;
};

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* ---- the condition -------------------------------------------------------------------------- */

static struct stat_expr *parse_side(const char *text, size_t length, struct diag *diag)
{
	char *side = strndup(text, length);
	struct stat_expr *expr = side ? stat_expr_parse(side, diag) : NULL;

	if (!side)
		no_memory(diag);
	free(side);
	return expr;
}

static enum exit_status parse_condition(struct find *find, const char *text, struct diag *diag)
{
	const size_t at = strcspn(text, "<>=!");
	const bool equal = text[at] && text[at + 1] == '=';

	if (text[at] != '<' && text[at] != '>')
		diag_set(diag, STATUS_BAD_INPUT,
			 "two expressions with <, <=, > or >= between them expected");
	else if (text[at] == '<')
		find->comparison = equal ? LESS_EQUAL : LESS;
	else
		find->comparison = equal ? GREATER_EQUAL : GREATER;
	if (diag->status == STATUS_OK)
		find->left = parse_side(text, at, diag);
	if (diag->status == STATUS_OK)
		find->right =
			parse_side(text + at + 1 + equal, strlen(text + at + 1 + equal), diag);
	if (diag->status != STATUS_OK)
		diag_place(diag, "--where '%s'", text);
	return diag->status;
}

static bool compare(enum comparison comparison, double left, double right)
{
	switch (comparison) {
	case LESS:
		return left < right;
	case LESS_EQUAL:
		return left <= right;
	case GREATER:
		return left > right;
	default:
		return left >= right;
	}
}

/* `stats` may be NULL where no statistic is asked for. */
static struct find_probe probe_of(const struct find *find, size_t index, const struct stats *stats)
{
	struct find_probe probe = { .known = true };
	struct config config;
	double right;

	plan_config(find->plan, &find->plan->points[index], &config);
	probe.has_value = stat_expr_value(find->left, &config, stats, &probe.value);
	probe.holds = probe.has_value && stat_expr_value(find->right, &config, stats, &right) &&
		      compare(find->comparison, probe.value, right);
	return probe;
}

/* ---- searches ------------------------------------------------------------------------------- */

/* Whether two points differ in the last axis alone. */
static bool same_search(const struct plan *plan, const struct plan_point *a,
			const struct plan_point *b)
{
	const struct plan_grid *grid = &plan->grids[a->grid];
	const size_t n = grid->axes[grid->n_axes - 1].n_steps;

	return a->grid == b->grid && a->model == b->model && a->trace == b->trace &&
	       a->step / n == b->step / n;
}

/* A search from point `first` on; returns the point behind it. */
static size_t add_search(struct find *find, size_t first)
{
	const struct plan *plan = find->plan;
	struct find_search *search = &find->searches[find->n_searches++];
	size_t i = first;

	*search = (struct find_search){ .example = first, .first = find->n_candidates };
	for (; i < plan->n_points && same_search(plan, &plan->points[first], &plan->points[i]);
	     i++) {
		struct config config;

		plan_config(plan, &plan->points[i], &config);
		if (point_check(&config, NULL) == STATUS_OK)
			find->candidates[find->n_candidates++] = i;
	}
	search->n = find->n_candidates - search->first;
	search->high = search->n ? search->n - 1 : 0;
	search->state = search->n ? FIND_OPEN : FIND_IMPOSSIBLE;
	return i;
}

/* A point that two grids have in common is in the plan once: one of them would have a hole. */
static enum exit_status refuse_hole(const struct find *find, size_t first, size_t end,
				    struct diag *diag)
{
	const struct plan_grid *grid = &find->plan->grids[find->plan->points[first].grid];

	if (end - first == grid->axes[grid->n_axes - 1].n_steps)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT,
			"--find: the spec has points twice: a value of %s is repeated, or grids "
			"overlap",
			find->param->key);
}

static void search_without_run(struct find *find);

enum exit_status find_begin(struct find *find, struct diag *diag)
{
	const size_t n_points = find->plan->n_points;
	enum exit_status status = STATUS_OK;
	size_t end;

	find->candidates = calloc(n_points + 1, sizeof(*find->candidates));
	find->searches = calloc(n_points + 1, sizeof(*find->searches));
	find->halfways = calloc(n_points + 1, sizeof(*find->halfways));
	if (!find->candidates || !find->searches || !find->halfways)
		return no_memory(diag);
	for (size_t i = 0; status == STATUS_OK && i < n_points; i = end) {
		end = add_search(find, i);
		status = refuse_hole(find, i, end, diag);
	}
	if (status == STATUS_OK && !find_needs_run(find))
		search_without_run(find);
	return status;
}

/* Both ends are known: what next? The candidate to look at; 0: none, the state says why. */
static size_t next_candidate(struct find_search *search)
{
	if (search->at_low.holds == search->at_high.holds) {
		search->state = search->at_low.holds ? FIND_ALWAYS : FIND_NEVER;
		return 0;
	}
	if (search->high - search->low == 1) {
		search->state = FIND_EDGE;
		return 0;
	}
	return search->low + (search->high - search->low) / 2;
}

/* What candidate `which` is, and what to look at then; 0: nothing more for now. */
static size_t learn(struct find_search *search, size_t which, struct find_probe probe)
{
	const bool is_end = which == search->low || which == search->high;

	if (which == search->low)
		search->at_low = probe;
	if (which == search->high)
		search->at_high = probe;
	if (!is_end && probe.holds == search->at_low.holds) {
		search->low = which;
		search->at_low = probe;
	} else if (!is_end) {
		search->high = which;
		search->at_high = probe;
	}
	if (search->state != FIND_OPEN || !search->at_low.known || !search->at_high.known)
		return 0;
	return next_candidate(search);
}

static void search_without_run(struct find *find)
{
	for (size_t i = 0; i < find->n_searches; i++) {
		struct find_search *search = &find->searches[i];
		const size_t ends[2] = { search->low, search->high };
		size_t next = 0;

		for (unsigned k = 0; search->n && k < 2; k++)
			next = learn(search, ends[k],
				     probe_of(find, find_point(find, search, ends[k]), NULL));
		while (next)
			next = learn(search, next,
				     probe_of(find, find_point(find, search, next), NULL));
	}
}

/* Halfway points first, so that one trace is dealt with before the next. */
size_t find_pick(struct find *find)
{
	if (find->n_halfways)
		return find->halfways[--find->n_halfways];
	while (find->next_end < 2 * find->n_searches) {
		const struct find_search *search = &find->searches[find->next_end / 2];
		const bool is_high = find->next_end++ % 2;

		if (search->state == FIND_OPEN && search->n > is_high)
			return find_point(find, search, is_high ? search->high : search->low);
	}
	return SWEEP_NONE;
}

static struct find_search *search_of(struct find *find, size_t index)
{
	size_t low = 0, high = find->n_searches;

	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (find->searches[middle].example <= index)
			low = middle;
		else
			high = middle;
	}
	return &find->searches[low];
}

/* What the database has of a point. */
struct answer {
	const struct find *find;
	size_t index;
	struct find_probe probe;
};

static enum exit_status take_answer(void *ctx, const struct db_point *point, struct diag *diag)
{
	struct answer *answer = ctx;

	(void)diag;
	if (point->status == DB_POINT_OK)
		answer->probe = probe_of(answer->find, answer->index, &point->stats);
	else
		answer->probe.known = true;
	return STATUS_OK;
}

enum exit_status find_settle(struct find *find, size_t index, struct db *db, struct diag *diag)
{
	struct find_search *search = search_of(find, index);
	struct answer answer = { .find = find, .index = index };
	enum exit_status status =
		db_get(db, find->plan->points[index].key, take_answer, &answer, diag);
	size_t which = 0, next;

	if (status != STATUS_OK)
		return status;
	if (!answer.probe.known) {
		search->state = FIND_FAILED;
		return STATUS_OK;
	}
	while (find_point(find, search, which) != index)
		which++;
	next = learn(search, which, answer.probe);
	if (next)
		find->halfways[find->n_halfways++] = find_point(find, search, next);
	return STATUS_OK;
}

/* ---- the rest ------------------------------------------------------------------------------- */

struct find *find_create(struct plan *plan, const char *axis, const char *condition,
			 struct diag *diag)
{
	struct find *find = calloc(1, sizeof(*find));

	if (!find) {
		no_memory(diag);
		return NULL;
	}
	find->plan = plan;
	if (parse_condition(find, condition, diag) == STATUS_OK &&
	    find_axis(plan, axis, &find->param, diag) == STATUS_OK)
		return find;
	find_free(find);
	return NULL;
}

void find_free(struct find *find)
{
	if (!find)
		return;
	stat_expr_free(find->left);
	stat_expr_free(find->right);
	free(find->candidates);
	free(find->searches);
	free(find->halfways);
	free(find);
}

bool find_needs_run(const struct find *find)
{
	return stat_expr_needs_run(find->left) || stat_expr_needs_run(find->right);
}

const struct param *find_param(const struct find *find)
{
	return find->param;
}

const struct find_search *find_searches(const struct find *find, size_t *n)
{
	*n = find->n_searches;
	return find->searches;
}

size_t find_point(const struct find *find, const struct find_search *search, size_t candidate)
{
	return find->candidates[search->first + candidate];
}

size_t find_impossible(const struct find *find)
{
	return find->plan->n_points - find->n_candidates;
}

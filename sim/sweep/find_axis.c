/* SPDX-License-Identifier: BSD-2-Clause */
/* The axis of a search: one of the spec, or a range of numbers that is added to it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/param_text.h"
#include "sweep/find.h"

struct range {
	uint64_t low, high, step;
	bool multiplies;
};

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* The axis of more than one value that has the parameter; n_axes: none. */
static size_t axis_of(const struct plan_grid *grid, const struct param *param)
{
	for (size_t k = 0; k < grid->n_axes; k++)
		for (size_t i = 0; i < grid->axes[k].n_params; i++)
			if (grid->axes[k].params[i] == param && grid->axes[k].n_steps > 1)
				return k;
	return grid->n_axes;
}

static void move_last(struct plan_grid *grid, size_t k)
{
	const struct plan_axis axis = grid->axes[k];

	memmove(&grid->axes[k], &grid->axes[k + 1], (grid->n_axes - k - 1) * sizeof(axis));
	grid->axes[grid->n_axes - 1] = axis;
}

static enum exit_status take_axis(struct plan *plan, const struct param *param, struct diag *diag)
{
	for (size_t g = 0; g < plan->n_grids; g++) {
		const size_t k = axis_of(&plan->grids[g], param);

		if (k == plan->grids[g].n_axes)
			return diag_set(diag, STATUS_BAD_INPUT,
					"no axis of the spec with several values; give the range "
					"here: %s=LO..HI",
					param->key);
		move_last(&plan->grids[g], k);
	}
	return STATUS_OK;
}

static enum exit_status parse_value(const struct param *param, const char *text, uint64_t *number,
				    struct diag *diag)
{
	union param_value value;
	enum exit_status status = param_text_parse(param, text, &value, diag);

	if (status == STATUS_OK)
		*number = value.number;
	return status;
}

/* LO..HI[:STEP|:xFACTOR]; `text` is cut up. */
static enum exit_status parse_range(const struct param *param, char *text, struct range *range,
				    struct diag *diag)
{
	const struct param step = {
		.key = "step", .type = PARAM_BYTES, .unit = "", .min = 1, .max = UINT64_MAX
	};
	char *dots = strstr(text, ".."), *colon = dots ? strchr(dots, ':') : NULL;
	enum exit_status status;

	*range = (struct range){ .step = 1 };
	if (!dots)
		return diag_set(diag, STATUS_BAD_INPUT, "LO..HI[:STEP] expected, found '%.80s'",
				text);
	*dots = '\0';
	if (colon)
		*colon++ = '\0';
	range->multiplies = colon && *colon == 'x';
	status = parse_value(param, text, &range->low, diag);
	if (status == STATUS_OK)
		status = parse_value(param, dots + 2, &range->high, diag);
	if (status == STATUS_OK && colon)
		status = parse_value(&step, colon + range->multiplies, &range->step, diag);
	if (status != STATUS_OK)
		return status;
	if (range->low > range->high)
		return diag_set(diag, STATUS_BAD_INPUT, "the range begins behind its end");
	if (range->multiplies && (range->step < 2 || range->low == 0))
		return diag_set(diag, STATUS_BAD_INPUT,
				"a factor of 2 or more from 1 or more on expected");
	return STATUS_OK;
}

/* The value behind `value`; false: beyond the end. */
static bool next_value(const struct range *range, uint64_t *value)
{
	if (range->multiplies ? *value > range->high / range->step
			      : *value > range->high - range->step || range->high < range->step)
		return false;
	*value = range->multiplies ? *value * range->step : *value + range->step;
	return true;
}

static enum exit_status append_axis(struct plan_grid *grid, const struct param *param,
				    const struct range *range, size_t n, struct diag *diag)
{
	struct plan_axis *grown = reallocarray(grid->axes, grid->n_axes + 1, sizeof(*grown));
	struct plan_axis *axis;
	uint64_t value = range->low;

	if (!grown)
		return no_memory(diag);
	grid->axes = grown;
	axis = &grown[grid->n_axes++];
	*axis = (struct plan_axis){ .n_params = 1, .n_steps = n };
	axis->params = calloc(1, sizeof(*axis->params));
	axis->fields = calloc(n, sizeof(*axis->fields));
	if (!axis->params || !axis->fields)
		return no_memory(diag);
	if (grid->n_steps > PLAN_POINTS_MAX / n)
		return diag_set(diag, STATUS_BAD_INPUT, "more than %d points", PLAN_POINTS_MAX);
	grid->n_steps *= n;
	axis->params[0] = param;
	for (size_t i = 0; i < n; i++) {
		axis->fields[i] = value;
		next_value(range, &value);
	}
	return STATUS_OK;
}

static enum exit_status add_range(struct plan *plan, const struct param *param, char *text,
				  struct diag *diag)
{
	enum exit_status status;
	struct range range;
	size_t n = 1;

	if (param->type != PARAM_INT && param->type != PARAM_BYTES && param->type != PARAM_COUNT0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"takes no range; make it an axis of the spec");
	status = parse_range(param, text, &range, diag);
	if (status != STATUS_OK)
		return status;
	for (uint64_t value = range.low; n <= PLAN_POINTS_MAX && next_value(&range, &value);)
		n++;
	for (size_t g = 0; status == STATUS_OK && g < plan->n_grids; g++) {
		if (axis_of(&plan->grids[g], param) < plan->grids[g].n_axes)
			return diag_set(diag, STATUS_BAD_INPUT,
					"an axis of the spec already; leave the range out");
		status = append_axis(&plan->grids[g], param, &range, n, diag);
	}
	return status;
}

enum exit_status find_axis(struct plan *plan, const char *axis, const struct param **param,
			   struct diag *diag)
{
	char *text = strdup(axis);
	char *range = text ? strchr(text, '=') : NULL;
	enum exit_status status;

	if (!text)
		return no_memory(diag);
	if (range)
		*range++ = '\0';
	*param = params_find(text);
	if (!*param)
		status = params_unknown(text, diag);
	else if (range)
		status = add_range(plan, *param, range, diag);
	else
		status = take_axis(plan, *param, diag);
	free(text);
	if (status != STATUS_OK)
		diag_place(diag, "--find %s", axis);
	return status;
}

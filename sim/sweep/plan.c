/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/image_file.h"
#include "config/input.h"
#include "sweep/plan_tables.h"

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* The name goes into a file name: letters, digits, '-', '_', '.'. */
static enum exit_status read_name(struct plan *plan, struct diag *diag)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	const struct yaml_node *name = yaml_tree_get(&plan->spec->root, "name");

	if (!name)
		return yaml_tree_error(plan->spec, &plan->spec->root, diag,
				       "no 'name:'; a sweep needs one");
	if (name->kind != YAML_SCALAR || *name->text == '\0' || *name->text == '.' ||
	    name->text[strspn(name->text, allowed)] != '\0')
		return yaml_tree_error(plan->spec, name, diag,
				       "name: letters, digits, '-', '_' and '.' expected");
	plan->name = name->text;
	return STATUS_OK;
}

struct plan *plan_load(const char *path, struct diag *diag)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan) {
		no_memory(diag);
		return NULL;
	}
	plan->spec = yaml_tree_load(path, diag);
	if (plan->spec && plan_read_spec(plan, diag) == STATUS_OK &&
	    read_name(plan, diag) == STATUS_OK && plan_read_tables(plan, diag) == STATUS_OK)
		return plan;
	plan_free(plan);
	return NULL;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n_grids; i++) {
		struct plan_grid *grid = &plan->grids[i];

		for (size_t k = 0; k < grid->n_axes; k++) {
			free(grid->axes[k].params);
			free(grid->axes[k].fields);
		}
		free(grid->axes);
		free(grid->models);
		free(grid->traces);
	}
	for (size_t i = 0; i < plan->n_models; i++)
		model_free(plan->models[i]);
	for (size_t i = 0; i < plan->n_traces; i++) {
		if (plan->traces[i].reader)
			trace_close(plan->traces[i].reader);
		free(plan->traces[i].damage);
		free(plan->traces[i].path);
	}
	plan_free_tables(plan);
	free(plan->grids);
	free(plan->models);
	free(plan->traces);
	free(plan->points);
	yaml_tree_free(plan->spec);
	free(plan);
}

/* Step of axis `which` when the whole grid is at `step`. */
static size_t axis_step(const struct plan_grid *grid, uint64_t step, size_t which)
{
	for (size_t k = grid->n_axes; k-- > which + 1;)
		step /= grid->axes[k].n_steps;
	return (size_t)(step % grid->axes[which].n_steps);
}

void plan_config(const struct plan *plan, const struct plan_point *point, struct config *config)
{
	const struct plan_grid *grid = &plan->grids[point->grid];
	const struct plan_trace *trace = &plan->traces[point->trace];

	*config = plan->models[point->model]->config;
	if (trace->sample_period) {
		config->sample.period = trace->sample_period;
		config->sample.length = trace->sample_length;
		config->sample.warm = trace->sample_warm;
	}
	for (size_t k = 0; k < grid->n_axes; k++) {
		const struct plan_axis *axis = &grid->axes[k];
		size_t step = axis_step(grid, point->step, k);

		for (size_t i = 0; i < axis->n_params; i++)
			memcpy((char *)config + axis->params[i]->offset,
			       &axis->fields[step * axis->n_params + i], sizeof(uint64_t));
	}
}

void plan_describe(const struct plan *plan, const struct plan_point *point, char *text,
		   size_t n_bytes)
{
	const struct plan_grid *grid = &plan->grids[point->grid];
	FILE *out = fmemopen(text, n_bytes, "w");
	char value[PARAM_TEXT_MAX];
	struct config config;

	if (!out) {
		snprintf(text, n_bytes, "%s", plan->models[point->model]->name);
		return;
	}
	plan_config(plan, point, &config);
	fprintf(out, "%s, %s", plan->models[point->model]->name,
		input_name(plan->traces[point->trace].path));
	for (size_t k = 0; k < grid->n_axes; k++) {
		for (size_t i = 0; i < grid->axes[k].n_params; i++) {
			params_format(&config, grid->axes[k].params[i], value);
			fprintf(out, ", %s=%s", grid->axes[k].params[i]->key, value);
		}
	}
	fclose(out);
	text[n_bytes - 1] = '\0';
}

/* The points of one trace, in the order of the spec. */
static void list_points(struct plan *plan, uint32_t trace, size_t *n)
{
	for (uint32_t g = 0; g < plan->n_grids; g++) {
		const struct plan_grid *grid = &plan->grids[g];

		for (size_t t = 0; t < grid->n_traces; t++) {
			if (grid->traces[t] != trace)
				continue;
			for (size_t m = 0; m < grid->n_models; m++) {
				for (uint64_t s = 0; s < grid->n_steps; s++)
					plan->points[(*n)++] = (struct plan_point){
						.grid = g,
						.model = grid->models[m],
						.trace = trace,
						.step = s,
					};
			}
		}
	}
}

static enum exit_status list_all(struct plan *plan, struct diag *diag)
{
	uint64_t total = 0;
	size_t n = 0;

	if (plan->points)
		return STATUS_OK;
	for (size_t g = 0; g < plan->n_grids; g++) {
		const struct plan_grid *grid = &plan->grids[g];
		uint64_t runs = (uint64_t)grid->n_models * grid->n_traces;

		if (runs > PLAN_POINTS_MAX || runs * grid->n_steps > PLAN_POINTS_MAX - total)
			return yaml_tree_error(plan->spec, &plan->spec->root, diag,
					       "more than %d points", PLAN_POINTS_MAX);
		total += runs * grid->n_steps;
	}
	plan->points = calloc(total + 1, sizeof(*plan->points));
	if (!plan->points)
		return no_memory(diag);
	for (uint32_t t = 0; t < plan->n_traces; t++)
		list_points(plan, t, &n);
	plan->n_points = n;
	return STATUS_OK;
}

/* Single accesses as soon as one point of the trace cannot replay page runs. */
static enum trace_granularity granularity_of(const struct plan *plan, uint32_t trace)
{
	enum trace_granularity finest = TRACE_PAGE_RUNS;
	struct config config;

	for (size_t i = 0; i < plan->n_points && finest != TRACE_RAW; i++) {
		if (plan->points[i].trace != trace)
			continue;
		plan_config(plan, &plan->points[i], &config);
		if (input_granularity(&config) < finest)
			finest = input_granularity(&config);
	}
	return finest;
}

static enum exit_status open_trace(const struct plan *plan, uint32_t index, struct diag *diag)
{
	struct plan_trace *trace = &plan->traces[index];
	struct diag damage = DIAG_INIT;
	const struct trace_info *info;

	trace->reader = trace_open_any(trace->path, NULL, plan->salvage,
				       granularity_of(plan, index), &damage);
	if (!trace->reader)
		return diag_set(diag, damage.status, "%s", damage.text);
	info = trace_info(trace->reader);
	trace->name = (struct db_trace){ input_name(trace->path), info->content_digest,
					 trace_accesses(&info->totals) };
	if (damage.status == STATUS_OK)
		return STATUS_OK;
	trace->damage = malloc(sizeof(*trace->damage));
	if (!trace->damage)
		return no_memory(diag);
	*trace->damage = damage;
	return STATUS_OK;
}

enum exit_status plan_open_traces(struct plan *plan, struct diag *diag)
{
	enum exit_status status = list_all(plan, diag);

	for (uint32_t i = 0; status == STATUS_OK && i < plan->n_traces; i++)
		status = open_trace(plan, i, diag);
	return status;
}

/* Indices of points, by key and then by place in the plan. */
static int by_key(const void *a, const void *b, void *ctx)
{
	const struct plan_point *points = ctx;
	const size_t *ia = a, *ib = b;
	int order = strcmp(points[*ia].key, points[*ib].key);

	return order ? order : (*ia > *ib) - (*ia < *ib);
}

static enum exit_status drop_duplicates(struct plan *plan, struct diag *diag)
{
	size_t *order = calloc(plan->n_points + 1, sizeof(*order));
	size_t kept = 0;

	if (!order)
		return no_memory(diag);
	for (size_t i = 0; i < plan->n_points; i++)
		order[i] = i;
	qsort_r(order, plan->n_points, sizeof(*order), by_key, plan->points);
	for (size_t i = plan->n_points; i-- > 1;) {
		if (strcmp(plan->points[order[i]].key, plan->points[order[i - 1]].key) == 0)
			plan->points[order[i]].key[0] = '\0';
	}
	free(order);
	for (size_t i = 0; i < plan->n_points; i++) {
		if (plan->points[i].key[0])
			plan->points[kept++] = plan->points[i];
	}
	plan->n_duplicates = plan->n_points - kept;
	plan->n_points = kept;
	return STATUS_OK;
}

enum exit_status plan_expand(struct plan *plan, struct diag *diag)
{
	enum exit_status status = list_all(plan, diag);
	struct params_text *text = params_text_create();
	struct config config;

	if (!text)
		status = no_memory(diag);
	for (size_t i = 0; status == STATUS_OK && i < plan->n_points; i++) {
		struct plan_point *point = &plan->points[i];

		plan_config(plan, point, &config);
		/* A file that cannot be used is no property of the point: nothing is run. */
		if (config.guest.image)
			status = image_file_load(config.guest.image, diag);
		if (status == STATUS_OK)
			db_key(text, &config, plan->traces[point->trace].name.digest, point->key);
	}
	params_text_free(text);
	return status ? status : drop_duplicates(plan, diag);
}

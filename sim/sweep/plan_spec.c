/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the YAML of a sweep spec into grids. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "sweep/plan.h"

/* One grid while it is read: where it may fall back to what stands above the grids. */
struct reading {
	struct plan *plan;
	struct plan_grid *grid;
	const struct yaml_node *node, *above;	   /* above: NULL when the spec is one grid */
	const struct yaml_item *seen[PARAM_COUNT]; /* who set each parameter of this grid */
	struct diag *diag;
};

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* Refuse keys of a map that are none of `names` (ends with NULL). */
static enum exit_status check_keys(const struct plan *plan, const struct yaml_node *map,
				   const char *const *names, struct diag *diag)
{
	for (size_t i = 0; i < map->n_items; i++) {
		const struct yaml_item *item = &map->items[i];
		struct suggest search;
		size_t k = 0;

		suggest_init(&search, item->key);
		for (; names[k] && strcmp(names[k], item->key) != 0; k++)
			suggest_offer(&search, names[k]);
		if (names[k])
			continue;
		if (search.best)
			return yaml_tree_key_error(plan->spec, item, diag,
						   "unknown key '%.80s'; did you mean '%s'?",
						   item->key, search.best);
		return yaml_tree_key_error(plan->spec, item, diag, "unknown key '%.80s'",
					   item->key);
	}
	return STATUS_OK;
}

static enum exit_status expect_kind(const struct plan *plan, const struct yaml_node *node,
				    enum yaml_kind kind, const char *key, struct diag *diag)
{
	if (node->kind == kind)
		return STATUS_OK;
	return yaml_tree_error(plan->spec, node, diag, "%s: %s was expected, found %s", key,
			       yaml_kind_name(kind), yaml_kind_name(node->kind));
}

/* Index of a model, loaded at its first mention. */
static enum exit_status add_model(struct plan *plan, const struct yaml_node *node, uint32_t *index,
				  struct diag *diag)
{
	struct model **grown, *model = model_load(node->text, diag);

	if (!model) {
		diag_place(diag, "%s:%u:%u", plan->spec->path, node->line, node->column);
		return diag->status;
	}
	for (size_t i = 0; i < plan->n_models; i++) {
		if (strcmp(plan->models[i]->files[0]->path, model->files[0]->path) == 0) {
			*index = (uint32_t)i;
			model_free(model);
			return STATUS_OK;
		}
	}
	grown = reallocarray(plan->models, plan->n_models + 1, sizeof(*grown));
	if (!grown) {
		model_free(model);
		return no_memory(diag);
	}
	plan->models = grown;
	*index = (uint32_t)plan->n_models;
	grown[plan->n_models++] = model;
	return STATUS_OK;
}

/* A relative path is looked up from the spec's folder, then from the current one. */
static char *trace_path_of(const struct plan *plan, const char *text)
{
	const char *slash = strrchr(plan->spec->path, '/');
	char *path = NULL;

	if (*text != '/' && slash) {
		if (asprintf(&path, "%.*s/%s", (int)(slash - plan->spec->path), plan->spec->path,
			     text) < 0)
			return NULL;
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return strdup(text);
}

static enum exit_status add_trace(struct plan *plan, const struct yaml_node *node, uint32_t *index,
				  struct diag *diag)
{
	struct plan_trace *grown;
	char *path = trace_path_of(plan, node->text);

	if (!path)
		return no_memory(diag);
	for (size_t i = 0; i < plan->n_traces; i++) {
		if (strcmp(plan->traces[i].path, path) == 0) {
			*index = (uint32_t)i;
			free(path);
			return STATUS_OK;
		}
	}
	if (access(path, F_OK) != 0) {
		diag_set(diag, STATUS_NO_INPUT, "%s: no such trace", path);
		diag_place(diag, "%s:%u:%u", plan->spec->path, node->line, node->column);
		free(path);
		return STATUS_NO_INPUT;
	}
	grown = reallocarray(plan->traces, plan->n_traces + 1, sizeof(*grown));
	if (!grown) {
		free(path);
		return no_memory(diag);
	}
	plan->traces = grown;
	*index = (uint32_t)plan->n_traces;
	grown[plan->n_traces++] = (struct plan_trace){ .path = path };
	return STATUS_OK;
}

/* `models` or `traces`: one name or a list of them, from the grid or from above it. */
static enum exit_status read_names(struct reading *reading, const char *key,
				   enum exit_status (*add)(struct plan *plan,
							   const struct yaml_node *node,
							   uint32_t *index, struct diag *diag),
				   uint32_t **indices, size_t *n_indices)
{
	const struct plan *plan = reading->plan;
	const struct yaml_node *node = yaml_tree_get(reading->node, key);
	size_t n;

	if (!node && reading->above)
		node = yaml_tree_get(reading->above, key);
	n = node && node->kind == YAML_LIST ? node->n_items : 1;
	if (!node || n == 0 || (node->kind == YAML_SCALAR && *node->text == '\0'))
		return yaml_tree_error(plan->spec, node ? node : reading->node, reading->diag,
				       "no '%s:'; at least one is needed", key);
	*indices = calloc(n, sizeof(**indices));
	if (!*indices)
		return no_memory(reading->diag);
	for (size_t i = 0; i < n; i++) {
		const struct yaml_node *item =
			node->kind == YAML_LIST ? &node->items[i].value : node;
		enum exit_status status = expect_kind(plan, item, YAML_SCALAR, key, reading->diag);

		if (status == STATUS_OK)
			status = add(reading->plan, item, &(*indices)[i], reading->diag);
		if (status != STATUS_OK)
			return status;
	}
	*n_indices = n;
	return STATUS_OK;
}

/* The parameter that a key names; a grid sets each only once. */
static enum exit_status claim_param(struct reading *reading, const struct yaml_item *item,
				    const struct param **param)
{
	const struct yaml_tree *spec = reading->plan->spec;

	*param = params_find(item->key);
	if (!*param) {
		params_unknown(item->key, reading->diag);
		diag_place(reading->diag, "%s:%u:%u", spec->path, item->key_line, item->key_column);
		return STATUS_BAD_INPUT;
	}
	if (reading->seen[*param - params])
		return yaml_tree_key_error(spec, item, reading->diag,
					   "%s is already set in line %u", item->key,
					   reading->seen[*param - params]->key_line);
	reading->seen[*param - params] = item;
	return STATUS_OK;
}

/* Check a value through the parameter table and keep its field. */
static enum exit_status read_field(struct reading *reading, const struct param *param,
				   const struct yaml_node *node, uint64_t *field)
{
	struct config config = reading->plan->models[reading->grid->models[0]]->config;
	enum exit_status status =
		model_set_node(&config, param, reading->plan->spec, node, reading->diag);

	memcpy(field, (const char *)&config + param->offset, sizeof(*field));
	return status;
}

static enum exit_status add_axis(struct reading *reading, size_t n_params, size_t n_steps,
				 struct plan_axis **axis)
{
	struct plan_grid *grid = reading->grid;
	struct plan_axis *grown = reallocarray(grid->axes, grid->n_axes + 1, sizeof(*grown));

	if (!grown)
		return no_memory(reading->diag);
	grid->axes = grown;
	*axis = &grown[grid->n_axes++];
	**axis = (struct plan_axis){ .n_params = n_params, .n_steps = n_steps };
	(*axis)->params = calloc(n_params + 1, sizeof(*(*axis)->params));
	(*axis)->fields = calloc(n_params * n_steps + 1, sizeof(*(*axis)->fields));
	if (!(*axis)->params || !(*axis)->fields)
		return no_memory(reading->diag);
	if (n_steps && grid->n_steps > PLAN_POINTS_MAX / n_steps)
		return yaml_tree_error(reading->plan->spec, reading->node, reading->diag,
				       "more than %d points", PLAN_POINTS_MAX);
	grid->n_steps *= n_steps;
	return STATUS_OK;
}

/* One parameter of an axis: a list with one value a step. */
static enum exit_status read_axis_values(struct reading *reading, struct plan_axis *axis,
					 size_t which, const struct yaml_item *item)
{
	enum exit_status status = claim_param(reading, item, &axis->params[which]);
	const struct yaml_node *list = &item->value;

	for (size_t i = 0; status == STATUS_OK && i < list->n_items; i++)
		status = read_field(reading, axis->params[which], &list->items[i].value,
				    &axis->fields[i * axis->n_params + which]);
	return status;
}

static enum exit_status expect_values(struct reading *reading, const struct yaml_item *item)
{
	enum exit_status status =
		expect_kind(reading->plan, &item->value, YAML_LIST, item->key, reading->diag);

	if (status == STATUS_OK && item->value.n_items == 0)
		status = yaml_tree_error(reading->plan->spec, &item->value, reading->diag,
					 "%s: the list is empty", item->key);
	return status;
}

/* A zipped group: a map of lists that are equally long. */
static enum exit_status read_zip(struct reading *reading, const struct yaml_node *map)
{
	enum exit_status status = expect_kind(reading->plan, map, YAML_MAP, "zip", reading->diag);
	struct plan_axis *axis;

	if (status == STATUS_OK && map->n_items == 0)
		return STATUS_OK;
	for (size_t i = 0; status == STATUS_OK && i < map->n_items; i++) {
		const struct yaml_node *list = &map->items[i].value;
		size_t expected = map->items[0].value.n_items;

		status = expect_values(reading, &map->items[i]);
		if (status == STATUS_OK && list->n_items != expected)
			status = yaml_tree_error(
				reading->plan->spec, list, reading->diag,
				"%s has %zu values, but %s, which advances with it, has %zu",
				map->items[i].key, list->n_items, map->items[0].key, expected);
	}
	if (status == STATUS_OK)
		status = add_axis(reading, map->n_items, map->items[0].value.n_items, &axis);
	for (size_t i = 0; status == STATUS_OK && i < map->n_items; i++)
		status = read_axis_values(reading, axis, i, &map->items[i]);
	return status;
}

/* `zip:` one group or a list of groups. */
static enum exit_status read_zips(struct reading *reading, const struct yaml_node *node)
{
	enum exit_status status = STATUS_OK;

	if (!node)
		return STATUS_OK;
	if (node->kind != YAML_LIST)
		return read_zip(reading, node);
	for (size_t i = 0; status == STATUS_OK && i < node->n_items; i++)
		status = read_zip(reading, &node->items[i].value);
	return status;
}

/* `axes:` a map of lists, each an axis of its own. */
static enum exit_status read_axes(struct reading *reading, const struct yaml_node *node)
{
	enum exit_status status = STATUS_OK;
	struct plan_axis *axis;

	if (!node)
		return STATUS_OK;
	status = expect_kind(reading->plan, node, YAML_MAP, "axes", reading->diag);
	for (size_t i = 0; status == STATUS_OK && i < node->n_items; i++) {
		status = expect_values(reading, &node->items[i]);
		if (status == STATUS_OK)
			status = add_axis(reading, 1, node->items[i].value.n_items, &axis);
		if (status == STATUS_OK)
			status = read_axis_values(reading, axis, 0, &node->items[i]);
	}
	return status;
}

/* `set:` fixed values: an axis of one step. */
static enum exit_status read_set(struct reading *reading, const struct yaml_node *node)
{
	enum exit_status status;
	struct plan_axis *axis;

	if (!node)
		return STATUS_OK;
	status = expect_kind(reading->plan, node, YAML_MAP, "set", reading->diag);
	if (status == STATUS_OK)
		status = add_axis(reading, node->n_items, 1, &axis);
	for (size_t i = 0; status == STATUS_OK && i < node->n_items; i++) {
		status = claim_param(reading, &node->items[i], &axis->params[i]);
		if (status == STATUS_OK)
			status = read_field(reading, axis->params[i], &node->items[i].value,
					    &axis->fields[i]);
	}
	return status;
}

static enum exit_status read_grid(struct plan *plan, const struct yaml_node *node,
				  const struct yaml_node *above, struct diag *diag)
{
	struct plan_grid *grid = &plan->grids[plan->n_grids++];
	struct reading reading = {
		.plan = plan, .grid = grid, .node = node, .above = above, .diag = diag
	};
	enum exit_status status;

	grid->n_steps = 1;
	status = read_names(&reading, "models", add_model, &grid->models, &grid->n_models);
	if (status == STATUS_OK)
		status = read_names(&reading, "traces", add_trace, &grid->traces, &grid->n_traces);
	if (status == STATUS_OK && above) {
		status = read_set(&reading, yaml_tree_get(above, "set"));
		/* What stands above all grids is a default that a grid may set again. */
		memset(reading.seen, 0, sizeof(reading.seen));
	}
	if (status == STATUS_OK)
		status = read_set(&reading, yaml_tree_get(node, "set"));
	if (status == STATUS_OK)
		status = read_zips(&reading, yaml_tree_get(node, "zip"));
	if (status == STATUS_OK)
		status = read_axes(&reading, yaml_tree_get(node, "axes"));
	return status;
}

enum exit_status plan_read_spec(struct plan *plan, struct diag *diag)
{
	static const char *const one_grid[] = { "name", "description", "models", "traces", "set",
						"zip",	"axes",	       "print",	 NULL };
	static const char *const many_grids[] = { "name", "description", "models", "traces",
						  "set",  "grids",	 "print",  NULL };
	static const char *const inner_grid[] = { "name", "description", "models", "traces",
						  "set",  "zip",	 "axes",   NULL };
	const struct yaml_node *root = &plan->spec->root;
	const struct yaml_node *grids = yaml_tree_get(root, "grids");
	size_t n = grids && grids->kind == YAML_LIST ? grids->n_items : 1;
	enum exit_status status;

	status = expect_kind(plan, root, YAML_MAP, "a sweep", diag);
	if (status == STATUS_OK)
		status = check_keys(plan, root, grids ? many_grids : one_grid, diag);
	if (status == STATUS_OK && grids)
		status = expect_kind(plan, grids, YAML_LIST, "grids", diag);
	if (status == STATUS_OK && n == 0) {
		status = diag_set(diag, STATUS_BAD_INPUT, "grids: the list is empty");
		diag_place(diag, "%s:%u:%u", plan->spec->path, grids->line, grids->column);
	}
	if (status != STATUS_OK)
		return status;
	plan->grids = calloc(n + 1, sizeof(*plan->grids));
	if (!plan->grids)
		return no_memory(diag);
	if (!grids)
		return read_grid(plan, root, NULL, diag);
	for (size_t i = 0; i < n && status == STATUS_OK; i++) {
		const struct yaml_node *grid = &grids->items[i].value;

		status = expect_kind(plan, grid, YAML_MAP, "a grid", diag);
		if (status == STATUS_OK)
			status = check_keys(plan, grid, inner_grid, diag);
		if (status == STATUS_OK)
			status = read_grid(plan, grid, root, diag);
	}
	return status;
}

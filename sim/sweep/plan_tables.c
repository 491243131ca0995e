/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/plan_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/input.h"

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

static enum exit_status find_key(const struct plan *plan, const struct yaml_node *node,
				 const char *text, struct plan_key *key, struct diag *diag)
{
	*key = (struct plan_key){ .kind = PLAN_KEY_PARAM, .name = text };
	if (strcmp(text, "model") == 0) {
		key->kind = PLAN_KEY_MODEL;
		return STATUS_OK;
	}
	if (strcmp(text, "trace") == 0) {
		key->kind = PLAN_KEY_TRACE;
		return STATUS_OK;
	}
	key->param = params_find(text);
	if (key->param)
		return STATUS_OK;
	params_unknown(text, diag);
	diag_place(diag, "%s:%u:%u", plan->spec->path, node->line, node->column);
	return STATUS_BAD_INPUT;
}

/* `rows:` or `columns:`, one key or a list. */
static enum exit_status read_keys(const struct plan *plan, const struct yaml_node *node,
				  struct plan_key *keys, size_t *n_keys, struct diag *diag)
{
	const size_t n = node->kind == YAML_LIST ? node->n_items : 1;

	for (size_t i = 0; i < n; i++) {
		const struct yaml_node *item =
			node->kind == YAML_LIST ? &node->items[i].value : node;
		enum exit_status status;

		if (item->kind != YAML_SCALAR || i == PLAN_KEYS_MAX)
			return yaml_tree_error(plan->spec, item, diag,
					       "at most %d keys of parameters expected",
					       PLAN_KEYS_MAX);
		status = find_key(plan, item, item->text, &keys[i], diag);
		if (status != STATUS_OK)
			return status;
		++*n_keys;
	}
	return STATUS_OK;
}

/* The text that points with this value have. */
static enum exit_status canonical(const struct plan *plan, const struct plan_key *key,
				  const struct yaml_node *node, char **text, struct diag *diag)
{
	char buffer[PARAM_TEXT_MAX];
	struct config config;
	enum exit_status status;

	if (key->kind == PLAN_KEY_PARAM) {
		config = plan->models[0]->config;
		status = model_set_node(&config, key->param, plan->spec, node, diag);
		if (status != STATUS_OK)
			return status;
		params_format(&config, key->param, buffer);
	} else if (node->kind != YAML_SCALAR) {
		return yaml_tree_error(plan->spec, node, diag, "%s: a name was expected",
				       key->name);
	} else {
		snprintf(buffer, sizeof(buffer), "%s", node->text);
	}
	*text = strdup(buffer);
	return *text ? STATUS_OK : no_memory(diag);
}

/* `where:` a map of keys, each with one value or a list. */
static enum exit_status read_filters(const struct plan *plan, const struct yaml_node *map,
				     struct plan_table *table, struct diag *diag)
{
	if (map->kind != YAML_MAP || map->n_items > PLAN_KEYS_MAX)
		return yaml_tree_error(plan->spec, map, diag, "where: a map of at most %d expected",
				       PLAN_KEYS_MAX);
	for (size_t i = 0; i < map->n_items; i++) {
		struct plan_filter *filter = &table->filters[table->n_filters++];
		const struct yaml_node *node = &map->items[i].value;
		const size_t n = node->kind == YAML_LIST ? node->n_items : 1;
		enum exit_status status =
			find_key(plan, node, map->items[i].key, &filter->key, diag);

		if (status != STATUS_OK)
			return status;
		filter->texts = calloc(n + 1, sizeof(*filter->texts));
		if (!filter->texts)
			return no_memory(diag);
		for (size_t k = 0; status == STATUS_OK && k < n; k++)
			status = canonical(plan, &filter->key,
					   node->kind == YAML_LIST ? &node->items[k].value : node,
					   &filter->texts[filter->n_texts++], diag);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* Refuse keys of a map that are none of `names` (ends with NULL). */
static enum exit_status check_keys(const struct plan *plan, const struct yaml_node *map,
				   const char *const *names, struct diag *diag)
{
	for (size_t i = 0; i < map->n_items; i++) {
		size_t k = 0;

		while (names[k] && strcmp(names[k], map->items[i].key) != 0)
			k++;
		if (!names[k])
			return yaml_tree_key_error(plan->spec, &map->items[i], diag,
						   "unknown key '%.80s'", map->items[i].key);
	}
	return STATUS_OK;
}

/* Text that stands in a head: one line, not empty. */
static bool is_line(const struct yaml_node *node)
{
	if (node->kind != YAML_SCALAR || !*node->text)
		return false;
	for (const char *c = node->text; *c; c++)
		if ((unsigned char)*c < ' ')
			return false;
	return true;
}

/* An expression, or {name, value, digits}. */
static enum exit_status read_value(const struct plan *plan, const struct yaml_node *node,
				   struct plan_value *value, struct diag *diag)
{
	static const char *const names[] = { "name", "value", "digits", NULL };
	const bool is_map = node->kind == YAML_MAP;
	const struct yaml_node *text = is_map ? yaml_tree_get(node, "value") : node;
	const struct yaml_node *name = is_map ? yaml_tree_get(node, "name") : node;
	const struct yaml_node *digits = is_map ? yaml_tree_get(node, "digits") : NULL;

	if (is_map && check_keys(plan, node, names, diag) != STATUS_OK)
		return diag ? diag->status : STATUS_BAD_INPUT;
	if (!text || !is_line(text) || (name && !is_line(name)))
		return yaml_tree_error(plan->spec, node, diag,
				       "values: a statistic, or {name, value, digits} expected");
	value->name = name ? name->text : text->text;
	value->expr = stat_expr_parse(text->text, diag);
	if (!value->expr) {
		diag_place(diag, "%s:%u:%u", plan->spec->path, text->line, text->column);
		return diag ? diag->status : STATUS_BAD_INPUT;
	}
	value->digits = stat_expr_is_ratio(value->expr) ? 2 : 0;
	if (!digits)
		return STATUS_OK;
	if (digits->kind != YAML_SCALAR || strlen(digits->text) != 1 ||
	    !strchr("0123456789", *digits->text))
		return yaml_tree_error(plan->spec, digits, diag, "digits: 0 to 9 expected");
	value->digits = (unsigned)(*digits->text - '0');
	return STATUS_OK;
}

static enum exit_status read_values(const struct plan *plan, const struct yaml_node *list,
				    struct plan_table *table, struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	if (list->kind != YAML_LIST || list->n_items == 0 || list->n_items > PLAN_VALUES_MAX)
		return yaml_tree_error(plan->spec, list, diag, "values: a list of 1 to %d expected",
				       PLAN_VALUES_MAX);
	for (size_t i = 0; status == STATUS_OK && i < list->n_items; i++)
		status = read_value(plan, &list->items[i].value, &table->values[table->n_values++],
				    diag);
	return status;
}

static enum exit_status read_table(struct plan *plan, const struct yaml_node *node,
				   struct diag *diag)
{
	static const char *const names[] = { "title", "where", "rows", "columns", "values", NULL };
	struct plan_table *table = &plan->tables[plan->n_tables++];
	const struct yaml_node *title = yaml_tree_get(node, "title");
	const struct yaml_node *rows = yaml_tree_get(node, "rows");
	const struct yaml_node *columns = yaml_tree_get(node, "columns");
	const struct yaml_node *where = yaml_tree_get(node, "where");
	const struct yaml_node *values = yaml_tree_get(node, "values");
	enum exit_status status = check_keys(plan, node, names, diag);

	table->node = node;
	if (status != STATUS_OK)
		return status;
	if (!title || !is_line(title) || !rows || !values)
		return yaml_tree_error(plan->spec, node, diag,
				       "a table needs 'title:', 'rows:' and 'values:'");
	table->title = title->text;
	status = read_keys(plan, rows, table->rows, &table->n_rows, diag);
	if (status == STATUS_OK && columns)
		status = read_keys(plan, columns, table->columns, &table->n_columns, diag);
	if (status == STATUS_OK && where)
		status = read_filters(plan, where, table, diag);
	return status == STATUS_OK ? read_values(plan, values, table, diag) : status;
}

enum exit_status plan_read_tables(struct plan *plan, struct diag *diag)
{
	const struct yaml_node *print = yaml_tree_get(&plan->spec->root, "print");
	enum exit_status status = STATUS_OK;

	if (!print)
		return STATUS_OK;
	if (print->kind != YAML_LIST)
		return yaml_tree_error(plan->spec, print, diag,
				       "print: a list of tables was expected");
	plan->tables = calloc(print->n_items + 1, sizeof(*plan->tables));
	if (!plan->tables)
		return no_memory(diag);
	for (size_t i = 0; status == STATUS_OK && i < print->n_items; i++)
		status = read_table(plan, &print->items[i].value, diag);
	return status;
}

void plan_free_tables(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_tables; i++) {
		struct plan_table *table = &plan->tables[i];

		for (size_t k = 0; k < table->n_values; k++)
			stat_expr_free(table->values[k].expr);
		for (size_t k = 0; k < table->n_filters; k++) {
			for (size_t t = 0; t < table->filters[k].n_texts; t++)
				free(table->filters[k].texts[t]);
			free(table->filters[k].texts);
		}
	}
	free(plan->tables);
}

void plan_key_text(const struct plan *plan, const struct plan_point *point,
		   const struct plan_key *key, char text[PARAM_TEXT_MAX])
{
	struct config config;
	char *dot;

	switch (key->kind) {
	case PLAN_KEY_MODEL:
		snprintf(text, PARAM_TEXT_MAX, "%s", plan->models[point->model]->name);
		return;
	case PLAN_KEY_TRACE:
		snprintf(text, PARAM_TEXT_MAX, "%s", input_name(plan->traces[point->trace].path));
		dot = strchr(text, '.');
		if (dot && dot != text)
			*dot = '\0';
		return;
	default:
		plan_config(plan, point, &config);
		params_format(&config, key->param, text);
	}
}

bool plan_table_takes(const struct plan *plan, const struct plan_table *table,
		      const struct plan_point *point)
{
	char text[PARAM_TEXT_MAX];

	for (size_t i = 0; i < table->n_filters; i++) {
		const struct plan_filter *filter = &table->filters[i];
		size_t k = 0;

		plan_key_text(plan, point, &filter->key, text);
		while (k < filter->n_texts && strcmp(filter->texts[k], text) != 0)
			k++;
		if (k == filter->n_texts)
			return false;
	}
	return true;
}

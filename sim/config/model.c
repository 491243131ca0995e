/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/model.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

static const char *const metadata_keys[] = { "name", "description", "base" };
static const char *const value_keys[] = { "value", "source", "assumed", "reason" };

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* "[a, b]" of a list of scalars. */
static enum exit_status list_text(const struct param *param, const struct yaml_tree *tree,
				  const struct yaml_node *node, char text[PARAM_TEXT_MAX],
				  struct diag *diag)
{
	size_t used = 1;

	if (param->type != PARAM_SIZES && param->type != PARAM_LEVELS)
		return yaml_tree_error(tree, node, diag, "%s takes one value, not a list",
				       param->key);
	strcpy(text, "[");
	for (size_t i = 0; i < node->n_items; i++) {
		const struct yaml_node *item = &node->items[i].value;
		int n;

		if (item->kind != YAML_SCALAR)
			return yaml_tree_error(tree, item, diag, "%s: a %s was expected",
					       param->key,
					       param->type == PARAM_SIZES ? "page size" : "level");
		n = snprintf(text + used, PARAM_TEXT_MAX - used, "%s%s", i ? ", " : "", item->text);
		if (n < 0 || used + (size_t)n + 2 > PARAM_TEXT_MAX)
			return yaml_tree_error(tree, item, diag, "%s: the list is too long",
					       param->key);
		used += (size_t)n;
	}
	snprintf(text + used, PARAM_TEXT_MAX - used, "]");
	return STATUS_OK;
}

enum exit_status model_set_node(struct config *config, const struct param *param,
				const struct yaml_tree *tree, const struct yaml_node *node,
				struct diag *diag)
{
	char buffer[PARAM_TEXT_MAX], expected[PARAM_TEXT_MAX];
	const char *text = node->text;
	enum exit_status status;

	if (node->kind == YAML_LIST) {
		status = list_text(param, tree, node, buffer, diag);
		if (status != STATUS_OK)
			return status;
		text = buffer;
	}
	if (node->kind == YAML_MAP || *text == '\0') {
		params_expectation(param, expected);
		return yaml_tree_error(tree, node, diag, "%s: a value is missing; expected %s%s",
				       param->key, param->type == PARAM_PLUGIN ? "one of " : "",
				       expected);
	}
	status = params_set_row(config, param, text, diag);
	diag_place(diag, "%s:%u:%u", tree->path, node->line, node->column);
	return status;
}

/* A key that none of `names` is, with the nearest of them. */
static enum exit_status unknown_key(const struct yaml_tree *tree, const struct yaml_item *item,
				    const char *const *names, size_t n, struct diag *diag)
{
	struct suggest search;

	suggest_init(&search, item->key);
	for (size_t i = 0; i < n; i++)
		suggest_offer(&search, names[i]);
	if (search.best)
		return yaml_tree_key_error(tree, item, diag,
					   "unknown key '%.80s'; did you mean '%s'?", item->key,
					   search.best);
	return yaml_tree_key_error(tree, item, diag, "unknown key '%.80s'", item->key);
}

/* {value: V, source: S} or {value: V, assumed: true, reason: R}. */
static enum exit_status read_origin(struct model_value *value, const struct yaml_tree *tree,
				    const struct yaml_node *map, struct diag *diag)
{
	const struct yaml_node *source = yaml_tree_get(map, "source");
	const struct yaml_node *assumed = yaml_tree_get(map, "assumed");
	const struct yaml_node *reason = yaml_tree_get(map, "reason");

	for (size_t i = 0; i < map->n_items; i++) {
		const struct yaml_item *item = &map->items[i];
		size_t k = 0;

		while (k < 4 && strcmp(value_keys[k], item->key) != 0)
			k++;
		if (k == 4)
			return unknown_key(tree, item, value_keys, 4, diag);
		if (k > 0 && (item->value.kind != YAML_SCALAR || *item->value.text == '\0'))
			return yaml_tree_error(tree, &item->value, diag, "%s: text was expected",
					       item->key);
	}
	if (assumed && strcmp(assumed->text, "true") != 0)
		return yaml_tree_error(tree, assumed, diag,
				       "assumed: 'true' was expected; leave it out otherwise");
	if (assumed && source)
		return yaml_tree_error(tree, assumed, diag,
				       "a value has a source or is assumed, not both");
	if (reason && !assumed)
		return yaml_tree_error(tree, reason, diag, "a reason goes with 'assumed: true'");
	if (source) {
		value->origin = ORIGIN_SOURCE;
		value->note = source->text;
	} else if (assumed) {
		value->origin = ORIGIN_ASSUMED;
		value->note = reason ? reason->text : NULL;
	}
	return STATUS_OK;
}

static enum exit_status apply_value(struct model *model, const struct param *param,
				    const struct yaml_tree *tree, const struct yaml_item *item,
				    struct diag *diag)
{
	struct model_value *value = &model->values[param - params];
	const struct yaml_node *node = &item->value;
	enum exit_status status;

	if (value->file == tree->path)
		return yaml_tree_key_error(tree, item, diag, "%s is already set in line %u",
					   param->key, value->line);
	*value = (struct model_value){ ORIGIN_PLAIN, NULL, tree->path, item->key_line,
				       item->key_column };
	if (node->kind == YAML_MAP) {
		status = read_origin(value, tree, node, diag);
		if (status != STATUS_OK)
			return status;
		node = yaml_tree_get(node, "value");
		if (!node)
			return yaml_tree_error(tree, &item->value, diag, "%s: no 'value:'",
					       param->key);
	}
	return model_set_node(&model->config, param, tree, node, diag);
}

/* Does any parameter's key begin with `prefix` and a dot? */
static int is_group(const char *prefix)
{
	size_t length = strlen(prefix);

	for (size_t i = 0; i < PARAM_COUNT; i++) {
		if (strncmp(params[i].key, prefix, length) == 0 && params[i].key[length] == '.')
			return 1;
	}
	return 0;
}

static int is_metadata(const char *key)
{
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(metadata_keys[i], key) == 0)
			return 1;
	}
	return 0;
}

/* Apply the parameters of a map whose keys continue `prefix` ("" at the top of the file). */
static enum exit_status apply_map(struct model *model, const struct yaml_tree *tree,
				  const struct yaml_node *map, const char *prefix,
				  struct diag *diag)
{
	enum exit_status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < map->n_items; i++) {
		const struct yaml_item *item = &map->items[i];
		const struct param *param;
		char key[256];

		if (!*prefix && is_metadata(item->key))
			continue;
		snprintf(key, sizeof(key), "%s%s%s", prefix, *prefix ? "." : "", item->key);
		param = params_find(key);
		if (param) {
			status = apply_value(model, param, tree, item, diag);
		} else if (!is_group(key)) {
			status = params_unknown(key, diag);
			diag_place(diag, "%s:%u:%u", tree->path, item->key_line, item->key_column);
		} else if (item->value.kind != YAML_MAP) {
			status = yaml_tree_error(tree, &item->value, diag,
						 "%s is a group of parameters; a map was expected",
						 key);
		} else {
			status = apply_map(model, tree, &item->value, key, diag);
		}
	}
	return status;
}

/* The text of a metadata key; NULL: absent. */
static enum exit_status metadata(const struct yaml_tree *tree, const char *key, const char **text,
				 struct diag *diag)
{
	const struct yaml_node *node = yaml_tree_get(&tree->root, key);

	*text = NULL;
	if (!node)
		return STATUS_OK;
	if (node->kind != YAML_SCALAR || *node->text == '\0')
		return yaml_tree_error(tree, node, diag, "%s: text was expected", key);
	*text = node->text;
	return STATUS_OK;
}

/* Has the file been read already? */
static int is_read(const struct model *model, const char *path)
{
	char real[PATH_MAX], other[PATH_MAX];

	if (!realpath(path, real))
		return 0;
	for (size_t i = 0; i < model->n_files; i++) {
		if (realpath(model->files[i]->path, other) && strcmp(real, other) == 0)
			return 1;
	}
	return 0;
}

static enum exit_status refuse_cycle(const struct model *model, const struct yaml_tree *tree,
				     const char *path, struct diag *diag)
{
	if (!is_read(model, path))
		return STATUS_OK;
	return yaml_tree_error(tree, yaml_tree_get(&tree->root, "base"), diag,
			       "base: %s is built upon itself", path);
}

/* A base beside the file that names it, else a model found as on the command line. */
static char *find_base(const struct yaml_tree *tree, const char *base, struct diag *diag)
{
	const char *slash = strrchr(tree->path, '/');
	int folder_length = slash ? (int)(slash - tree->path) + 1 : 0;
	static const char *const endings[] = { ".yaml", "" };
	char *path;

	for (size_t i = 0; i < 2 && *base != '/'; i++) {
		FILE *file;

		if (asprintf(&path, "%.*s%s%s", folder_length, tree->path, base, endings[i]) < 0) {
			no_memory(diag);
			return NULL;
		}
		file = fopen(path, "rb");
		if (file) {
			fclose(file);
			return path;
		}
		free(path);
	}
	path = model_find(base, diag);
	if (!path && yaml_tree_get(&tree->root, "base")) {
		const struct yaml_node *node = yaml_tree_get(&tree->root, "base");

		diag_place(diag, "%s:%u:%u", tree->path, node->line, node->column);
	}
	return path;
}

static enum exit_status load_file(struct model *model, const char *path, struct diag *diag);

/* The base that a file names. */
static enum exit_status load_base(struct model *model, const struct yaml_tree *tree,
				  const char *base, struct diag *diag)
{
	enum exit_status status;
	char *path;

	if (model->n_files == MODEL_BASES_MAX)
		return yaml_tree_error(tree, yaml_tree_get(&tree->root, "base"), diag,
				       "more than %d models upon each other", MODEL_BASES_MAX);
	path = find_base(tree, base, diag);
	if (!path)
		return diag ? diag->status : STATUS_NO_INPUT;
	status = refuse_cycle(model, tree, path, diag);
	if (status == STATUS_OK)
		status = load_file(model, path, diag);
	free(path);
	return status;
}

/* The model under all, once, below a file that names no base. */
static enum exit_status load_under_all(struct model *model, const struct yaml_tree *tree,
				       struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	char *path = find_base(tree, MODEL_UNDER_ALL, NULL);

	if (path && !is_read(model, path))
		status = load_file(model, path, diag);
	free(path);
	return status;
}

/* Read one file and, before it takes effect, its base. */
static enum exit_status load_file(struct model *model, const char *path, struct diag *diag)
{
	struct yaml_tree *tree = yaml_tree_load(path, diag);
	enum exit_status status;
	const char *base;

	if (!tree)
		return diag ? diag->status : STATUS_BAD_INPUT;
	model->files[model->n_files++] = tree;
	if (tree->root.kind != YAML_MAP)
		return yaml_tree_error(tree, &tree->root, diag,
				       "a map of parameters was expected, found %s",
				       yaml_kind_name(tree->root.kind));
	status = metadata(tree, "base", &base, diag);
	if (status == STATUS_OK)
		status = base ? load_base(model, tree, base, diag)
			      : load_under_all(model, tree, diag);
	return status ? status : apply_map(model, tree, &tree->root, "", diag);
}

static enum exit_status name_model(struct model *model, const char *path, struct diag *diag)
{
	const char *slash = strrchr(path, '/');
	const char *file_name = slash ? slash + 1 : path;
	const char *dot = strrchr(file_name, '.');
	enum exit_status status = metadata(model->files[0], "name", &model->name, diag);

	if (status == STATUS_OK)
		status = metadata(model->files[0], "description", &model->description, diag);
	if (status != STATUS_OK || model->name)
		return status;
	model->own_name = strndup(file_name, dot ? (size_t)(dot - file_name) : strlen(file_name));
	if (!model->own_name)
		return no_memory(diag);
	model->name = model->own_name;
	return STATUS_OK;
}

struct model *model_defaults(struct diag *diag)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model) {
		no_memory(diag);
		return NULL;
	}
	model->name = "default";
	if (params_defaults(&model->config, diag) == STATUS_OK)
		return model;
	model_free(model);
	return NULL;
}

struct model *model_load(const char *name_or_path, struct diag *diag)
{
	struct model *model = model_defaults(diag);
	enum exit_status status = STATUS_NO_INPUT;
	char *path;

	if (!model)
		return NULL;
	path = model_find(name_or_path, diag);
	if (path)
		status = load_file(model, path, diag);
	if (status == STATUS_OK)
		status = name_model(model, path, diag);
	free(path);
	if (status == STATUS_OK)
		return model;
	model_free(model);
	return NULL;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->n_files; i++)
		yaml_tree_free(model->files[i]);
	free(model->own_name);
	free(model);
}

enum exit_status model_set_option(struct model *model, const char *option, struct diag *diag)
{
	enum exit_status status = params_set_option(&model->config, option, diag);
	size_t length = strcspn(option, "=");

	for (size_t i = 0; status == STATUS_OK && i < PARAM_COUNT; i++) {
		if (strlen(params[i].key) == length && strncmp(params[i].key, option, length) == 0)
			model->values[i] = (struct model_value){ .origin = ORIGIN_OPTION };
	}
	return status;
}

enum exit_status model_check_sources(const struct model *model, struct diag *diag)
{
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		const struct model_value *value = &model->values[i];

		if (value->origin != ORIGIN_PLAIN)
			continue;
		diag_set(diag, STATUS_BAD_INPUT, "%s has neither 'source:' nor 'assumed: true'",
			 params[i].key);
		diag_place(diag, "%s:%u:%u", value->file, value->line, value->column);
		return STATUS_BAD_INPUT;
	}
	return STATUS_OK;
}

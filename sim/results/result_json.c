/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON of `twostage run`, one object a line. JSON is read as YAML, of which it is a part. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml_tree.h"
#include "results/result_set.h"

static const struct yaml_node *member(const struct yaml_tree *tree, const struct yaml_node *node,
				      const char *key, enum yaml_kind kind, struct diag *diag)
{
	const struct yaml_node *value = yaml_tree_get(node, key);

	if (value && value->kind == kind)
		return value;
	yaml_tree_error(tree, value ? value : node, diag,
			"no '%s' as `twostage run --json` prints it", key);
	return NULL;
}

/* A number in the base, 10 or 16; false with *diag. */
static bool read_number(const struct yaml_tree *tree, const struct yaml_node *node, int base,
			uint64_t *number, struct diag *diag)
{
	char *end = NULL;

	errno = 0;
	if (node->kind == YAML_SCALAR && node->text[0] >= '0')
		*number = strtoull(node->text, &end, base);
	if (end && !*end && !errno)
		return true;
	yaml_tree_error(tree, node, diag, "expected a number");
	return false;
}

/* Each parameter once, and no others. */
static enum exit_status read_params(const struct yaml_tree *tree, const struct yaml_node *node,
				    struct config *config, struct diag *diag)
{
	if (params_defaults(config, diag) != STATUS_OK)
		return diag->status;
	for (size_t i = 0; i < node->n_items; i++) {
		const struct yaml_item *item = &node->items[i];
		const struct param *param = params_find(item->key);

		if (!param)
			return yaml_tree_key_error(tree, item, diag,
						   "this version has no parameter '%s'", item->key);
		if (item->value.kind != YAML_SCALAR)
			return yaml_tree_error(tree, &item->value, diag, "expected a value");
		if (params_set_row(config, param, item->value.text, diag) != STATUS_OK) {
			diag_place(diag, "%s:%u:%u", tree->path, item->value.line,
				   item->value.column);
			return diag->status;
		}
	}
	for (size_t i = 0; i < PARAM_COUNT && node->n_items < PARAM_COUNT; i++)
		if (!yaml_tree_get(node, params[i].key))
			return yaml_tree_error(tree, node, diag, "lacks the parameter '%s'",
					       params[i].key);
	return STATUS_OK;
}

static enum exit_status read_stats(const struct yaml_tree *tree, const struct yaml_node *node,
				   struct stats *stats, struct diag *diag)
{
	for (size_t i = 0; i < STAT_COUNT; i++) {
		const struct yaml_node *value = yaml_tree_get(node, stat_rows[i].name);

		if (!value)
			return yaml_tree_error(tree, node, diag, "lacks the statistic '%s'",
					       stat_rows[i].name);
		if (!read_number(tree, value, 10, &stats->v[i], diag))
			return diag->status;
	}
	if (node->n_items != STAT_COUNT)
		return yaml_tree_error(tree, node, diag,
				       "has statistics that this version has not");
	return STATUS_OK;
}

static enum exit_status read_point(const struct yaml_tree *tree, struct result_set *set,
				   struct diag *diag)
{
	const struct yaml_node *root = &tree->root, *model, *engine, *trace, *name, *digest,
			       *accesses, *own, *stats;
	struct db_point point = { .status = DB_POINT_OK };

	if (!(engine = member(tree, root, "engine", YAML_SCALAR, diag)) ||
	    !(model = member(tree, root, "model", YAML_SCALAR, diag)) ||
	    !(trace = member(tree, root, "trace", YAML_MAP, diag)) ||
	    !(name = member(tree, trace, "name", YAML_SCALAR, diag)) ||
	    !(digest = member(tree, trace, "digest", YAML_SCALAR, diag)) ||
	    !(accesses = member(tree, trace, "accesses", YAML_SCALAR, diag)) ||
	    !(own = member(tree, root, "params", YAML_MAP, diag)) ||
	    !(stats = member(tree, root, "stats", YAML_MAP, diag)) ||
	    !read_number(tree, digest, 16, &point.trace.digest, diag) ||
	    !read_number(tree, accesses, 10, &point.trace.accesses, diag) ||
	    read_params(tree, own, &point.config, diag) != STATUS_OK ||
	    read_stats(tree, stats, &point.stats, diag) != STATUS_OK)
		return diag->status;
	point.engine = engine->text;
	point.model = model->text;
	point.trace.name = name->text;
	return result_set_add(set, &point, diag);
}

static enum exit_status read_line(struct result_set *set, char *line, size_t length,
				  unsigned number, struct diag *diag)
{
	struct yaml_tree *tree;
	char place[512];
	enum exit_status status;

	snprintf(place, sizeof(place), "%.480s: line %u", set->path, number);
	tree = yaml_tree_parse(place, line, length, diag);
	if (!tree)
		return diag->status;
	status = read_point(tree, set, diag);
	yaml_tree_free(tree);
	return status;
}

enum exit_status result_set_read_json(struct result_set *set, struct diag *diag)
{
	FILE *file = fopen(set->path, "r");
	enum exit_status status = STATUS_OK;
	char *line = NULL;
	size_t room = 0;
	unsigned number = 0;
	ssize_t length;

	if (!file)
		return diag_set(diag, STATUS_IO, "%s: %s", set->path, strerror(errno));
	while (status == STATUS_OK && (length = getline(&line, &room, file)) > 0) {
		number++;
		if (strspn(line, " \t\r\n") < (size_t)length)
			status = read_line(set, line, (size_t)length, number, diag);
	}
	if (status == STATUS_OK && ferror(file))
		status = diag_set(diag, STATUS_IO, "%s: %s", set->path, strerror(errno));
	free(line);
	fclose(file);
	return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/yaml_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, FILE_BYTES_MAX = 4 << 20 };

/* What one load needs: the parser, its latest event, and where to report. */
struct loader {
	yaml_parser_t parser;
	yaml_event_t event;
	int has_event;
	struct yaml_tree *tree;
	struct diag *diag;
};

static enum exit_status verror_at(const struct yaml_tree *tree, unsigned line, unsigned column,
				  struct diag *diag, const char *format, va_list args)
{
	diag_vset(diag, STATUS_BAD_INPUT, format, args);
	diag_place(diag, "%s:%u:%u", tree->path, line, column);
	return STATUS_BAD_INPUT;
}

enum exit_status yaml_tree_error(const struct yaml_tree *tree, const struct yaml_node *node,
				 struct diag *diag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	verror_at(tree, node->line, node->column, diag, format, args);
	va_end(args);
	return STATUS_BAD_INPUT;
}

enum exit_status yaml_tree_key_error(const struct yaml_tree *tree, const struct yaml_item *item,
				     struct diag *diag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	verror_at(tree, item->key_line, item->key_column, diag, format, args);
	va_end(args);
	return STATUS_BAD_INPUT;
}

const char *yaml_kind_name(enum yaml_kind kind)
{
	switch (kind) {
	case YAML_LIST:
		return "a list";
	case YAML_MAP:
		return "a map";
	case YAML_SCALAR:
		break;
	}
	return "a value";
}

static enum exit_status event_error(struct loader *loader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum exit_status event_error(struct loader *loader, const char *format, ...)
{
	const yaml_mark_t *mark = &loader->event.start_mark;
	va_list args;

	va_start(args, format);
	verror_at(loader->tree, (unsigned)mark->line + 1, (unsigned)mark->column + 1, loader->diag,
		  format, args);
	va_end(args);
	return STATUS_BAD_INPUT;
}

static enum exit_status syntax_error(struct loader *loader)
{
	const yaml_parser_t *parser = &loader->parser;
	const char *problem = parser->problem ? parser->problem : "cannot be read";

	if (parser->error == YAML_MEMORY_ERROR)
		return diag_set(loader->diag, STATUS_INTERNAL, "out of memory");
	diag_set(loader->diag, STATUS_BAD_INPUT, "not valid YAML: %s%s%s",
		 parser->context ? parser->context : "", parser->context ? ": " : "", problem);
	if (parser->error == YAML_READER_ERROR)
		diag_place(loader->diag, "%s: byte %zu", loader->tree->path,
			   parser->problem_offset);
	diag_place(loader->diag, "%s:%zu:%zu", loader->tree->path, parser->problem_mark.line + 1,
		   parser->problem_mark.column + 1);
	return STATUS_BAD_INPUT;
}

/* Drop the latest event and get the next one. */
static enum exit_status advance(struct loader *loader)
{
	if (loader->has_event)
		yaml_event_delete(&loader->event);
	loader->has_event = yaml_parser_parse(&loader->parser, &loader->event);
	return loader->has_event ? STATUS_OK : syntax_error(loader);
}

static enum exit_status no_memory(struct loader *loader)
{
	return diag_set(loader->diag, STATUS_INTERNAL, "out of memory");
}

/* A copy of the scalar of the latest event. */
static enum exit_status take_scalar(struct loader *loader, const char **text)
{
	const char *value = (const char *)loader->event.data.scalar.value;
	size_t length = loader->event.data.scalar.length;

	if (memchr(value, 0, length))
		return event_error(loader, "a NUL character");
	*text = strdup(value);
	return *text ? STATUS_OK : no_memory(loader);
}

/* A new last item of a list or map; NULL: out of memory. */
static struct yaml_item *append_item(struct yaml_node *node)
{
	struct yaml_item *items = node->items;

	/* Grown at each power of two: the capacity needs no field of its own. */
	if ((node->n_items & (node->n_items - 1)) == 0) {
		size_t capacity = node->n_items ? 2 * node->n_items : 1;

		items = reallocarray(items, capacity, sizeof(*items));
		if (!items)
			return NULL;
		node->items = items;
	}
	memset(&items[node->n_items], 0, sizeof(*items));
	return &items[node->n_items++];
}

/* The latest event is a key of the map `node`: make an item of it and go to its value. */
static enum exit_status load_key(struct loader *loader, struct yaml_node *node)
{
	struct yaml_item *item;
	enum exit_status status;

	if (loader->event.type != YAML_SCALAR_EVENT)
		return event_error(loader, "a key must be a plain word");
	if (loader->event.data.scalar.anchor || loader->event.data.scalar.tag)
		return event_error(loader, "anchors and tags are not used here");
	item = append_item(node);
	if (!item)
		return no_memory(loader);
	item->key_line = (unsigned)loader->event.start_mark.line + 1;
	item->key_column = (unsigned)loader->event.start_mark.column + 1;
	status = take_scalar(loader, &item->key);
	for (size_t i = 0; status == STATUS_OK && i + 1 < node->n_items; i++) {
		if (strcmp(node->items[i].key, item->key) == 0)
			return event_error(loader, "duplicate key '%s'; it is already in line %u",
					   item->key, node->items[i].key_line);
	}
	return status ? status : advance(loader);
}

static enum exit_status load_node(struct loader *loader, struct yaml_node *node, int depth);

static enum exit_status load_collection(struct loader *loader, struct yaml_node *node, int depth)
{
	yaml_event_type_t end =
		node->kind == YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	enum exit_status status;

	if (depth >= DEPTH_MAX)
		return event_error(loader, "nested deeper than %d", DEPTH_MAX);
	status = advance(loader);
	while (status == STATUS_OK && loader->event.type != end) {
		if (node->kind == YAML_MAP)
			status = load_key(loader, node);
		else if (!append_item(node))
			status = no_memory(loader);
		if (status == STATUS_OK)
			status =
				load_node(loader, &node->items[node->n_items - 1].value, depth + 1);
	}
	return status ? status : advance(loader);
}

/* The latest event begins a node; afterwards the latest event is the one behind it. */
static enum exit_status load_node(struct loader *loader, struct yaml_node *node, int depth)
{
	const yaml_event_t *event = &loader->event;
	enum exit_status status;

	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		if (event->data.scalar.anchor || event->data.scalar.tag)
			return event_error(loader, "anchors and tags are not used here");
		node->kind = YAML_SCALAR;
		status = take_scalar(loader, &node->text);
		return status ? status : advance(loader);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
			return event_error(loader, "anchors and tags are not used here");
		node->kind = YAML_LIST;
		return load_collection(loader, node, depth);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
			return event_error(loader, "anchors and tags are not used here");
		node->kind = YAML_MAP;
		return load_collection(loader, node, depth);
	case YAML_ALIAS_EVENT:
		return event_error(loader, "aliases are not used here");
	default:
		return event_error(loader, "a value was expected");
	}
}

static enum exit_status load_stream(struct loader *loader)
{
	struct yaml_node *root = &loader->tree->root;
	enum exit_status status = advance(loader); /* the start of the stream */

	if (status == STATUS_OK)
		status = advance(loader);
	if (status == STATUS_OK && loader->event.type == YAML_STREAM_END_EVENT) {
		*root = (struct yaml_node){ .line = 1, .column = 1, .text = strdup("") };
		return root->text ? STATUS_OK : no_memory(loader);
	}
	if (status == STATUS_OK)
		status = advance(loader); /* into the document */
	if (status == STATUS_OK)
		status = load_node(loader, root, 0);
	if (status == STATUS_OK)
		status = advance(loader); /* behind the document */
	if (status == STATUS_OK && loader->event.type != YAML_STREAM_END_EVENT)
		status = event_error(loader, "a second document; one is expected");
	return status;
}

struct yaml_tree *yaml_tree_parse(const char *path, const char *text, size_t n_bytes,
				  struct diag *diag)
{
	struct loader loader = { .diag = diag };
	enum exit_status status;

	loader.tree = calloc(1, sizeof(*loader.tree));
	if (loader.tree)
		loader.tree->path = strdup(path);
	if (!loader.tree || !loader.tree->path || !yaml_parser_initialize(&loader.parser)) {
		yaml_tree_free(loader.tree);
		no_memory(&loader);
		return NULL;
	}
	yaml_parser_set_input_string(&loader.parser, (const unsigned char *)text, n_bytes);
	status = load_stream(&loader);
	if (loader.has_event)
		yaml_event_delete(&loader.event);
	yaml_parser_delete(&loader.parser);
	if (status == STATUS_OK)
		return loader.tree;
	yaml_tree_free(loader.tree);
	return NULL;
}

struct yaml_tree *yaml_tree_load(const char *path, struct diag *diag)
{
	FILE *file = fopen(path, "rb");
	struct yaml_tree *tree = NULL;
	char *text;
	size_t n_bytes;

	if (!file) {
		diag_set(diag, errno == ENOENT || errno == ENOTDIR ? STATUS_NO_INPUT : STATUS_IO,
			 "%s: %s", path, strerror(errno));
		return NULL;
	}
	text = malloc(FILE_BYTES_MAX + 1);
	if (!text) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		fclose(file);
		return NULL;
	}
	n_bytes = fread(text, 1, FILE_BYTES_MAX + 1, file);
	if (ferror(file))
		diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	else if (n_bytes > FILE_BYTES_MAX)
		diag_set(diag, STATUS_BAD_INPUT, "%s: larger than %d bytes", path, FILE_BYTES_MAX);
	else
		tree = yaml_tree_parse(path, text, n_bytes, diag);
	free(text);
	fclose(file);
	return tree;
}

static void free_node(struct yaml_node *node)
{
	for (size_t i = 0; i < node->n_items; i++) {
		free((char *)node->items[i].key);
		free_node(&node->items[i].value);
	}
	free(node->items);
	free((char *)node->text);
}

void yaml_tree_free(struct yaml_tree *tree)
{
	if (!tree)
		return;
	free_node(&tree->root);
	free(tree->path);
	free(tree);
}

const struct yaml_node *yaml_tree_get(const struct yaml_node *node, const char *key)
{
	if (node->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < node->n_items; i++) {
		if (strcmp(node->items[i].key, key) == 0)
			return &node->items[i].value;
	}
	return NULL;
}

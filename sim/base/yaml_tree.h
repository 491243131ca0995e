/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A YAML file as a tree whose every node knows its line and column. Refused, with the place:
 * aliases and anchors (they may be cyclic), tags, keys that are no plain words, duplicate keys,
 * more than one document, files of more than 4 MiB, nesting deeper than 32.
 */
#ifndef TWOSTAGE_BASE_YAML_TREE_H
#define TWOSTAGE_BASE_YAML_TREE_H

#include <stddef.h>

#include "base/diag.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_item;

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column;	 /* of its first character, from 1 */
	const char *text;	 /* scalar: its value, NUL-terminated; else NULL */
	struct yaml_item *items; /* list, map: in the order of the file */
	size_t n_items;
};

struct yaml_item {
	const char *key;	       /* map; list: NULL */
	unsigned key_line, key_column; /* map */
	struct yaml_node value;
};

struct yaml_tree {
	char *path;	       /* as given, for messages */
	struct yaml_node root; /* an empty file is a scalar of no text */
};

/* NULL on failure, with file, line and column in diag. The caller frees the tree. */
struct yaml_tree *yaml_tree_load(const char *path, struct diag *diag);

/* The same from memory; `path` is only the name in messages. */
struct yaml_tree *yaml_tree_parse(const char *path, const char *text, size_t n_bytes,
				  struct diag *diag);

/* `tree` may be NULL. */
void yaml_tree_free(struct yaml_tree *tree);

/* The value of `key` in a map; NULL: not there, or `node` is no map. */
const struct yaml_node *yaml_tree_get(const struct yaml_node *node, const char *key);

/* Report STATUS_BAD_INPUT at "file:line:column" of a node, or of the key of an item. */
enum exit_status yaml_tree_error(const struct yaml_tree *tree, const struct yaml_node *node,
				 struct diag *diag, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
enum exit_status yaml_tree_key_error(const struct yaml_tree *tree, const struct yaml_item *item,
				     struct diag *diag, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* "a list", "a map" or "a value": for messages. */
const char *yaml_kind_name(enum yaml_kind kind);

#endif

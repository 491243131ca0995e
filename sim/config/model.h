/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model files: YAML that sets parameters and says of each value where it comes from
 * (docs/config.md).
 */
#ifndef TWOSTAGE_CONFIG_MODEL_H
#define TWOSTAGE_CONFIG_MODEL_H

#include <stddef.h>

#include "base/diag.h"
#include "base/yaml_tree.h"
#include "config/config.h"
#include "config/params.h"

enum { MODEL_BASES_MAX = 16 };

/* The model under every other: what software costs. It may be missing: the parameter table's
 * defaults are the same numbers, without their sources. */
#define MODEL_UNDER_ALL "host-costs"

enum model_origin {
	ORIGIN_DEFAULT, /* of the parameter table */
	ORIGIN_PLAIN,	/* in a file, with neither source nor `assumed` */
	ORIGIN_SOURCE,	/* in a file; note: its source */
	ORIGIN_ASSUMED, /* in a file; note: the reason, may be NULL */
	ORIGIN_OPTION,	/* --set */
};

struct model_value {
	enum model_origin origin;
	const char *note;
	const char *file; /* that set it; NULL: none */
	unsigned line, column;
};

struct model {
	const char *name;	 /* what the file says, else its file name without .yaml */
	const char *description; /* may be NULL */
	struct config config;
	struct model_value values[PARAM_COUNT]; /* by row of the parameter table */
	/* Files read, the base of all last; they own the strings above. */
	struct yaml_tree *files[MODEL_BASES_MAX + 1];
	size_t n_files;
	char *own_name; /* backs `name` when the file does not say */
};

/*
 * Load a model by path, or by name: NAME.yaml in ./models, in ../models from the program's folder,
 * or in $TWOSTAGE_MODELS, in this order. NULL on failure, with the place in diag. model_free() it.
 */
struct model *model_load(const char *name_or_path, struct diag *diag);
void model_free(struct model *model);

/* A model named "default" that sets nothing. NULL on failure. */
struct model *model_defaults(struct diag *diag);

/* Apply "KEY=VALUE" of a command line. */
enum exit_status model_set_option(struct model *model, const char *option, struct diag *diag);

/* STATUS_BAD_INPUT, with its place, for the first value that has neither source nor `assumed`. */
enum exit_status model_check_sources(const struct model *model, struct diag *diag);

/* Set a parameter from a YAML value or list of values. Errors carry file, line and column. */
enum exit_status model_set_node(struct config *config, const struct param *param,
				const struct yaml_tree *tree, const struct yaml_node *node,
				struct diag *diag);

struct model_entry {
	char *name, *path;
};

/* The models that can be loaded by name, sorted by it. The caller frees with model_list_free(). */
enum exit_status model_list(struct model_entry **entries, size_t *n_entries, struct diag *diag);
void model_list_free(struct model_entry *entries, size_t n_entries);

/* The path of a model; NULL with a diagnostic: none. The caller frees it. */
char *model_find(const char *name_or_path, struct diag *diag);

#endif

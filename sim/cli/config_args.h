/* SPDX-License-Identifier: BSD-2-Clause */
/* The options --config and --set, for the commands that work on one configuration. */
#ifndef TWOSTAGE_CLI_CONFIG_ARGS_H
#define TWOSTAGE_CLI_CONFIG_ARGS_H

#include <argp.h>

#include "config/model.h"

enum { CONFIG_SETTINGS_MAX = 256 };

struct config_args {
	const char *model; /* NULL: the defaults of all parameters */
	const char *settings[CONFIG_SETTINGS_MAX];
	size_t n_settings;
};

/* The rows of argp options. */
/* clang-format off */
#define CONFIG_OPTIONS \
	{ "config", 'c', "MODEL", 0, "model by name or file (twostage model list)", 0 }, \
	{ "set", 's', "KEY=VALUE", 0, "set a parameter (twostage list params)", 0 }
/* clang-format on */

/* For the parser of the command: 0 if `key` is one of these options, else ARGP_ERR_UNKNOWN. */
error_t config_args_parse(struct config_args *args, int key, const char *text,
			  struct argp_state *state);

/* The configuration that they ask for, one that a core can have. NULL on failure; model_free() it.
 */
struct model *config_args_load(const struct config_args *args, struct diag *diag);

#endif

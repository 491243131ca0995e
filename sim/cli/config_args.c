/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/config_args.h"

#include "run/point.h"

error_t config_args_parse(struct config_args *args, int key, const char *text,
			  struct argp_state *state)
{
	switch (key) {
	case 'c':
		args->model = text;
		return 0;
	case 's':
		if (args->n_settings == CONFIG_SETTINGS_MAX)
			argp_error(state, "more than %d --set", CONFIG_SETTINGS_MAX);
		args->settings[args->n_settings++] = text;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct model *config_args_load(const struct config_args *args, struct diag *diag)
{
	struct model *model = args->model ? model_load(args->model, diag) : model_defaults(diag);

	for (size_t i = 0; model && i < args->n_settings; i++) {
		if (model_set_option(model, args->settings[i], diag) != STATUS_OK) {
			model_free(model);
			model = NULL;
		}
	}
	if (model && point_check(&model->config, diag) != STATUS_OK) {
		model_free(model);
		model = NULL;
	}
	return model;
}

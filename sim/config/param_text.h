/* SPDX-License-Identifier: BSD-2-Clause */
/* Parameter values as text: one parser and one canonical form for each type. */
#ifndef TWOSTAGE_CONFIG_PARAM_TEXT_H
#define TWOSTAGE_CONFIG_PARAM_TEXT_H

#include "base/diag.h"
#include "config/image_file.h"
#include "config/params.h"

union param_value {
	uint64_t number;
	const char *name;	       /* PARAM_PLUGIN: points into the registry */
	const struct image_file *file; /* PARAM_IMAGE: NULL: none */
};

/* On failure STATUS_BAD_INPUT, with what was expected in diag. */
enum exit_status param_text_parse(const struct param *param, const char *text,
				  union param_value *value, struct diag *diag);

/* The canonical text; parsing it gives `value` again. */
void param_text_format(const struct param *param, union param_value value,
		       char text[PARAM_TEXT_MAX]);

/* param_choices.c: the engine's own choices of a room by index; NULL behind the last. */
const char *param_choice(const char *room, size_t index, const char **help);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/params.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "config/param_text.h"

#define TYPE_INT	  PARAM_INT, NULL, NULL
#define TYPE_HEX	  PARAM_HEX, NULL, NULL
#define TYPE_BYTES	  PARAM_BYTES, NULL, NULL
#define TYPE_COUNT0(name) PARAM_COUNT0, #name, NULL
#define TYPE_SIZES	  PARAM_SIZES, NULL, NULL
#define TYPE_LEVELS	  PARAM_LEVELS, NULL, NULL
#define TYPE_PAGE	  PARAM_PAGE, NULL, NULL
#define TYPE_LEVEL	  PARAM_LEVEL, NULL, NULL
#define TYPE_GRANULE	  PARAM_GRANULE, NULL, NULL
#define TYPE_IMAGE	  PARAM_IMAGE, NULL, NULL
#define TYPE_PLUGIN(room) PARAM_PLUGIN, NULL, #room
#define TYPE_CHOICE(room) PARAM_PLUGIN, NULL, #room

const struct param params[PARAM_COUNT] = {
#define ROW(decides, key, field, type, unit, min, max, default_text, help)                         \
	{ key,	       PARAM_DECIDES_##decides,                                                    \
	  TYPE_##type, offsetof(struct config, field),                                             \
	  unit,	       min,                                                                        \
	  max,	       default_text,                                                               \
	  help },
#define PARAM(...)	   ROW(ALL, __VA_ARGS__)
#define PARAM_MAPPING(...) ROW(MAPPING, __VA_ARGS__)
#define PARAM_L2(...)	   ROW(L2, __VA_ARGS__)
#define PARAM_WALKS(...)   ROW(WALKS, __VA_ARGS__)
#define PARAM_PLACES(...)  ROW(PLACES, __VA_ARGS__)
#define PARAM_TIME(...)	   ROW(TIME, __VA_ARGS__)
#include "config/params.def"
#undef PARAM
#undef ROW
};

const struct param *params_find(const char *key)
{
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		if (strcmp(params[i].key, key) == 0)
			return &params[i];
	}
	return NULL;
}

static size_t count_dots(const char *key)
{
	size_t n = 0;

	for (; *key; key++)
		n += *key == '.';
	return n;
}

/* Bytes of the first n_dots + 1 parts of a key. */
static size_t prefix_length(const char *key, size_t n_dots)
{
	const char *end = key;

	for (;;) {
		end += strcspn(end, ".");
		if (!*end || n_dots-- == 0)
			return (size_t)(end - key);
		end++;
	}
}

enum exit_status params_unknown(const char *key, struct diag *diag)
{
	char groups[PARAM_COUNT][64];
	size_t n_dots = count_dots(key);
	struct suggest search;

	suggest_init(&search, key);
	for (size_t i = 0; i < PARAM_COUNT; i++)
		suggest_offer(&search, params[i].key);
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		snprintf(groups[i], sizeof(groups[i]), "%.*s",
			 (int)prefix_length(params[i].key, n_dots), params[i].key);
		suggest_offer(&search, groups[i]);
	}
	if (search.best)
		return diag_set(diag, STATUS_BAD_INPUT,
				"unknown parameter '%.80s'; did you mean '%s'?", key, search.best);
	return diag_set(diag, STATUS_BAD_INPUT,
			"unknown parameter '%.80s'; 'twostage list params' names them all", key);
}

enum exit_status params_defaults(struct config *config, struct diag *diag)
{
	struct diag why = DIAG_INIT;

	memset(config, 0, sizeof(*config));
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		if (params_set_row(config, &params[i], params[i].default_text, &why) != STATUS_OK)
			return diag_set(diag, STATUS_INTERNAL, "default of %s: %s", params[i].key,
					why.text);
	}
	return STATUS_OK;
}

static void *field_of(struct config *config, const struct param *param)
{
	return (char *)config + param->offset;
}

enum exit_status params_set_row(struct config *config, const struct param *param, const char *text,
				struct diag *diag)
{
	union param_value value;
	enum exit_status status = param_text_parse(param, text, &value, diag);

	if (status != STATUS_OK)
		return status;
	if (param->type == PARAM_PLUGIN)
		memcpy(field_of(config, param), &value.name, sizeof(value.name));
	else if (param->type == PARAM_IMAGE)
		memcpy(field_of(config, param), &value.file, sizeof(value.file));
	else
		memcpy(field_of(config, param), &value.number, sizeof(value.number));
	return STATUS_OK;
}

enum exit_status params_set(struct config *config, const char *key, const char *text,
			    struct diag *diag)
{
	const struct param *param = params_find(key);

	return param ? params_set_row(config, param, text, diag) : params_unknown(key, diag);
}

enum exit_status params_set_option(struct config *config, const char *option, struct diag *diag)
{
	const char *equals = strchr(option, '=');
	enum exit_status status;
	char *key;

	if (!equals) {
		status = diag_set(diag, STATUS_BAD_INPUT, "no '='; expected KEY=VALUE");
	} else {
		key = strndup(option, (size_t)(equals - option));
		if (!key)
			return diag_set(diag, STATUS_INTERNAL, "out of memory");
		status = params_set(config, key, equals + 1, diag);
		free(key);
	}
	if (status != STATUS_OK)
		diag_place(diag, "--set %.200s", option);
	return status;
}

int params_is_number(const struct param *param)
{
	return param->type == PARAM_INT || param->type == PARAM_BYTES ||
	       param->type == PARAM_COUNT0;
}

uint64_t params_number(const struct config *config, const struct param *param)
{
	uint64_t number;

	memcpy(&number, (const char *)config + param->offset, sizeof(number));
	return number;
}

void params_format(const struct config *config, const struct param *param,
		   char text[PARAM_TEXT_MAX])
{
	union param_value value;

	if (param->type == PARAM_PLUGIN)
		memcpy(&value.name, (const char *)config + param->offset, sizeof(value.name));
	else if (param->type == PARAM_IMAGE)
		memcpy(&value.file, (const char *)config + param->offset, sizeof(value.file));
	else
		value.number = params_number(config, param);
	param_text_format(param, value, text);
}

/* Every field is 64 bits: a number, or a name or image that exists once. */
static bool same_field(const struct config *a, const struct config *b, const struct param *param)
{
	return memcmp((const char *)a + param->offset, (const char *)b + param->offset,
		      sizeof(uint64_t)) == 0;
}

bool params_agree(const struct config *a, const struct config *b, unsigned decides)
{
	for (size_t i = 0; i < PARAM_COUNT; i++)
		if (decides >> params[i].decides & 1 && !same_field(a, b, &params[i]))
			return false;
	return true;
}

uint64_t params_hash(const struct config *config, unsigned decides, uint64_t seed)
{
	uint64_t hash = seed;

	for (size_t i = 0; i < PARAM_COUNT; i++)
		if (decides >> params[i].decides & 1) {
			hash = (hash ^ params_number(config, &params[i])) *
			       UINT64_C(0x9e3779b97f4a7c15);
			hash ^= hash >> 32;
		}
	return hash;
}

/* A key, '=', a value and the end of the line. */
enum { PARAM_LINE_MAX = PARAM_TEXT_MAX + 64 };

static int by_key(const void *a, const void *b)
{
	const struct param *const *pa = a, *const *pb = b;

	return strcmp((*pa)->key, (*pb)->key);
}

struct params_line {
	const struct param *param;
	uint64_t field; /* as it is in struct config */
	size_t n_bytes;
	char text[PARAM_LINE_MAX];
};

struct params_text {
	bool filled;
	struct params_line lines[PARAM_COUNT]; /* sorted by key */
	char all[PARAM_COUNT * PARAM_LINE_MAX];
};

struct params_text *params_text_create(void)
{
	struct params_text *text = calloc(1, sizeof(*text));
	const struct param *sorted[PARAM_COUNT];

	if (!text)
		return NULL;
	for (size_t i = 0; i < PARAM_COUNT; i++)
		sorted[i] = &params[i];
	qsort(sorted, PARAM_COUNT, sizeof(sorted[0]), by_key);
	for (size_t i = 0; i < PARAM_COUNT; i++)
		text->lines[i].param = sorted[i];
	return text;
}

void params_text_free(struct params_text *text)
{
	free(text);
}

static void fill_line(struct params_line *line, const struct config *config, uint64_t field)
{
	char value[PARAM_TEXT_MAX];
	int n;

	params_format(config, line->param, value);
	n = snprintf(line->text, sizeof(line->text), "%s=%s\n", line->param->key, value);
	line->n_bytes = (size_t)n;
	line->field = field;
}

const char *params_text_of(struct params_text *text, const struct config *config, size_t *n_bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < PARAM_COUNT; i++) {
		struct params_line *line = &text->lines[i];
		uint64_t field;

		memcpy(&field, (const char *)config + line->param->offset, sizeof(field));
		if (!text->filled || field != line->field)
			fill_line(line, config, field);
		memcpy(text->all + n, line->text, line->n_bytes);
		n += line->n_bytes;
	}
	text->filled = true;
	text->all[n] = '\0';
	*n_bytes = n;
	return text->all;
}

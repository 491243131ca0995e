/* SPDX-License-Identifier: BSD-2-Clause */
/* The parameter table in use: params.def as rows, and struct config read and written through them.
 */
#ifndef TWOSTAGE_CONFIG_PARAMS_H
#define TWOSTAGE_CONFIG_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"

enum param_type {
	PARAM_INT,
	PARAM_HEX,
	PARAM_BYTES,
	PARAM_COUNT0,
	PARAM_SIZES,
	PARAM_LEVELS,
	PARAM_PAGE,
	PARAM_LEVEL,
	PARAM_GRANULE,
	PARAM_IMAGE,
	PARAM_PLUGIN,
};

/* What a parameter decides at most (params.def). */
enum param_decides {
	PARAM_DECIDES_ALL,
	PARAM_DECIDES_MAPPING,
	PARAM_DECIDES_L2,
	PARAM_DECIDES_WALKS,
	PARAM_DECIDES_PLACES,
	PARAM_DECIDES_TIME,
};

struct param {
	const char *key;
	enum param_decides decides;
	enum param_type type;
	const char *zero_name; /* PARAM_COUNT0: how 0 is written; else NULL */
	const char *room;      /* PARAM_PLUGIN: the room's name; else NULL */
	size_t offset;	       /* of the field in struct config */
	const char *unit;
	uint64_t min, max;
	const char *default_text; /* canonical */
	const char *help;
};

/* The number of rows. */
enum {
	PARAM_COUNT = 0
#define PARAM(...) +1
#include "config/params.def"
#undef PARAM
};

/* Size of a buffer that holds any parameter as text. */
enum { PARAM_TEXT_MAX = 320 };

extern const struct param params[PARAM_COUNT];

/* NULL: no such key. */
const struct param *params_find(const char *key);

/* Report an unknown key, with the nearest known one. */
enum exit_status params_unknown(const char *key, struct diag *diag);

/* Fill every field with its default. STATUS_INTERNAL: the table contradicts itself. */
enum exit_status params_defaults(struct config *config, struct diag *diag);

/*
 * Set one parameter from text. On failure *config is unchanged and diag says what was expected; the
 * caller adds the place. Text may be in any accepted form; see docs/config.md.
 */
enum exit_status params_set(struct config *config, const char *key, const char *text,
			    struct diag *diag);
enum exit_status params_set_row(struct config *config, const struct param *param, const char *text,
				struct diag *diag);

/* Apply "KEY=VALUE" as `--set` does; the place is "--set KEY=VALUE". */
enum exit_status params_set_option(struct config *config, const char *option, struct diag *diag);

/* The canonical text of one parameter; params_set_row() of it gives the same field. */
void params_format(const struct config *config, const struct param *param,
		   char text[PARAM_TEXT_MAX]);

/* Is it a plain number in JSON and in the database (bytes for sizes)? Others are text. */
int params_is_number(const struct param *param);
uint64_t params_number(const struct config *config, const struct param *param);

/*
 * Every parameter as "key=value\n", sorted by key: what digests are taken of. For many
 * configurations one after the other: only what differs from the one before is written anew. The
 * text holds until the next call. A memory image must be loaded before, because its digest is part
 * of its text. NULL: out of memory.
 */
struct params_text;
struct params_text *params_text_create(void);
void params_text_free(struct params_text *text); /* may be NULL */
const char *params_text_of(struct params_text *text, const struct config *config, size_t *n_bytes);

/*
 * Are all parameters equal that decide one of `decides`, a mask of 1 << enum param_decides? Of
 * memory images: the same file as loaded.
 */
bool params_agree(const struct config *a, const struct config *b, unsigned decides);

/* A hash of these parameters. It holds in this process only. */
uint64_t params_hash(const struct config *config, unsigned decides, uint64_t seed);

/* "a whole number", "4K, 16K or 64K", ...: what a value of this parameter looks like. */
void params_expectation(const struct param *param, char text[PARAM_TEXT_MAX]);

/* Plug-ins of a room by index, for lists; NULL behind the last. `help` may be NULL. */
const char *params_plugin(const char *room, size_t index, const char **help);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "results/result_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

/* All texts of a point, one behind the other, each with its NUL. NULL: no memory. */
static char *join_texts(const struct db_point *point)
{
	char text[PARAM_TEXT_MAX], *joined = NULL;
	size_t n_bytes;
	FILE *out = open_memstream(&joined, &n_bytes);

	if (!out)
		return NULL;
	fprintf(out, "%s%c%s%c%s%c", point->model, 0, point->trace.name, 0, point->engine, 0);
	for (size_t i = 0; i < PARAM_COUNT; i++) {
		params_format(&point->config, &params[i], text);
		fprintf(out, "%s%c", text, 0);
	}
	if (fclose(out) == 0)
		return joined;
	free(joined);
	return NULL;
}

static const char *next_text(const char **at)
{
	const char *text = *at;

	*at += strlen(text) + 1;
	return text;
}

enum exit_status result_set_add(struct result_set *set, const struct db_point *point,
				struct diag *diag)
{
	struct result_point *own;
	const char *at;

	if (set->n == set->room) {
		const size_t room = set->room ? 2 * set->room : 16;
		void *fresh = reallocarray(set->point, room, sizeof(*set->point));

		if (!fresh)
			return no_memory(diag);
		set->point = fresh;
		set->room = room;
	}
	own = &set->point[set->n];
	*own = (struct result_point){
		.digest = point->trace.digest,
		.accesses = point->trace.accesses,
		.status = point->status,
		.stats = point->stats,
		.storage = join_texts(point),
	};
	if (!own->storage)
		return no_memory(diag);
	memcpy(own->key, point->key, sizeof(own->key));
	at = own->storage;
	own->model = next_text(&at);
	own->trace = next_text(&at);
	own->engine = next_text(&at);
	for (size_t i = 0; i < PARAM_COUNT; i++)
		own->text[i] = next_text(&at);
	set->n++;
	return STATUS_OK;
}

static enum exit_status add_visited(void *ctx, const struct db_point *point, struct diag *diag)
{
	return result_set_add(ctx, point, diag);
}

static enum exit_status read_database(struct result_set *set, struct diag *diag)
{
	struct db *db = db_open(set->path, DB_READ, diag);

	if (!db)
		return diag->status;
	db_scan(db, add_visited, set, diag);
	db_close(db, diag);
	return diag->status;
}

/* What the first bytes of the file say it is. */
static enum exit_status read_file(struct result_set *set, struct diag *diag)
{
	static const char database[] = "SQLite format 3";
	char head[sizeof(database)] = "";
	FILE *file = fopen(set->path, "rb");
	size_t n;

	if (!file)
		return diag_set(diag, errno == ENOENT ? STATUS_NO_INPUT : STATUS_IO, "%s: %s",
				set->path, strerror(errno));
	n = fread(head, 1, sizeof(head), file);
	if (n < sizeof(head) && ferror(file))
		diag_set(diag, STATUS_IO, "%s: %s", set->path, strerror(errno));
	fclose(file);
	if (diag->status != STATUS_OK)
		return diag->status;
	if (n == sizeof(database) && memcmp(head, database, sizeof(database)) == 0)
		return read_database(set, diag);
	if (head[0] == '{')
		return result_set_read_json(set, diag);
	return diag_set(diag, STATUS_BAD_INPUT,
			"%s: neither a result database nor JSON of `twostage run`", set->path);
}

/* ---- selectors ----------------------------------------------------------------------------- */

static void drop_point(struct result_set *set, size_t index)
{
	free(set->point[index].storage);
	set->point[index] = set->point[--set->n];
}

/* Keep the points for which `text_of` gives `wanted`. */
static void keep(struct result_set *set, const struct param *param, const char *name,
		 const char *wanted)
{
	for (size_t i = set->n; i-- > 0;) {
		const struct result_point *point = &set->point[i];
		const char *text = param			? point->text[param - params]
				   : strcmp(name, "model") == 0 ? point->model
								: point->trace;

		if (strcmp(text, wanted) != 0)
			drop_point(set, i);
	}
}

/* One term NAME=VALUE, which is changed. */
static enum exit_status keep_term(struct result_set *set, char *term, struct diag *diag)
{
	char *value = strchr(term, '='), text[PARAM_TEXT_MAX];
	const struct param *param;
	struct config config;

	if (!value)
		return diag_set(diag, STATUS_BAD_INPUT, "selector '%s': expected NAME=VALUE", term);
	*value++ = '\0';
	if (strcmp(term, "model") == 0 || strcmp(term, "trace") == 0) {
		keep(set, NULL, term, value);
		return STATUS_OK;
	}
	param = params_find(term);
	if (!param)
		return params_unknown(term, diag);
	if (params_defaults(&config, diag) != STATUS_OK ||
	    params_set_row(&config, param, value, diag) != STATUS_OK) {
		diag_place(diag, "selector %s=%s", term, value);
		return diag->status;
	}
	params_format(&config, param, text);
	keep(set, param, term, text);
	return STATUS_OK;
}

/* The comma behind a term, not one within a list in brackets; or its NUL. */
static char *term_end(char *term)
{
	int depth = 0;

	for (; *term && (*term != ',' || depth > 0); term++)
		depth += (*term == '[') - (*term == ']');
	return term;
}

static enum exit_status keep_terms(struct result_set *set, const char *selector, struct diag *diag)
{
	char *copy = strdup(selector), *at = copy;
	enum exit_status status = STATUS_OK;

	if (!copy)
		return no_memory(diag);
	while (status == STATUS_OK && at) {
		char *end = term_end(at);
		char *next = *end ? end + 1 : NULL;

		*end = '\0';
		status = keep_term(set, at, diag);
		at = next;
	}
	free(copy);
	return status;
}

static enum exit_status select_points(struct result_set *set, const char *selector,
				      struct diag *diag)
{
	const size_t length = strlen(selector);

	if (strchr(selector, '='))
		return keep_terms(set, selector, diag);
	if (length < 4 || length >= DB_KEY_TEXT || strspn(selector, "0123456789abcdef") != length)
		return diag_set(diag, STATUS_BAD_INPUT,
				"selector '%s': expected NAME=VALUE or the first digits of a key",
				selector);
	for (size_t i = set->n; i-- > 0;)
		if (strncmp(set->point[i].key, selector, length) != 0)
			drop_point(set, i);
	return STATUS_OK;
}

enum exit_status result_set_load(struct result_set *set, const char *name, struct diag *diag)
{
	const char *colon = access(name, F_OK) == 0 ? NULL : strchr(name, ':');
	enum exit_status status;

	memset(set, 0, sizeof(*set));
	set->path = colon ? strndup(name, (size_t)(colon - name)) : strdup(name);
	if (!set->path)
		return no_memory(diag);
	status = read_file(set, diag);
	if (status == STATUS_OK && colon)
		status = select_points(set, colon + 1, diag);
	if (status == STATUS_OK && !set->n)
		status = diag_set(diag, STATUS_BAD_INPUT,
				  colon ? "%s: no point is selected by it" : "%s: no points", name);
	if (status != STATUS_OK)
		result_set_free(set);
	return status;
}

void result_set_free(struct result_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free(set->point[i].storage);
	free(set->point);
	free(set->path);
	memset(set, 0, sizeof(*set));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file `plan` in the folder of slices: lines "WORD VALUE..." that name all that tasks must
 * agree on. Whoever comes first writes it, all others compare.
 */
#include "sweep/slice_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "run/point.h"
#include "sweep/slice.h"

/* The first line; a change of form changes it. */
static const char form[] = "twostage-slices 1";

char *slice_plan_folder(const char *database)
{
	char *folder;

	return asprintf(&folder, "%s.slices", database) < 0 ? NULL : folder;
}

static char *plan_path(const char *folder)
{
	char *path;

	return asprintf(&path, "%s/plan", folder) < 0 ? NULL : path;
}

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

static void write_keys(FILE *out, const struct plan *plan)
{
	XXH3_state_t *state = XXH3_createState();
	XXH128_hash_t hash = { 0 };

	if (state && XXH3_128bits_reset(state) == XXH_OK) {
		for (size_t i = 0; i < plan->n_points; i++)
			XXH3_128bits_update(state, plan->points[i].key, DB_KEY_TEXT);
		hash = XXH3_128bits_digest(state);
	}
	XXH3_freeState(state);
	fprintf(out, "keys %016" PRIx64 "%016" PRIx64 "\n", hash.high64, hash.low64);
}

/* Which points are in which slice. */
static void write_cut(FILE *out, const struct slices *slices)
{
	const struct plan *plan = slices->plan;
	XXH3_state_t *state = XXH3_createState();
	uint64_t hash = 0;

	if (state && XXH3_64bits_reset(state) == XXH_OK) {
		for (unsigned k = 0; k <= slices->n; k++)
			XXH3_64bits_update(state, &(uint64_t){ slices->first[k] }, 8);
		for (size_t i = 0; i < plan->n_points; i++)
			XXH3_64bits_update(state, plan->points[slices->order[i]].key, DB_KEY_TEXT);
		hash = XXH3_64bits_digest(state);
	}
	XXH3_freeState(state);
	fprintf(out, "cut %016" PRIx64 "\n", hash);
}

/* What the file must say; to be freed. Without `slices` all but how the plan was cut. */
static char *plan_text(const struct plan *plan, unsigned n, const struct slices *slices)
{
	char *text = NULL;
	size_t n_bytes = 0;
	FILE *out = open_memstream(&text, &n_bytes);

	if (!out)
		return NULL;
	fprintf(out, "%s\nslices %u\nsweep %s\nengine %s\n", form, n, plan->name, ENGINE_VERSION);
	for (size_t i = 0; i < plan->n_traces; i++)
		fprintf(out, "trace %016" PRIx64 " %s\n", plan->traces[i].name.digest,
			plan->traces[i].name.name);
	fprintf(out, "points %zu\n", plan->n_points);
	write_keys(out, plan);
	if (slices)
		write_cut(out, slices);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* The next line of *text, without its end; NULL behind the last. */
static const char *next_line(char **text)
{
	char *line = *text;
	char *end = strchr(line, '\n');

	if (*line == '\0')
		return NULL;
	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}

static int begins(const char *line, const char *word)
{
	return strncmp(line, word, strlen(word)) == 0;
}

/* One difference, in the user's terms. */
static enum exit_status report(const char *path, const char *is, const char *expected,
			       struct diag *diag)
{
	static const char *const advice =
		"keep what was run with `twostage db merge`, then remove the folder";

	if (begins(is, "engine ") && begins(expected, "engine "))
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: cut by %.40s, and this program is %s; %s", path, is, expected,
				advice);
	if (begins(is, "trace ") && begins(expected, "trace ") &&
	    strcmp(strrchr(is, ' '), strrchr(expected, ' ')) == 0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"%s: the trace%.200s has changed since the sweep was cut; %s", path,
				strrchr(expected, ' '), advice);
	if (begins(is, "slices ") && begins(expected, "slices "))
		return diag_set(diag, STATUS_BAD_INPUT, "%s: cut into %.20s slices, not %s", path,
				is + 7, expected + 7);
	if (begins(expected, "cut "))
		return diag_set(
			diag, STATUS_BAD_INPUT,
			"%s: another build of this program cut the sweep into other slices; "
			"keep what was run with --merge, then remove the folder",
			path);
	return diag_set(diag, STATUS_BAD_INPUT,
			"%s: the spec has changed since the sweep was cut ('%.100s' is now "
			"'%.100s'); %s",
			path, is, expected, advice);
}

static enum exit_status compare(const char *path, char *is, char *expected, struct diag *diag)
{
	for (;;) {
		const char *line = next_line(&is), *wanted = next_line(&expected);

		/* Not asked for, or not said before there was such a line. */
		if (!wanted && (!line || begins(line, "cut ")))
			return STATUS_OK;
		if (!line || !wanted || strcmp(line, wanted) != 0)
			return report(path, line ? line : "", wanted ? wanted : "", diag);
	}
}

/* The whole file; *text is NULL if it is not there. */
static enum exit_status read_text(const char *path, char **text, struct diag *diag)
{
	FILE *file = fopen(path, "r");
	size_t capacity = 0;
	ssize_t length;

	*text = NULL;
	if (!file && errno == ENOENT)
		return STATUS_OK;
	if (!file)
		return diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	errno = 0;
	length = getdelim(text, &capacity, '\0', file);
	fclose(file);
	if (length > 0 && begins(*text, form))
		return STATUS_OK;
	free(*text);
	*text = NULL;
	if (errno)
		return diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	return diag_set(diag, STATUS_BAD_INPUT, "%s: not '%s', as this program writes it", path,
			form);
}

static enum exit_status read_and_compare(const struct plan *plan, const struct slices *wanted,
					 const char *path, unsigned *n, struct diag *diag)
{
	enum exit_status status;
	unsigned n_wanted = *n;
	char *is, *expected;
	const char *slices;

	*n = 0;
	status = read_text(path, &is, diag);
	if (status != STATUS_OK || !is)
		return status;
	slices = strstr(is, "\nslices ");
	if (!slices || sscanf(slices + 8, "%u", n) != 1 || *n < 1 || *n > SLICES_MAX) {
		free(is);
		return diag_set(diag, STATUS_BAD_INPUT, "%s: does not say how many slices", path);
	}
	expected = plan_text(plan, n_wanted ? n_wanted : *n, wanted);
	status = expected ? compare(path, is, expected, diag) : no_memory(diag);
	free(is);
	free(expected);
	return status;
}

enum exit_status slices_find(const struct plan *plan, const char *database, unsigned *n,
			     struct diag *diag)
{
	char *folder = slice_plan_folder(database);
	char *path = folder ? plan_path(folder) : NULL;
	enum exit_status status;

	*n = 0;
	status = path ? read_and_compare(plan, NULL, path, n, diag) : no_memory(diag);
	free(path);
	free(folder);
	return status;
}

static enum exit_status write_text(const char *path, const char *text, struct diag *diag)
{
	FILE *file = fopen(path, "wx");
	bool bad;

	if (!file)
		return diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	bad = fputs(text, file) < 0 || fflush(file) != 0 || fsync(fileno(file)) != 0;
	if (bad)
		diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	fclose(file);
	return bad ? STATUS_IO : STATUS_OK;
}

/* A link is made whole or not at all, on network file systems too; one that is there stays. */
static enum exit_status publish(const char *path, const char *text, struct diag *diag)
{
	enum exit_status status;
	char host[65] = "";
	char *draft;

	gethostname(host, sizeof(host) - 1);
	if (asprintf(&draft, "%s.%s.%ld", path, host, (long)getpid()) < 0)
		return no_memory(diag);
	unlink(draft);
	status = write_text(draft, text, diag);
	if (status == STATUS_OK && link(draft, path) != 0 && errno != EEXIST)
		status = diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	unlink(draft);
	free(draft);
	return status;
}

enum exit_status slices_claim(const struct slices *slices, struct diag *diag)
{
	char *path = plan_path(slices->folder);
	char *text = plan_text(slices->plan, slices->n, slices);
	enum exit_status status = STATUS_OK;
	unsigned n = slices->n;

	if (!path || !text)
		status = no_memory(diag);
	else if (mkdir(slices->folder, 0777) != 0 && errno != EEXIST)
		status = diag_set(diag, STATUS_IO, "%s: %s", slices->folder, strerror(errno));
	else if (access(path, F_OK) != 0)
		status = publish(path, text, diag);
	if (status == STATUS_OK)
		status = read_and_compare(slices->plan, slices, path, &n, diag);
	free(path);
	free(text);
	return status;
}

enum exit_status slices_check(const struct slices *slices, struct diag *diag)
{
	char *path = plan_path(slices->folder);
	unsigned n = slices->n;
	enum exit_status status =
		path ? read_and_compare(slices->plan, slices, path, &n, diag) : no_memory(diag);

	free(path);
	return status;
}

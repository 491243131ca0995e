/* SPDX-License-Identifier: BSD-2-Clause */
/* Where models are looked for by name. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/suggest.h"
#include "config/model.h"

enum { SEARCH_FOLDERS = 3 };

/* Folder `index` of the search path; false: there is none. */
static int search_folder(size_t index, char folder[PATH_MAX])
{
	const char *variable = getenv("TWOSTAGE_MODELS");
	char program[PATH_MAX - 16];
	ssize_t length;
	char *slash;

	switch (index) {
	case 0:
		strcpy(folder, "models");
		return 1;
	case 1:
		length = readlink("/proc/self/exe", program, sizeof(program) - 1);
		if (length <= 0)
			return 0;
		program[length] = '\0';
		slash = strrchr(program, '/');
		if (!slash)
			return 0;
		*slash = '\0';
		snprintf(folder, PATH_MAX, "%s/../models", program);
		return 1;
	case 2:
		if (!variable || !*variable || strlen(variable) >= PATH_MAX)
			return 0;
		strcpy(folder, variable);
		return 1;
	default:
		return 0;
	}
}

static int is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

static void report_missing(const char *name, struct diag *diag)
{
	struct model_entry *entries;
	struct suggest search;
	size_t n;

	suggest_init(&search, name);
	if (model_list(&entries, &n, NULL) != STATUS_OK) {
		diag_set(diag, STATUS_NO_INPUT, "no model '%.200s'", name);
		return;
	}
	for (size_t i = 0; i < n; i++)
		suggest_offer(&search, entries[i].name);
	if (search.best)
		diag_set(diag, STATUS_NO_INPUT, "no model '%.200s'; did you mean '%s'?", name,
			 search.best);
	else
		diag_set(diag, STATUS_NO_INPUT,
			 "no model '%.200s'; 'twostage model list' names those there are", name);
	model_list_free(entries, n);
}

char *model_find(const char *name_or_path, struct diag *diag)
{
	char folder[PATH_MAX];
	char *path;

	if (is_file(name_or_path)) {
		path = strdup(name_or_path);
		if (!path)
			diag_set(diag, STATUS_INTERNAL, "out of memory");
		return path;
	}
	if (strchr(name_or_path, '/')) {
		diag_set(diag, STATUS_NO_INPUT, "%.400s: no such file", name_or_path);
		return NULL;
	}
	for (size_t i = 0; i < SEARCH_FOLDERS; i++) {
		if (!search_folder(i, folder))
			continue;
		if (asprintf(&path, "%s/%s.yaml", folder, name_or_path) < 0) {
			diag_set(diag, STATUS_INTERNAL, "out of memory");
			return NULL;
		}
		if (is_file(path))
			return path;
		free(path);
	}
	report_missing(name_or_path, diag);
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct model_entry *ea = a, *eb = b;

	return strcmp(ea->name, eb->name);
}

/* Add FOLDER/FILE unless a folder searched before has that name. */
static enum exit_status add_entry(struct model_entry **entries, size_t *n, const char *folder,
				  const char *file)
{
	size_t length = strlen(file);
	struct model_entry *grown, *entry;

	if (length <= 5 || strcmp(file + length - 5, ".yaml") != 0 || *file == '.')
		return STATUS_OK;
	for (size_t i = 0; i < *n; i++) {
		if (strlen((*entries)[i].name) == length - 5 &&
		    strncmp((*entries)[i].name, file, length - 5) == 0)
			return STATUS_OK;
	}
	grown = reallocarray(*entries, *n + 1, sizeof(*grown));
	if (!grown)
		return STATUS_INTERNAL;
	*entries = grown;
	entry = &grown[*n];
	entry->name = strndup(file, length - 5);
	if (!entry->name)
		return STATUS_INTERNAL;
	if (asprintf(&entry->path, "%s/%s", folder, file) < 0) {
		free(entry->name);
		return STATUS_INTERNAL;
	}
	++*n;
	return STATUS_OK;
}

enum exit_status model_list(struct model_entry **entries, size_t *n_entries, struct diag *diag)
{
	enum exit_status status = STATUS_OK;
	char folder[PATH_MAX];

	*entries = NULL;
	*n_entries = 0;
	for (size_t i = 0; i < SEARCH_FOLDERS && status == STATUS_OK; i++) {
		struct dirent *file;
		DIR *listing = search_folder(i, folder) ? opendir(folder) : NULL;

		while (listing && status == STATUS_OK && (file = readdir(listing)) != NULL)
			status = add_entry(entries, n_entries, folder, file->d_name);
		if (listing)
			closedir(listing);
	}
	if (status != STATUS_OK) {
		model_list_free(*entries, *n_entries);
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	}
	if (*n_entries)
		qsort(*entries, *n_entries, sizeof(**entries), by_name);
	return STATUS_OK;
}

void model_list_free(struct model_entry *entries, size_t n_entries)
{
	for (size_t i = 0; i < n_entries; i++) {
		free(entries[i].name);
		free(entries[i].path);
	}
	free(entries);
}

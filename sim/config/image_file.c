/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/image_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/guest_image.h"

enum { DIGEST_DIGITS = 16 };

struct image_file {
	struct image_file *next;
	char *text; /* as it was written */
	char *path;
	uint64_t pinned, digest; /* what the text says, what the file has */
	bool is_pinned, is_loaded;
};

/*
 * All of the process: configurations are copied and forgotten, so nobody could tell when one of
 * these is not needed any more. There are a handful.
 */
static struct image_file *files;

/* The digest behind the last '#' of the text; false: it has none. */
static bool parse_pin(const char *text, size_t *path_bytes, uint64_t *digest)
{
	const size_t n = strlen(text);
	const char *mark = n > DIGEST_DIGITS ? text + n - DIGEST_DIGITS - 1 : NULL;

	*path_bytes = n;
	if (!mark || *mark != '#' || strspn(mark + 1, "0123456789abcdef") != DIGEST_DIGITS)
		return false;
	*path_bytes = (size_t)(mark - text);
	*digest = strtoull(mark + 1, NULL, 16);
	return true;
}

static struct image_file *add(const char *text, size_t path_bytes)
{
	struct image_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->text = strdup(text);
	file->path = strndup(text, path_bytes);
	if (!file->text || !file->path) {
		free(file->text);
		free(file->path);
		free(file);
		return NULL;
	}
	file->next = files;
	files = file;
	return file;
}

const struct image_file *image_file_of(const char *text)
{
	struct image_file *file;
	uint64_t digest = 0;
	size_t path_bytes;
	bool pinned;

	for (file = files; file; file = file->next) {
		if (strcmp(file->text, text) == 0)
			return file;
	}
	pinned = parse_pin(text, &path_bytes, &digest);
	if (path_bytes == 0 || path_bytes > IMAGE_FILE_PATH_MAX || strpbrk(text, "\r\n"))
		return NULL;
	file = add(text, path_bytes);
	if (!file)
		return NULL;
	file->is_pinned = pinned;
	file->pinned = digest;
	return file;
}

const char *image_file_path(const struct image_file *file)
{
	return file->path;
}

bool image_file_is_pinned(const struct image_file *file)
{
	return file->is_pinned;
}

enum exit_status image_file_load(const struct image_file *asked, struct diag *diag)
{
	struct image_file *file = files;
	struct guest_image *image;
	enum exit_status status;

	while (file != asked)
		file = file->next;
	if (!file->is_loaded) {
		status = guest_image_open(file->path, &image, diag);
		if (status != STATUS_OK)
			return status;
		file->digest = guest_image_digest(image);
		file->is_loaded = true;
		guest_image_close(image);
	}
	if (!file->is_pinned || file->digest == file->pinned)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT,
			"guest.image: %s has digest %016" PRIx64 ", not %016" PRIx64, file->path,
			file->digest, file->pinned);
}

void image_file_format(const struct image_file *file, char *text, size_t n_bytes)
{
	if (file->is_pinned)
		snprintf(text, n_bytes, "%s#%016" PRIx64, file->path, file->pinned);
	else if (image_file_load(file, NULL) == STATUS_OK)
		snprintf(text, n_bytes, "%s#%016" PRIx64, file->path, file->digest);
	else
		snprintf(text, n_bytes, "%s", file->path);
}

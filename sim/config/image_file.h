/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that guest.image names, as a value that configurations hold and copy. Its text is its
 * path and the digest of its content, PATH#0123456789abcdef, so that a result says which image it
 * is of.
 */
#ifndef TWOSTAGE_CONFIG_IMAGE_FILE_H
#define TWOSTAGE_CONFIG_IMAGE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

/* Longest path, in bytes. */
enum { IMAGE_FILE_PATH_MAX = 300 };

struct image_file;

/*
 * PATH, or PATH#DIGEST for a file that must have this digest. One object for each text, kept until
 * the process ends. Nothing is opened. NULL: empty, too long, not one line, or out of memory.
 */
const struct image_file *image_file_of(const char *text);

const char *image_file_path(const struct image_file *file);

/*
 * Reads the image for its digest, once in a process. Statuses of guest_image_open(), and
 * STATUS_BAD_INPUT if it has another digest than the text says.
 */
enum exit_status image_file_load(const struct image_file *file, struct diag *diag);

/* Does the text say a digest? Then image_file_load() has something to check. */
bool image_file_is_pinned(const struct image_file *file);

/* The canonical text; of a file that cannot be read, its path alone. */
void image_file_format(const struct image_file *file, char *text, size_t n_bytes);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that takes the place of another when it is complete. */
#ifndef TWOSTAGE_TRACE_BESIDE_H
#define TWOSTAGE_TRACE_BESIDE_H

/*
 * The file that `path` names, to be freed: where it is a link, what that leads to, so that the link
 * stays. NULL with errno: a link that leads nowhere, or no memory.
 */
char *beside_target(const char *path);

/*
 * A new file in the folder of `path`, with the permissions that open() would give it. Where the
 * file system can do that it has no name yet, so that nothing of it stays if the program is killed.
 * *temp_path, to be freed: the name that it has, or gets from beside_name(). -1 with errno.
 */
int beside_open(const char *path, char **temp_path);

/* It is complete: give it that name if it has none, to be renamed. -1 with errno. */
int beside_name(int fd, const char *temp_path);

#endif

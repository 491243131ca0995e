/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *beside_target(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(path, NULL) : strdup(path);
}

static int open_nameless(const char *path, char **temp_path)
{
	const char *slash = strrchr(path, '/');
	const size_t n = slash > path ? (size_t)(slash - path) : 1;
	char *folder = slash ? strndup(path, n) : strdup(".");
	int fd = -1;

	if (folder && asprintf(temp_path, "%s.%d.part", path, (int)getpid()) >= 0)
		fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	else
		*temp_path = NULL;
	free(folder);
	return fd;
}

static int open_named(const char *path, char **temp_path)
{
	const mode_t mask = umask(0);
	int fd;

	umask(mask);
	if (asprintf(temp_path, "%s.XXXXXX", path) < 0) {
		*temp_path = NULL;
		return -1;
	}
	fd = mkostemp(*temp_path, O_CLOEXEC);
	if (fd >= 0)
		(void)fchmod(fd, 0666 & ~mask);
	return fd;
}

int beside_open(const char *path, char **temp_path)
{
	const int fd = open_nameless(path, temp_path);

	if (fd >= 0)
		return fd;
	free(*temp_path);
	return open_named(path, temp_path);
}

int beside_name(int fd, const char *temp_path)
{
	char link[32];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -1;
	if (st.st_nlink > 0)
		return 0;
	/* Of a program of the same number that was killed between this and the renaming. */
	(void)unlink(temp_path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, link, AT_FDCWD, temp_path, AT_SYMLINK_FOLLOW);
}

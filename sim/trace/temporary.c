/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Not every file system makes files without a name. */
static int open_named(const char *folder)
{
	char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/twostage.XXXXXX", folder) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	free(path);
	return fd;
}

int temporary_open(const char *path, char **name, struct diag *diag)
{
	const char *given = getenv("TMPDIR");
	const char *folder = given && *given ? given : P_tmpdir;
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	*name = NULL;
	if (fd < 0)
		fd = open_named(folder);
	if (fd < 0 && folder == given) {
		diag_set(diag, STATUS_IO, "TMPDIR: %s: cannot make a temporary file for %s: %s",
			 folder, path, strerror(errno));
		return -1;
	}
	if (fd < 0) {
		folder = "memory";
		fd = memfd_create("twostage", MFD_CLOEXEC);
	}
	if (fd < 0) {
		diag_set(diag, STATUS_IO, "%s: cannot make a temporary file: %s", path,
			 strerror(errno));
		return -1;
	}
	if (asprintf(name, "temporary file in %s for %s", folder, path) >= 0)
		return fd;
	*name = NULL;
	close(fd);
	diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
	return -1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "scratch.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

char **scratch_files;

static char dir[256];

int scratch_create(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/reproXXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

int scratch_remove(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	(void)state;
	if (!d)
		return -1;
	while ((entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.')
			unlink(scratch_path(entry->d_name));
	closedir(d);
	return rmdir(dir);
}

const char *scratch_path(const char *name)
{
	static char path[8][600];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

int scratch_main(int argc, char **argv, void (*random)(void **state), void (*named)(void **state))
{
	const struct CMUnitTest without[] = { cmocka_unit_test(random) };
	const struct CMUnitTest with[] = { cmocka_unit_test(named) };

	if (argc == 1)
		return cmocka_run_group_tests(without, scratch_create, scratch_remove);
	scratch_files = argv + 1;
	return cmocka_run_group_tests(with, scratch_create, scratch_remove);
}

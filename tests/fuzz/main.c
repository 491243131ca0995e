/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_NAME PATH... - give files, or all files of folders, to the target. Those of a folder share a
 * process. If that fails, and with TWOSTAGE_LONG, each has a process of its own, so that one that
 * dies or never ends is named and the others are still tried.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

/* Of processor time, so that a busy machine makes no input hang. */
enum { SECONDS_AN_INPUT = 20 };

static unsigned passed, failed;

static uint8_t *read_file(const char *path, size_t *n)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *data;

	if (!file || fstat(fileno(file), &st) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(66);
	}
	*n = (size_t)st.st_size;
	/* No byte more than there is, so that a read behind the end is seen. */
	data = malloc(*n ? *n : 1);
	if (!data || fread(data, 1, *n, file) != *n) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(74);
	}
	fclose(file);
	return data;
}

static void give_file(const char *path)
{
	size_t n;
	uint8_t *data = read_file(path, &n);

	setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = SECONDS_AN_INPUT }, NULL);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
}

/* All of these in one process; its status as waitpid() has it. */
static int status_of(char *const *paths, int n)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < n; i++)
			give_file(paths[i]);
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		fprintf(stderr, "%s: %s\n", paths[0], strerror(errno));
		exit(70);
	}
	return status;
}

static void report(const char *what, int status)
{
	failed++;
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: %s\n", what, strsignal(WTERMSIG(status)));
	else
		fprintf(stderr, "%s: exit status %d\n", what, WEXITSTATUS(status));
}

static void run_each(char *const *paths, int n)
{
	for (int i = 0; i < n; i++) {
		const int status = status_of(&paths[i], 1);

		if (status == 0)
			passed++;
		else
			report(paths[i], status);
	}
}

static void run_all(const char *folder, char *const *paths, int n)
{
	const char *longer = getenv("TWOSTAGE_LONG");
	const unsigned failed_before = failed;
	const int status = status_of(paths, n);

	if (status == 0 && !(longer && *longer)) {
		passed += (unsigned)n;
		return;
	}
	run_each(paths, n);
	if (status && failed == failed_before)
		report(folder, status);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_path(char *path)
{
	struct dirent **entries;
	const int n = scandir(path, &entries, visible, alphasort);
	char **paths = n > 0 ? calloc((size_t)n, sizeof(*paths)) : NULL;

	if (n < 0) {
		run_each(&path, 1);
		return;
	}
	for (int i = 0; i < n; i++) {
		if (!paths || asprintf(&paths[i], "%s/%s", path, entries[i]->d_name) < 0)
			exit(70);
		free(entries[i]);
	}
	free(entries);
	if (n > 0)
		run_all(path, paths, n);
	for (int i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}

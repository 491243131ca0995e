/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_NAME PATH... - give files, or all files of folders, to the target. Each has a process of its
 * own, so that one that dies or never ends is named and the others are still tried.
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

static void run_file(const char *path)
{
	size_t n;
	uint8_t *data = read_file(path, &n);
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = SECONDS_AN_INPUT },
			  NULL);
		LLVMFuzzerTestOneInput(data, n);
		free(data);
		exit(0);
	}
	free(data);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(70);
	}
	if (status == 0) {
		passed++;
		return;
	}
	failed++;
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: %s\n", path, strsignal(WTERMSIG(status)));
	else
		fprintf(stderr, "%s: exit status %d\n", path, WEXITSTATUS(status));
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_path(const char *path)
{
	struct dirent **entries;
	const int n = scandir(path, &entries, visible, alphasort);
	char name[4096];

	if (n < 0) {
		run_file(path);
		return;
	}
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		run_file(name);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}

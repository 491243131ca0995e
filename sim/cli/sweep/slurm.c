/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/sweep/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

extern char **environ;

/* scripts/slurm/task.sh; a test compares. */
static const char task_script[] =
	"#!/bin/sh\n"
	"# SPDX-License-Identifier: BSD-2-Clause\n"
	"# task.sh PROGRAM SPEC DATABASE SLICES - what each task of `twostage sweep --slurm` runs: "
	"its slice of the sweep.\n"
	"# The copy in DATABASE.slices is made once and then kept: put there what your site needs "
	"(module load ...).\n"
	"set -eu\n"
	"exec \"$1\" sweep \"$2\" -o \"$3\" --slice \"${SLURM_ARRAY_TASK_ID:?}/$4\" "
	"--jobs \"${SLURM_CPUS_PER_TASK:-1}\"\n";

static enum exit_status no_memory(struct diag *diag)
{
	return diag_set(diag, STATUS_INTERNAL, "out of memory");
}

char *slurm_job_name(const struct slices *slices)
{
	char *folder = realpath(slices->folder, NULL);
	char *text = NULL, *name = NULL;
	XXH64_hash_t hash;

	if (asprintf(&text, "%s\n%s\n", folder ? folder : slices->folder, slices->plan->name) < 0)
		text = NULL;
	free(folder);
	if (!text)
		return NULL;
	hash = XXH3_64bits(text, strlen(text));
	free(text);
	if (asprintf(&name, "twostage-%.64s-%016" PRIx64, slices->plan->name, hash) < 0)
		return NULL;
	return name;
}

/*
 * Run a command to its end; what it wrote goes to *output, to be freed. Its messages are shown,
 * unless the caller does not want to know.
 */
static enum exit_status run_command(char **argv, char **output, struct diag *diag)
{
	posix_spawn_file_actions_t actions;
	size_t capacity = 0;
	int fds[2], error, wait_status = 0;
	pid_t pid;
	FILE *from;

	*output = NULL;
	if (pipe(fds) != 0)
		return diag_set(diag, STATUS_INTERNAL, "pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, fds[0]);
	posix_spawn_file_actions_addclose(&actions, fds[1]);
	if (!diag)
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (error) {
		close(fds[0]);
		return diag_set(diag, STATUS_IO, "%s: %s; is Slurm installed here?", argv[0],
				strerror(error));
	}
	from = fdopen(fds[0], "r");
	if (!from || getdelim(output, &capacity, '\0', from) < 0) {
		free(*output);
		*output = strdup("");
	}
	if (from)
		fclose(from);
	while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	if (!*output)
		return no_memory(diag);
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
		return STATUS_OK;
	free(*output);
	*output = NULL;
	return diag_set(diag, STATUS_IO, "%s failed", argv[0]);
}

enum exit_status slurm_queue(const char *name, enum slurm_task *tasks, unsigned n,
			     struct diag *diag)
{
	char *option = NULL, *output, *line;
	enum exit_status status;

	memset(tasks, 0, n * sizeof(*tasks));
	if (asprintf(&option, "--name=%s", name) < 0)
		return no_memory(diag);
	status = run_command((char *[]){ (char *)"squeue", (char *)"--noheader", (char *)"--array",
					 option, (char *)"--format=%K %T", NULL },
			     &output, diag);
	free(option);
	if (status != STATUS_OK)
		return status;
	for (line = output; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		char state[32];
		unsigned index;

		if (sscanf(line, "%u %31s", &index, state) != 2 || index < 1 || index > n)
			continue;
		tasks[index - 1] = strcmp(state, "PENDING") == 0 ? SLURM_PENDING : SLURM_RUNNING;
	}
	free(output);
	return STATUS_OK;
}

/* "--array=1-7,9" */
static char *array_option(const struct slices *slices, const unsigned char *wanted)
{
	char *text = NULL;
	size_t n_bytes = 0;
	FILE *out = open_memstream(&text, &n_bytes);
	const char *separator = "--array=";

	if (!out)
		return NULL;
	for (unsigned i = 0; i < slices->n; i++) {
		unsigned last = i;

		if (!wanted[i])
			continue;
		while (last + 1 < slices->n && wanted[last + 1])
			last++;
		fprintf(out, last > i ? "%s%u-%u" : "%s%u", separator, i + 1, last + 1);
		separator = ",";
		i = last;
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static enum exit_status write_script(const char *path, struct diag *diag)
{
	FILE *file = fopen(path, "wx");

	if (!file && errno == EEXIST)
		return STATUS_OK;
	if (!file || fputs(task_script, file) < 0 || fflush(file) != 0)
		diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	return diag->status;
}

struct sbatch {
	char **argv;
	size_t n;
	int bad; /* out of memory */
};

static void add(struct sbatch *sbatch, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct sbatch *sbatch, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(&sbatch->argv[sbatch->n], format, args) < 0) {
		sbatch->argv[sbatch->n] = NULL;
		sbatch->bad = 1;
	} else {
		sbatch->n++;
	}
	va_end(args);
}

/* The user's options stand behind ours, and so win. */
static void add_options(struct sbatch *sbatch, const struct slices *slices,
			const struct slurm_job *job)
{
	add(sbatch, "sbatch");
	add(sbatch, "--parsable");
	add(sbatch, "--requeue");
	add(sbatch, "--open-mode=append");
	add(sbatch, "--output=%s/slice-%%a.log", slices->folder);
	for (size_t i = 0; i < job->n_options; i++)
		add(sbatch, "%s", job->options[i]);
	add(sbatch, "--job-name=%s", job->name);
}

enum exit_status slurm_submit(const struct slices *slices, const struct slurm_job *job,
			      struct diag *diag)
{
	enum { OWN_OPTIONS = 16 };
	struct sbatch sbatch = { .argv = calloc(job->n_options + OWN_OPTIONS, sizeof(char *)) };
	char program[4096] = "", *script = NULL, *array = NULL, *output = NULL;
	enum exit_status status;

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		diag_set(diag, STATUS_INTERNAL, "/proc/self/exe: %s", strerror(errno));
	if (!sbatch.argv || asprintf(&script, "%s/task.sh", slices->folder) < 0 ||
	    !(array = array_option(slices, job->wanted)))
		no_memory(diag);
	if (diag->status == STATUS_OK && write_script(script, diag) == STATUS_OK) {
		add_options(&sbatch, slices, job);
		add(&sbatch, "%s", array);
		add(&sbatch, "%s", script);
		add(&sbatch, "%s", program);
		add(&sbatch, "%s", job->spec);
		add(&sbatch, "%s", job->database);
		add(&sbatch, "%u", slices->n);
		status = sbatch.bad ? no_memory(diag) : run_command(sbatch.argv, &output, diag);
		if (status == STATUS_OK)
			free(output);
	}
	for (size_t i = 0; i < sbatch.n; i++)
		free(sbatch.argv[i]);
	free(sbatch.argv);
	free(script);
	free(array);
	return diag->status;
}

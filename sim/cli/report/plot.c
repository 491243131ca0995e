/* SPDX-License-Identifier: BSD-2-Clause */
/* Figures of the report: gnuplot is run on a table's CSV, its SVG made fit for a page. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/report/report.h"

enum { MESSAGE_BYTES = 600 };

enum exit_status plot_script_dir(char *buffer, size_t size, struct diag *diag)
{
	const char *given = getenv("TWOSTAGE_SCRIPTS");
	char exe[PATH_MAX];
	ssize_t n;
	char *slash;

	if (given) {
		snprintf(buffer, size, "%s/report", given);
	} else {
		n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
		if (n <= 0)
			return diag_set(diag, STATUS_INTERNAL, "/proc/self/exe: %s",
					strerror(errno));
		exe[n] = '\0';
		slash = strrchr(exe, '/');
		if (slash)
			*slash = '\0';
		if ((size_t)snprintf(buffer, size, "%s/../scripts/report", exe) >= size)
			return diag_set(diag, STATUS_INTERNAL, "%s: path too long", exe);
	}
	if (access(buffer, R_OK | X_OK) != 0)
		return diag_set(
			diag, STATUS_NO_INPUT,
			"%s: %s; set TWOSTAGE_SCRIPTS to the folder scripts/ of the sources",
			buffer, strerror(errno));
	return STATUS_OK;
}

/* The distinct values of column 0, quoted for gnuplot's word(). The caller frees it. */
static char *list_panels(const struct table *table)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t row = 0; row < table_rows(table); row++) {
		const char *panel = table_cell(table, row, 0);
		size_t before = 0;

		while (before < row && strcmp(table_cell(table, before, 0), panel) != 0)
			before++;
		if (before == row)
			fprintf(out, "%s\"%s\"", row ? " " : "", panel);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Heads of the columns that are drawn, quoted for gnuplot's word(). The caller frees it. */
static char *list_series(const struct table *table, size_t first, size_t count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s\"%s\"", i ? " " : "", table->head[first + i]);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* In the child: standard error and output go to `fd`, then gnuplot. Only returns by _exit. */
static void child(int fd, const char *dir, char *const argv[])
{
	static const char no_gnuplot[] = "gnuplot could not be started; install gnuplot-nox";

	if (dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(127);
	if (chdir(dir) != 0)
		_exit(127);
	unsetenv("GNUPLOT_LIB");
	setenv("LC_ALL", "C.UTF-8", 1);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	if (write(fd, no_gnuplot, sizeof(no_gnuplot) - 1) < 0)
		_exit(126);
	_exit(127);
}

/* What gnuplot printed, as one line. */
static void read_message(int fd, char message[MESSAGE_BYTES])
{
	size_t used = 0;
	char chunk[512];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR)) {
		for (ssize_t i = 0; i < n && used < MESSAGE_BYTES - 1; i++)
			message[used++] = chunk[i] == '\n' ? ' ' : chunk[i];
	}
	message[used] = '\0';
}

/* `message` receives what it printed. */
static enum exit_status run_gnuplot(const char *dir, char *const argv[],
				    char message[MESSAGE_BYTES], struct diag *diag)
{
	int pipe_fd[2];
	int wstatus = 0;
	pid_t pid;

	if (pipe(pipe_fd) != 0)
		return diag_set(diag, STATUS_INTERNAL, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child(pipe_fd[1], dir, argv);
	close(pipe_fd[1]);
	if (pid > 0)
		read_message(pipe_fd[0], message);
	close(pipe_fd[0]);
	if (pid < 0)
		return diag_set(diag, STATUS_INTERNAL, "fork: %s", strerror(errno));
	while (waitpid(pid, &wstatus, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(wstatus) || WEXITSTATUS(wstatus) != 0)
		return diag_set(diag, STATUS_IO, "%s: %s", argv[2] ? argv[2] : argv[0],
				*message ? message : "gnuplot ended abnormally");
	return STATUS_OK;
}

enum exit_status plot_version(char *buffer, size_t size, struct diag *diag)
{
	const char *argv[] = { "gnuplot", "--version", NULL };
	char message[MESSAGE_BYTES] = "";
	enum exit_status status;
	size_t end;

	status = run_gnuplot("/", (char *const *)(uintptr_t)argv, message, diag);
	end = strlen(message);
	while (end > 0 && message[end - 1] == ' ')
		message[--end] = '\0';
	snprintf(buffer, size, "%.*s", (int)(size - 1), message);
	return status;
}

/* A whole file, or NULL. */
static char *read_text(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!in)
		return NULL;
	if (getdelim(&text, &size, '\0', in) < 0) {
		free(text);
		text = NULL;
	}
	fclose(in);
	return text;
}

/* Ids of several drawings in one page must differ: put the figure's name before each. */
static char *embed(const char *svg, const struct figure *figure)
{
	static const char *const mark[] = { "id=\"", "id='", "href='#", "href=\"#", "url(#" };
	static const char no_title[] = "<title>Gnuplot</title>";
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	svg = strstr(svg, "<svg");
	out = svg ? open_memstream(&text, &size) : NULL;
	if (!out)
		return NULL;
	while (*svg) {
		size_t length = 0;

		for (size_t i = 0; i < sizeof(mark) / sizeof(mark[0]) && !length; i++) {
			if (strncmp(svg, mark[i], strlen(mark[i])) == 0)
				length = strlen(mark[i]);
		}
		if (length)
			fprintf(out, "%.*s%s-", (int)length, svg, figure->name);
		else if (strncmp(svg, no_title, strlen(no_title)) == 0)
			length = strlen(no_title); /* it would show as a hint over the drawing */
		else
			fputc(*svg, out);
		svg += length ? length : 1;
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Number of the first column of intervals, counted from 1; 0: there are none. */
static size_t find_intervals(const struct table *table)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (strncmp(table->head[i], "low ", 4) == 0)
			return i + 1;
	return 0;
}

enum exit_status plot_draw(const struct figure *figure, const struct table *table,
			   const char *script_dir, const char *csv_path, const char *svg_path,
			   char **svg, struct diag *diag)
{
	char *panels = figure->panels ? list_panels(table) : strdup("");
	char *series = list_series(table, figure->panels ? 2 : 1, figure->series);
	char *raw;
	char message[MESSAGE_BYTES] = "", intervals[24];
	enum exit_status status;
	const char *argv[] = { "gnuplot", "-c",		figure->script, csv_path,  svg_path,
			       panels,	  figure->axis, series,		intervals, NULL };

	snprintf(intervals, sizeof(intervals), "%zu", find_intervals(table));

	if (panels && series)
		status = run_gnuplot(script_dir, (char *const *)(uintptr_t)argv, message, diag);
	else
		status = diag_set(diag, STATUS_INTERNAL, "out of memory");
	free(panels);
	free(series);
	if (status != STATUS_OK)
		return status;
	raw = read_text(svg_path);
	if (!raw)
		return diag_set(diag, STATUS_IO, "%s: gnuplot wrote nothing", svg_path);
	*svg = embed(raw, figure);
	free(raw);
	if (!*svg)
		return diag_set(diag, STATUS_IO, "%s: not the SVG that was expected", svg_path);
	return STATUS_OK;
}

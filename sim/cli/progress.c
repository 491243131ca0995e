/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = note_interrupt, .sa_flags = (int)SA_RESETHAND };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int interrupt_seen(void)
{
	return interrupted != 0;
}

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

void progress_init(struct progress *progress, const char *unit)
{
	*progress = (struct progress){ .unit = unit, .on_terminal = isatty(STDERR_FILENO) };
	clock_gettime(CLOCK_MONOTONIC, &progress->start);
	progress->shown = progress->start;
}

/* 12.3 with a suffix for thousands, millions, ... */
static void print_rate(double rate, const char *unit)
{
	static const char *const suffixes[] = { "", " k", " M", " G" };
	size_t i = 0;

	while (rate >= 1000 && i < 3) {
		rate /= 1000;
		i++;
	}
	fprintf(stderr, ", %.1f%s%s%s/s", rate, suffixes[i], i ? "" : " ", unit);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total)
{
	struct timespec now;
	double seconds;

	if (!progress->on_terminal)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (seconds_between(&progress->shown, &now) < 0.25)
		return;
	progress->shown = now;
	seconds = seconds_between(&progress->start, &now);
	fprintf(stderr, "\r\033[K%" PRIu64 " of %" PRIu64 " %s", done, total, progress->unit);
	print_rate((double)done / seconds, progress->unit);
	if (done && done <= total)
		fprintf(stderr, ", %.0f s to go", seconds * (double)(total - done) / (double)done);
	fflush(stderr);
	progress->line_open = 1;
}

void progress_clear(struct progress *progress)
{
	if (progress->line_open)
		fputs("\r\033[K", stderr);
	progress->line_open = 0;
}

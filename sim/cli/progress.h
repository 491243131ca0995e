/* SPDX-License-Identifier: BSD-2-Clause */
/* Progress of long commands on a terminal, and their interruption. */
#ifndef TWOSTAGE_CLI_PROGRESS_H
#define TWOSTAGE_CLI_PROGRESS_H

#include <stdint.h>
#include <time.h>

struct progress {
	const char *unit; /* "points", "accesses" */
	struct timespec start, shown;
	int on_terminal, line_open;
};

/* Shows nothing unless standard error is a terminal. */
void progress_init(struct progress *progress, const char *unit);

/* Redraw the line, a few times a second at most: done of total, rate, time to go. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total);

/* Take the line away, before anything else is printed. */
void progress_clear(struct progress *progress);

/* From now on SIGINT, SIGTERM and SIGHUP set a flag; the second one ends the program. */
void interrupt_catch(void);
int interrupt_seen(void);

#endif

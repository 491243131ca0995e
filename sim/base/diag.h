/* SPDX-License-Identifier: BSD-2-Clause */
/* One diagnostic: what went wrong, where, and the exit status it deserves. */
#ifndef TWOSTAGE_BASE_DIAG_H
#define TWOSTAGE_BASE_DIAG_H

#include <stdarg.h>
#include <stdbool.h>

/* Exit statuses of the program; the values are those of sysexits.h. */
enum exit_status {
	STATUS_OK = 0,
	STATUS_MISMATCH = 1,	 /* a --check found a difference */
	STATUS_USAGE = 64,	 /* wrong command line */
	STATUS_BAD_INPUT = 65,	 /* a file, key or value that cannot be used */
	STATUS_NO_INPUT = 66,	 /* no such file */
	STATUS_INTERNAL = 70,	 /* our own failure: memory, a broken invariant */
	STATUS_IO = 74,		 /* read or write failed */
	STATUS_INTERRUPTED = 75, /* stopped by a signal; repeat the command to resume */
};

/* Written by whoever finds the fault, printed only by sim/cli. The first report is kept. */
struct diag {
	enum exit_status status; /* STATUS_OK: nothing reported */
	/* STATUS_BAD_INPUT: what was asked for cannot be done, though no file is damaged. A sweep
	 * keeps such a point with its reason instead of trying it again. */
	bool impossible;
	char place[512]; /* "file:line:column" or "--set key=value"; empty: not known */
	char text[1024]; /* one line, without "error:" and newline */
};

#define DIAG_INIT                                                                                  \
	{                                                                                          \
		.status = STATUS_OK, .place = "", .text = ""                                       \
	}

/*
 * Record a failure and return its status, so that callers can `return diag_set(...)`.
 * A diagnostic that already holds a failure keeps it. `diag` may be NULL.
 */
enum exit_status diag_set(struct diag *diag, enum exit_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum exit_status diag_vset(struct diag *diag, enum exit_status status, const char *format,
			   va_list args);

/*
 * Name the place of the failure that `diag` holds; printed as "PLACE: error: TEXT". A place that is
 * already known is kept, so that each caller on the way up may add what it knows.
 */
void diag_place(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

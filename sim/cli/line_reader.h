/* SPDX-License-Identifier: BSD-2-Clause */
/* Text files by lines, with the place of each fault: what `twostage map` and `translate` read. */
#ifndef TWOSTAGE_CLI_LINE_READER_H
#define TWOSTAGE_CLI_LINE_READER_H

#include <stddef.h>
#include <stdio.h>

#include "base/diag.h"

/* Room for a line with its end. */
#define LINE_BYTES 65536

struct line_reader {
	FILE *file;
	const char *path;     /* for messages; the caller's, or "stdin" */
	unsigned long number; /* of the current line, from 1; 0 before the first */
	char *text;	      /* the current line without its end; the caller may cut it up */
	size_t text_bytes;
};

/*
 * Opens `path`, "-" for standard input. STATUS_NO_INPUT if there is no such file, else STATUS_IO.
 * Close with line_close(), also after a failure.
 */
enum exit_status line_open(struct line_reader *reader, const char *path, struct diag *diag);
void line_close(struct line_reader *reader);

/*
 * The next line; *end: there was none. "\n" and "\r\n" end a line, the last one may lack its end.
 * A zero byte and a line that is too long are STATUS_BAD_INPUT.
 */
enum exit_status line_next(struct line_reader *reader, bool *end, struct diag *diag);

/* STATUS_BAD_INPUT with the current line as its place. */
enum exit_status line_bad(const struct line_reader *reader, struct diag *diag, const char *format,
			  ...) __attribute__((format(printf, 3, 4)));

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/line_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum exit_status line_open(struct line_reader *reader, const char *path, struct diag *diag)
{
	*reader = (struct line_reader){ .path = path };
	if (strcmp(path, "-") == 0) {
		reader->file = stdin;
		reader->path = "stdin";
	} else {
		reader->file = fopen(path, "rb");
	}
	if (!reader->file) {
		diag_set(diag, errno == ENOENT ? STATUS_NO_INPUT : STATUS_IO, "%s",
			 strerror(errno));
		diag_place(diag, "%s", path);
		return diag->status;
	}
	reader->text = malloc(LINE_BYTES);
	if (!reader->text)
		return diag_set(diag, STATUS_INTERNAL, "out of memory");
	return STATUS_OK;
}

void line_close(struct line_reader *reader)
{
	if (reader->file && reader->file != stdin)
		fclose(reader->file);
	free(reader->text);
	*reader = (struct line_reader){ 0 };
}

enum exit_status line_next(struct line_reader *reader, bool *end, struct diag *diag)
{
	size_t n = 0;
	int c;

	reader->number++;
	while ((c = getc_unlocked(reader->file)) != EOF && c != '\n') {
		if (c == 0)
			return line_bad(reader, diag, "a zero byte; expected a text file");
		if (n == LINE_BYTES - 1)
			return line_bad(reader, diag, "line longer than %d bytes", LINE_BYTES - 1);
		reader->text[n++] = (char)c;
	}
	if (ferror(reader->file)) {
		diag_set(diag, STATUS_IO, "%s", strerror(errno));
		diag_place(diag, "%s:%lu", reader->path, reader->number);
		return STATUS_IO;
	}
	*end = c == EOF && n == 0;
	if (n > 0 && reader->text[n - 1] == '\r')
		n--;
	reader->text[n] = '\0';
	reader->text_bytes = n;
	return STATUS_OK;
}

enum exit_status line_bad(const struct line_reader *reader, struct diag *diag, const char *format,
			  ...)
{
	va_list args;

	va_start(args, format);
	diag_vset(diag, STATUS_BAD_INPUT, format, args);
	va_end(args);
	diag_place(diag, "%s:%lu", reader->path, reader->number);
	return STATUS_BAD_INPUT;
}

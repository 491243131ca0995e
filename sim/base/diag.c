/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/diag.h"

#include <stdio.h>

/* A diagnostic is one line, and what it quotes may be anything: control characters become '?'. */
static void print_line(char *to, size_t n, const char *format, va_list args)
{
	vsnprintf(to, n, format, args);
	for (; *to; to++)
		if ((unsigned char)*to < ' ' || *to == 0x7f)
			*to = '?';
}

enum exit_status diag_vset(struct diag *diag, enum exit_status status, const char *format,
			   va_list args)
{
	if (!diag || diag->status != STATUS_OK)
		return status;
	diag->status = status;
	print_line(diag->text, sizeof(diag->text), format, args);
	return status;
}

enum exit_status diag_set(struct diag *diag, enum exit_status status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diag_vset(diag, status, format, args);
	va_end(args);
	return status;
}

void diag_place(struct diag *diag, const char *format, ...)
{
	va_list args;

	if (!diag || diag->status == STATUS_OK || diag->place[0])
		return;
	va_start(args, format);
	print_line(diag->place, sizeof(diag->place), format, args);
	va_end(args);
}

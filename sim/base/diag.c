/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/diag.h"

#include <stdio.h>

enum exit_status diag_vset(struct diag *diag, enum exit_status status, const char *format,
			   va_list args)
{
	if (!diag || diag->status != STATUS_OK)
		return status;
	diag->status = status;
	vsnprintf(diag->text, sizeof(diag->text), format, args);
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
	vsnprintf(diag->place, sizeof(diag->place), format, args);
	va_end(args);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a trace goes that has to be converted, generated or unpacked before it can be read. */
#ifndef TWOSTAGE_TRACE_TEMPORARY_H
#define TWOSTAGE_TRACE_TEMPORARY_H

#include "base/diag.h"

/*
 * A file without a name, which is gone when all who have it open are: in the folder TMPDIR or,
 * where that is not set, in /tmp or else in memory. The descriptor, which is the caller's, or -1
 * with STATUS_IO: a TMPDIR that cannot be used is a mistake, and memory no place for what was to go
 * there. *name, to be freed: what to call it in messages, "temporary file in FOLDER for PATH".
 */
int temporary_open(const char *path, char **name, struct diag *diag);

#endif

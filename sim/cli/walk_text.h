/* SPDX-License-Identifier: BSD-2-Clause */
/* One step of a walk as a line of text, for people. */
#ifndef TWOSTAGE_CLI_WALK_TEXT_H
#define TWOSTAGE_CLI_WALK_TEXT_H

#include <stdio.h>

#include "mmu/regime.h"
#include "mmu/walk.h"

/*
 * Print "stage 2 of stage-1 level 0, level 1: read PA = DESCRIPTOR, table at ADDRESS", without the
 * line's end, so that a caller may add where the read was found. `va` chooses the half of stage 1.
 */
void walk_text_read(FILE *out, const struct regime *regime, va_t va, const struct walk_read *read);

/* "stage-2 translation fault, level 3, on a stage-1 walk, IPA ..." without the line's end. */
void walk_text_fault(FILE *out, const struct fault *fault);

#endif

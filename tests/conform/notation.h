/* SPDX-License-Identifier: BSD-2-Clause */
/* Results of translations as text: `par:`, `done`, `el1abort:` and so on (docs/translation.md). */
#ifndef TWOSTAGE_CONFORM_NOTATION_H
#define TWOSTAGE_CONFORM_NOTATION_H

#include <stddef.h>

#include "naive.h"
#include "words.h"

enum { NOTATION_MAX = 256 };

/* "S12E1R", "LDR", ... both ways; an unknown name gives false. */
bool notation_parse_op(const char *op, struct naive_access *a);
const char *notation_op(const struct naive_access *a);

/* `memory` holds loaded data and says where the access itself aborts. */
void notation_result(const struct naive_access *a, const struct naive_result *r,
		     const struct words *memory, char out[NOTATION_MAX]);

enum notation_match { NOTATION_DIFFERENT, NOTATION_ATTRIBUTES_DIFFER, NOTATION_SAME };

/* What is architecturally UNKNOWN does not count: PAR bits 9 (success), 10, 11; some HPFARs. */
enum notation_match notation_compare(const char *ours, const char *theirs);

#endif

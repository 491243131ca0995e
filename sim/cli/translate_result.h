/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the reader of translation cases: numbers and answers. */
#ifndef TWOSTAGE_CLI_TRANSLATE_RESULT_H
#define TWOSTAGE_CLI_TRANSLATE_RESULT_H

#include "cli/translate_text.h"

/*
 * A hexadecimal number with or without 0x. Returns where it ends, NULL if there is none or it has
 * more than 64 bits.
 */
const char *translate_parse_hex(const char *text, uint64_t *value);

/*
 * What follows the address in a query: RESULT and KEY=VALUE words; `text` is cut up. An arch=
 * answer takes the place of RESULT. Returns NULL, or what was expected.
 */
const char *translate_parse_answer(char *text, struct translate_query *query);

#endif

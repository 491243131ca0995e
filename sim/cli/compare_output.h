/* SPDX-License-Identifier: BSD-2-Clause */
/* A comparison as text and JSON. */
#ifndef TWOSTAGE_CLI_COMPARE_OUTPUT_H
#define TWOSTAGE_CLI_COMPARE_OUTPUT_H

#include "results/compare.h"

enum compare_detail { COMPARE_SUMMARY, COMPARE_ALL };

struct compare_output {
	const char *name[2]; /* of A and B as given */
	const struct result_set *set[2];
	const struct comparison *comparison;
	enum compare_detail detail;
};

void compare_output_text(const struct compare_output *output);
void compare_output_json(const struct compare_output *output);

#endif

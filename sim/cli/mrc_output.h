/* SPDX-License-Identifier: BSD-2-Clause */
/* Miss-ratio curves as text, CSV and JSON. */
#ifndef TWOSTAGE_CLI_MRC_OUTPUT_H
#define TWOSTAGE_CLI_MRC_OUTPUT_H

#include "mrc/mrc.h"
#include "trace/trace.h"

enum { MRC_OUTPUT_ROWS_MAX = 1024 };

/* Numbers of entries to print. */
struct mrc_rows {
	uint64_t entries[MRC_OUTPUT_ROWS_MAX];
	size_t n;
};

enum mrc_steps { MRC_STEPS_DOUBLE, MRC_STEPS_QUARTER };

/* From 1 up to the first size at which no curve falls further: doubled, or a quarter more each. */
void mrc_rows_of(const struct mrc *mrc, enum mrc_steps steps, struct mrc_rows *rows);

struct mrc_output {
	const struct mrc *mrc;
	const struct mrc_setup *setup;
	const struct mrc_rows *rows;
	const struct trace_reader *trace;
};

void mrc_output_text(const struct mrc_output *output);
void mrc_output_csv(const struct mrc_output *output);
void mrc_output_json(const struct mrc_output *output);

#endif

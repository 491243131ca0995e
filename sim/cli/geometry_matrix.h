/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to `twostage geometry`: its options, and the matrix of hosts against IPA sizes. */
#ifndef TWOSTAGE_CLI_GEOMETRY_MATRIX_H
#define TWOSTAGE_CLI_GEOMETRY_MATRIX_H

#include "arch/geometry.h"

#define GEOMETRY_MAX_SIZES 64

enum geometry_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };
enum geometry_lpa2 { LPA2_YES, LPA2_NO };

struct geometry_options {
	enum geometry_format format;
	bool matrix;
	enum geometry_lpa2 lpa2;
	unsigned pa_bits;
	unsigned host_va_bits; /* 0: not given */
	int start_level;
	unsigned granules_count, sizes_count;
	enum granule granules[3];
	unsigned sizes[GEOMETRY_MAX_SIZES]; /* IPA bits */
};

/* "4K", "n/a" and the like. */
const char *geometry_granule_name(enum granule granule);
const char *geometry_support_name(enum geometry_support support);

/* Host kernels of the wanted granules against the wanted IPA sizes. */
void geometry_print_matrix(const struct geometry_options *options);

#endif

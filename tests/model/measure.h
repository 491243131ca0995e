/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Microbenchmarks as they are run on real machines, on a model: what an access costs once the
 * caches are warm. Failures end the program.
 */
#ifndef TWOSTAGE_TESTS_MEASURE_H
#define TWOSTAGE_TESTS_MEASURE_H

#include <stdint.h>

#include "config/config.h"

/* Per access; cycles without those of the data itself. */
struct measure {
	double translation_cycles, l1d_misses, l2_misses;
};

/* The configuration of a shipped model, and "key=value" settings over it, separated by spaces. */
struct config measure_model(const char *name, const char *settings);

/* A random cycle over `nodes` loads, `item_bytes` apart; the third and fourth time round. */
struct measure measure_chase(const struct config *config, uint64_t nodes, uint64_t item_bytes);

/* Loads from anywhere in `footprint` bytes: `accesses` of them, after as many others. */
struct measure measure_uniform(const struct config *config, uint64_t footprint, uint64_t accesses);

#endif

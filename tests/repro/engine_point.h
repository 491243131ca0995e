/* SPDX-License-Identifier: BSD-2-Clause */
/* One point of the program for the tests here: settings as text, a trace by path. */
#ifndef TWOSTAGE_REPRO_ENGINE_POINT_H
#define TWOSTAGE_REPRO_ENGINE_POINT_H

#include "config/config.h"
#include "mmu/stats.h"
#include "trace/trace.h"

/* "key=value" settings over the defaults, separated by spaces. Exits the program if one is wrong.
 */
struct config engine_config(const char *settings);

/* As engine_config(), more settings over `config`. */
void engine_set(struct config *config, const char *settings);

/* Runs the point; exits the program when it cannot. */
struct stats engine_run(const struct config *config, const char *path);

/* Can this machine exist? */
bool engine_possible(const struct config *config);

/* The status and text with which the program refuses it; STATUS_OK if it does not. */
enum exit_status engine_refusal(const struct config *config, const char *path, struct diag *diag);

/*
 * The addresses of the first `max_records` records of a trace, as a trace of their own: all of one
 * address space, no events. That is what a simulator without ASIDs and TLBI, such as drcachesim's,
 * sees.
 */
void engine_addresses(const char *path, const char *to, uint64_t max_records);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of `twostage translate`. */
#ifndef TWOSTAGE_CLI_TRANSLATE_ARGS_H
#define TWOSTAGE_CLI_TRANSLATE_ARGS_H

#include "arch/cpu.h"
#include "cli/names_args.h"

enum translate_mode { MODE_PRINT, MODE_CHECK };

struct translate_options {
	enum translate_mode mode;
	bool explain, json;
	char *choices[8]; /* "NAME=VALUE" of --set, without "core." */
	int choices_count;
	struct files_args input;
};

/* Exits with STATUS_USAGE on a wrong command line. */
void translate_args_parse(int argc, char **argv, struct translate_options *options);

/* Make the choice that "NAME=VALUE" says. False: there is none of that name and value. */
bool translate_choose(struct arch_cpu *cpu, const char *choice);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A command that consists of subcommands: the program itself, `twostage model`, `twostage db`. */
#ifndef TWOSTAGE_CLI_GROUP_H
#define TWOSTAGE_CLI_GROUP_H

#include "cli/command.h"

struct command_group {
	const char *name;		       /* as typed: "twostage", "twostage model" */
	const char *intro;		       /* what --help says before the list */
	const char *outro;		       /* what it says behind it */
	const struct command *const *commands; /* ends with NULL */
};

/*
 * Run the subcommand that argv[1] names, with argv[0] = "GROUP NAME" as argp prints it. Also
 * answers
 * --help, -h and `help [NAME]`. An unknown name is refused with the nearest known one.
 */
int group_run(const struct command_group *group, int argc, char **argv);

#endif

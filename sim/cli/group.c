/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/group.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/output.h"

static const struct command *find(const struct command_group *group, const char *name)
{
	for (size_t i = 0; group->commands[i]; i++) {
		if (strcmp(group->commands[i]->name, name) == 0)
			return group->commands[i];
	}
	return NULL;
}

static int refuse(const struct command_group *group, const char *name)
{
	struct suggest search;

	suggest_init(&search, name);
	for (size_t i = 0; group->commands[i]; i++)
		suggest_offer(&search, group->commands[i]->name);
	if (search.best)
		return output_error(STATUS_USAGE, "unknown command '%s'; did you mean '%s'?", name,
				    search.best);
	return output_error(STATUS_USAGE, "unknown command '%s'; try '%s --help'", name,
			    group->name);
}

static int run(const struct command_group *group, const struct command *command, int argc,
	       char **argv)
{
	char name[80];

	snprintf(name, sizeof(name), "%s %s", group->name, command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

static int show_help(const struct command_group *group)
{
	printf("Usage: %s COMMAND [OPTION...] [ARGUMENT...]\n%s\nCommands:\n", group->name,
	       group->intro);
	for (size_t i = 0; group->commands[i]; i++)
		printf("  %-12s %s\n", group->commands[i]->name, group->commands[i]->summary);
	printf("  %-12s %s\n%s", "help", "how to use a command", group->outro);
	return STATUS_OK;
}

static int help(const struct command_group *group, int argc, char **argv)
{
	char option[] = "--help";
	char *help_argv[] = { argv[0], option, option, NULL };
	const struct command *command;

	if (argc < 3)
		return show_help(group);
	command = find(group, argv[2]);
	if (!command)
		return refuse(group, argv[2]);
	/* "help trace info" is "trace info --help". */
	if (argc > 3)
		help_argv[1] = argv[3];
	if (argc > 4)
		return output_error(STATUS_USAGE, "help: one command at a time");
	return run(group, command, argc > 3 ? 3 : 2, help_argv);
}

int group_run(const struct command_group *group, int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		return output_error(STATUS_USAGE, "no command; try '%s --help'", group->name);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return show_help(group);
	if (strcmp(argv[1], "help") == 0)
		return help(group, argc, argv);
	if (argv[1][0] == '-')
		return output_error(STATUS_USAGE, "unknown option '%s'; try '%s --help'", argv[1],
				    group->name);
	command = find(group, argv[1]);
	return command ? run(group, command, argc - 1, argv + 1) : refuse(group, argv[1]);
}

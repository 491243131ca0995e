/* SPDX-License-Identifier: BSD-2-Clause */
/* The program `twostage`: finds the subcommand, and sees to it that no lost output goes unnoticed.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/suggest.h"
#include "cli/command.h"
#include "cli/output.h"
#include "run/point.h"

static const char usage_hint[] = "try 'twostage --help'";

/*
 * A program started with a closed standard stream would get that number for the next file it
 * opens and print into it. A descriptor that refuses writes takes the place.
 */
static void open_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDONLY) != fd)
			_exit(STATUS_IO);
	}
}

/* Also runs when argp ends the program itself, after --help. */
static void check_stdout(int status, void *unused)
{
	(void)unused;
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return;
	output_error(STATUS_IO, "standard output: %s", strerror(errno ? errno : EIO));
	if (status == STATUS_OK || status == STATUS_MISMATCH)
		_exit(STATUS_IO);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; cli_registry[i]; i++) {
		if (strcmp(cli_registry[i]->name, name) == 0)
			return cli_registry[i];
	}
	return NULL;
}

static int refuse_command(const char *name)
{
	struct suggest search;

	suggest_init(&search, name);
	for (size_t i = 0; cli_registry[i]; i++)
		suggest_offer(&search, cli_registry[i]->name);
	if (search.best)
		return output_error(STATUS_USAGE, "unknown command '%s'; did you mean '%s'?", name,
				    search.best);
	return output_error(STATUS_USAGE, "unknown command '%s'; %s", name, usage_hint);
}

/* argv[0] becomes "twostage NAME", the name that argp prints in usage and errors. */
static int run_command(const struct command *command, int argc, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "twostage %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

static int show_help(void)
{
	puts("Usage: twostage COMMAND [OPTION...] [ARGUMENT...]\n"
	     "Trace-driven simulator of the Armv8-A MMU under virtualization: TLB misses and walk\n"
	     "latency of two-stage translation.\n\n"
	     "Commands:");
	for (size_t i = 0; cli_registry[i]; i++)
		printf("  %-12s %s\n", cli_registry[i]->name, cli_registry[i]->summary);
	puts("  help         how to use a command\n\n"
	     "Options:\n"
	     "  --help, -h   this text; 'twostage COMMAND --help' for a command\n"
	     "  --version    version of the program and of its results\n\n"
	     "Exit status: 0 ok, 1 a check found a difference, 64 usage, 65 bad input, 66 no such\n"
	     "file, 70 internal error, 74 I/O error, 75 interrupted (repeat the command to "
	     "resume).");
	return STATUS_OK;
}

static int show_version(void)
{
	printf("twostage %s (engine %s)\n", PROGRAM_VERSION, ENGINE_VERSION);
	return STATUS_OK;
}

static int help_command(int argc, char **argv)
{
	char help_option[] = "--help";
	char *help_argv[] = { argv[0], help_option, NULL };
	const struct command *command;

	if (argc < 2)
		return show_help();
	if (argc > 2)
		return output_error(STATUS_USAGE, "help: one command at a time");
	command = find_command(argv[1]);
	if (!command)
		return refuse_command(argv[1]);
	return run_command(command, 2, help_argv);
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		return output_error(STATUS_USAGE, "no command; %s", usage_hint);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return show_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return show_version();
	if (argv[1][0] == '-')
		return output_error(STATUS_USAGE, "unknown option '%s'; %s", argv[1], usage_hint);
	if (strcmp(argv[1], "help") == 0)
		return help_command(argc - 1, argv + 1);
	command = find_command(argv[1]);
	if (!command)
		return refuse_command(argv[1]);
	return run_command(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	open_standard_streams();
	argp_err_exit_status = STATUS_USAGE;
	/* A closed pipe is an error of the write, which check_stdout reports. */
	signal(SIGPIPE, SIG_IGN);
	if (on_exit(check_stdout, NULL) != 0)
		return STATUS_INTERNAL;
	return dispatch(argc, argv);
}

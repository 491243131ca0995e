/* SPDX-License-Identifier: BSD-2-Clause */
/* The program `twostage`: runs the subcommand, and sees to it that no lost output goes unnoticed.
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
#include "cli/command.h"
#include "cli/group.h"
#include "cli/output.h"
#include "run/point.h"

static const struct command_group program = {
	.name = "twostage",
	.intro = "Trace-driven simulator of the Armv8-A MMU under virtualization: TLB misses and "
		 "walk\n"
		 "latency of two-stage translation.\n",
	.outro = "\nOptions:\n"
		 "  --help, -h   this text; 'twostage COMMAND --help' for a command\n"
		 "  --version    version of the program and of its results\n\n"
		 "Exit status: 0 ok, 1 a check found a difference, 64 usage, 65 bad input, 66 no "
		 "such\n"
		 "file, 70 internal error, 74 I/O error, 75 interrupted (repeat the command to "
		 "resume).\n",
	.commands = cli_registry,
};

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
	if (status == STATUS_IO) /* told already */
		return;
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return;
	output_error(STATUS_IO, "standard output: %s", strerror(errno ? errno : EIO));
	if (status == STATUS_OK || status == STATUS_MISMATCH)
		_exit(STATUS_IO);
}

/* Up to what is passed on to others: the place of an argument that is empty, 0: there is none. */
static int empty_argument(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (*argv[i] == '\0')
			return i;
	return 0;
}

int main(int argc, char **argv)
{
	const int empty = empty_argument(argc, argv);

	open_standard_streams();
	argp_err_exit_status = STATUS_USAGE;
	/* A closed pipe and a file over the size limit are errors of the write, and reported so. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (on_exit(check_stdout, NULL) != 0)
		return STATUS_INTERNAL;
	if (argc >= 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
		printf("twostage %s (engine %s)\n", PROGRAM_VERSION, ENGINE_VERSION);
		return STATUS_OK;
	}
	if (empty)
		return output_error(STATUS_USAGE,
				    "argument %d is empty: a name or a value expected", empty);
	return group_run(&program, argc, argv);
}

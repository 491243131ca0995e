/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/point_process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child sends. */
struct outcome {
	enum exit_status status;
	struct stats stats;
	uint64_t n_intervals; /* their rows follow */
	struct diag diag;
};

enum direction { SEND, RECEIVE };

/* All of `data` through a pipe; false: an error, or the other end is closed. */
static bool transfer(enum direction direction, int fd, void *data, size_t n_bytes)
{
	char *at = data;

	while (n_bytes) {
		const ssize_t n =
			direction == SEND ? write(fd, at, n_bytes) : read(fd, at, n_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		n_bytes -= (size_t)n;
	}
	return true;
}

static bool receive(int fd, struct outcome *outcome, struct interval_table *intervals)
{
	if (!transfer(RECEIVE, fd, outcome, sizeof(*outcome)))
		return false;
	if (!outcome->n_intervals)
		return true;
	intervals->row = calloc(outcome->n_intervals, sizeof(*intervals->row));
	intervals->n = outcome->n_intervals;
	return intervals->row &&
	       transfer(RECEIVE, fd, intervals->row, intervals->n * sizeof(*intervals->row));
}

/* The life of the child. */
static bool serve(int fd, point_runner *run, const struct config *config,
		  const struct trace_reader *trace, const struct point_progress *progress)
{
	struct outcome outcome = { .diag = DIAG_INIT };
	struct interval_table intervals;

	outcome.status = run(config, trace, progress, &outcome.stats, &intervals, &outcome.diag);
	outcome.n_intervals = intervals.n;
	return transfer(SEND, fd, &outcome, sizeof(outcome)) &&
	       transfer(SEND, fd, intervals.row, intervals.n * sizeof(*intervals.row));
}

static enum exit_status child_died(int wait_status, struct diag *diag)
{
	if (WIFSIGNALED(wait_status))
		return diag_set(diag, STATUS_INTERNAL,
				"the process of this point was killed by signal %d (%s)",
				WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	return diag_set(diag, STATUS_INTERNAL, "the process of this point ended with status %d",
			WEXITSTATUS(wait_status));
}

enum exit_status point_in_process(point_runner *run, const struct config *config,
				  const struct trace_reader *trace,
				  const struct point_progress *progress, struct stats *stats,
				  struct interval_table *intervals, struct diag *diag)
{
	struct outcome outcome = { .diag = DIAG_INIT };
	const pid_t parent = getpid();
	int fds[2], wait_status = 0;
	bool complete;
	pid_t child;

	*intervals = (struct interval_table){ 0 };
	if (pipe(fds) != 0)
		return diag_set(diag, STATUS_INTERNAL, "pipe: %s", strerror(errno));
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(STATUS_INTERNAL);
		close(fds[0]);
		complete = serve(fds[1], run, config, trace, progress);
		/* Not _exit(): AddressSanitizer looks at the stack there, and SystemC leaves it in
		 * doubt of which one that is. */
		syscall(SYS_exit_group, complete ? STATUS_OK : STATUS_IO);
	}
	close(fds[1]);
	if (child < 0) {
		close(fds[0]);
		return diag_set(diag, STATUS_INTERNAL, "fork: %s", strerror(errno));
	}
	complete = receive(fds[0], &outcome, intervals);
	close(fds[0]);
	while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR)
		;
	if (!complete) {
		interval_table_free(intervals);
		return child_died(wait_status, diag);
	}
	if (outcome.status == STATUS_OK) {
		*stats = outcome.stats;
		return STATUS_OK;
	}
	if (diag && diag->status == STATUS_OK)
		*diag = outcome.diag;
	return outcome.status;
}

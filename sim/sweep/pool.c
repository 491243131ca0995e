/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep/pool.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker {
	pid_t pid;     /* 0: not started, or a copy that has not said yet which it is */
	int jobs;      /* our end of a socket; -1: there is no worker */
	int results;   /* our end of a pipe */
	int copying;   /* no pid yet: */
	unsigned like; /* of this worker */
	int busy;
	uint64_t job;
	size_t n_bytes; /* of its result that have come */
	unsigned char *result;
};

struct pool {
	struct worker *workers;
	unsigned n_workers, n_busy;
	size_t result_bytes;
	pool_work *work;
	void *ctx;
	struct pollfd *polls;
};

/* What a worker is told. */
struct order {
	uint64_t job;
	/* Instead of it: become two workers. The other one's ends are with the message. */
	int copy;
};

/* A worker's ends. */
enum { JOBS, RESULTS, ENDS };

enum direction { SEND, RECEIVE };

/* All of `data` through a pipe, or -1: an error, or the other end is closed. */
static int transfer(enum direction direction, int fd, void *data, size_t n_bytes)
{
	unsigned char *at = data;

	while (n_bytes) {
		ssize_t n = direction == SEND ? write(fd, at, n_bytes) : read(fd, at, n_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += n;
		n_bytes -= (size_t)n;
	}
	return 0;
}

/* Room for the descriptors that a message takes along. */
union rights {
	char bytes[CMSG_SPACE(ENDS * sizeof(int))];
	struct cmsghdr align;
};

/* An order for a worker; with `ends` unless that is NULL. -1: it is dead. */
static int send_order(int fd, const struct order *order, const int ends[ENDS])
{
	struct order out = *order;
	struct iovec data = { &out, sizeof(out) };
	union rights rights = { { 0 } };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	ssize_t n;

	if (ends) {
		message.msg_control = rights.bytes;
		message.msg_controllen = sizeof(rights.bytes);

		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(ENDS * sizeof(int));
		memcpy(CMSG_DATA(header), ends, ENDS * sizeof(int));
	}
	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(out) ? 0 : -1;
}

/* The next one, in a worker; -1: the parent is gone. */
static int receive_order(int fd, struct order *order, int ends[ENDS])
{
	struct iovec data = { order, sizeof(*order) };
	union rights rights;
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = rights.bytes,
				  .msg_controllen = sizeof(rights.bytes) };
	const struct cmsghdr *header;
	ssize_t n;

	do
		n = recvmsg(fd, &message, 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*order))
		return -1;
	header = CMSG_FIRSTHDR(&message);
	if (!order->copy)
		return 0;
	if (!header || header->cmsg_len != CMSG_LEN(ENDS * sizeof(int)))
		return -1;
	memcpy(ends, CMSG_DATA(header), ENDS * sizeof(int));
	return 0;
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/*
 * In a worker: another one like this, a child of the parent, too. True in it, with its ends in
 * place of ours. Where there can be none, the parent sees that nobody holds these.
 */
static bool copy_worker(int own[ENDS], const int others[ENDS])
{
	const long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid != 0) {
		close_pair(others);
		return false;
	}
	close_pair(own);
	memcpy(own, others, ENDS * sizeof(int));
	return true;
}

/* Points take and give back the same megabytes again and again: no page faults for each. */
enum { KEPT_BLOCK_BYTES = 8 << 20, KEPT_BYTES = 64 << 20 };

/* A killed parent takes us along. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_INTERNAL);
}

/* The life of a worker: jobs in, results out, until the parent is gone. */
static _Noreturn void serve(const struct pool *pool, int own[ENDS], pid_t parent)
{
	unsigned char *result = malloc(pool->result_bytes);
	struct order order;
	int others[ENDS];

	mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	/* The terminal's interrupt is the parent's to handle. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	die_with(parent);
	if (!result)
		_exit(STATUS_INTERNAL);
	while (receive_order(own[JOBS], &order, others) == 0) {
		if (order.copy && copy_worker(own, others)) {
			pid_t pid = getpid();

			die_with(parent);
			if (transfer(SEND, own[RESULTS], &pid, sizeof(pid)) != 0)
				_exit(STATUS_IO);
		}
		if (order.copy)
			continue;
		memset(result, 0, pool->result_bytes);
		pool->work(pool->ctx, order.job, result);
		if (transfer(SEND, own[RESULTS], result, pool->result_bytes) != 0)
			_exit(STATUS_IO);
	}
	_exit(STATUS_OK);
}

/* Both ends of all that goes to and from a worker: the parent's, and its own. */
static enum exit_status make_ends(int parents[ENDS], int own[ENDS], struct diag *diag)
{
	int pair[2];

	/* Whole messages, so that a descriptor comes with the order that it belongs to. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return diag_set(diag, STATUS_INTERNAL, "socketpair: %s", strerror(errno));
	parents[JOBS] = pair[0];
	own[JOBS] = pair[1];
	if (pipe(pair) != 0) {
		close(parents[JOBS]);
		close(own[JOBS]);
		return diag_set(diag, STATUS_INTERNAL, "pipe: %s", strerror(errno));
	}
	parents[RESULTS] = pair[0];
	own[RESULTS] = pair[1];
	return STATUS_OK;
}

static void close_worker(struct worker *worker)
{
	if (worker->jobs >= 0) {
		close(worker->jobs);
		close(worker->results);
	}
	worker->jobs = -1;
	worker->copying = 0;
}

static enum exit_status start_worker(struct pool *pool, struct worker *worker, struct diag *diag)
{
	const pid_t parent = getpid();
	int parents[ENDS], own[ENDS];

	if (make_ends(parents, own, diag) != STATUS_OK)
		return STATUS_INTERNAL;
	worker->pid = fork();
	if (worker->pid == 0) {
		for (unsigned i = 0; i < pool->n_workers; i++)
			close_worker(&pool->workers[i]);
		close_pair(parents);
		serve(pool, own, parent);
	}
	close_pair(own);
	if (worker->pid < 0) {
		worker->pid = 0;
		close_pair(parents);
		return diag_set(diag, STATUS_INTERNAL, "fork: %s", strerror(errno));
	}
	worker->jobs = parents[JOBS];
	worker->results = parents[RESULTS];
	return STATUS_OK;
}

/* Reap a worker, if there is one; returns what waitpid() says of it. */
static int end_worker(struct worker *worker)
{
	int wait_status = 0;

	close_worker(worker);
	while (worker->pid && waitpid(worker->pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	worker->pid = 0;
	worker->busy = 0;
	worker->n_bytes = 0;
	return wait_status;
}

struct pool *pool_create(unsigned n_workers, size_t result_bytes, pool_work *work, void *ctx,
			 struct diag *diag)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool) {
		pool->n_workers = n_workers > POOL_WORKERS_MAX ? POOL_WORKERS_MAX : n_workers;
		pool->result_bytes = result_bytes;
		pool->work = work;
		pool->ctx = ctx;
		pool->workers = calloc(pool->n_workers, sizeof(*pool->workers));
		pool->polls = calloc(pool->n_workers, sizeof(*pool->polls));
	}
	if (!pool || !pool->workers || !pool->polls) {
		diag_set(diag, STATUS_INTERNAL, "out of memory");
		pool_destroy(pool);
		return NULL;
	}
	for (unsigned i = 0; i < pool->n_workers; i++)
		pool->workers[i].jobs = -1;
	for (unsigned i = 0; i < pool->n_workers; i++) {
		pool->workers[i].result = malloc(result_bytes);
		if (!pool->workers[i].result) {
			diag_set(diag, STATUS_INTERNAL, "out of memory");
			pool_destroy(pool);
			return NULL;
		}
	}
	return pool;
}

/* A copy says which process it is, once it is made; false: it never will be. */
static bool meet_copy(struct worker *worker)
{
	worker->copying = 0;
	if (transfer(RECEIVE, worker->results, &worker->pid, sizeof(worker->pid)) == 0)
		return true;
	worker->pid = 0;
	return false;
}

static void kill_worker(struct worker *worker)
{
	if (worker->pid)
		kill(worker->pid, SIGKILL);
	end_worker(worker);
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	for (unsigned i = 0; pool->workers && i < pool->n_workers; i++) {
		if (pool->workers[i].pid)
			kill(pool->workers[i].pid, SIGKILL);
	}
	for (unsigned i = 0; pool->workers && i < pool->n_workers; i++) {
		if (pool->workers[i].pid)
			end_worker(&pool->workers[i]);
	}
	/* No more copies are made. */
	for (unsigned i = 0; pool->workers && i < pool->n_workers; i++) {
		if (pool->workers[i].copying)
			meet_copy(&pool->workers[i]);
		kill_worker(&pool->workers[i]);
		free(pool->workers[i].result);
	}
	free(pool->workers);
	free(pool->polls);
	free(pool);
}

int pool_is_free(const struct pool *pool, unsigned worker)
{
	return worker < pool->n_workers && !pool->workers[worker].busy;
}

unsigned pool_busy(const struct pool *pool)
{
	return pool->n_busy;
}

/* A new process has the job. */
static enum exit_status begin_anew(struct pool *pool, struct worker *worker, uint64_t job,
				   struct diag *diag)
{
	const struct order order = { .job = job };

	end_worker(worker);
	if (start_worker(pool, worker, diag) != STATUS_OK)
		return STATUS_INTERNAL;
	if (send_order(worker->jobs, &order, NULL) != 0)
		return diag_set(diag, STATUS_INTERNAL, "a worker does not start");
	return STATUS_OK;
}

static enum exit_status set_busy(struct pool *pool, struct worker *worker, uint64_t job)
{
	worker->busy = 1;
	worker->job = job;
	worker->n_bytes = 0;
	pool->n_busy++;
	return STATUS_OK;
}

enum exit_status pool_submit(struct pool *pool, unsigned index, uint64_t job, struct diag *diag)
{
	struct worker *worker = &pool->workers[index];
	const struct order order = { .job = job };

	if (!pool_is_free(pool, index))
		return diag_set(diag, STATUS_INTERNAL, "worker %u is not free", index);
	/* A worker that died between jobs shows here first. */
	if ((!worker->pid || send_order(worker->jobs, &order, NULL) != 0) &&
	    begin_anew(pool, worker, job, diag) != STATUS_OK)
		return STATUS_INTERNAL;
	return set_busy(pool, worker, job);
}

/* Have worker `like` copied; false: it cannot be. */
static bool order_copy(struct pool *pool, struct worker *worker, unsigned like, uint64_t job)
{
	const struct order copy = { .copy = 1 }, first = { .job = job };
	int parents[ENDS], own[ENDS];
	bool done;

	/* One that is to be a copy itself. */
	if (pool->workers[like].copying)
		like = pool->workers[like].like;
	if (!pool->workers[like].pid || &pool->workers[like] == worker ||
	    make_ends(parents, own, NULL) != STATUS_OK)
		return false;
	done = send_order(parents[JOBS], &first, NULL) == 0 &&
	       send_order(pool->workers[like].jobs, &copy, own) == 0;
	close_pair(own);
	if (!done) {
		close_pair(parents);
		return false;
	}
	kill_worker(worker);
	worker->jobs = parents[JOBS];
	worker->results = parents[RESULTS];
	worker->copying = 1;
	worker->like = like;
	return true;
}

enum exit_status pool_submit_copy(struct pool *pool, unsigned index, unsigned like, uint64_t job,
				  struct diag *diag)
{
	struct worker *worker = &pool->workers[index];

	if (!pool_is_free(pool, index) || like >= pool->n_workers || like == index)
		return diag_set(diag, STATUS_INTERNAL, "worker %u is no copy of %u", index, like);
	if (!order_copy(pool, worker, like, job))
		return pool_submit(pool, index, job, diag);
	return set_busy(pool, worker, job);
}

/* Take what a worker has written; event->type is something when that ends its job. */
static enum exit_status collect(struct pool *pool, struct worker *worker, struct pool_event *event,
				struct diag *diag)
{
	ssize_t n;

	if (worker->copying) {
		const uint64_t job = worker->job;

		if (meet_copy(worker))
			return STATUS_OK;
		if (begin_anew(pool, worker, job, diag) != STATUS_OK)
			return STATUS_INTERNAL;
		worker->busy = 1;
		return STATUS_OK;
	}
	n = read(worker->results, worker->result + worker->n_bytes,
		 pool->result_bytes - worker->n_bytes);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return STATUS_OK;
	event->job = worker->job;
	if (n <= 0) {
		event->type = POOL_DIED;
		event->wait_status = end_worker(worker);
		pool->n_busy--;
		return STATUS_OK;
	}
	worker->n_bytes += (size_t)n;
	if (worker->n_bytes < pool->result_bytes)
		return STATUS_OK;
	event->type = POOL_RESULT;
	event->result = worker->result;
	worker->busy = 0;
	worker->n_bytes = 0;
	pool->n_busy--;
	return STATUS_OK;
}

enum exit_status pool_wait(struct pool *pool, int timeout_ms, struct pool_event *event,
			   struct diag *diag)
{
	int n_ready;

	*event = (struct pool_event){ .type = POOL_NOTHING };
	for (unsigned i = 0; i < pool->n_workers; i++) {
		const struct worker *worker = &pool->workers[i];

		/* poll() leaves negative descriptors out. */
		pool->polls[i] = (struct pollfd){ .fd = worker->busy ? worker->results : -1,
						  .events = POLLIN };
	}
	n_ready = poll(pool->polls, pool->n_workers, timeout_ms);
	if (n_ready < 0 && errno != EINTR)
		return diag_set(diag, STATUS_INTERNAL, "poll: %s", strerror(errno));
	for (unsigned i = 0; n_ready > 0 && i < pool->n_workers; i++) {
		enum exit_status status = STATUS_OK;

		if (pool->polls[i].revents)
			status = collect(pool, &pool->workers[i], event, diag);
		if (status != STATUS_OK || event->type != POOL_NOTHING)
			return status;
	}
	return STATUS_OK;
}

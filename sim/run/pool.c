/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/pool.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker {
	pid_t pid;	   /* 0: not started */
	int jobs, results; /* our ends of its pipes */
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

/* Points take and give back the same megabytes again and again: no page faults for each. */
enum { KEPT_BLOCK_BYTES = 8 << 20, KEPT_BYTES = 64 << 20 };

/* The life of a worker: jobs in, results out, until the parent is gone. */
static _Noreturn void serve(const struct pool *pool, int jobs, int results, pid_t parent)
{
	unsigned char *result = malloc(pool->result_bytes);
	uint64_t job;

	mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	/* The terminal's interrupt is the parent's to handle; a killed parent takes us along. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!result || getppid() != parent)
		_exit(STATUS_INTERNAL);
	while (transfer(RECEIVE, jobs, &job, sizeof(job)) == 0) {
		memset(result, 0, pool->result_bytes);
		pool->work(pool->ctx, job, result);
		if (transfer(SEND, results, result, pool->result_bytes) != 0)
			_exit(STATUS_IO);
	}
	_exit(STATUS_OK);
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static enum exit_status start_worker(struct pool *pool, struct worker *worker, struct diag *diag)
{
	int jobs[2], results[2];
	pid_t parent = getpid();

	if (pipe(jobs) != 0)
		return diag_set(diag, STATUS_INTERNAL, "pipe: %s", strerror(errno));
	if (pipe(results) != 0) {
		close_pair(jobs);
		return diag_set(diag, STATUS_INTERNAL, "pipe: %s", strerror(errno));
	}
	worker->pid = fork();
	if (worker->pid == 0) {
		for (unsigned i = 0; i < pool->n_workers; i++) {
			const struct worker *other = &pool->workers[i];

			if (other != worker && other->pid) {
				close(other->jobs);
				close(other->results);
			}
		}
		close(jobs[1]);
		close(results[0]);
		serve(pool, jobs[0], results[1], parent);
	}
	close(jobs[0]);
	close(results[1]);
	if (worker->pid < 0) {
		worker->pid = 0;
		close(jobs[1]);
		close(results[0]);
		return diag_set(diag, STATUS_INTERNAL, "fork: %s", strerror(errno));
	}
	worker->jobs = jobs[1];
	worker->results = results[0];
	return STATUS_OK;
}

/* Reap a worker; returns what waitpid() says of it. */
static int end_worker(struct worker *worker)
{
	int wait_status = 0;

	close(worker->jobs);
	close(worker->results);
	while (waitpid(worker->pid, &wait_status, 0) < 0 && errno == EINTR)
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

enum exit_status pool_submit(struct pool *pool, unsigned index, uint64_t job, struct diag *diag)
{
	struct worker *worker = &pool->workers[index];

	if (!pool_is_free(pool, index))
		return diag_set(diag, STATUS_INTERNAL, "worker %u is not free", index);
	if (!worker->pid && start_worker(pool, worker, diag) != STATUS_OK)
		return STATUS_INTERNAL;
	/* A worker that died between jobs shows here first. */
	if (transfer(SEND, worker->jobs, &job, sizeof(job)) != 0) {
		end_worker(worker);
		if (start_worker(pool, worker, diag) != STATUS_OK)
			return STATUS_INTERNAL;
		if (transfer(SEND, worker->jobs, &job, sizeof(job)) != 0)
			return diag_set(diag, STATUS_INTERNAL, "a worker does not start");
	}
	worker->busy = 1;
	worker->job = job;
	worker->n_bytes = 0;
	pool->n_busy++;
	return STATUS_OK;
}

/* Take what a worker has written; true when that ends its job. */
static int collect(struct pool *pool, struct worker *worker, struct pool_event *event)
{
	ssize_t n = read(worker->results, worker->result + worker->n_bytes,
			 pool->result_bytes - worker->n_bytes);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	event->job = worker->job;
	if (n <= 0) {
		event->type = POOL_DIED;
		event->wait_status = end_worker(worker);
		pool->n_busy--;
		return 1;
	}
	worker->n_bytes += (size_t)n;
	if (worker->n_bytes < pool->result_bytes)
		return 0;
	event->type = POOL_RESULT;
	event->result = worker->result;
	worker->busy = 0;
	worker->n_bytes = 0;
	pool->n_busy--;
	return 1;
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
		if (pool->polls[i].revents && collect(pool, &pool->workers[i], event))
			break;
	}
	return STATUS_OK;
}

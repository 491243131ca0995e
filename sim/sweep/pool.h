/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool of worker processes. Each job is a number; its result is a fixed number of bytes. A worker
 * that dies costs the job it had, nothing else; another takes its place. A worker may become a copy
 * of another one, so that what that one has learnt in its jobs is learnt once.
 */
#ifndef TWOSTAGE_SWEEP_POOL_H
#define TWOSTAGE_SWEEP_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

enum { POOL_WORKERS_MAX = 1024 };

struct pool;

/* Does job `job` in a worker and fills `result`, which starts zeroed. */
typedef void pool_work(void *ctx, uint64_t job, void *result);

/* At most POOL_WORKERS_MAX workers, started when there are jobs for them. NULL on failure. */
struct pool *pool_create(unsigned n_workers, size_t result_bytes, pool_work *work, void *ctx,
			 struct diag *diag);

/* Kills all workers; what they were doing is lost. `pool` may be NULL. */
void pool_destroy(struct pool *pool);

/* Is a worker, by its number from 0 on, free to take a job? */
int pool_is_free(const struct pool *pool, unsigned worker);

/* How many jobs are under way. */
unsigned pool_busy(const struct pool *pool);

/* Hand out a job to a worker that is free. */
enum exit_status pool_submit(struct pool *pool, unsigned worker, uint64_t job, struct diag *diag);

/*
 * The same, but the worker first becomes a copy of worker `like`, with all that this one has in
 * memory when it is done with the jobs that it was given so far. Where `like` dies before, or has
 * not begun, the job is done by a new worker.
 */
enum exit_status pool_submit_copy(struct pool *pool, unsigned worker, unsigned like, uint64_t job,
				  struct diag *diag);

enum pool_event_type {
	POOL_RESULT,  /* `result` is filled */
	POOL_DIED,    /* the worker ended instead; `wait_status` is that of waitpid() */
	POOL_NOTHING, /* the time was up, or a signal came */
};

struct pool_event {
	enum pool_event_type type;
	uint64_t job;
	const void *result; /* holds until the next pool_wait() */
	int wait_status;
};

/* Wait for the end of a job, `timeout_ms` at most. */
enum exit_status pool_wait(struct pool *pool, int timeout_ms, struct pool_event *event,
			   struct diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sweep/pool.h"

/* Larger than a pipe holds, so that results come in pieces. */
struct result {
	uint64_t square;
	char filler[200000];
};

/* What a worker remembers: the sum of its jobs, and a copy of it, too. */
static uint64_t remembered;

enum { LEARN = 1000, RECALL = 2000, LEARN_AND_DIE = 3000 };

static void work(void *ctx, uint64_t job, void *result)
{
	struct result *mine = result;

	(void)ctx;
	remembered += job;
	if (job == LEARN || job == LEARN_AND_DIE)
		usleep(20000);
	if (job == LEARN_AND_DIE)
		raise(SIGKILL);
	if (job == RECALL) {
		mine->square = remembered;
		return;
	}
	if (job == 13)
		raise(SIGKILL);
	if (job == 14)
		_exit(3);
	if (job == 99)
		pause();
	mine->square = job * job;
	memset(mine->filler, (int)job, sizeof(mine->filler));
}

static unsigned free_worker(const struct pool *pool, unsigned n_workers)
{
	unsigned worker = 0;

	while (worker < n_workers && !pool_is_free(pool, worker))
		worker++;
	return worker;
}

static void run_jobs(unsigned n_workers)
{
	struct diag diag = DIAG_INIT;
	struct pool *pool = pool_create(n_workers, sizeof(struct result), work, NULL, &diag);
	unsigned char seen[40] = { 0 };
	unsigned n_died = 0;
	struct pool_event event;

	assert_non_null(pool);
	for (uint64_t next = 0; next < 40 || pool_busy(pool);) {
		const unsigned idle = free_worker(pool, n_workers);

		if (next < 40 && idle < n_workers) {
			assert_int_equal(pool_submit(pool, idle, next++, &diag), STATUS_OK);
			continue;
		}
		assert_int_equal(pool_wait(pool, 10000, &event, &diag), STATUS_OK);
		if (event.type == POOL_NOTHING)
			continue;
		assert_int_equal(seen[event.job]++, 0);
		if (event.type == POOL_DIED) {
			n_died++;
			if (event.job == 13)
				assert_int_equal(WTERMSIG(event.wait_status), SIGKILL);
			else
				assert_int_equal(WEXITSTATUS(event.wait_status), 3);
			continue;
		}
		assert_int_equal(((const struct result *)event.result)->square,
				 event.job * event.job);
		assert_int_equal(((const struct result *)event.result)->filler[199999],
				 (char)event.job);
	}
	assert_int_equal(n_died, 2);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(seen[i], 1);
	pool_destroy(pool);
}

static void one_worker(void **state)
{
	(void)state;
	run_jobs(1);
}

static void many_workers(void **state)
{
	(void)state;
	run_jobs(7);
}

/* Workers that hang are ended, and a wait ends at its time. */
static void hanging_workers(void **state)
{
	struct diag diag = DIAG_INIT;
	struct pool *pool = pool_create(2, sizeof(struct result), work, NULL, &diag);
	struct pool_event event;

	(void)state;
	assert_int_equal(pool_submit(pool, 0, 99, &diag), STATUS_OK);
	assert_int_equal(pool_submit(pool, 1, 99, &diag), STATUS_OK);
	assert_int_equal(free_worker(pool, 2), 2);
	assert_int_equal(pool_submit(pool, 1, 1, &diag), STATUS_INTERNAL);
	assert_int_equal(pool_submit(pool, 2, 1, &diag), STATUS_INTERNAL);
	assert_int_equal(pool_wait(pool, 20, &event, &diag), STATUS_OK);
	assert_int_equal(event.type, POOL_NOTHING);
	pool_destroy(pool);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* The result of each job of workers 0 to n - 1 by its worker; UINT64_MAX: it died. */
static void gather(struct pool *pool, unsigned n, const uint64_t *jobs, uint64_t *results)
{
	while (pool_busy(pool)) {
		struct diag diag = DIAG_INIT;
		struct pool_event event;

		assert_int_equal(pool_wait(pool, 10000, &event, &diag), STATUS_OK);
		for (unsigned i = 0; i < n && event.type != POOL_NOTHING; i++)
			if (jobs[i] == event.job && results[i] == 0) {
				results[i] =
					event.type == POOL_DIED
						? UINT64_MAX
						: ((const struct result *)event.result)->square;
				break;
			}
	}
}

/* Of a busy worker, of one that is to be a copy itself, and of one that is free. */
static void copies(void **state)
{
	static const uint64_t jobs[] = { LEARN, RECALL, RECALL, 5 };
	struct diag diag = DIAG_INIT;
	struct pool *pool = pool_create(4, sizeof(struct result), work, NULL, &diag);
	uint64_t results[4] = { 0 };

	(void)state;
	assert_non_null(pool);
	assert_int_equal(pool_submit(pool, 3, 5, &diag), STATUS_OK);
	gather(pool, 4, jobs, results);
	assert_int_equal(results[3], 25);
	assert_int_equal(pool_submit(pool, 0, LEARN, &diag), STATUS_OK);
	assert_int_equal(pool_submit_copy(pool, 1, 0, RECALL, &diag), STATUS_OK);
	assert_int_equal(pool_submit_copy(pool, 2, 1, RECALL, &diag), STATUS_OK);
	assert_int_equal(pool_submit_copy(pool, 2, 1, RECALL, &diag), STATUS_INTERNAL);
	gather(pool, 3, jobs, results);
	assert_int_equal(results[0], (uint64_t)LEARN * LEARN);
	assert_int_equal(results[1], LEARN + RECALL);
	assert_int_equal(results[2], LEARN + RECALL);
	/* The first was worker 3's, which is another process now; then it does what others do. */
	results[0] = results[1] = 0;
	assert_int_equal(pool_submit_copy(pool, 3, 0, RECALL, &diag), STATUS_OK);
	assert_int_equal(pool_submit(pool, 0, RECALL, &diag), STATUS_OK);
	gather(pool, 2, (const uint64_t[]){ RECALL, RECALL }, results);
	assert_int_equal(results[0], LEARN + RECALL);
	assert_int_equal(results[1], LEARN + RECALL);
	results[1] = 0;
	assert_int_equal(pool_submit(pool, 3, 14, &diag), STATUS_OK);
	gather(pool, 1, (const uint64_t[]){ 14 }, &results[1]);
	assert_int_equal(results[1], UINT64_MAX);
	pool_destroy(pool);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Where there is nothing to copy, a new worker does the job; one that dies costs its own job alone.
 */
static void copies_of_none(void **state)
{
	static const uint64_t jobs[] = { LEARN_AND_DIE, RECALL, RECALL };
	struct diag diag = DIAG_INIT;
	struct pool *pool = pool_create(3, sizeof(struct result), work, NULL, &diag);
	uint64_t results[3] = { 0 };

	(void)state;
	assert_int_equal(pool_submit_copy(pool, 1, 0, RECALL, &diag), STATUS_OK);
	assert_int_equal(pool_submit_copy(pool, 2, 2, RECALL, &diag), STATUS_INTERNAL);
	assert_int_equal(pool_submit_copy(pool, 2, 3, RECALL, &diag), STATUS_INTERNAL);
	gather(pool, 2, jobs, results);
	assert_int_equal(results[1], RECALL);
	results[1] = 0;
	assert_int_equal(pool_submit(pool, 0, LEARN_AND_DIE, &diag), STATUS_OK);
	assert_int_equal(pool_submit_copy(pool, 1, 0, RECALL, &diag), STATUS_OK);
	assert_int_equal(pool_submit_copy(pool, 2, 1, RECALL, &diag), STATUS_OK);
	gather(pool, 3, jobs, results);
	assert_int_equal(results[0], UINT64_MAX);
	assert_int_equal(results[1], RECALL);
	assert_int_equal(results[2], RECALL);
	pool_destroy(pool);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A pool that ends leaves no copy behind: before it is made, or while it works. */
static void copies_end(void **state)
{
	struct diag diag = DIAG_INIT;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct pool *pool = pool_create(3, sizeof(struct result), work, NULL, &diag);
		struct pool_event event;

		assert_int_equal(pool_submit(pool, 0, i % 2 ? 99 : LEARN, &diag), STATUS_OK);
		assert_int_equal(pool_submit_copy(pool, 1, 0, 99, &diag), STATUS_OK);
		assert_int_equal(pool_submit_copy(pool, 2, 1, 99, &diag), STATUS_OK);
		assert_int_equal(pool_wait(pool, (int)i * 2, &event, &diag), STATUS_OK);
		pool_destroy(pool);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker),	   cmocka_unit_test(many_workers),
		cmocka_unit_test(hanging_workers), cmocka_unit_test(copies),
		cmocka_unit_test(copies_of_none),  cmocka_unit_test(copies_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

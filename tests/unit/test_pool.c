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

#include "run/pool.h"

/* Larger than a pipe holds, so that results come in pieces. */
struct result {
	uint64_t square;
	char filler[200000];
};

static void work(void *ctx, uint64_t job, void *result)
{
	struct result *mine = result;

	(void)ctx;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker),
		cmocka_unit_test(many_workers),
		cmocka_unit_test(hanging_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

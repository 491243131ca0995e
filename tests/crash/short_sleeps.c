/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For LD_PRELOAD: a sleep of the program takes the part SLEEP_DIVISOR of what it asks for. The file
 * that SLEPT names is there from the first sleep on, so that others can wait for the program to
 * wait; when that ends, it says for how many milliseconds it asked in all.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static atomic_ullong asked_micros;

static void shorten(unsigned long long micros)
{
	const char *path = getenv("SLEPT");
	const char *divisor = getenv("SLEEP_DIVISOR");
	unsigned long long nanos = micros * 1000;

	if (divisor)
		nanos /= strtoull(divisor, NULL, 10);
	if (atomic_fetch_add(&asked_micros, micros) == 0 && path)
		close(open(path, O_WRONLY | O_CREAT, 0600));
	clock_nanosleep(CLOCK_MONOTONIC, 0,
			&(struct timespec){ .tv_sec = (time_t)(nanos / 1000000000),
					    .tv_nsec = (long)(nanos % 1000000000) },
			NULL);
}

/* What SQLite waits by for a database that is locked. */
int usleep(useconds_t micros)
{
	shorten(micros);
	return 0;
}

int nanosleep(const struct timespec *time, struct timespec *rest)
{
	(void)rest;
	shorten((unsigned long long)time->tv_sec * 1000000 +
		(unsigned long long)time->tv_nsec / 1000);
	return 0;
}

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("SLEPT");
	FILE *out = asked_micros && path ? fopen(path, "w") : NULL;

	if (!out)
		return;
	fprintf(out, "%llu\n", asked_micros / 1000);
	fclose(out);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * busy [threads|fork]: a guest program of no particular kind, to compare counts; or four threads
 * that write 10,000 words each; or a child process that outlives the recording of its parent.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 20000, THREADS = 4, WORDS = 10000 };

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void work(unsigned seed)
{
	int *v = malloc(N * sizeof(*v));
	char *text = calloc(1, 1 << 20);

	for (int i = 0; i < N; i++) {
		seed = seed * 1664525u + 1013904223u;
		v[i] = (int)(seed >> 8);
	}
	qsort(v, N, sizeof(*v), by_value);
	for (int i = 0; i < N; i += 100)
		snprintf(text + 10 * i, 16, "%d %g", v[i], v[i] / 3.0);
	memset(text, 0, 1 << 20);
	printf("%d\n", v[N / 2]);
	free(text);
	free(v);
}

static void *thread(void *argument)
{
	volatile int *words = argument;

	for (int i = 0; i < WORDS; i++)
		words[i] = i;
	return NULL;
}

static void run_threads(void)
{
	static int words[THREADS][WORDS];
	pthread_t id[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&id[i], NULL, thread, words[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "threads")) {
		run_threads();
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "fork")) {
		pid_t child = fork();

		work(child == 0);
		if (child)
			wait(NULL);
		return 0;
	}
	work(1);
	return 0;
}

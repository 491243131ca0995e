/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For LD_PRELOAD: when the program ends, "ALLOCATIONS MAXRSS_KIB" into the file that
 * COUNT_ALLOCATIONS names: calls of malloc and its like and of mmap, by all its threads.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/types.h>

static atomic_ullong n_calls;

/* glibc's own names: dlsym() would allocate. */
void *__libc_malloc(size_t n_bytes);
void *__libc_calloc(size_t n, size_t n_bytes);
void *__libc_realloc(void *old, size_t n_bytes);
void *__libc_memalign(size_t alignment, size_t n_bytes);

void *malloc(size_t n_bytes)
{
	n_calls++;
	return __libc_malloc(n_bytes);
}

void *calloc(size_t n, size_t n_bytes)
{
	n_calls++;
	return __libc_calloc(n, n_bytes);
}

void *realloc(void *old, size_t n_bytes)
{
	n_calls++;
	return __libc_realloc(old, n_bytes);
}

void *aligned_alloc(size_t alignment, size_t n_bytes)
{
	n_calls++;
	return __libc_memalign(alignment, n_bytes);
}

int posix_memalign(void **place, size_t alignment, size_t n_bytes)
{
	n_calls++;
	*place = __libc_memalign(alignment, n_bytes);
	return *place ? 0 : 12;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	static void *(*next)(void *, size_t, int, int, int, off_t);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "mmap");
	n_calls++;
	return next(address, length, protection, flags, fd, offset);
}

__attribute__((destructor)) static void report(void)
{
	const unsigned long long n = n_calls;
	const char *path = getenv("COUNT_ALLOCATIONS");
	FILE *out = path ? fopen(path, "w") : NULL;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	if (!out)
		return;
	fprintf(out, "%llu %ld\n", n, usage.ru_maxrss);
	fclose(out);
}

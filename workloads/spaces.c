/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spaces [PROCESSES]: the init of a small machine. Some processes, each an address space of its
 * own, share a part of their memory and own the rest. They touch all of it, wait for each other,
 * and from the start mark on read and write it in turns for ever: no mapping changes any more.
 */
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "random.h"
#include "roi.h"

#define PAGE_BYTES ((size_t)1 << 12)
#define HUGE_BYTES ((size_t)1 << 21)
enum { SHARED_PAGES = 64, OWN_PAGES = 256, UNWRITTEN_PAGES = 16, STACK_PAGES = 16, TURN = 48 };

struct spaces {
	volatile uint64_t *shared;    /* the same pages in every process, their counter first */
	volatile uint64_t *own;	      /* pages */
	volatile uint64_t *huge;      /* one 2 MiB block where the kernel has it */
	volatile uint64_t *unwritten; /* all of them the kernel's page of zeroes */
};

/* 2 MiB, aligned, which the kernel may map as one block. */
static void *map_huge(void)
{
	const uintptr_t mask = HUGE_BYTES - 1;
	unsigned char *p = memory_map(2 * HUGE_BYTES, 1);

	p = (unsigned char *)(((uintptr_t)p + mask) & ~mask);
	madvise(p, HUGE_BYTES, MADV_HUGEPAGE);
	return p;
}

static uint64_t sum_pages(const volatile uint64_t *at, size_t pages)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < pages; i++)
		sum += at[i * PAGE_BYTES / 8];
	return sum;
}

static void fill_pages(volatile uint64_t *at, size_t pages, uint64_t value)
{
	for (size_t i = 0; i < pages; i++)
		at[i * PAGE_BYTES / 8] = value + i;
}

static void prepare(struct spaces *s, uint64_t number)
{
	volatile uint64_t stack[STACK_PAGES * PAGE_BYTES / 8];

	s->own = memory_map(OWN_PAGES, PAGE_BYTES);
	s->huge = map_huge();
	s->unwritten = memory_map(UNWRITTEN_PAGES, PAGE_BYTES);
	fill_pages(s->own, OWN_PAGES, number << 32);
	fill_pages(s->huge, HUGE_BYTES / PAGE_BYTES, number << 32);
	fill_pages(stack, STACK_PAGES, number);
	fill_pages(s->shared + PAGE_BYTES / 8, SHARED_PAGES - 1, 0);
	(void)sum_pages(s->unwritten, UNWRITTEN_PAGES);
}

/* Some random words of everything, then the others' turn. */
static void take_turn(const struct spaces *s, uint64_t *state)
{
	for (unsigned i = 0; i < TURN; i++) {
		const uint64_t draw = random_next(state), word = draw >> 8;

		s->own[word % (OWN_PAGES * PAGE_BYTES / 8)] += draw & 1;
		s->huge[word % (HUGE_BYTES / 8)] += draw & 1;
		s->shared[PAGE_BYTES / 8 + word % ((SHARED_PAGES - 1) * PAGE_BYTES / 8)] +=
			draw & 1;
		(void)s->unwritten[word % (UNWRITTEN_PAGES * PAGE_BYTES / 8)];
	}
	sched_yield();
}

static _Atomic uint64_t *counter(const struct spaces *s)
{
	return (_Atomic uint64_t *)(uintptr_t)s->shared;
}

int main(int argc, char **argv)
{
	const uint64_t processes = argument(argc, argv, 1, 3);
	struct spaces s = { .shared = mmap(NULL, SHARED_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	uint64_t number = 1, state;

	if (s.shared == MAP_FAILED)
		return 1;
	while (number < processes && fork() == 0)
		number++;
	state = number;
	prepare(&s, number);
	/* A few turns unrecorded: what the kernel sets up at the first one is there then. */
	for (unsigned i = 0; i < 64; i++)
		take_turn(&s, &state);
	atomic_fetch_add(counter(&s), 1);
	while (atomic_load(counter(&s)) < processes)
		take_turn(&s, &state);
	if (number == processes) {
		static const char ready[] = "spaces: ready\n";

		(void)!write(1, ready, strlen(ready));
		for (unsigned i = 0; i < 256; i++)
			take_turn(&s, &state);
		roi_begin();
	}
	for (;;)
		take_turn(&s, &state);
}

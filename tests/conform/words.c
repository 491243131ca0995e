/* SPDX-License-Identifier: BSD-2-Clause */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

void words_clear(struct words *w)
{
	for (uint32_t i = 0; i < WORDS_SLOTS && w->count; i++)
		w->slot[i] = 0;
	w->count = 0;
}

/* The slot of pa, or the free one where it belongs. */
static uint32_t find(const struct words *w, uint64_t pa)
{
	uint32_t i = (uint32_t)((pa >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % WORDS_SLOTS;

	while (w->slot[i] && w->pa[w->slot[i] - 1] != pa)
		i = (i + 1) % WORDS_SLOTS;
	return i;
}

uint64_t words_read(const struct words *w, uint64_t pa)
{
	uint32_t i = w->slot[find(w, pa)];

	return i ? w->value[i - 1] : 0;
}

void words_write(struct words *w, uint64_t pa, uint64_t value)
{
	uint32_t i = find(w, pa);

	if (!w->slot[i]) {
		if (w->count == WORDS_MAX) {
			fprintf(stderr, "more than %d words of memory in one case\n", WORDS_MAX);
			exit(70);
		}
		w->pa[w->count] = pa;
		w->slot[i] = ++w->count;
	}
	w->value[w->slot[i] - 1] = value;
}

bool words_aborts(const struct words *w, uint64_t pa)
{
	return pa >= w->abort_first && pa < w->abort_end;
}

uint64_t words_read_cb(void *w, uint64_t pa)
{
	return words_read(w, pa);
}

void words_write_cb(void *w, uint64_t pa, uint64_t value)
{
	words_write(w, pa, value);
}

bool words_aborts_cb(void *w, uint64_t pa)
{
	return words_aborts(w, pa);
}

bool words_known(const struct words *w, uint64_t pa)
{
	return w->slot[find(w, pa)] != 0;
}

uint32_t words_index(const struct words *w, uint64_t pa)
{
	return w->slot[find(w, pa)] - 1;
}

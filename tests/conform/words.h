/* SPDX-License-Identifier: BSD-2-Clause */
/* A small map from physical addresses to 64-bit words, which remembers what was written when. */
#ifndef TWOSTAGE_CONFORM_WORDS_H
#define TWOSTAGE_CONFORM_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum { WORDS_MAX = 8192, WORDS_SLOTS = 4 * WORDS_MAX };

struct words {
	uint32_t count;
	uint32_t slot[WORDS_SLOTS]; /* index into pa[] plus 1; 0: free */
	uint64_t pa[WORDS_MAX], value[WORDS_MAX];
	uint64_t abort_first, abort_end; /* accesses in [first, end) abort */
};

void words_clear(struct words *w);
uint32_t words_index(const struct words *w, uint64_t pa); /* of a known word */
bool words_known(const struct words *w, uint64_t pa);
uint64_t words_read(const struct words *w, uint64_t pa); /* 0 when never written */
void words_write(struct words *w, uint64_t pa, uint64_t value);
bool words_aborts(const struct words *w, uint64_t pa);

/* The three above with a void * first, for struct naive_memory. */
uint64_t words_read_cb(void *w, uint64_t pa);
void words_write_cb(void *w, uint64_t pa, uint64_t value);
bool words_aborts_cb(void *w, uint64_t pa);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean": the known name nearest to a misspelt word. */
#ifndef TWOSTAGE_BASE_SUGGEST_H
#define TWOSTAGE_BASE_SUGGEST_H

#include <stddef.h>

struct suggest {
	const char *word;
	const char *best; /* points to an offered name; NULL: none near enough yet */
	size_t distance;
};

/* `word` must outlive the search. */
void suggest_init(struct suggest *search, const char *word);

/* Offer one known name; the first of equally near ones is kept. */
void suggest_offer(struct suggest *search, const char *name);

/*
 * Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`, letters compared
 * without case. Strings longer than 127 bytes are not compared: the result is SIZE_MAX.
 */
size_t suggest_distance(const char *a, const char *b);

#endif

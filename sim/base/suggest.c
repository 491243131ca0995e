/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { LENGTH_MAX = 127 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static int same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

size_t suggest_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t rows[3][LENGTH_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	if (la > LENGTH_MAX || lb > LENGTH_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		above[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *old = before;

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t edit = same(a[i - 1], b[j - 1]) ? 0 : 1;

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + edit);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]) && before[j - 2] + edit < row[j])
				row[j] = before[j - 2] + edit;
		}
		before = above;
		above = row;
		row = old;
	}
	return above[lb];
}

void suggest_init(struct suggest *search, const char *word)
{
	size_t length = strlen(word);

	search->word = word;
	search->best = NULL;
	/* A third of the letters may be wrong; in short words one, more would suggest anything. */
	search->distance = length < 3 ? 2 : length / 3 + 1;
}

void suggest_offer(struct suggest *search, const char *name)
{
	size_t distance = suggest_distance(search->word, name);

	if (distance < search->distance) {
		search->distance = distance;
		search->best = name;
	}
}

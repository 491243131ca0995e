/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of a foreign trace: plain or compressed (gzip, xz, zstd by their magic), read in order. */
#ifndef TWOSTAGE_TRACE_SOURCE_H
#define TWOSTAGE_TRACE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct byte_source;

enum { SOURCE_MAX_PEEK = 1 << 18 };

/* Opens `path`, "-" for standard input. NULL on failure with a diagnostic. */
struct byte_source *source_open(const char *path, struct diag *diag);
void source_close(struct byte_source *source);

/*
 * The next bytes without taking them: at least `n` (<= SOURCE_MAX_PEEK) unless the data ends
 * before; *got is how many there are. NULL on a read error or damaged compression.
 */
const unsigned char *source_peek(struct byte_source *source, size_t n, size_t *got,
				 struct diag *diag);

/* Take n of the bytes seen by the last source_peek. */
void source_take(struct byte_source *source, size_t n);

/* A line without its newline, seen but not taken. `take`: bytes to source_take for it. */
struct text_line {
	const char *p;
	size_t n, take;
};

/* 1: a line; 0: the data has ended; -1: failure, also for a line of more than 64 KiB. */
int source_line(struct byte_source *source, struct text_line *line, struct diag *diag);

/*
 * "PATH: byte N: TEXT" for the byte `ahead` after the ones taken (counted in the decompressed data
 * and saying so), with STATUS_BAD_INPUT. Always returns -1.
 */
int source_fail(const struct byte_source *source, size_t ahead, struct diag *diag,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

const char *source_path(const struct byte_source *source);

/* XXH3-64 of the bytes taken from now on (nothing else makes one). false: no memory. */
bool source_digest_begin(struct byte_source *source);
uint64_t source_digest(struct byte_source *source);

/* A file that can be read again from its start, with the same bytes. */
bool source_is_file(const struct byte_source *source);
/* One that has got another size or time of modification since it was opened. */
bool source_has_changed(const struct byte_source *source);
/* How much of the file has been read, in bytes of it; *all: its size, 0 where it has none. */
uint64_t source_progress(const struct byte_source *source, uint64_t *all);

/* ---- words of a text line ------------------------------------------------------------------ */

struct text_cursor {
	const char *p, *end;
};

static inline bool text_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static inline void text_skip_spaces(struct text_cursor *c)
{
	while (c->p < c->end && text_space(*c->p))
		c->p++;
}

/* Hexadecimal digits, with or without 0x; false: none, or more than 64 bits. */
bool text_hex(struct text_cursor *c, uint64_t *value);
/* Decimal digits, or hexadecimal ones after 0x; false: none, or more than 64 bits. */
bool text_number(struct text_cursor *c, uint64_t *value);
/* Take `word` if it comes next. */
bool text_word(struct text_cursor *c, const char *word);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Byte source of the importers: a window over the decompressed data. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "trace/source_codec.h"

enum { BUFFER_BYTES = 4 * SOURCE_MAX_PEEK, MAX_LINE_BYTES = 1 << 16 };

struct byte_source {
	char *path;
	struct source_input input;
	struct source_codec codec;
	unsigned char *buffer;
	size_t at, end;
	uint64_t offset; /* of buffer[at] in the decompressed data */
	bool ended;
	struct diag failure;  /* reported when the bytes before it are taken */
	struct stat opened;   /* what the file was like */
	XXH3_state_t *digest; /* of the bytes taken; NULL: not wanted */
	size_t digested;      /* buffer[at] up to which it goes */
};

/* Up to `max` bytes of the file; 0 at its end, -1 on failure. */
static ssize_t read_some(struct source_input *in, const char *path, unsigned char *to, size_t max,
			 struct diag *diag)
{
	ssize_t got;

	do
		got = read(in->fd, to, max);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		diag_set(diag, STATUS_IO, "%s: byte %llu: cannot read: %s", path,
			 (unsigned long long)in->offset, strerror(errno));
		return -1;
	}
	in->offset += (uint64_t)got;
	in->ended = got == 0;
	return got;
}

/* Fill the input's buffer when it is empty; its `ended` tells the end of the file. */
static bool read_input(struct source_input *in, const char *path, struct diag *diag)
{
	ssize_t got;

	if (in->at < in->end || in->ended)
		return true;
	got = read_some(in, path, in->buffer, SOURCE_INPUT_BYTES, diag);
	if (got < 0)
		return false;
	in->at = 0;
	in->end = (size_t)got;
	return true;
}

static void add_to_digest(struct byte_source *s)
{
	if (s->digest)
		XXH3_64bits_update(s->digest, s->buffer + s->digested, s->at - s->digested);
	s->digested = s->at;
}

/* What is not compressed needs no buffer in between. */
static bool fill_directly(struct byte_source *s, struct diag *diag)
{
	const size_t room = BUFFER_BYTES - s->end;
	ssize_t got;

	if (s->input.ended) {
		s->ended = true;
		return true;
	}
	got = read_some(&s->input, s->path, s->buffer + s->end,
			room < SOURCE_INPUT_BYTES ? room : SOURCE_INPUT_BYTES, diag);
	if (got < 0)
		return false;
	s->end += (size_t)got;
	s->ended = got == 0;
	return true;
}

/* More decompressed bytes behind buffer[end], or `ended`. */
static bool fill(struct byte_source *s, struct diag *diag)
{
	if (s->at > 0) {
		add_to_digest(s);
		s->digested = 0;
		memmove(s->buffer, s->buffer + s->at, s->end - s->at);
		s->end -= s->at;
		s->at = 0;
	}
	if (s->codec.kind == CODEC_PLAIN && s->input.at == s->input.end)
		return fill_directly(s, diag);
	for (;;) {
		const char *wrong = NULL;
		long got;

		if (!read_input(&s->input, s->path, diag))
			return false;
		got = source_decode(&s->codec, &s->input, s->buffer + s->end, BUFFER_BYTES - s->end,
				    &wrong);
		if (got < 0) {
			diag_set(diag, STATUS_BAD_INPUT, "%s: byte %llu of the compressed file: %s",
				 s->path,
				 (unsigned long long)(s->input.offset - s->input.end + s->input.at),
				 wrong);
			return false;
		}
		s->end += (size_t)got;
		if (got > 0)
			return true;
		if (s->input.ended && s->input.at == s->input.end) {
			s->ended = true;
			return true;
		}
	}
}

const unsigned char *source_peek(struct byte_source *s, size_t n, size_t *got, struct diag *diag)
{
	while (s->end - s->at < n && !s->ended && !s->failure.status)
		(void)fill(s, &s->failure);
	*got = s->end - s->at;
	if (*got == 0 && s->failure.status) {
		diag_set(diag, s->failure.status, "%s", s->failure.text);
		return NULL;
	}
	return s->buffer + s->at;
}

void source_take(struct byte_source *s, size_t n)
{
	s->at += n;
	s->offset += n;
}

int source_line(struct byte_source *s, struct text_line *line, struct diag *diag)
{
	const unsigned char *p = s->buffer + s->at, *newline;
	size_t got = s->end - s->at;

	newline = memchr(p, '\n', got);
	if (!newline) {
		p = source_peek(s, MAX_LINE_BYTES, &got, diag);
		if (!p)
			return -1;
		if (got == 0)
			return 0;
		newline = memchr(p, '\n', got);
	}
	if (!newline && s->failure.status)
		return source_fail(s, 0, diag, "damaged");
	if (!newline && got >= MAX_LINE_BYTES)
		return source_fail(s, 0, diag, "expected text, but this line exceeds 64 KiB");
	line->p = (const char *)p;
	line->n = newline ? (size_t)(newline - p) : got;
	line->take = newline ? line->n + 1 : got;
	if (line->n && p[line->n - 1] == '\r')
		line->n--;
	return 1;
}

int source_fail(const struct byte_source *s, size_t ahead, struct diag *diag, const char *format,
		...)
{
	char text[768];
	va_list args;

	if (s->failure.status) {
		/* The bytes that are missing here are those behind the damage. */
		diag_set(diag, s->failure.status, "%s", s->failure.text);
		return -1;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	diag_set(diag, STATUS_BAD_INPUT, "%s: byte %llu%s: %s", s->path,
		 (unsigned long long)(s->offset + ahead),
		 s->codec.kind == CODEC_PLAIN ? "" : " of the decompressed data", text);
	return -1;
}

const char *source_path(const struct byte_source *s)
{
	return s->path;
}

static bool open_input(struct byte_source *s, const char *path, struct diag *diag)
{
	if (!s->path || !s->buffer || !s->input.buffer) {
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
		return false;
	}
	s->input.fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					     : open(path, O_RDONLY | O_CLOEXEC);
	if (s->input.fd < 0) {
		diag_set(diag, errno == ENOENT ? STATUS_NO_INPUT : STATUS_IO, "%s: %s", path,
			 strerror(errno));
		return false;
	}
	if (fstat(s->input.fd, &s->opened) != 0) {
		diag_set(diag, STATUS_IO, "%s: %s", path, strerror(errno));
		return false;
	}
	if (!read_input(&s->input, path, diag))
		return false;
	if (!source_codec_init(&s->codec, s->input.buffer, s->input.end)) {
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
		return false;
	}
	return true;
}

struct byte_source *source_open(const char *path, struct diag *diag)
{
	struct byte_source *s = calloc(1, sizeof(*s));

	if (!s) {
		diag_set(diag, STATUS_INTERNAL, "%s: out of memory", path);
		return NULL;
	}
	s->input.fd = -1;
	s->path = strdup(path);
	s->buffer = malloc(BUFFER_BYTES);
	s->input.buffer = malloc(SOURCE_INPUT_BYTES);
	if (!open_input(s, path, diag)) {
		source_close(s);
		return NULL;
	}
	return s;
}

void source_close(struct byte_source *s)
{
	if (!s)
		return;
	source_codec_free(&s->codec);
	XXH3_freeState(s->digest);
	if (s->input.fd >= 0)
		close(s->input.fd);
	free(s->input.buffer);
	free(s->buffer);
	free(s->path);
	free(s);
}

bool source_digest_begin(struct byte_source *s)
{
	if (!s->digest)
		s->digest = XXH3_createState();
	s->digested = s->at;
	return s->digest && XXH3_64bits_reset(s->digest) == XXH_OK;
}

uint64_t source_digest(struct byte_source *s)
{
	add_to_digest(s);
	return XXH3_64bits_digest(s->digest);
}

bool source_is_file(const struct byte_source *s)
{
	return S_ISREG(s->opened.st_mode) && strcmp(s->path, "-") != 0;
}

bool source_has_changed(const struct byte_source *s)
{
	struct stat now;

	if (!S_ISREG(s->opened.st_mode))
		return false;
	return fstat(s->input.fd, &now) != 0 || now.st_size != s->opened.st_size ||
	       now.st_mtim.tv_sec != s->opened.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != s->opened.st_mtim.tv_nsec;
}

uint64_t source_progress(const struct byte_source *s, uint64_t *all)
{
	*all = S_ISREG(s->opened.st_mode) ? (uint64_t)s->opened.st_size : 0;
	return s->input.offset;
}

/* ---- words of a text line ------------------------------------------------------------------ */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool has_prefix(const struct text_cursor *c)
{
	return c->end - c->p > 2 && c->p[0] == '0' && (c->p[1] == 'x' || c->p[1] == 'X') &&
	       hex_digit(c->p[2]) >= 0;
}

bool text_hex(struct text_cursor *c, uint64_t *value)
{
	const char *start;
	uint64_t v = 0;

	if (has_prefix(c))
		c->p += 2;
	for (start = c->p; c->p < c->end && hex_digit(*c->p) >= 0; c->p++) {
		if (v >> 60)
			return false;
		v = v << 4 | (uint64_t)hex_digit(*c->p);
	}
	*value = v;
	return c->p > start;
}

bool text_number(struct text_cursor *c, uint64_t *value)
{
	const char *start = c->p;
	uint64_t v = 0;

	if (has_prefix(c))
		return text_hex(c, value);
	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*c->p - '0'), &v))
			return false;
	*value = v;
	return c->p > start;
}

bool text_word(struct text_cursor *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return false;
	c->p += n;
	return true;
}

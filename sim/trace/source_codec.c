/* SPDX-License-Identifier: BSD-2-Clause */
/* gzip, xz and zstd streams, several behind each other allowed, memory bounded. */
#include "trace/source_codec.h"

#include <string.h>

enum {
	GZIP_WINDOW = 15 + 16,	  /* the largest window, gzip framing */
	ZSTD_WINDOW_LOG_MAX = 27, /* what the zstd program accepts without being asked */
};
static const unsigned char xz_magic[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
static const uint64_t xz_memory_bytes = UINT64_C(1) << 28;

bool source_codec_init(struct source_codec *c, const unsigned char *head, size_t n)
{
	*c = (struct source_codec){ .kind = CODEC_PLAIN, .xz = LZMA_STREAM_INIT };
	if (n >= 3 && memcmp(head, "\x1f\x8b\x08", 3) == 0) {
		if (inflateInit2(&c->gzip, GZIP_WINDOW) != Z_OK)
			return false;
		c->kind = CODEC_GZIP;
	} else if (n >= sizeof(xz_magic) && memcmp(head, xz_magic, sizeof(xz_magic)) == 0) {
		if (lzma_stream_decoder(&c->xz, xz_memory_bytes, LZMA_CONCATENATED) != LZMA_OK)
			return false;
		c->kind = CODEC_XZ;
	} else if (n >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0) {
		c->zstd = ZSTD_createDStream();
		if (!c->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(c->zstd, ZSTD_d_windowLogMax,
								    ZSTD_WINDOW_LOG_MAX)))
			return false;
		c->kind = CODEC_ZSTD;
	}
	return true;
}

void source_codec_free(struct source_codec *c)
{
	if (c->kind == CODEC_GZIP)
		inflateEnd(&c->gzip);
	if (c->kind == CODEC_XZ)
		lzma_end(&c->xz);
	ZSTD_freeDStream(c->zstd);
}

/* Damage: after the `done` bytes that came out before it. */
static long fail(struct source_codec *c, const char *text, size_t done)
{
	c->wrong = text;
	return done ? (long)done : -1;
}

static long decode_plain(struct source_input *in, unsigned char *to, size_t max)
{
	size_t n = in->end - in->at < max ? in->end - in->at : max;

	memcpy(to, in->buffer + in->at, n);
	in->at += n;
	return (long)n;
}

static long decode_gzip(struct source_codec *c, struct source_input *in, unsigned char *to,
			size_t max)
{
	int result;

	if (in->at == in->end && !c->inside)
		return 0;
	c->gzip.next_in = in->buffer + in->at;
	c->gzip.avail_in = (unsigned)(in->end - in->at);
	c->gzip.next_out = to;
	c->gzip.avail_out = (unsigned)max;
	c->inside = true;
	result = inflate(&c->gzip, Z_NO_FLUSH);
	in->at = in->end - c->gzip.avail_in;
	if (result == Z_STREAM_END) {
		inflateReset(&c->gzip);
		c->inside = false;
	} else if (result != Z_OK && result != Z_BUF_ERROR) {
		return fail(c, "the gzip data is damaged", max - c->gzip.avail_out);
	} else if (in->ended && c->gzip.avail_out == max) {
		return fail(c, "the gzip data ends too early", max - c->gzip.avail_out);
	}
	return (long)(max - c->gzip.avail_out);
}

static long decode_xz(struct source_codec *c, struct source_input *in, unsigned char *to,
		      size_t max)
{
	lzma_ret result;

	if (c->over)
		return 0;
	c->xz.next_in = in->buffer + in->at;
	c->xz.avail_in = in->end - in->at;
	c->xz.next_out = to;
	c->xz.avail_out = max;
	result = lzma_code(&c->xz, in->ended ? LZMA_FINISH : LZMA_RUN);
	in->at = in->end - c->xz.avail_in;
	c->over = result == LZMA_STREAM_END;
	if (result == LZMA_MEMLIMIT_ERROR)
		return fail(c, "the xz data needs more than 256 MiB to decompress",
			    max - c->xz.avail_out);
	if (result != LZMA_OK && result != LZMA_STREAM_END && result != LZMA_BUF_ERROR)
		return fail(c, "the xz data is damaged", max - c->xz.avail_out);
	/* Without input, liblzma lets one call pass without progress before it complains. */
	if (in->ended && !c->over && c->xz.avail_out == max)
		return fail(c, "the xz data ends too early", max - c->xz.avail_out);
	return (long)(max - c->xz.avail_out);
}

static long decode_zstd(struct source_codec *c, struct source_input *in, unsigned char *to,
			size_t max)
{
	ZSTD_inBuffer from = { in->buffer, in->end, in->at };
	ZSTD_outBuffer out = { to, max, 0 };
	size_t result;

	if (in->at == in->end && !c->inside)
		return 0;
	result = ZSTD_decompressStream(c->zstd, &out, &from);
	in->at = from.pos;
	if (ZSTD_isError(result))
		return fail(c, "the zstd data is damaged", out.pos);
	c->inside = result != 0;
	if (out.pos == 0 && in->ended && c->inside)
		return fail(c, "the zstd data ends too early", out.pos);
	return (long)out.pos;
}

static long decode(struct source_codec *c, struct source_input *in, unsigned char *to, size_t max)
{
	switch (c->kind) {
	case CODEC_GZIP:
		return decode_gzip(c, in, to, max);
	case CODEC_XZ:
		return decode_xz(c, in, to, max);
	case CODEC_ZSTD:
		return decode_zstd(c, in, to, max);
	case CODEC_PLAIN:
		break;
	}
	return decode_plain(in, to, max);
}

long source_decode(struct source_codec *c, struct source_input *in, unsigned char *to, size_t max,
		   const char **wrong)
{
	long n = c->wrong ? -1 : decode(c, in, to, max);

	if (n < 0)
		*wrong = c->wrong;
	return n;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The decompressors behind a byte source; used by source.c alone. */
#ifndef TWOSTAGE_TRACE_SOURCE_CODEC_H
#define TWOSTAGE_TRACE_SOURCE_CODEC_H

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "trace/source.h"

enum { SOURCE_INPUT_BYTES = 1 << 18 };

/* Bytes of the file, as they are. */
struct source_input {
	int fd;
	unsigned char *buffer;
	size_t at, end;
	uint64_t offset; /* in the file, of buffer[end] */
	bool ended;
};

enum codec_kind { CODEC_PLAIN, CODEC_GZIP, CODEC_XZ, CODEC_ZSTD };

struct source_codec {
	enum codec_kind kind;
	bool inside;	   /* a compressed stream has begun and not ended */
	bool over;	   /* what follows the compressed data is not compressed */
	const char *wrong; /* what to report after the bytes before it */
	z_stream gzip;
	lzma_stream xz;
	ZSTD_DStream *zstd;
};

/* Choose by the first n bytes of the file. false: no memory. */
bool source_codec_init(struct source_codec *codec, const unsigned char *head, size_t n);
void source_codec_free(struct source_codec *codec);

/*
 * Decode from `in` (empty only at its end) to at most `max` bytes. Returns how many came out,
 * perhaps 0; -1 with *wrong set when the data is damaged, or ends inside a stream.
 */
long source_decode(struct source_codec *codec, struct source_input *in, unsigned char *to,
		   size_t max, const char **wrong);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The word of the raw binary formats, 64 bits little endian: VA[47:0] in [47:0]; [48] upper half
 * (VA[63:48] = ffff); [50:49] kind: 0 fetch, 1 load, 2 store; [53:51] log2 of the size in bytes;
 * [61:54] vCPU; [63:62] zero.
 */
#ifndef TWOSTAGE_TRACE_RAW_WORD_H
#define TWOSTAGE_TRACE_RAW_WORD_H

#include <string.h>

#include "trace/import.h"
#include "trace/source.h"

static inline uint64_t raw_word_at(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static inline bool raw_word_valid(uint64_t word)
{
	return word >> 62 == 0 && (word >> 49 & 3) != 3;
}

static inline struct trace_ref raw_word_ref(uint64_t word)
{
	const unsigned kind = word >> 49 & 3;

	return (struct trace_ref){
		.va = (word & low_mask(48)) | (word >> 48 & 1 ? UINT64_C(0xffff) << 48 : 0),
		.ipa = TRACE_IPA_UNKNOWN,
		.instructions = kind == ACCESS_FETCH,
		.vcpu = word >> 54 & 0xff,
		.kind = (uint8_t)kind,
		.size = (uint16_t)(1u << (word >> 51 & 7)),
	};
}

/* The word of an address without kind and size. */
static inline uint64_t raw_word_of(uint64_t va, uint16_t vcpu)
{
	return (va & low_mask(48)) | (va >> 63) << 48 | (uint64_t)vcpu << 54;
}

/* Would the access, if it is of data, go on in the next 4 KiB? */
static inline bool raw_word_straddles(uint64_t word)
{
	return (word & 4095) + (UINT64_C(1) << (word >> 51 & 7)) > 4096;
}

/* What is wrong with a word that is not valid, at byte `ahead` of the source. Returns -1. */
static inline int raw_word_refuse(const struct byte_source *source, size_t ahead, uint64_t word,
				  struct diag *diag)
{
	if (word >> 62)
		return source_fail(source, ahead, diag,
				   "expected bits 62 and 63 of an access to be 0");
	return source_fail(source, ahead, diag,
			   "expected kind 0, 1 or 2 in bits 49 and 50 of an access");
}

/*
 * What the two formats differ in when they are read: an access of `bytes`, decoded into *ref
 * (false: it is not valid), and what is wrong with one that is not valid (returns -1).
 */
struct raw_form {
	size_t bytes;
	bool (*decode)(const unsigned char *access, struct trace_ref *ref);
	int (*refuse)(const struct byte_source *source, const unsigned char *access,
		      struct diag *diag);
};

/* import_ops.read. Inline, so that the form's functions are called directly. */
static inline long raw_word_read(const struct raw_form *form, struct byte_source *source,
				 struct trace_ref *refs, size_t max, struct diag *diag)
{
	size_t got, n;
	const unsigned char *p = source_peek(source, SOURCE_MAX_PEEK, &got, diag);

	if (!p)
		return -1;
	max = got / form->bytes < max ? got / form->bytes : max;
	for (n = 0; n < max && form->decode(p + n * form->bytes, &refs[n]); n++)
		;
	if (n == 0 && got > 0) {
		if (got < form->bytes)
			return source_fail(source, got, diag,
					   "the trace ends inside an access, expected %zu bytes "
					   "more",
					   form->bytes - got);
		return form->refuse(source, p, diag);
	}
	source_take(source, n * form->bytes);
	return (long)n;
}

/* Does the file's name, without a suffix of compression, end in `suffix`? */
static inline bool raw_word_named(const char *path, const char *suffix)
{
	static const char *const packed[] = { ".zst", ".xz", ".gz" };
	size_t n = strlen(path), m = strlen(suffix);

	for (size_t i = 0; i < 3; i++) {
		size_t k = strlen(packed[i]);

		if (n > k && memcmp(path + n - k, packed[i], k) == 0) {
			n -= k;
			break;
		}
	}
	return n > m && memcmp(path + n - m, suffix, m) == 0;
}

/* Text is never a raw trace, though a few letters may look like one. */
static inline bool raw_word_is_text(const unsigned char *head, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (head[i] > 126 || (head[i] < 32 && (head[i] < 9 || head[i] > 13)))
			return false;
	return true;
}

#endif

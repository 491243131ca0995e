/* SPDX-License-Identifier: BSD-2-Clause */
/* Importers of foreign trace formats: one file sim/trace/fmt_NAME.c each, defining `fmt_NAME`. */
#ifndef TWOSTAGE_TRACE_IMPORT_H
#define TWOSTAGE_TRACE_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "trace/trace.h"

struct byte_source; /* plain, .gz, .xz or .zst bytes: sim/trace/source.h */

/* One memory reference of a foreign trace. */
struct trace_ref {
	uint64_t va;
	uint64_t ipa;	       /* TRACE_IPA_UNKNOWN where the format has none */
	uint32_t instructions; /* instructions begun with this reference: usually 1 for a fetch */
	uint16_t vcpu, vm, asid;
	uint8_t el;
	uint8_t kind;  /* enum access_kind */
	uint16_t size; /* bytes, 1..4096; 1 where the format has none */
	uint8_t device;
};

struct import_ops {
	const char *name;
	const char *help;
	bool words; /* the trace is words of raw_word.h: read() may be passed by */
	/* How surely `head` (the first n bytes, decompressed) is of this format: 0 no .. 100. */
	int (*probe)(const unsigned char *head, size_t n, const char *path);
	size_t state_bytes;
	/* Fill up to max refs. Returns the count, 0 at the end; on bad input the refs before it are
	 * returned first, then -1 with file, byte offset and expectation in diag. */
	long (*read)(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		     struct diag *diag);
};

extern const struct import_ops *const fmt_registry[];

/* ---- any input, native or foreign: import.c ------------------------------------------------- */

struct trace_input;
struct trace_reader;
struct trace_writer;

/*
 * Open `path` ("-": standard input) and find its format; `from` forces an importer by name, or
 * "s2t". `salvage` reads damaged input up to the damage; diag then says what is wrong with a native
 * trace. NULL on failure.
 */
struct trace_input *trace_input_open(const char *path, const char *from, bool salvage,
				     struct diag *diag);
void trace_input_close(struct trace_input *input);
/* "s2t" or the importer's name. */
const char *trace_input_format(const struct trace_input *input);
/* The reader of a native input, else NULL; belongs to the input. */
struct trace_reader *trace_input_native(struct trace_input *input);

/*
 * Copy everything into `writer`, collapsed to `granularity`, the writer's; refuses to make a native
 * trace finer. With salvage, damage in a foreign input ends the copy: the result is STATUS_OK and
 * diag says what was wrong.
 */
enum exit_status trace_input_copy(struct trace_input *input, struct trace_writer *writer,
				  enum trace_granularity granularity, struct diag *diag);

#endif

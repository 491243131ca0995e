/* SPDX-License-Identifier: BSD-2-Clause */
/* Importers of foreign trace formats: one file sim/trace/fmt_NAME.c each, defining `fmt_NAME`. */
#ifndef TWOSTAGE_TRACE_IMPORT_H
#define TWOSTAGE_TRACE_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

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
	/* How surely `head` (the first n bytes, decompressed) is of this format: 0 no .. 100. */
	int (*probe)(const unsigned char *head, size_t n, const char *path);
	size_t state_bytes;
	/* Fill up to max refs. Returns the count, 0 at the end; on bad input the refs before it are
	 * returned first, then -1 with file, byte offset and expectation in diag. */
	long (*read)(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		     struct diag *diag);
};

extern const struct import_ops *const fmt_registry[];

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the importers of text formats share: one line, a few references. */
#ifndef TWOSTAGE_TRACE_TEXT_IMPORT_H
#define TWOSTAGE_TRACE_TEXT_IMPORT_H

#include "trace/import.h"
#include "trace/source.h"

enum { TEXT_REFS_PER_LINE = 2 };

/*
 * References of one line, without its newline, into `refs` (*n: their number, 0 for a line without
 * any). Returns NULL, or what was expected where the cursor stands. `state`: the importer's.
 */
typedef const char *text_parse(void *state, struct text_cursor *c,
			       struct trace_ref refs[TEXT_REFS_PER_LINE], unsigned *n);

/* import_ops.read for a format whose lines `parse` understands. */
long text_read(text_parse *parse, void *state, struct byte_source *source, struct trace_ref *refs,
	       size_t max, struct diag *diag);

/*
 * import_ops.probe: 90 if all whole lines of `head` parse and one has a reference; 70 if a line
 * does not but comes late enough that the file is of this format and damaged; else 0. `state`
 * starts zeroed as for reading.
 */
int text_probe(text_parse *parse, void *state, const unsigned char *head, size_t n);

/* A data access or fetch of vCPU 0 with everything else unknown. A fetch is one instruction. */
static inline struct trace_ref text_ref(enum access_kind kind, uint64_t va, uint64_t size)
{
	return (struct trace_ref){
		.va = va,
		.ipa = TRACE_IPA_UNKNOWN,
		.instructions = kind == ACCESS_FETCH,
		.kind = (uint8_t)kind,
		.size = (uint16_t)size,
	};
}

/* Largest access that a foreign trace may have: it touches two pages at most. */
enum { TEXT_MAX_SIZE = 4096 };

#endif

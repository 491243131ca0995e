/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ChampSim's input_instr, 64 bytes an instruction, little endian: ip (8), is_branch (1),
 * branch_taken (1), destination registers (2), source registers (4), destination memory (2 x 8),
 * source memory (4 x 8); an address of 0 is none. The fetch comes first, then loads, then stores.
 * The format has no sizes.
 */
#include <string.h>

#include "trace/source.h"
#include "trace/text_import.h"

enum { RECORD_BYTES = 64, STORES_AT = 16, LOADS_AT = 32, MAX_REFS = 7 };
enum { SURE_RECORDS = 16 }; /* so many in a row are no accident: what follows is damage */

static uint64_t word_at(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool plausible(const unsigned char *p)
{
	return p[8] <= 1 && p[9] <= p[8];
}

static bool canonical(uint64_t va)
{
	return va >> 48 == 0 || va >> 48 == 0xffff;
}

static bool is_record(const unsigned char *p)
{
	if (!plausible(p) || word_at(p) == 0 || !canonical(word_at(p)))
		return false;
	for (size_t at = STORES_AT; at < RECORD_BYTES; at += 8)
		if (!canonical(word_at(p + at)))
			return false;
	return true;
}

static int probe(const unsigned char *head, size_t n, const char *path)
{
	const size_t records = n / RECORD_BYTES;
	size_t good = 0;

	(void)path;
	while (good < records && is_record(head + good * RECORD_BYTES))
		good++;
	if (good == records)
		return good ? 88 : 0;
	return good >= SURE_RECORDS ? 70 : 0;
}

static size_t expand(const unsigned char *p, struct trace_ref *refs)
{
	size_t n = 0;

	refs[n++] = text_ref(ACCESS_FETCH, word_at(p), 1);
	for (size_t at = LOADS_AT; at < RECORD_BYTES; at += 8)
		if (word_at(p + at))
			refs[n++] = text_ref(ACCESS_LOAD, word_at(p + at), 1);
	for (size_t at = STORES_AT; at < LOADS_AT; at += 8)
		if (word_at(p + at))
			refs[n++] = text_ref(ACCESS_STORE, word_at(p + at), 1);
	return n;
}

static long read_refs(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		      struct diag *diag)
{
	size_t n = 0;

	(void)state;
	while (n + MAX_REFS <= max) {
		struct diag *report = n ? NULL : diag;
		size_t got;
		const unsigned char *p = source_peek(source, RECORD_BYTES, &got, report);

		if (!p)
			return n ? (long)n : -1;
		if (got == 0)
			break;
		if (got < RECORD_BYTES || !plausible(p)) {
			if (got < RECORD_BYTES)
				source_fail(
					source, got, report,
					"the trace ends inside an instruction, expected %zu bytes "
					"more",
					RECORD_BYTES - got);
			else
				source_fail(source, 8, report,
					    "expected is_branch and branch_taken, both 0 or 1");
			return n ? (long)n : -1;
		}
		n += expand(p, refs + n);
		source_take(source, RECORD_BYTES);
	}
	return (long)n;
}

const struct import_ops fmt_champsim = {
	.name = "champsim",
	.help = "ChampSim's input_instr, 64 bytes an instruction",
	.probe = probe,
	.state_bytes = 0,
	.read = read_refs,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text that DynamoRIO's drmemtrace prints with its view tool:
 *
 *   RECORD INSTR: TID ifetch  4 byte(s) @ 0xADDR BYTES DISASSEMBLY
 *   RECORD INSTR: TID read    8 byte(s) @ 0xADDR by PC 0xADDR
 *   RECORD INSTR: TID <marker: ...>
 *
 * (before release 9.0.1 "RECORD: TTID ..."). Bytes of an encoding may go on in a line of their own.
 * Prefetches and flushes are no accesses. A thread is a vCPU here, numbered in order of appearance.
 */
#include "trace/text_import.h"

enum { MAX_THREADS = 4096 };

struct state {
	uint64_t tids[MAX_THREADS];
	unsigned n_tids;
	unsigned last; /* thread of the line before: most often the same */
};

static const char *find_vcpu(struct state *s, uint64_t tid, uint16_t *vcpu)
{
	if (s->n_tids && s->tids[s->last] == tid) {
		*vcpu = (uint16_t)s->last;
		return NULL;
	}
	for (s->last = 0; s->last < s->n_tids; s->last++)
		if (s->tids[s->last] == tid)
			break;
	if (s->last == MAX_THREADS) {
		s->last = 0;
		return "at most 4096 threads";
	}
	if (s->last == s->n_tids)
		s->tids[s->n_tids++] = tid;
	*vcpu = (uint16_t)s->last;
	return NULL;
}

/* The lines around the records, and an empty line. */
static bool is_frame(struct text_cursor c)
{
	uint64_t number;

	if (c.p == c.end || text_word(&c, "--") || text_word(&c, "<") ||
	    text_word(&c, "Output format") || text_word(&c, "View tool") || text_word(&c, "==="))
		return true;
	return text_number(&c, &number) && text_word(&c, " : total");
}

/* "RECORD INSTR: TID" or "RECORD: TTID". */
static bool take_prefix(struct text_cursor *c, uint64_t *tid)
{
	uint64_t number;

	if (!text_number(c, &number))
		return false;
	text_skip_spaces(c);
	if (!text_word(c, ":")) {
		if (!text_number(c, &number))
			return false;
		text_skip_spaces(c);
		if (!text_word(c, ":"))
			return false;
	}
	text_skip_spaces(c);
	(void)text_word(c, "T");
	if (!text_number(c, tid))
		return false;
	text_skip_spaces(c);
	return true;
}

/* A continued encoding: hexadecimal digits and spaces to the end, after whatever prefix. */
static bool is_encoding(struct text_cursor c)
{
	for (; c.p < c.end; c.p++)
		if (!text_space(*c.p) && !(*c.p >= '0' && *c.p <= '9') &&
		    !(*c.p >= 'a' && *c.p <= 'f') && *c.p != ':')
			return false;
	return true;
}

static const char *take_access(struct state *s, struct text_cursor *c, uint64_t tid, int kind,
			       struct trace_ref *refs, unsigned *n)
{
	uint64_t size, va;
	const char *wrong;

	text_skip_spaces(c);
	if (!text_number(c, &size) || size == 0 || size > TEXT_MAX_SIZE)
		return "a size of 1..4096 bytes";
	if (!text_word(c, " byte(s) @ ") || !text_hex(c, &va))
		return "\"byte(s) @ \" and an address";
	if (kind < 0)
		return NULL;
	refs[*n] = text_ref((enum access_kind)kind, va, size);
	wrong = find_vcpu(s, tid, &refs[*n].vcpu);
	*n += !wrong;
	return wrong;
}

/* The name in front of an access is padded with spaces, so that "read" is not "readahead". */
static bool take_name(struct text_cursor *c, int *kind)
{
	*kind = -1;
	if (text_word(c, "ifetch "))
		*kind = ACCESS_FETCH;
	else if (text_word(c, "read "))
		*kind = ACCESS_LOAD;
	else if (text_word(c, "write "))
		*kind = ACCESS_STORE;
	else if (text_word(c, "iflush ") || text_word(c, "dflush ") || text_word(c, "pref "))
		return true;
	else if (text_word(c, "pref-"))
		while (c->p < c->end && !text_space(*c->p))
			c->p++;
	else
		return false;
	return true;
}

static const char *parse(void *state, struct text_cursor *c, struct trace_ref *refs, unsigned *n)
{
	const char *start = c->p;
	uint64_t tid;
	int kind;

	text_skip_spaces(c);
	if (is_frame(*c))
		return NULL;
	if (!take_prefix(c, &tid)) {
		c->p = start;
		return is_encoding(*c) ? NULL : "a record of drmemtrace's view tool";
	}
	if (c->p < c->end && *c->p == '<')
		return NULL;
	if (!take_name(c, &kind))
		return is_encoding(*c) ? NULL : "ifetch, read, write or a marker";
	return take_access(state, c, tid, kind, refs, n);
}

static int probe(const unsigned char *head, size_t n, const char *path)
{
	struct state state = { .n_tids = 0 };

	(void)path;
	return text_probe(parse, &state, head, n);
}

static long read_refs(void *state, struct byte_source *source, struct trace_ref *refs, size_t max,
		      struct diag *diag)
{
	return text_read(parse, state, source, refs, max, diag);
}

const struct import_ops fmt_drmemtrace = {
	.name = "drmemtrace",
	.help = "text of DynamoRIO's drmemtrace with -tool view",
	.probe = probe,
	.state_bytes = sizeof(struct state),
	.read = read_refs,
};

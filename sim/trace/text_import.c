/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/text_import.h"

#include <string.h>

enum { SURE_REFS = 16 }; /* so many in a row are no accident: what follows is damage */

long text_read(text_parse *parse, void *state, struct byte_source *source, struct trace_ref *refs,
	       size_t max, struct diag *diag)
{
	size_t n = 0;

	while (n + TEXT_REFS_PER_LINE <= max) {
		/* What comes before bad input is returned first; the next call finds it again. */
		struct diag *report = n ? NULL : diag;
		struct text_line line;
		int got = source_line(source, &line, report);
		struct text_cursor c;
		const char *expected;
		unsigned more = 0;

		if (got < 0)
			return n ? (long)n : -1;
		if (got == 0)
			break;
		c = (struct text_cursor){ line.p, line.p + line.n };
		expected = parse(state, &c, refs + n, &more);
		if (expected) {
			source_fail(source, (size_t)(c.p - line.p), report, "expected %s",
				    expected);
			return n ? (long)n : -1;
		}
		source_take(source, line.take);
		n += more;
	}
	return (long)n;
}

int text_probe(text_parse *parse, void *state, const unsigned char *head, size_t n)
{
	const char *p = (const char *)head, *end = p + n;
	unsigned total = 0;

	while (p < end) {
		struct trace_ref refs[TEXT_REFS_PER_LINE];
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		/* The last line of the head is cut short, unless it is the only one. */
		if (!newline && p > (const char *)head)
			break;
		newline = newline ? newline : end;

		struct text_cursor c = { p, newline > p && newline[-1] == '\r' ? newline - 1
									       : newline };
		unsigned more = 0;

		if (parse(state, &c, refs, &more))
			return total >= SURE_REFS ? 70 : 0;
		total += more;
		p = newline + 1;
	}
	return total ? 90 : 0;
}

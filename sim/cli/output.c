/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/output.h"

#include <stdarg.h>
#include <stddef.h>

int output_diag(const struct diag *diag)
{
	if (diag->status != STATUS_OK)
		fprintf(stderr, "%s: error: %s\n", diag->place[0] ? diag->place : "twostage",
			diag->text);
	return (int)diag->status;
}

int output_error(enum exit_status status, const char *format, ...)
{
	struct diag diag = DIAG_INIT;
	va_list args;

	va_start(args, format);
	diag_vset(&diag, status, format, args);
	va_end(args);
	return output_diag(&diag);
}

/* Bytes of the UTF-8 sequence at `s` (RFC 3629); 0: none begins here. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char lead_first, lead_last, next_first, next_last, length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].lead_first || s[0] > forms[i].lead_last)
			continue;
		if (s[1] < forms[i].next_first || s[1] > forms[i].next_last)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].length;
	}
	return 0;
}

void output_json_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s) {
		size_t length = utf8_length(s);

		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else if (length == 0)
			fputs("\xef\xbf\xbd", out);
		else
			fwrite(s, 1, length, out);
		s += length ? length : 1;
	}
	fputc('"', out);
}

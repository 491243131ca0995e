/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of the plug-in: -plugin file=capture.so,KEY=VALUE,... */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

enum { MAX_PROVENANCE_BYTES = 1 << 20 };

static bool bad(const char *option, const char *expected)
{
	fprintf(stderr, "capture: error: %s: expected %s\n", option, expected);
	return false;
}

static bool parse_level(const char *option, const char *value)
{
	char *end;
	long level = strtol(value, &end, 10);

	capture.level = (int)level;
	return (!*end && level >= 1 && level <= 19) || bad(option, "a zstd level from 1 to 19");
}

static bool parse_count(const char *option, const char *value, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(value, &end, 10);
	if (errno || end == value || *end || *value == '-')
		return bad(option, "a number of accesses");
	return true;
}

static bool parse_granularity(const char *option, const char *value)
{
	if (!strcmp(value, "page"))
		capture.granularity = TRACE_PAGE_RUNS;
	else if (!strcmp(value, "line"))
		capture.granularity = TRACE_LINE_RUNS;
	else if (!strcmp(value, "raw"))
		capture.granularity = TRACE_RAW;
	else
		return bad(option, "granularity=page, line or raw");
	return true;
}

static bool parse_start(const char *option, const char *value)
{
	capture.marker = !strcmp(value, "mark");
	return capture.marker || !strcmp(value, "now") || bad(option, "now or mark");
}

static bool parse_after(const char *option, const char *value)
{
	static const char *const names[] = {
		[AFTER_EXIT] = "exit", [AFTER_RUN] = "run", [AFTER_STOP] = "stop"
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]) != 0)
			continue;
		capture.after = (enum after_limit)i;
		return true;
	}
	return bad(option, "exit, run or stop");
}

static bool parse_option(const char *option)
{
	const char *value = strchr(option, '=');
	size_t n = value ? (size_t)(value - option) : 0;

	if (!value)
		return bad(option, "KEY=VALUE");
	value++;
#define IS(key) (n == sizeof(key) - 1 && !strncmp(option, key, n))
	if (IS("out"))
		capture.path = value;
	else if (IS("provenance"))
		capture.provenance_path = value;
	else if (IS("granularity"))
		return parse_granularity(option, value);
	else if (IS("level"))
		return parse_level(option, value);
	else if (IS("skip"))
		return parse_count(option, value, &capture.skip);
	else if (IS("limit"))
		return parse_count(option, value, &capture.limit);
	else if (IS("start"))
		return parse_start(option, value);
	else if (IS("after"))
		return parse_after(option, value);
	else
		return bad(option,
			   "out, granularity, skip, limit, start, after, level or provenance");
#undef IS
	return true;
}

static const char *granularity_name(void)
{
	switch (capture.granularity) {
	case TRACE_RAW:
		return "raw";
	case TRACE_LINE_RUNS:
		return "line";
	default:
		return "page";
	}
}

/* The lines of the given file, then ours. */
static bool make_provenance(void)
{
	char *text = malloc(MAX_PROVENANCE_BYTES);
	size_t n = 0;

	if (!text)
		return bad("provenance", "enough memory");
	capture.provenance = text;
	if (capture.provenance_path) {
		FILE *in = fopen(capture.provenance_path, "r");

		if (!in) {
			fprintf(stderr, "capture: error: %s: %s\n", capture.provenance_path,
				strerror(errno));
			return false;
		}
		n = fread(text, 1, MAX_PROVENANCE_BYTES / 2, in);
		fclose(in);
		if (n == MAX_PROVENANCE_BYTES / 2)
			return bad(capture.provenance_path, "less than 512 KiB");
		if (n && text[n - 1] != '\n')
			text[n++] = '\n';
	}
	snprintf(
		text + n, MAX_PROVENANCE_BYTES - n,
		"capture: twostage plug-in, %s emulation\ncapture-options: granularity=%s skip=%llu"
		" limit=%llu start=%s\n",
		capture.system ? "system" : "user", granularity_name(),
		(unsigned long long)capture.skip, (unsigned long long)capture.limit,
		capture.marker ? "mark" : "now");
	return true;
}

bool options_parse(int argc, char **argv)
{
	capture.granularity = TRACE_PAGE_RUNS;
	for (int i = 0; i < argc; i++)
		if (!parse_option(argv[i]))
			return false;
	if (!capture.path || !*capture.path)
		return bad("out", "out=FILE");
	capture.skip_left = capture.skip;
	capture.limit_left = capture.limit;
	return make_provenance();
}
